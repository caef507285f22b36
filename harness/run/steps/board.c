/* SPDX-License-Identifier: Apache-2.0 */
/* Power, reset and parameters of boards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/suggest.h"
#include "../../rig/console.h"
#include "generic.h"

/* A driver that does not do a plain action within this time is broken. */
#define ACTION_NS SECONDS_NS(5)

#define ROLE_ARG {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."}

int step_board(struct step_context *context, const struct step_call *call, struct rig_board **ret, struct error *err)
{
	const char *role;
	int r = step_arg_text(context, call, "role", &role, err);
	if (r < 0)
		return r;
	struct rig_board *board = context->rig ? rig_board_find(context->rig, role) : NULL;
	if (!board)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "the rig has no role \"%s\"", role);
	*ret = board;
	return 0;
}

/* The board that a step is about to change. */
static int changed_board(struct step_context *context, const struct step_call *call, struct rig_board **ret, struct error *err)
{
	int r = step_board(context, call, ret, err);
	if (r == 0)
		boards_changed(context->executor, *ret);
	return r;
}

static const struct arg_def role_args[] = {ROLE_ARG, {NULL}};

static int power(struct step_context *context, const struct step_call *call, bool on, struct error *err)
{
	struct rig_board *board;
	int r = changed_board(context, call, &board, err);
	return r < 0 ? r : rig_board_power(board, on, loop_now_ns() + ACTION_NS, err);
}

static int power_on_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return power(context, call, true, err);
}

static int power_off_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return power(context, call, false, err);
}

const struct step_def step_board_power_on = {
        .name = "board.power_on",
        .doc = "Switches a board's power on and does not wait for its boot. Nothing happens when it is on.",
        .example = "- board.power_on: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .run = power_on_run,
};

const struct step_def step_board_power_off = {
        .name = "board.power_off",
        .doc = "Cuts a board's power. Its connections go silent: nobody sends FIN or RST for a board without power, so the other side "
               "finds out by its "
               "own timers (link.reset spares a case that wait).",
        .example = "- board.power_off: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .run = power_off_run,
};

static int reset_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	int r = changed_board(context, call, &board, err);
	return r < 0 ? r : rig_board_reset(board, loop_now_ns() + ACTION_NS, err);
}

const struct step_def step_board_reset = {
        .name = "board.reset",
        .doc = "Asserts and releases a board's reset line (PORST); power stays. Does not wait for its boot.",
        .example = "- board.reset: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .run = reset_run,
};

static int hold(struct step_context *context, const struct step_call *call, bool on, struct error *err)
{
	struct rig_board *board;
	int r = changed_board(context, call, &board, err);
	return r < 0 ? r : rig_board_hold(board, on, loop_now_ns() + ACTION_NS, err);
}

static int hold_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return hold(context, call, true, err);
}

static int release_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return hold(context, call, false, err);
}

const struct step_def step_board_hold = {
        .name = "board.hold",
        .doc = "Holds a board in reset until board.release or the end of the case.",
        .example = "- board.hold: ecu",
        .flags = STEP_ACTION,
        .args = role_args,
        .run = hold_run,
};

const struct step_def step_board_release = {
        .name = "board.release",
        .doc = "Releases a board that board.hold holds; it boots.",
        .example = "- board.release: ecu",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = role_args,
        .run = release_run,
};

/* ---- boot ---- */

struct readiness {
	struct rig_board *board;
	const char *stage; /* NULL: ready, with its links */
};

static bool is_ready(void *context)
{
	const struct readiness *readiness = context;
	if (rig_board_dead(readiness->board) || rig_board_halted(readiness->board))
		return true;
	return readiness->stage ? rig_board_reached(readiness->board, readiness->stage) : rig_board_ready(readiness->board);
}

