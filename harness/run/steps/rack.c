/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the whole rack. */
#include <errno.h>
#include <string.h>

#include "generic.h"

static const struct arg_def ready_args[] = {
        {"roles", VALUE_TEXT, ARG_LIST | ARG_ROLE, NULL, NULL, 0, 0,
         "Only these boards (default: all but those that the rig file keeps for cases that name them)."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "15s", NULL, 0, 0, "How long it may take altogether."},
        {NULL},
};

static int name_check(struct step_context *context, const struct value *name, struct error *err)
{
	if (name->type != VALUE_TEXT)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, name->place, "`roles` must be names of roles");
	if (rig_board_find(context->rig, name->text))
		return 0;
	return error_set_place(err, ERROR_TESTCASE, ENOENT, name->place, "the rig has no role \"%s\"", name->text);
}

static int names_check(struct step_context *context, const struct value *names, struct error *err)
{
	int r = 0;
	if (names && names->type != VALUE_LIST)
		return name_check(context, names, err);
	for (unsigned i = 0; names && r == 0 && i < names->list.count; i++)
		r = name_check(context, names->list.items[i], err);
	return r;
}

static bool is_meant(const struct value *names, const struct rig_board *board)
{
	const char *role = rig_board_role(board);
	if (!names)
		return !rig_board_on_demand(board);
	if (names->type == VALUE_TEXT)
		return !strcmp(names->text, role);
	for (unsigned i = 0; i < names->list.count; i++)
		if (!strcmp(names->list.items[i]->text, role))
			return true;
	return false;
}

/* A board that died, or whose boot stopped half way, comes back only by a power cycle. */
static int start_board(struct step_context *context, struct rig_board *board, struct error *err)
{
	int64_t deadline_ns = loop_now_ns() + SECONDS_NS(5);
	bool stuck = rig_board_dead(board) || rig_board_halted(board) || (boards_failed_before(context, board) && !rig_board_ready(board));
	int r = 0;
	if (rig_board_powered(board) && stuck)
		r = rig_board_power(board, false, deadline_ns, err);
	return r < 0 ? r : rig_board_power(board, true, deadline_ns, err);
}

static int board_ready(struct step_context *context, struct rig_board *board, int64_t end_ns, struct error *err)
{
	int64_t begin_ns = loop_now_ns();
	int r = wait_ready(context, board, NULL, end_ns - begin_ns, err);
	if (r == 0)
		boards_came_up(context, board);
	else
		boards_failed(context, board, loop_now_ns() - begin_ns, err);
	return r;
}

static int boards_ready(struct step_context *context, const struct value *names, int64_t end_ns, struct error *err)
{
	enum { REFUSE, START, WAIT };
	int r = 0;
	for (int phase = REFUSE; r == 0 && phase <= WAIT; phase++)
		for (unsigned i = 0; r == 0 && i < rig_board_count(context->rig); i++) {
			struct rig_board *board = rig_board_at(context->rig, i);
			if (!is_meant(names, board))
				continue;
			r = phase == REFUSE  ? boards_refuse(context, board, err)
			    : phase == START ? start_board(context, board, err)
			                     : board_ready(context, board, end_ns, err);
		}
	return r;
}

static int ready_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const struct value *names;
	int64_t within_ns;
	if (!context->rig)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "there is no rig");
	int r = step_arg(context, call, "roles", &names, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(15), &within_ns, err);
	if (r == 0)
		r = names_check(context, names, err);
	if (r == 0)
		r = rig_restore(context->rig, err);
	return r < 0 ? r : boards_ready(context, names, loop_now_ns() + within_ns, err);
}

const struct step_def step_rack_ready = {
        .name = "rack.ready",
        .doc = "Brings the rack to its known state: links whole, parameters as in the rig file, every board (or those named) booted and "
               "connected to its "
               "server. A rack that is ready already costs nothing.",
        .example = "- rack.ready: {roles: [vmg, zgw]}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = ready_args,
        .run = ready_run,
};
