/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../gpio_line.h"
#include "../probe.h"
#include "../rig_keys.h"
#include "../run_command.h"
#include "../supply_units.h"
#include "board_parts.h"

#define PULSE_NS (INT64_C(100) * 1000000)

struct board_reset {
	struct rig_board *board;
	const struct value *map;
	const struct reset_driver *driver;
	struct board_line *line;
	struct gpio_line *gpio;
	int64_t pulse_ns;
};

struct reset_driver {
	const char *name;
	const char *keys[7];
	int (*check)(const struct value *role, const struct value *map, struct error *err);
	int (*set)(struct board_reset *, bool active, int64_t deadline_ns, struct error *err);
	/* NULL: set, wait, set. */
	int (*pulse)(struct board_reset *, int64_t deadline_ns, struct error *err);
};

/* ---- by a line of the console's port ---- */

static int serial_check(const struct value *role, const struct value *map, struct error *err)
{
	static const char *const names[] = {"rts", "dtr"};
	const char *console = map_text(value_get(role, "console"), "driver");
	const struct value *line = value_get(map, "line");
	bool known = line && line->type == VALUE_TEXT && (!strcmp(line->text, names[0]) || !strcmp(line->text, names[1]));
	if (!known)
		return error_set_place(err, ERROR_USAGE, EINVAL, line ? line->place : map->place, "reset: `line` must be rts or dtr");
	if (!console || strcmp(console, "serial"))
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "reset by %s needs a `console` with driver serial",
		                       line->text);
	if (value_get(value_get(role, "console"), line->text))
		return error_set_place(err, ERROR_USAGE, EINVAL, line->place,
		                       "`%s` of the console is the reset line: its state is not given", line->text);
	return 0;
}

static bool inverted(const struct board_reset *reset)
{
	const struct value *low = value_get(reset->map, "active_low");
	return low && low->boolean;
}

static int serial_set(struct board_reset *reset, bool active, int64_t deadline_ns, struct error *err)
{
	bool rts = !strcmp(map_text(reset->map, "line"), "rts");
	int level = active != inverted(reset);
	(void)deadline_ns;
	return board_line_set(reset->line, rts ? level : -1, rts ? -1 : level, err);
}

/* ---- by a GPIO line ---- */

static int gpio_check(const struct value *role, const struct value *map, struct error *err)
{
	(void)role;
	return gpio_line_check(map, err);
}

static int gpio_set(struct board_reset *reset, bool active, int64_t deadline_ns, struct error *err)
{
	(void)deadline_ns;
	return gpio_line_set(reset->gpio, active, err);
}

/* ---- by a command ---- */

static int command_check(const struct value *role, const struct value *map, struct error *err)
{
	static const char *const names[] = {"assert", "release", "pulse"};
	int r = 0;
	(void)role;
	for (unsigned i = 0; r == 0 && i < 3; i++)
		if (value_get(map, names[i]))
			r = run_command_check(value_get(map, names[i]), names[i], err);
	if (r < 0)
		return r;
	if (!value_get(map, "assert") != !value_get(map, "release"))
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "reset by a command: `assert` and `release` go together");
	if (!value_get(map, "assert") && !value_get(map, "pulse"))
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "reset by a command lacks `assert` and `release`, or `pulse`");
	return 0;
}

static int command_run(struct board_reset *reset, const char *name, int64_t deadline_ns, struct error *err)
{
	const struct value *words = value_get(reset->map, name);
	struct run_command_result result;
	if (!words)
		return error_set(err, ERROR_BENCH, EOPNOTSUPP, "`reset` has no `%s`", name);
	int r = run_command(reset->board->rig->loop, words, deadline_ns, &result, err);
	return r == 0 && result.status != 0 ? run_command_failed(words, &result, err) : r;
}

static int command_set(struct board_reset *reset, bool active, int64_t deadline_ns, struct error *err)
{
	return command_run(reset, active ? "assert" : "release", deadline_ns, err);
}

static int command_pulse(struct board_reset *reset, int64_t deadline_ns, struct error *err)
{
	return command_run(reset, "pulse", deadline_ns, err);
}

/* ---- by the probe ---- */

static int probe_check(const struct value *role, const struct value *map, struct error *err)
{
	return value_get(role, "probe") ? 0 : error_set_place(err, ERROR_USAGE, EINVAL, map->place, "reset by the probe needs a `probe`");
}

static int probe_of(struct board_reset *reset, struct probe **ret, struct error *err)
{
	*ret = rig_board_probe(reset->board);
	return *ret ? 0 : error_set(err, ERROR_BENCH, ENODEV, "the board has no probe");
}