/* Nothing of the rig has such a stage: nobody could have waited for it with success. */
static int stage_unknown(const struct rig_board *board, const char *stage, struct error *err)
{
	char hint[128];
	return error_set(err, ERROR_TESTCASE, ENOENT, "board %s has no boot stage \"%s\"%s", rig_board_role(board), stage,
	                 suggest_text(stage, rig_stage_names, hint, sizeof(hint)));
}

/* What the board itself said about it, for the end of a message. */
static const char *complaint(const struct rig_board *board, char *buffer, size_t size)
{
	const char *fault = rig_board_fault(board);
	unsigned flood = rig_board_flood(board);
	buffer[0] = '\0';
	if (*fault)
		snprintf(buffer, size, "; its console says: %s", fault);
	if (flood)
		snprintf(buffer + strlen(buffer), size - strlen(buffer), "; the console floods: %u lines/s", flood);
	return buffer;
}

int wait_ready(struct step_context *context, struct rig_board *board, const char *stage, int64_t within_ns, struct error *err)
{
	struct readiness readiness = {board, stage};
	const char *wanted = stage ? stage : rig_board_last_stage(board), *role = rig_board_role(board);
	int64_t begin_ns = loop_now_ns();
	int r = step_wait(context, is_ready, &readiness, within_ns, err);
	within_ns = loop_now_ns() - begin_ns;
	const char *at = rig_board_stage(board);
	char says[700], hint[256];
	complaint(board, says, sizeof(says));
	bool bench = rig_board_hint(board, hint, sizeof(hint));
	if (r == 0 && rig_board_dead(board))
		return step_check_failed(context, err, wanted, "the CPU ended", "board %s: its CPU ended by itself%s%s%s", role,
		                         *at ? " after stage " : "", at, says);
	if (r == 0 && rig_board_halted(board))
		return step_check_failed(context, err, wanted, "the firmware halted", "board %s: its firmware halted%s%s%s", role,
		                         *at ? " after stage " : "", at, says);
	if (r != -ETIMEDOUT && r != -ETIME)
		return r;
	if (stage && !rig_board_knows_stage(board, stage))
		return stage_unknown(board, stage, err);
	/* What the bench could not read is not what the board did not do. */
	if (bench)
		return error_set(err, ERROR_BENCH, EILSEQ, "board %s: no boot stage could be read within %.3f s; %s", role,
		                 (double)within_ns / 1e9, hint);
	if (*hint)
		snprintf(says + strlen(says), sizeof(says) - strlen(says), "; %s", hint);
	if (!strcmp(at, wanted))
		return step_check_failed(context, err, "connected", "not connected",
		                         "board %s: its connection is down and did not come back within %.3f s%s", role,
		                         (double)within_ns / 1e9, says);
	return step_check_failed(context, err, wanted, *at ? at : "no stage",
	                         "board %s did not reach stage %s within %.3f s; it stands at %s%s", role, wanted, (double)within_ns / 1e9,
	                         *at ? at : "no stage at all", says);
}

static const struct arg_def boot_args[] = {
        ROLE_ARG,
        {"stage", VALUE_TEXT, ARG_STAGE, NULL, NULL, 0, 0, "Boot stage to wait for (default: the board's last, with its connections)."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "10s", NULL, 0, 0, "How long the boot may take."},
        {NULL},
};

static int read_boot(struct step_context *context, const struct step_call *call, struct rig_board **board, const char **stage,
                     int64_t *within_ns, struct error *err)
{
	int r = step_board(context, call, board, err);
	if (r == 0)
		r = step_arg_text(context, call, "stage", stage, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(10), within_ns, err);
	return r;
}

static int boot_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	const char *stage;
	int64_t within_ns;
	int r = read_boot(context, call, &board, &stage, &within_ns, err);
	if (r == 0 && !rig_board_powered(board)) {
		boards_changed(context->executor, board);
		r = rig_board_power(board, true, loop_now_ns() + ACTION_NS, err);
	}
	return r < 0 ? r : wait_ready(context, board, stage, within_ns, err);
}

