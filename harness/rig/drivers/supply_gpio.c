/* SPDX-License-Identifier: Apache-2.0 */
/* Power by a relay at a GPIO line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gpio_line.h"
#include "../supply_private.h"
#include "../supply_units.h"

/* A relay's contact closes some milliseconds after its coil is driven: how many is `on_delay`. */
struct relay_line {
	struct gpio_line *line;
	int64_t delay_ns;
	sd_event_source *timer; /* from the first switching on */
};

#define UNCERTAINTY_NS 50000 /* of the system call */

#define LOOK_US 250000

/* Whoever waits in the loop looks at gpio_alive() when something wakes it: not every kernel does when a chip is pulled out. */
static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	const struct relay_line *state = context;
	struct error gone;
	if (gpio_line_alive(state->line, &gone) < 0)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return sd_event_source_set_time(source, usec + LOOK_US);
}

static int begin_looking(struct supply *supply, struct error *err)
{
	struct relay_line *state = supply->state;
	uint64_t first_us = (uint64_t)loop_now_ns() / 1000 + LOOK_US;
	int r = state->timer ? sd_event_source_set_time(state->timer, first_us)
	                     : sd_event_add_time(loop_event(supply->loop), &state->timer, CLOCK_MONOTONIC, first_us, 0, on_timer, state);
	if (r >= 0)
		r = sd_event_source_set_enabled(state->timer, SD_EVENT_ON);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot make a timer: %s", strerror(-r)) : 0;
}

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
	if (state) {
		sd_event_source_disable_unref(state->timer);
		gpio_line_free(state->line);
	}
	free(state);
	supply->state = NULL;
}

static int gpio_output(struct supply *supply, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	struct relay_line *state = supply->state;
	int64_t begin_ns = loop_now_ns();
	int r = gpio_line_set(state->line, on, err);
	struct instant at = instant_now();
	if (r < 0)
		return r;
	/* At a USB adapter the line changes somewhere in the call, not at its end. */
	at.uncertainty_ns += (at.ns - begin_ns) / 2;
	at.ns -= (at.ns - begin_ns) / 2;
	r = begin_looking(supply, err);
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

static int gpio_alive(const struct supply *supply, struct error *err)
{
	const struct relay_line *state = supply->state;
	int r = gpio_line_alive(state->line, err);
	if (r < 0)
		error_prefix(err, "power");
	return r;
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
        .alive = gpio_alive,
        .identify = gpio_identify,
};
