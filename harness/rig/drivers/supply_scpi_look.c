/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring without waiting, while steps run: a question, an answer, and nothing of it may hold up the loop. An instrument that went away
 * is connected anew, and asked who it is and for its channel, before it is measured again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../rig_private.h"
#include "supply_scpi.h"

#define LOOK_NS  (INT64_C(1) * 1000000000)
#define RETRY_NS (INT64_C(500) * 1000000)

static void gone(struct supply *supply)
{
	const struct scpi *scpi = supply->state;
	char why[200];
	(void)snprintf(why, sizeof(why), "power supply %s: %s", map_text(supply->map, "address"), scpi_reason(scpi->link));
	supply_missing(supply, why);
}

static void ask(struct supply *supply, const char *message, scpi_later done)
{
	const struct scpi *scpi = supply->state;
	int r = scpi_ask_later(scpi->link, message, LOOK_NS, done, supply);
	/* Somebody else is at it: the next look comes soon. */
	if (r < 0 && r != -EBUSY)
		gone(supply);
}

/* ---- measuring ---- */

static void measured(const char *answer, int64_t sent_ns, void *context)
{
	struct supply *supply = context;
	const struct scpi *scpi = supply->state;
	char message[64], copy[SCPI_ANSWER_MAX];
	struct error wrong = {0};
	int32_t mv, ma;
	if (!answer) {
		gone(supply);
		return;
	}
	scpi_measure_message(scpi, message, sizeof(message));
	(void)snprintf(copy, sizeof(copy), "%s", answer);
	if (scpi_read_measured(supply, message, copy, &mv, &ma, &wrong) < 0) {
		supply_missing(supply, wrong.message);
		return;
	}
	struct instant at = instant_now();
	at.uncertainty_ns += (at.ns - sent_ns) / 2;
	at.ns -= (at.ns - sent_ns) / 2;
	supply_measured(supply, mv, ma, at);
}

/* ---- a connection that is new ---- */

static void is_ready(struct supply *supply)
{
	struct scpi *scpi = supply->state;
	scpi->generation = scpi->selected = scpi_generation(scpi->link);
}

static void read_back(const char *answer, int64_t sent_ns, void *context)
{
	struct supply *supply = context;
	struct error wrong = {0};
	(void)sent_ns;
	if (!answer)
		gone(supply);
	else if (scpi_look_at_selection(supply, answer, &wrong) < 0)
		supply_missing(supply, wrong.message);
	else
		is_ready(supply);
}

static void selected(const char *answer, int64_t sent_ns, void *context)
{
	struct supply *supply = context;
	const struct scpi *scpi = supply->state;
	char why[200];
	long code;
	(void)sent_ns;
	if (!answer) {
		gone(supply);
	} else if (!scpi_error_code(answer, &code) || code != 0) {
		(void)snprintf(why, sizeof(why), "power supply %s: refuses \"INST:NSEL %u\": %.100s", map_text(supply->map, "address"),
		               scpi->channel, answer);
		supply_missing(supply, why);
	} else {
		ask(supply, "INST:NSEL?", read_back);
	}
}

static void identified(const char *answer, int64_t sent_ns, void *context)
{
	struct supply *supply = context;
	struct scpi *scpi = supply->state;
	struct error wrong = {0};
	char message[40];
	(void)sent_ns;
	if (!answer) {
		gone(supply);
		return;
	}
	(void)snprintf(message, sizeof(message), "INST:NSEL %u", scpi->channel);
	int r = scpi_look_at_identity(supply, answer, &wrong);
	if (r == 0)
		r = scpi_tell(scpi->link, "*CLS", &wrong);
	if (r == 0 && scpi_selects(scpi))
		r = scpi_tell(scpi->link, message, &wrong);
	if (r < 0)
		supply_missing(supply, wrong.message);
	else if (scpi_selects(scpi))
		ask(supply, "SYST:ERR?", selected);
	else
		is_ready(supply);
}

static void connected(const char *answer, int64_t sent_ns, void *context)
{
	(void)sent_ns;
	if (answer)
		ask(context, "*IDN?", identified);
}

static void connect_again(struct supply *supply)
{
	struct scpi *scpi = supply->state;
	gone(supply);
	if (loop_now_ns() < scpi->retry_ns)
		return;
	if (scpi_connect_later(scpi->link, LOOK_NS, connected, supply) != -EBUSY)
		scpi->retry_ns = loop_now_ns() + RETRY_NS;
}

void scpi_look(struct supply *supply)
{
	const struct scpi *scpi = supply->state;
	const unsigned now = scpi_generation(scpi->link);
	char message[64];
	/* The first connection is for whoever can wait for it. */
	if (scpi->generation == 0)
		return;
	if (!scpi_is_connected(scpi->link)) {
		connect_again(supply);
	} else if (scpi->generation != now || (scpi_selects(scpi) && scpi->selected != now)) {
		ask(supply, "*IDN?", identified);
	} else {
		scpi_measure_message(scpi, message, sizeof(message));
		ask(supply, message, measured);
	}
}
