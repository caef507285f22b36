/* SPDX-License-Identifier: Apache-2.0 */
/* Power that goes away in the middle of a flash operation, and a supply that is too low. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_area.h"
#include "generic.h"
#include "ota_check.h"
#include "ota_step.h"
#include "steps.h"

#define CUT_KIND "power.cut"

static const char *const phases[] = {"before", "during", "after", NULL};
static const char *const classes[] = {"T0", "T1", "T2", "T3", "T4", "E0", "E1", "E2", "E3", NULL};
static const char *const kinds[] = {"program", "erase", NULL};

static const struct arg_def cut_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"operation", VALUE_INTEGER, 0, "0", NULL, 0, INT64_MAX, "Which operation from now on: 0 is the next one that counts."},
        {"phase", VALUE_TEXT, 0, "during", phases, 0, 0, "Before it begins, while it runs, right after it."},
        {"torn", VALUE_TEXT, 0, NULL, classes, 0, 0,
         "during: what it leaves (T0 to T4 of a program, E0 to E3 of an erase; default T2 or E1)."},
        {"seed", VALUE_INTEGER, 0, "1", NULL, 0, INT64_MAX, "Of what is random in the class."},
        {"kind", VALUE_TEXT, 0, NULL, kinds, 0, 0, "Only such operations count (default: both)."},
        {"area", VALUE_TEXT, 0, NULL, flash_area_names, 0, 0, "Only operations in this area count (default: all)."},
        {"from", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffffffff, "Only operations from this physical address on."},
        {"to", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffffffff, "Only operations below this physical address."},
        {"disarm", VALUE_BOOL, 0, "false", NULL, 0, 0, "Take back what was armed."},
        {NULL},
};

static int place_of_cut(struct step_context *context, const struct step_call *call, struct rig_board *board, struct rig_cut *cut,
                        struct error *err)
{
	struct flash_area area;
	const char *name;
	int64_t from, to;
	int r;

	if ((r = step_arg_text(context, call, "area", &name, err)) < 0 ||
	    (r = step_arg_integer(context, call, "from", 0, &from, err)) < 0 ||
	    (r = step_arg_integer(context, call, "to", 0, &to, err)) < 0)
		return r;
	cut->from = (uint32_t)from;
	cut->to = (uint32_t)to;
	if (!name)
		return 0;
	r = flash_area_find(board, name, &area, err);
	cut->from = area.address;
	cut->to = area.address + area.length;
	return r;
}

static int cut_of_call(struct step_context *context, const struct step_call *call, struct rig_board *board, struct rig_cut *cut,
                       struct error *err)
{
	int64_t operation, seed;
	int r;

	if ((r = step_arg_integer(context, call, "operation", 0, &operation, err)) < 0 ||
	    (r = step_arg_integer(context, call, "seed", 1, &seed, err)) < 0 ||
	    (r = step_arg_text(context, call, "phase", &cut->phase, err)) < 0 ||
	    (r = step_arg_text(context, call, "torn", &cut->torn, err)) < 0 ||
	    (r = step_arg_text(context, call, "kind", &cut->kind, err)) < 0)
		return r;
	cut->operation = (uint64_t)operation;
	cut->seed = (uint64_t)seed;
	if (strcmp(cut->phase, "during") == 0 && !cut->torn)
		cut->torn = cut->kind && strcmp(cut->kind, "erase") == 0 ? "E1" : "T2";
	if (!cut->kind && cut->torn)
		cut->kind = cut->torn[0] == 'E' ? "erase" : "program";
	return place_of_cut(context, call, board, cut, err);
}

/* Where power.cut_expect begins to look. */
static int remember_mark(struct step_context *context, const char *role, struct error *err)
{
	uint64_t *mark = malloc(sizeof *mark);

	step_object_remove(context, CUT_KIND, role);
	if (mark)
		*mark = timeline_mark(context->timeline);
	if (mark && step_object_add(context, CUT_KIND, role, mark, free) == 0)
		return 0;
	free(mark);
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static int power_cut_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_cut cut = {0};
	struct rig_board *board;
	bool disarm;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		r = step_arg_bool(context, call, "disarm", false, &disarm, err);
	if (r < 0 || disarm)
		return r < 0 ? r : rig_flash_cut(board, NULL, err);
	boards_changed(context->executor, board);
	r = cut_of_call(context, call, board, &cut, err);
	if (r == 0)
		r = remember_mark(context, rig_board_role(board), err);
	return r < 0 ? r : rig_flash_cut(board, &cut, err);
}

