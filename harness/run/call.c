/* SPDX-License-Identifier: Apache-2.0 */
/* One step: its events, its deadline, its expectations. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor_private.h"

void outcome_from_error(struct outcome *outcome, const struct error *error)
{
	static const struct {
		enum verdict verdict;
		enum cause cause;
	} by_domain[] = {
	        [ERROR_NONE] = {VERDICT_ERROR, CAUSE_BENCH},        [ERROR_USAGE] = {VERDICT_ERROR, CAUSE_TESTCASE},
	        [ERROR_BENCH] = {VERDICT_ERROR, CAUSE_BENCH},       [ERROR_DUT] = {VERDICT_FAIL, CAUSE_DUT},
	        [ERROR_TESTCASE] = {VERDICT_ERROR, CAUSE_TESTCASE}, [ERROR_OPERATOR] = {VERDICT_ERROR, CAUSE_OPERATOR},
	};
	outcome->verdict = by_domain[error->domain].verdict;
	outcome->cause = by_domain[error->domain].cause;
	outcome->error = *error;
}

void outcome_clear(struct outcome *outcome)
{
	free(outcome->expected);
	free(outcome->actual);
	memset(outcome, 0, sizeof(*outcome));
}

static void set_text(json_t *data, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(data, key, json_string(text));
}

static void emit_begin(struct step_context *context, const struct step_call *call)
{
	json_t *data = json_pack("{s:s,s:s,s:s,s:i,s:i}", "id", call->id, "name", call->def->name, "phase", context->executor->phase,
	                         "line", (int)call->place.line, "column", (int)call->place.column);
	set_text(data, "file", call->place.file);
	set_text(data, "text", call->text);
	timeline_emit_now(context->timeline, "case", "step.begin", data);
}

static void emit_end(struct step_context *context, const struct step_call *call, int r, const struct error *error, int64_t begin_ns)
{
	struct outcome outcome = {0};
	if (r < 0)
		outcome_from_error(&outcome, error);
	executor_blame_stop(context->executor, &outcome);
	json_t *data = json_pack("{s:s,s:s,s:s,s:I}", "id", call->id, "verdict", verdict_name(outcome.verdict), "cause",
	                         cause_name(outcome.cause), "duration_ns", (json_int_t)(loop_now_ns() - begin_ns));
	if (r < 0) {
		set_text(data, "message", outcome.error.message);
		set_text(data, "expected", context->expected);
		set_text(data, "actual", context->actual);
	}
	timeline_emit_now(context->timeline, "case", "step.end", data);
}

static int save_results(struct step_context *context, const struct step_call *call, struct error *err)
{
	for (unsigned i = 0; call->save && i < call->save->map.count; i++) {
		const struct value_entry *entry = &call->save->map.entries[i];
		const struct value *result = value_get(context->results, entry->value->text);
		if (!result)
			return error_set_place(err, ERROR_DUT, ENODATA, entry->value->place,
			                       "there is no \"%s\" to save: the step gave none", entry->value->text);
		struct value *copy = value_copy(result);
		if (!copy || scope_set(context->scope, entry->key, copy) < 0)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	return 0;
}

#define SETTLE_NS      20000000
#define SECOND_LOOK_NS 150000000
#define GOING_NS       5000000000 /* a process that exits has ended by then */

static int check_results(struct step_context *context, const struct step_call *call, struct error *err)
{
	char *expected = NULL, *actual = NULL;
	if (!call->expect)
		return 0;
	int r = expect_check(call->expect, context->results, context->scope, &expected, &actual, err);
	if (r == 0)
		return 0;
	context_forget_check(context);
	context->expected = expected;
	context->actual = actual;
	return r;
}

/* What `hilbench check` could not see: arguments that only the run knows. */
static int check_arguments(const struct step_context *context, const struct step_call *call, struct error *err)
{
	int r = step_call_check(call, context->scope, err);
	if (r < 0 && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	return r;
}

/* Takes the results of a step that ended; of a step in a block only where somebody follows it. */
static void keep_results(struct executor *executor, struct value *stolen)
{
	if (!executor->keep_results || (executor->frame && !executor->guide)) {
		value_free(stolen);
		return;
	}
	value_free(executor->kept_results);
	executor->kept_results = stolen;
}

static int run_framed(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct step_frame frame = {.outer = context->executor->frame, .call = call};
	struct value *outer_results = context->results;
	context->results = calloc(1, sizeof(*context->results));
	int r = context->results ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0) {
		context->results->type = VALUE_MAP;
		context->executor->frame = &frame;
		r = check_arguments(context, call, err);
		if (r == 0)
			r = call->def->run(context, call, err);
		if (r == 0)
			r = check_results(context, call, err);
		if (r == 0)
			r = save_results(context, call, err);
		context->executor->frame = frame.outer;
	}
	for (unsigned i = 0; i < frame.arg_count; i++)
		value_free(frame.args[i]);
	keep_results(context->executor, context->results);
	context->results = outer_results;
	return r;
}

