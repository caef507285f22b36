/* SPDX-License-Identifier: Apache-2.0 */
/* What a board is supplied with: voltage, current limit, measurement, brown-outs and glitches. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rig/flash.h"
#include "../../rig/supply.h"
#include "../../rig/supply_units.h"
#include "generic.h"

#define ACTION_NS  SECONDS_NS(5)
#define LEVELS_MAX 64U
/* What a profile may take beyond its own holds and ramps: an answer a level, and the way back. */
#define SLACK_NS SECONDS_NS(10)

#define ROLE_ARG {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."}

static int changed_board(struct step_context *context, const struct step_call *call, struct rig_board **ret, struct error *err)
{
	int r = step_board(context, call, ret, err);
	if (r == 0)
		boards_changed(context->executor, *ret);
	return r;
}

static int of_role(const struct rig_board *board, int r, struct error *err)
{
	if (r < 0)
		error_prefix(err, "%s", rig_board_role(board));
	return r;
}

/* A virtual board's supply is part of its model. */
static int set_voltage(struct rig_board *board, uint32_t millivolts, struct error *err)
{
	struct supply *supply = supply_of_board(board);
	if (!supply)
		return rig_board_supply(board, millivolts, err);
	return of_role(board, supply_set_voltage(supply, millivolts, loop_now_ns() + ACTION_NS, err), err);
}

static int need_supply(struct rig_board *board, const char *what, struct supply **ret, struct error *err)
{
	*ret = supply_of_board(board);
	if (*ret)
		return 0;
	return error_set(err, ERROR_TESTCASE, EOPNOTSUPP, "%s: its supply is modelled and cannot %s", rig_board_role(board), what);
}

/* A case that asks for what the rig's supply cannot do is a case for another rig. */
static int for_another_rig(int r, struct error *err)
{
	if (r == -EOPNOTSUPP && err)
		err->domain = ERROR_TESTCASE;
	return r;
}

/* ---- set ---- */

static const struct arg_def set_args[] = {
        ROLE_ARG,
        {"voltage", VALUE_TEXT, 0, NULL, NULL, 0, 0, "In V or mV, like 9V."},
        {"current_limit", VALUE_TEXT, 0, NULL, NULL, 0, 0, "In A or mA, like 500mA."},
        {NULL},
};

static int set_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct value *voltage = value_get(known, "voltage"), *limit = value_get(known, "current_limit");
	uint32_t parsed;
	if (!value_get(call->args, "voltage") && !value_get(call->args, "current_limit"))
		return error_set_place(err, ERROR_USAGE, EINVAL, call->place, "power.set lacks `voltage` or `current_limit`");
	int r = voltage ? supply_value_voltage(voltage, "voltage", &parsed, err) : 0;
	return r == 0 && limit ? supply_value_current(limit, "current_limit", &parsed, err) : r;
}

static int set_limit(struct rig_board *board, uint32_t milliamperes, struct error *err)
{
	struct supply *supply;
	int r = need_supply(board, "limit the current", &supply, err);
	return r < 0 ? r : of_role(board, supply_set_limit(supply, milliamperes, loop_now_ns() + ACTION_NS, err), err);
}

static int set_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	const struct value *voltage, *limit;
	uint32_t mv = 0, ma = 0;
	int r = changed_board(context, call, &board, err);
	if (r == 0)
		r = step_arg(context, call, "voltage", &voltage, err);
	if (r == 0)
		r = step_arg(context, call, "current_limit", &limit, err);
	if (r == 0 && voltage)
		r = supply_value_voltage(voltage, "voltage", &mv, err);
	if (r == 0 && limit)
		r = supply_value_current(limit, "current_limit", &ma, err);
	if (r < 0)
		return r;
	/* The limit first: a higher voltage must not meet the limit of before. */
	if (limit)
		r = set_limit(board, ma, err);
	if (r == 0 && voltage)
		r = set_voltage(board, mv, err);
	return for_another_rig(r, err);
}

const struct step_def step_power_set = {
        .name = "power.set",
        .doc = "Sets the voltage or the current limit of a board's supply; the output stays on or off. Both are put back at the next "
               "rack.ready.",
        .example = "- power.set: {role: zgw, voltage: 9V, current_limit: 500mA}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = set_args,
        .run = set_run,
        .check = set_check,
};

/* ---- measure ---- */

static const struct arg_def measure_args[] = {
        ROLE_ARG,
        {NULL},
};
static const struct result_def measure_results[] = {
        {"voltage_mv", VALUE_INTEGER, "Voltage at the supply's output, mV."},
        {"current_ma", VALUE_INTEGER, "Current that the board draws, mA."},
        {NULL},
};