static int power_cut_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct value *phase = value_get(known, "phase"), *torn = value_get(known, "torn"), *kind = value_get(known, "kind");
	const struct value *written = value_get(call->args, "torn");
	static const char *const range[] = {"from", "to", NULL};
	int64_t from, to;

	if (torn && phase && strcmp(phase->text, "during") != 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, written ? written->place : call->place,
		                       "power.cut: a class `torn` is of the phase during");
	if (torn && kind && (torn->text[0] == 'E') != (strcmp(kind->text, "erase") == 0))
		return error_set_place(err, ERROR_USAGE, EINVAL, written ? written->place : call->place,
		                       "power.cut: %s is no class of operation %s", torn->text, kind->text);
	if (call_check_alone(call, "area", range, "it is a range by itself", err) < 0)
		return -EINVAL;
	if (known_integer(known, "from", &from) && known_integer(known, "to", &to) && from >= to)
		return call_refuse(call, "to", err, "no operation lies from 0x%" PRIx64 " to below 0x%" PRIx64, (uint64_t)from,
		                   (uint64_t)to);
	return 0;
}

const struct step_def step_power_cut = {
        .name = "power.cut",
        .doc = "Arms a power cut at an operation of the board's flash; the board stays off from then on until it is switched on. A torn "
               "class goes with "
               "operations of its kind only. Taken back at the end of the case.",
        .example = "- power.cut: {role: zgw, area: other-application, kind: program, operation: 300, torn: T2, seed: 7}",
        .flags = STEP_ACTION,
        .args = cut_args,
        .capabilities = flash_capability,
        .run = power_cut_run,
        .check = power_cut_check,
};

/* ---- power.cut_expect --------------------------------------------------------------------------------------- */

static const struct arg_def cut_expect_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long to wait."},
        {NULL},
};
static const struct result_def cut_expect_results[] = {
        {"operation", VALUE_INTEGER, "Number of the operation since the flash was made."},
        {"address", VALUE_INTEGER, "Physical address of it."},
        {"torn", VALUE_TEXT, "What it left: T0 to E3, or \"\"."},
        {NULL},
};

static int cut_results_set(struct step_context *context, const json_t *data)
{
	const char *torn = json_string_value(json_object_get(data, "torn"));

	if (step_result_integer(context, "operation", json_integer_value(json_object_get(data, "op"))) < 0 ||
	    step_result_integer(context, "address", json_integer_value(json_object_get(data, "address"))) < 0)
		return -ENOMEM;
	return step_result_text(context, "torn", torn ? torn : "");
}

static int power_cut_expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct event_search search = {.timeline = context->timeline};
	struct rig_board *board;
	const uint64_t *mark;
	char channel[96];
	int64_t within_ns;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(5), &within_ns, err);
	if (r < 0)
		return r;
	mark = step_object_find(context, CUT_KIND, rig_board_role(board));
	if (!mark)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "no power.cut was armed for %s", rig_board_role(board));
	snprintf(channel, sizeof channel, "board:%s", rig_board_role(board));
	search.mark = *mark;
	search.match = (struct event_match){.kind = "power.cut", .channel = channel};
	r = step_wait(context, event_search_step, &search, within_ns, err);
	if (r == -ETIMEDOUT)
		r = step_check_failed(context, err, "the armed operation", "none",
		                      "%s: the operation at which power was to go away did not come within %.1f s", rig_board_role(board),
		                      (double)within_ns / 1e9);
	else if (r == 0 && cut_results_set(context, search.data) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	event_search_clear(&search);
	return r;
}

const struct step_def step_power_cut_expect = {
        .name = "power.cut_expect",
        .doc = "Waits until the cut that power.cut armed has happened.",
        .example = "- power.cut_expect: zgw",
        .args = cut_expect_args,
        .results = cut_expect_results,
        .capabilities = flash_capability,
        .run = power_cut_expect_run,
};

/* ---- board.supply ------------------------------------------------------------------------------------------- */

static const struct arg_def supply_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"mv", VALUE_INTEGER, 0, "12000", NULL, 0, 40000, "Millivolts."},
        {NULL},
};

static int board_supply_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	int64_t mv;
	int r = step_board(context, call, &board, err);

	if (r == 0)
		r = step_arg_integer(context, call, "mv", 12000, &mv, err);
	return r < 0 ? r : rig_board_supply(board, (uint32_t)mv, err);
}

const struct step_def step_board_supply = {
        .name = "board.supply",
        .doc = "Sets the supply voltage that a board measures; put back at the end of the case. Power stays on.",
        .example = "- board.supply: {role: zgw, mv: 8500}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = supply_args,
        .capabilities = flash_capability,
        .run = board_supply_run,
};
