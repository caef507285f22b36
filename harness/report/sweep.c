/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"

#define EXPECTED_LIMIT 1e18

static int64_t count(const json_t *data, const char *key)
{
	int64_t value = event_integer(data, key, 0);
	return value < 0 ? 0 : value;
}

static double number(const json_t *data, const char *key, double limit)
{
	double value = json_number_value(json_object_get(data, key)); /* 0 of what is no number */
	return value > limit ? limit : value > 0 ? value : 0;
}

int report_sweep_read(const json_t *event, const char *case_id, bool virtual_rack, struct report_sweep *ret)
{
	const json_t *data = json_object_get(event, "data");
	bool failed = false;
	struct report_sweep sweep = {
	        .case_id = strdup(case_id),
	        .channel = event_text(event, "ch", &failed),
	        .mode = event_text(data, "mode", &failed),
	        .virtual_rack = virtual_rack,
	        .complete = json_is_true(json_object_get(data, "complete")),
	        .id = count(data, "id"),
	        .mac_bits = count(data, "mac_bits"),
	        .attempts = count(data, "attempts"),
	        .sent = count(data, "sent"),
	        .accepted = count(data, "accepted"),
	        .rejected = count(data, "rejected"),
	        .by_chance = count(data, "by_chance"),
	        .unexplained = count(data, "unexplained"),
	        .rate = count(data, "rate"),
	        .expected = number(data, "expected", EXPECTED_LIMIT),
	        .confidence = number(data, "confidence", 1),
	        .lower = number(data, "lower", 1),
	        .upper = number(data, "upper", 1),
	};
	if (failed || !sweep.case_id) {
		report_sweep_free(&sweep);
		*ret = (struct report_sweep){0};
		return -ENOMEM;
	}
	*ret = sweep;
	return 0;
}

void report_sweep_free(struct report_sweep *sweep)
{
	free(sweep->case_id);
	free(sweep->channel);
	free(sweep->mode);
	*sweep = (struct report_sweep){0};
}

const char *report_sweep_id(const struct report_sweep *sweep, char *buffer)
{
	(void)snprintf(buffer, TEXT_NUMBER_SIZE, "0x%03" PRIx64, (uint64_t)sweep->id);
	return buffer;
}

void report_sweep_put_line(struct text *out, const struct report_sweep *sweep)
{
	char id[TEXT_NUMBER_SIZE], expected[TEXT_NUMBER_SIZE], lower[TEXT_NUMBER_SIZE], upper[TEXT_NUMBER_SIZE], percent[TEXT_NUMBER_SIZE];
	text_printf(out, "%s: %s: %" PRId64 " forged PDUs%s: accepted %" PRId64 ", rejected %" PRId64, sweep->case_id,
	            report_sweep_id(sweep, id), sweep->sent, sweep->complete ? "" : " (broken off)", sweep->accepted, sweep->rejected);
	text_printf(out, ", expected %s, by chance %" PRId64 ", unexplained %" PRId64, text_real(sweep->expected, expected),
	            sweep->by_chance, sweep->unexplained);
	text_printf(out, "; acceptance %s to %s at %s %%%s", text_real(sweep->lower, lower), text_real(sweep->upper, upper),
	            text_real(sweep->confidence * 100, percent), sweep->virtual_rack ? " (virtual)" : "");
}
