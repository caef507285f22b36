/* SPDX-License-Identifier: Apache-2.0 */
/* Power by a relay at a GPIO line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../gpio_line.h"
#include "../supply_private.h"
#include "../supply_units.h"

/* A relay's contact closes some milliseconds after its coil is driven: how many is `on_delay`. */
struct relay_line {
	struct gpio_line *line;
	int64_t delay_ns;
};

#define UNCERTAINTY_NS 50000 /* of the system call */

static int gpio_check(const struct value *map, struct error *err)
{
	int64_t delay_ns;
	int r = gpio_line_check(map, err);
	return r < 0 ? r : supply_value_time(map, "on_delay", 0, &delay_ns, err);
}

static int gpio_open(struct supply *supply, struct error *err)
{
	struct relay_line *state = calloc(1, sizeof(*state));
	if (!state)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	supply->state = state;
	int r = supply_value_time(supply->map, "on_delay", 0, &state->delay_ns, err);
	return r < 0 ? r : gpio_line_new(&state->line, supply->map, err);
}

static void gpio_close(struct supply *supply)
{
	struct relay_line *state = supply->state;
	if (state)
		gpio_line_free(state->line);
	free(state);
	supply->state = NULL;
}

static int gpio_output(struct supply *supply, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	struct relay_line *state = supply->state;
	int r = gpio_line_set(state->line, on, err);
	struct instant at = instant_now();
	if (r < 0)
		return r;
	int64_t delay_ns = on ? state->delay_ns : 0;
	/* Somewhere in the delay the contact has closed. */
	at.ns += delay_ns / 2;
	at.uncertainty_ns += UNCERTAINTY_NS + delay_ns / 2;
	int64_t end_ns = at.ns + delay_ns - delay_ns / 2;
	if (end_ns > deadline_ns)
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "`on_delay` is longer than the time that switching may take");
	if (delay_ns && loop_until(supply->loop, NULL, NULL, end_ns) == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	*ret_at = at;
	return 0;
}

static int gpio_is_on(struct supply *supply, bool *ret, int64_t deadline_ns, struct error *err)
{
	struct relay_line *state = supply->state;
	(void)deadline_ns;
	return gpio_line_get(state->line, ret, err);
}

static int gpio_identify(struct supply *supply, char *ret_identity, size_t size, int64_t deadline_ns, struct error *err)
{
	struct relay_line *state = supply->state;
	(void)deadline_ns;
	return gpio_line_look(state->line, ret_identity, size, err);
}

static const char *const keys[] = {"chip", "line", "active_low", "on_delay", "off_at_end", NULL};

const struct supply_driver supply_gpio = {
        .name = "gpio",
        .keys = keys,
        .check = gpio_check,
        .open = gpio_open,
        .close = gpio_close,
        .output = gpio_output,
        .is_on = gpio_is_on,
        .identify = gpio_identify,
};
