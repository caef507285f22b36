/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting, notes and blocks. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "generic.h"

/* ---- wait ---- */

static const struct arg_def wait_args[] = {
        {"for", VALUE_DURATION, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0, "How long."},
        {NULL},
};

static int wait_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t time_ns;
	int r = step_arg_integer(context, call, "for", 0, &time_ns, err);
	return r < 0 ? r : step_pause(context, time_ns, err);
}

const struct step_def step_wait_for = {
        .name = "wait",
        .doc = "Waits for a fixed time. Captures, consoles and keep-alives go on meanwhile. Prefer wait.event or poll: they wait no longer "
               "than "
               "needed.",
        .example = "- wait: 250ms",
        .flags = STEP_ALWAYS_OK,
        .args = wait_args,
        .run = wait_run,
};

/* ---- note ---- */

static const struct arg_def note_args[] = {
        {"text", VALUE_TEXT, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0, "The text."},
        {NULL},
};

static int note_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *text;
	int r = step_arg_text(context, call, "text", &text, err);
	if (r == 0)
		timeline_emit_now(context->timeline, "case", "note", json_pack("{s:s}", "text", text));
	return r;
}

const struct step_def step_note = {
        .name = "note",
        .doc = "Writes a text into the journal and the report.",
        .example = "- note: \"the link is cut now\"",
        .flags = STEP_ALWAYS_OK,
        .args = note_args,
        .run = note_run,
};

/* ---- repeat ---- */

static const struct arg_def repeat_args[] = {
        {"times", VALUE_INTEGER, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 1, 1000000, "How often."},
        {"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS, NULL, NULL, 0, 0, "What is repeated."},
        {NULL},
};

static int repeat_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t times;
	int r = step_arg_integer(context, call, "times", 1, &times, err);
	for (int64_t i = 1; r == 0 && i <= times; i++) {
		r = step_run_block(context, call->block, err);
		if (r < 0)
			error_prefix(err, "round %" PRId64 " of %" PRId64, i, times);
	}
	return r;
}

const struct step_def step_repeat = {
        .name = "repeat",
        .doc = "Runs a block a fixed number of times; ends with the first failure.",
        .example = "- repeat: {times: 30, steps: [{board.restart: {role: zgw}}]}",
        .flags = STEP_BLOCK | STEP_ALWAYS_OK,
        .args = repeat_args,
        .run = repeat_run,
};

/* ---- poll ---- */

static const struct arg_def poll_args[] = {
        {"every", VALUE_DURATION, ARG_POSITIVE, "100ms", NULL, 0, 0, "From the begin of one try to the next."},
        {"within", VALUE_DURATION, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "Time after which no further try begins."},
        {"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS, NULL, NULL, 0, 0, "The block that must pass once."},
        {NULL},
};

/* The case's time went by while the DUT was asked again and again: that is the DUT's, whatever step it ended in. */
static void blame_tries(const struct step_context *context, const struct error *last, struct error *own)
{
	if (last->domain == ERROR_DUT && own->domain == ERROR_TESTCASE && own->code == ETIME && loop_now_ns() >= context->deadline_ns)
		*own = *last;
}

/* Only what the DUT does may change by waiting: a broken bench or a wrong test case stays what it is. */
static bool worth_another_try(const struct error *error)
{
	return error->domain == ERROR_DUT;
}

static int poll_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t every_ns, within_ns, begin_ns = loop_now_ns();
	struct error own = {0}, last = {0};
	int r = step_arg_integer(context, call, "every", 100000000, &every_ns, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", 0, &within_ns, err);
	if (r < 0)
		return r;
	for (unsigned tries = 1;; tries++) {
		int64_t try_ns = loop_now_ns();
		r = step_run_block(context, call->block, &own);
		if (r == 0)
			return step_result_integer(context, "tries", tries) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
		blame_tries(context, &last, &own);
		last = own;
		if (!worth_another_try(&own) || try_ns + every_ns > begin_ns + within_ns || loop_now_ns() >= context->deadline_ns) {
			error_prefix(&own, "try %u", tries);
			if (err)
				*err = own;
			return r;
		}
		r = step_pause(context, try_ns + every_ns - loop_now_ns(), &own);
		if (r < 0) {
			blame_tries(context, &last, &own);
			if (err)
				*err = own;
			return r;
		}
	}
}

static const struct result_def tries_results[] = {
        {"tries", VALUE_INTEGER, "Number of the try that passed, from 1."},
        {NULL},
};

const struct step_def step_poll = {
        .name = "poll",
        .doc = "Runs a block again and again until it passes: the way to wait for something that only a request can show. Failures of the "
               "DUT inside "
               "are expected until then; a bench error ends it at once.",
        .example = "- poll: {every: 50ms, within: 2s, steps: [{tester.connect: {role: vmg}}]}",
        .flags = STEP_BLOCK | STEP_ALWAYS_OK,
        .args = poll_args,
        .results = tries_results,
        .run = poll_run,
};

/* ---- retry ---- */

static const struct arg_def retry_args[] = {
        {"times", VALUE_INTEGER, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 1, 100, "Attempts at most."},
        {"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS, NULL, NULL, 0, 0, "The block."},
        {NULL},
};

static int retry_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t times;
	struct error own = {0}, last = {0};
	int r = step_arg_integer(context, call, "times", 1, &times, err);
	if (r < 0)
		return r;
	for (int64_t i = 1; i <= times; i++) {
		last = own;
		r = step_run_block(context, call->block, &own);
		if (r == 0)
			return step_result_integer(context, "tries", i) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
		blame_tries(context, &last, &own);
		timeline_emit_now(
		        context->timeline, "case", "note",
		        json_pack("{s:o}", "text",
		                  json_sprintf("retry: attempt %d of %d of %s failed: %s", (int)i, (int)times, call->id, own.message)));
		if (!worth_another_try(&own) || loop_now_ns() >= context->deadline_ns)
			break;
	}
	if (err)
		*err = own;
	return r;
}

const struct step_def step_retry = {
        .name = "retry",
        .doc = "Runs a block again when the DUT failed it. Each failed attempt is noted in the journal: a retry hides nothing.",
        .example = "- retry: {times: 3, steps: [{uds.request: {role: zgw, data: \"22 f1 90\"}}]}",
        .flags = STEP_BLOCK | STEP_ALWAYS_OK,
        .args = retry_args,
        .results = tries_results,
        .run = retry_run,
};