static int measure_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	struct supply *supply;
	int32_t mv, ma;
	int r = step_board(context, call, &board, err);
	if (r == 0)
		r = need_supply(board, "measure", &supply, err);
	if (r == 0)
		r = for_another_rig(of_role(board, supply_measure(supply, &mv, &ma, loop_now_ns() + ACTION_NS, err), err), err);
	if (r < 0)
		return r;
	if (step_result_integer(context, "voltage_mv", mv) < 0 || step_result_integer(context, "current_ma", ma) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return 0;
}

const struct step_def step_power_measure = {
        .name = "power.measure",
        .doc = "Measures voltage and current at a board's supply.",
        .example = "- power.measure: {role: zgw, expect: {voltage_mv: {in_range: [11500, 12500]}, current_ma: {at_most: 900}}}",
        .flags = STEP_ALWAYS_OK,
        .args = measure_args,
        .results = measure_results,
        .run = measure_run,
};

/* ---- profile ---- */

static const struct arg_def profile_args[] = {
        ROLE_ARG,
        {"levels", VALUE_MAP, ARG_REQUIRED | ARG_LIST | ARG_ANY, NULL, NULL, 0, 0,
         "Maps of `voltage`, `hold` (how long it stays; default 0ms) and `ramp` (time to get there from the level before; default 0ms: at "
         "once)."},
        {NULL},
};

static int level_time(const struct value *level, const char *key, int64_t *ret, struct error *err)
{
	int r = supply_value_time(level, key, 0, ret, err);
	if (r == 0 && *ret > SECONDS_NS(3600))
		r = error_set_place(err, ERROR_USAGE, ERANGE, value_get(level, key)->place, "`%s` is at most 1h", key);
	return r;
}

static int level_read(const struct value *level, struct supply_level *ret, struct error *err)
{
	static const char *const known[] = {"voltage", "hold", "ramp"};
	if (level->type != VALUE_MAP || !value_get(level, "voltage"))
		return error_set_place(err, ERROR_USAGE, EINVAL, level->place,
		                       "a level is a map with `voltage`, and perhaps `hold` and `ramp`");
	for (unsigned i = 0; i < level->map.count; i++) {
		const char *key = level->map.entries[i].key;
		if (strcmp(key, known[0]) && strcmp(key, known[1]) && strcmp(key, known[2]))
			return error_set_place(err, ERROR_USAGE, EINVAL, level->map.entries[i].key_place,
			                       "unknown key `%s` in a level: voltage, hold, ramp", key);
	}
	int r = supply_value_voltage(value_get(level, "voltage"), "voltage", &ret->millivolts, err);
	if (r == 0)
		r = level_time(level, "hold", &ret->hold_ns, err);
	return r == 0 ? level_time(level, "ramp", &ret->ramp_ns, err) : r;
}

static int levels_read(const struct value *list, struct supply_level ret[static LEVELS_MAX], unsigned *ret_count, struct error *err)
{
	unsigned count = list->type == VALUE_LIST ? list->list.count : 1;
	int r = 0;
	if (count == 0 || count > LEVELS_MAX)
		return error_set_place(err, ERROR_USAGE, EINVAL, list->place, "`levels` has 1 to %u levels", LEVELS_MAX);
	for (unsigned i = 0; r == 0 && i < count; i++)
		r = level_read(list->type == VALUE_LIST ? list->list.items[i] : list, &ret[i], err);
	*ret_count = count;
	return r;
}

static int profile_check(const struct step_call *call, const struct value *known, struct error *err)
{
	struct supply_level levels[LEVELS_MAX];
	const struct value *list = value_get(known, "levels");
	unsigned count;
	(void)call;
	return list ? levels_read(list, levels, &count, err) : 0;
}

/* The modelled supply: it has no ramps of its own, a step a millisecond. */
static int model_level(struct step_context *context, struct rig_board *board, uint32_t from, const struct supply_level *level,
                       struct error *err)
{
	int64_t begin_ns = loop_now_ns();
	int r = 0;
	for (int64_t at_ns = 0; r == 0 && at_ns < level->ramp_ns; at_ns = loop_now_ns() - begin_ns) {
		double share = (double)at_ns / (double)level->ramp_ns;
		r = rig_board_supply(board, (uint32_t)(from + ((double)level->millivolts - from) * share), err);
		if (r == 0)
			r = step_pause(context, 1000000, err);
	}
	if (r == 0)
		r = rig_board_supply(board, level->millivolts, err);
	return r == 0 && level->hold_ns ? step_pause(context, level->hold_ns, err) : r;
}