const struct step_def step_board_boot = {
        .name = "board.boot",
        .doc = "Switches a board on if it is off and waits until it has booted: its last stage was reached and the connections of which it "
               "is the client "
               "stand. A board that ran already passes at once.",
        .example = "- board.boot: {role: zgw, within: 5s}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = boot_args,
        .run = boot_run,
};

static const char *const restart_choices[] = {"power", "reset", NULL};
static const struct arg_def restart_args[] = {
        ROLE_ARG,
        {"by", VALUE_TEXT, 0, "power", restart_choices, 0, 0, "By power off and on, or by the reset line."},
        {"off_for", VALUE_DURATION, 0, "0ms", NULL, 0, 0, "How long power stays off."},
        {"stage", VALUE_TEXT, ARG_STAGE, NULL, NULL, 0, 0, "Boot stage to wait for (default: the board's last, with its connections)."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "10s", NULL, 0, 0, "How long the boot may take."},
        {NULL},
};

static int power_cycle(struct step_context *context, const struct step_call *call, struct rig_board *board, struct error *err)
{
	int64_t off_ns;
	int r = step_arg_integer(context, call, "off_for", 0, &off_ns, err);
	if (r == 0)
		r = rig_board_power(board, false, loop_now_ns() + ACTION_NS, err);
	if (r == 0 && off_ns > 0)
		r = step_pause(context, off_ns, err);
	return r < 0 ? r : rig_board_power(board, true, loop_now_ns() + ACTION_NS, err);
}

static int restart_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	const char *stage, *by;
	int64_t within_ns;
	int r = read_boot(context, call, &board, &stage, &within_ns, err);
	if (r == 0)
		r = step_arg_text(context, call, "by", &by, err);
	if (r < 0)
		return r;
	boards_changed(context->executor, board);
	if (!strcmp(by, "reset") && rig_board_powered(board))
		r = rig_board_reset(board, loop_now_ns() + ACTION_NS, err);
	else
		r = power_cycle(context, call, board, err);
	return r < 0 ? r : wait_ready(context, board, stage, within_ns, err);
}

const struct step_def step_board_restart = {
        .name = "board.restart",
        .doc = "Restarts a board and waits until it has booted.",
        .example = "- board.restart: {role: vmg, by: power, off_for: 200ms}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = restart_args,
        .run = restart_run,
};

/* ---- parameters ---- */

static const struct arg_def param_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"name", VALUE_TEXT, ARG_REQUIRED | ARG_PARAMETER, NULL, NULL, 0, 0, "Name of the parameter (docs/reference/virtual-board.md)."},
        {"value", VALUE_TEXT, ARG_ANY, NULL, NULL, 0, 0, "Its value; absent: the parameter is taken away."},
        {NULL},
};

static int param_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	const char *name;
	const struct value *value;
	int r = changed_board(context, call, &board, err);
	if (r == 0)
		r = step_arg_text(context, call, "name", &name, err);
	if (r == 0)
		r = step_arg(context, call, "value", &value, err);
	if (r < 0)
		return r;
	if (value && (value->type == VALUE_LIST || value->type == VALUE_MAP))
		return error_set_place(err, ERROR_TESTCASE, EINVAL, value->place, "`value` must be one value");
	if (!value || value->type == VALUE_NULL)
		return rig_board_set_param(board, name, NULL, err);
	if (value->type == VALUE_TEXT)
		return rig_board_set_param(board, name, value->text, err);
	char *text = value_describe(value);
	r = text ? rig_board_set_param(board, name, text, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	free(text);
	return r;
}

const struct step_def step_board_param = {
        .name = "board.param",
        .doc = "Changes a parameter of a board, in force from its next reset or power on. At the end of the case it is put back, and the "
               "board is switched "
               "off so that the next case does not run with it.",
        .example = "- board.param: {role: zgw, name: doip.max_sockets, value: 1}",
        .flags = STEP_ALWAYS_OK,
        .args = param_args,
        .run = param_run,
};