/* Held: the CPU is reset and stands before its first instruction. */
static int probe_set(struct board_reset *reset, bool active, int64_t deadline_ns, struct error *err)
{
	struct probe *probe;
	int r = probe_of(reset, &probe, err);
	if (r < 0)
		return r;
	return active ? probe_reset(probe, PROBE_RESET_HALT, deadline_ns, err) : probe_resume(probe, deadline_ns, err);
}

static int probe_pulse(struct board_reset *reset, int64_t deadline_ns, struct error *err)
{
	struct probe *probe;
	int r = probe_of(reset, &probe, err);
	return r < 0 ? r : probe_reset(probe, PROBE_RESET_SYSTEM, deadline_ns, err);
}

static const struct reset_driver drivers[] = {
        {"serial", {"line", "active_low", "pulse_for", NULL}, serial_check, serial_set, NULL},
        {"gpio", {"chip", "line", "active_low", "pulse_for", NULL}, gpio_check, gpio_set, NULL},
        {"command", {"assert", "release", "pulse", "pulse_for", NULL}, command_check, command_set, command_pulse},
        {"probe", {NULL}, probe_check, probe_set, probe_pulse},
};

static const struct reset_driver *driver_find(const struct value *map)
{
	const char *name = map_text(map, "driver");
	for (size_t i = 0; name && i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(drivers[i].name, name))
			return &drivers[i];
	return NULL;
}

int board_reset_check(const struct value *role, struct error *err)
{
	const struct value *map = value_get(role, "reset");
	int64_t pulse_ns;
	if (!map)
		return 0;
	const struct reset_driver *driver = driver_find(map);
	int r = driver ? rig_keys_of_driver(map, driver->name, driver->keys, err) : -EINVAL;
	if (r == 0)
		r = driver->check(role, map, err);
	return r == 0 ? supply_value_time(map, "pulse_for", PULSE_NS, &pulse_ns, err) : r;
}

/* The reset line is released when the board comes into use: a line that is driven for the first time must not hold the board. */
static int prepare(struct board_reset *reset, struct error *err)
{
	if (!strcmp(reset->driver->name, "serial") || !strcmp(reset->driver->name, "gpio"))
		return reset->driver->set(reset, false, INT64_MAX, err);
	return 0;
}

int board_reset_open(struct board_reset **ret, struct rig_board *board, struct board_line *line, struct error *err)
{
	const struct value *map = value_get(board->map, "reset");
	struct board_reset *reset = calloc(1, sizeof(*reset));
	if (!reset)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*reset = (struct board_reset){.board = board, .map = map, .driver = driver_find(map), .line = line};
	int r = supply_value_time(map, "pulse_for", PULSE_NS, &reset->pulse_ns, err);
	if (r == 0 && !strcmp(reset->driver->name, "gpio"))
		r = gpio_line_new(&reset->gpio, map, err);
	if (r == 0)
		r = prepare(reset, err);
	if (r < 0) {
		error_prefix(err, "reset");
		board_reset_close(reset);
		return r;
	}
	*ret = reset;
	return 0;
}

void board_reset_close(struct board_reset *reset)
{
	if (reset)
		gpio_line_free(reset->gpio);
	free(reset);
}

/* *ret_begin_ns: when the release began. */
static int assert_and_release(struct board_reset *reset, int64_t deadline_ns, int64_t *ret_begin_ns, struct error *err)
{
	struct error lost;
	int r = reset->driver->set(reset, true, deadline_ns, err);
	if (r < 0)
		return r;
	int64_t end_ns = loop_now_ns() + reset->pulse_ns;
	int waited = loop_until(reset->board->rig->loop, NULL, NULL, end_ns < deadline_ns ? end_ns : deadline_ns);
	*ret_begin_ns = loop_now_ns();
	/* Whatever came between: a board that stays in reset is worse. */
	r = reset->driver->set(reset, false, deadline_ns, waited == -ECANCELED ? &lost : err);
	return waited == -ECANCELED ? error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled") : r;
}

int board_reset_pulse(struct board_reset *reset, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	bool whole = reset->driver->pulse && (strcmp(reset->driver->name, "command") || value_get(reset->map, "pulse"));
	int64_t begin_ns = loop_now_ns();
	int r = whole ? reset->driver->pulse(reset, deadline_ns, err) : assert_and_release(reset, deadline_ns, &begin_ns, err);
	if (r < 0) {
		error_prefix(err, "reset");
		return r;
	}
	/* Somewhere in the call, which takes its time at a USB adapter. */
	*ret_at = instant_now();
	ret_at->uncertainty_ns += (ret_at->ns - begin_ns) / 2;
	ret_at->ns -= (ret_at->ns - begin_ns) / 2;
	return 0;
}

int board_reset_hold(struct board_reset *reset, bool on, int64_t deadline_ns, struct error *err)
{
	int r = reset->driver->set(reset, on, deadline_ns, err);
	if (r < 0)
		error_prefix(err, "reset");
	return r;
}
