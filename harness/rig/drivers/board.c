/* SPDX-License-Identifier: Apache-2.0 */
/* A board on the bench: put together from a supply, a console, a reset and a probe, each by a driver of its own (docs/reference/power.md).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rig_keys.h"
#include "../supply.h"
#include "board_parts.h"

#define PREPARE_NS (INT64_C(8) * 1000000000)
#define CYCLE_NS   (INT64_C(500) * 1000000) /* off, when a power cycle stands in for a reset */

struct bench_board {
	struct board_line *line;
	struct board_reset *reset; /* NULL: by a power cycle */
	int64_t boots;
};

static int board_check(const struct value *role, struct error *err)
{
	static const char *const needed[] = {"power", "console", NULL}, *const strange[] = {"bootloader", "application", "signing_key",
	                                                                                    "geometry",   "objects",     "params",
	                                                                                    NULL};
	for (unsigned i = 0; needed[i]; i++)
		if (!value_get(role, needed[i]))
			return error_set_place(err, ERROR_USAGE, EINVAL, role->place, "a role with driver board lacks `%s`", needed[i]);
	for (unsigned i = 0; strange[i]; i++)
		if (value_get(role, strange[i]))
			return error_set_place(err, ERROR_USAGE, EINVAL, value_get(role, strange[i])->place,
			                       "`%s` is for virtual boards: what runs on this board is in its own flash", strange[i]);
	int r = supply_check_map(value_get(role, "power"), err);
	if (r == 0)
		r = board_line_check(value_get(role, "console"), err);
	return r == 0 ? board_reset_check(role, err) : r;
}

static int open_parts(struct rig_board *board, struct bench_board *bench, struct error *err)
{
	int r = supply_open(&board->supply, board->rig, value_get(board->map, "power"), board->channel, err);
	if (r == 0)
		r = supply_prepare(board->supply, loop_now_ns() + PREPARE_NS, err);
	if (r == 0)
		r = board_line_open(&bench->line, board, err);
	if (r == 0 && value_get(board->map, "reset"))
		r = board_reset_open(&bench->reset, board, bench->line, err);
	return r;
}

static int board_driver_open(struct rig_board *board, struct error *err)
{
	struct bench_board *bench = calloc(1, sizeof(*bench));
	if (!bench)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	board->state = bench;
	int r = open_parts(board, bench, err);
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

static void board_driver_close(struct rig_board *board)
{
	struct bench_board *bench = board->state;
	if (bench) {
		board_reset_close(bench->reset);
		board_line_close(bench->line);
	}
	supply_close(board->supply);
	board->supply = NULL;
	board->state = NULL;
	free(bench);
}

/* What the board says while the instruments still answer must not come before the event of its power. */
static int board_power(struct rig_board *board, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	struct bench_board *bench = board->state;
	bench->boots = on ? 1 : 0;
	board_line_hold(bench->line, on);
	int r = supply_switch(board->supply, on, deadline_ns, ret_at, err);
	if (r < 0)
		board_line_hold(bench->line, false);
	return r;
}

static int board_settle(struct rig_board *board, struct instant at, int64_t deadline_ns, struct error *err)
{
	struct bench_board *bench = board->state;
	timeline_emit(board->rig->timeline, at, board->channel, "reset",
	              json_pack("{s:s,s:I}", "kind", "power", "boot", (json_int_t)bench->boots));
	board_line_hold(bench->line, false);
	return supply_settle(board->supply, deadline_ns, err);
}

static int power_cycle(struct rig_board *board, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	int r = supply_switch(board->supply, false, deadline_ns, ret_at, err);
	if (r < 0)
		return r;
	if (loop_until(board->rig->loop, NULL, NULL, loop_now_ns() + CYCLE_NS) == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	return supply_switch(board->supply, true, deadline_ns, ret_at, err);
}

static int board_reset(struct rig_board *board, int64_t deadline_ns, struct error *err)
{
	struct bench_board *bench = board->state;
	struct instant at;
	if (!board->powered)
		return error_set(err, ERROR_TESTCASE, EINVAL, "the board has no power: it cannot be reset");
	board_line_hold(bench->line, true);
	int r = bench->reset ? board_reset_pulse(bench->reset, deadline_ns, &at, err) : power_cycle(board, deadline_ns, &at, err);
	if (r == 0)
		timeline_emit(board->rig->timeline, at, board->channel, "reset",
		              json_pack("{s:s,s:I}", "kind", bench->reset ? "external" : "power", "boot", (json_int_t)++bench->boots));
	board_line_hold(bench->line, false);
	return r == 0 && !bench->reset ? supply_settle(board->supply, deadline_ns, err) : r;
}

static int board_hold(struct rig_board *board, bool on, int64_t deadline_ns, struct error *err)
{
	struct bench_board *bench = board->state;
	if (!bench->reset)
		return error_set(err, ERROR_BENCH, EOPNOTSUPP, "the board has no `reset` in the rig file: it cannot be held");
	return board_reset_hold(bench->reset, on, deadline_ns, err);
}

static int board_set_param(struct rig_board *board, const char *name, const char *value, struct error *err)
{
	(void)board;
	(void)value;
	return error_set(err, ERROR_TESTCASE, EOPNOTSUPP, "the parameter %s is one of virtual boards: this board has its own settings",
	                 name);
}

static int board_input(struct rig_board *board, const void *data, size_t length, struct error *err)
{
	struct bench_board *bench = board->state;
	return board_line_write(bench->line, data, length, err);
}

static int board_lines(struct rig_board *board, int rts, int dtr, struct error *err)
{
	struct bench_board *bench = board->state;
	return board_line_set(bench->line, rts, dtr, err);
}

static int board_alive(const struct rig_board *board, struct error *err)
{
	const struct bench_board *bench = board->state;
	int r = board_line_alive(bench->line, err);
	if (r == 0)
		r = supply_alive(board->supply, err);
	if (r < 0)
		error_prefix(err, "board %s", board->role);
	return r;
}

static bool board_hint(struct rig_board *board, char *ret, size_t size)
{
	struct bench_board *bench = board->state;
	return board_line_hint(bench->line, ret, size);
}

const struct board_driver driver_board = {
        .name = "board",
        .external = true,
        .check = board_check,
        .open = board_driver_open,
        .close = board_driver_close,
        .power = board_power,
        .settle = board_settle,
        .reset = board_reset,
        .hold = board_hold,
        .set_param = board_set_param,
        .input = board_input,
        .lines = board_lines,
        .alive = board_alive,
        .hint = board_hint,
};