static int model_profile(struct step_context *context, struct rig_board *board, const struct supply_level *levels, unsigned count,
                         struct error *err)
{
	struct error lost;
	uint32_t from = RIG_SUPPLY_MV;
	int r = 0;
	for (unsigned i = 0; r == 0 && i < count; i++) {
		r = model_level(context, board, from, &levels[i], err);
		from = levels[i].millivolts;
	}
	int back = rig_board_supply(board, RIG_SUPPLY_MV, r < 0 ? &lost : err);
	return r < 0 ? r : back;
}

static int profile_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct supply_level levels[LEVELS_MAX];
	const struct value *list;
	struct rig_board *board;
	unsigned count;
	int64_t time_ns = SLACK_NS;
	int r = changed_board(context, call, &board, err);
	if (r == 0)
		r = step_arg(context, call, "levels", &list, err);
	if (r == 0)
		r = levels_read(list, levels, &count, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++)
		time_ns += levels[i].hold_ns + levels[i].ramp_ns;
	struct supply *supply = supply_of_board(board);
	if (supply)
		r = of_role(board, supply_profile(supply, levels, count, loop_now_ns() + time_ns, err), err);
	else
		r = model_profile(context, board, levels, count, err);
	return for_another_rig(r, err);
}

const struct step_def step_power_profile = {
        .name = "power.profile",
        .doc = "Takes a board's supply through levels of voltage (a brown-out, a glitch, a cranking pulse) and back to the nominal "
               "voltage. "
               "The journal has each level at the time at which the supply had taken it; how sharp the edges are is the instrument's "
               "business.",
        .example = "- power.profile: {role: zgw, levels: [{voltage: 6V, ramp: 20ms, hold: 100ms}, {voltage: 0V, hold: 5ms}]}",
        .flags = STEP_ACTION,
        .args = profile_args,
        .run = profile_run,
        .check = profile_check,
};

/* ---- cycle ---- */

static const struct arg_def cycle_args[] = {
        ROLE_ARG,
        {"off_for", VALUE_DURATION, 0, "500ms", NULL, 0, 0, "How long power stays off."},
        {"below", VALUE_TEXT, 0, NULL, NULL, 0, 0,
         "The supply's output must have fallen below this voltage before it is switched on again."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long the voltage may take to fall."},
        {NULL},
};

static int cycle_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct value *below = value_get(known, "below");
	uint32_t mv;
	(void)call;
	return below ? supply_value_voltage(below, "below", &mv, err) : 0;
}

/* Charged capacitors keep a board half alive: that is no power cycle. */
static int wait_below(struct step_context *context, struct rig_board *board, const struct value *below, int64_t within_ns,
                      struct error *err)
{
	struct supply *supply;
	uint32_t limit_mv;
	int32_t mv, ma;
	int64_t end_ns = loop_now_ns() + within_ns;
	int r = supply_value_voltage(below, "below", &limit_mv, err);
	if (r == 0)
		r = need_supply(board, "measure", &supply, err);
	while (r == 0) {
		r = for_another_rig(of_role(board, supply_measure(supply, &mv, &ma, loop_now_ns() + ACTION_NS, err), err), err);
		if (r < 0 || mv < (int32_t)limit_mv)
			return r;
		if (loop_now_ns() >= end_ns)
			return error_set(
			        err, ERROR_BENCH, ETIMEDOUT,
			        "%s: its supply is off, but after %.3f s its output still has %.3f V: is the board fed from elsewhere?",
			        rig_board_role(board), (double)within_ns / 1e9, mv / 1e3);
		r = step_pause(context, 10000000, err);
	}
	return r;
}

static int cycle_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const struct value *below;
	struct rig_board *board;
	int64_t off_ns, within_ns;
	int r = changed_board(context, call, &board, err);
	if (r == 0)
		r = step_arg_integer(context, call, "off_for", SECONDS_NS(1) / 2, &off_ns, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(5), &within_ns, err);
	if (r == 0)
		r = step_arg(context, call, "below", &below, err);
	if (r == 0)
		r = rig_board_power(board, false, loop_now_ns() + ACTION_NS, err);
	if (r == 0 && off_ns > 0)
		r = step_pause(context, off_ns, err);
	if (r == 0 && below)
		r = wait_below(context, board, below, within_ns, err);
	return r < 0 ? r : rig_board_power(board, true, loop_now_ns() + ACTION_NS, err);
}

const struct step_def step_power_cycle = {
        .name = "power.cycle",
        .doc = "Switches a board off and on again and does not wait for its boot (board.restart does).",
        .example = "- power.cycle: {role: zgw, off_for: 200ms, below: 500mV}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = cycle_args,
        .run = cycle_run,
        .check = cycle_check,
};