static void mark_action(struct step_context *context, const struct step_call *call)
{
	if (!(call->def->flags & STEP_ACTION))
		return;
	context->action_mark = timeline_mark(context->timeline);
	context->executor->action_begin_ns = loop_now_ns();
}

/* A step that failed because the case's time was over says so. Who waited for the DUT blames the DUT; time that went
 * by otherwise is the test case's. */
static void blame_timeout(const struct step_context *context, int r, struct error *err)
{
	if (r == -ETIMEDOUT && err->domain == ERROR_NONE)
		error_set(err, ERROR_DUT, ETIMEDOUT, "timed out");
	bool blamed = err->domain == ERROR_DUT || (err->domain == ERROR_TESTCASE && err->code == ETIME);
	if (blamed && !strstr(err->message, " was over: ") && loop_now_ns() >= context->deadline_ns)
		error_prefix(err, "the time of the %s was over", strcmp(context->executor->phase, "always") ? "case" : "always block");
}

static bool is_end_of_connection(const struct event *event, void *unused)
{
	(void)unused;
	return !strcmp(event->kind, "tcp.closed");
}

static bool is_broken(void *context)
{
	return context_check(context, NULL) < 0;
}

/* What a step found on a bench that was no longer there is worth nothing. A connection may end because the bench broke below the firmware,
 * and that end may be seen before its reason. */
static int confirm_bench(struct step_context *context, uint64_t mark, struct error *err)
{
	int r = context_check(context, err);
	if (r < 0 || !context->rig)
		return r;
	bool going = timeline_find(context->timeline, mark, is_end_of_connection, NULL) && rig_going(context->rig);
	if (!going && !rig_suspect(context->rig))
		return 0;
	(void)!loop_until(context->loop, going ? is_broken : NULL, context, loop_now_ns() + (going ? GOING_NS : SECOND_LOOK_NS));
	return context_check(context, err);
}

/* A device may seem to fail because the bench under it just broke: a board's power is gone before the bench has heard
 * of the death of its driver. What is known within a moment decides. */
static int suspect_bench(struct step_context *context, uint64_t mark, struct error *err)
{
	struct error broken = {0}, seeming = *err;
	int r = step_wait(context, NULL, NULL, SETTLE_NS, &broken);
	if ((r == -ETIMEDOUT || r == -ETIME) && confirm_bench(context, mark, &broken) == 0)
		return -EBADMSG;
	*err = broken;
	if (err->domain == ERROR_BENCH)
		error_prefix(err, "%s, but", seeming.message);
	context_forget_check(context);
	return r == -ETIMEDOUT || r == -ETIME ? -EIO : r;
}

int call_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct error own = {0};
	int64_t begin_ns = loop_now_ns();
	const char *outer = context->executor->frame ? context->executor->frame->call->id : NULL;
	timeline_set_step(context->timeline, call->id);
	emit_begin(context, call);
	context_forget_check(context);
	const uint64_t mark = timeline_mark(context->timeline);
	mark_action(context, call);
	int r = context_check(context, &own);
	if (r == 0 && begin_ns >= context->deadline_ns)
		r = error_set(&own, ERROR_TESTCASE, ETIME, "%s was not reached", call->def->name);
	if (r == 0)
		r = run_framed(context, call, &own);
	if (r < 0 && own.domain == ERROR_DUT)
		r = suspect_bench(context, mark, &own);
	else if (r == 0)
		r = confirm_bench(context, mark, &own);
	if (r < 0) {
		blame_timeout(context, r, &own);
		if (!own.place.file)
			own.place = call->place;
	}
	emit_end(context, call, r, &own, begin_ns);
	timeline_set_step(context->timeline, outer);
	if (r < 0 && err)
		*err = own;
	return r;
}
