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
		const struct step_round round = {.noun = "round", .number = i, .of = times};
		r = step_run_round(context, call, &round, err);
		if (r < 0)
			step_round_prefix(&round, err);
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

/* Only what the DUT does may change by waiting: a broken bench or a wrong test case stays what it is. */
static bool worth_another_try(const struct error *error)
{
	return error->domain == ERROR_DUT;
}

struct poll {
	struct step_context *context;
	int64_t every_ns, within_ns, begin_ns, try_ns; /* the last two by step_clock_ns() */
};

static bool poll_goes_on(const struct step_round *round, const struct error *error)
{
	const struct poll *poll = round->context;
	return worth_another_try(error) && poll->try_ns + poll->every_ns <= poll->begin_ns + poll->within_ns &&
	       loop_now_ns() < poll->context->deadline_ns;
}

static int poll_tries(struct poll *poll, const struct step_call *call, struct error *last, struct error *own)
{
	struct step_context *context = poll->context;
	for (unsigned tries = 1;; tries++) {
		const struct step_round round = {"try", tries, 0, poll_goes_on, poll, last};
		poll->try_ns = step_clock_ns(context);
		int r = step_run_round(context, call, &round, own);
		if (r == 0)
			return step_result_integer(context, "tries", tries) < 0 ? error_set(own, ERROR_BENCH, ENOMEM, "out of memory") : 0;
		step_round_blame(context, &round, own);
		*last = *own;
		if (!poll_goes_on(&round, own)) {
			step_round_prefix(&round, own);
			return r;
		}
		r = step_pause(context, poll->try_ns + poll->every_ns - step_clock_ns(context), own);
		if (r < 0) {
			step_round_blame(context, &round, own);
			return r;
		}
	}
}

static int poll_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct poll poll = {.context = context, .begin_ns = step_clock_ns(context)};
	struct error own = {0}, last = {0};
	int r = step_arg_integer(context, call, "every", 100000000, &poll.every_ns, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", 0, &poll.within_ns, err);
	if (r < 0)
		return r;
	r = poll_tries(&poll, call, &last, &own);
	if (r < 0 && err)
		*err = own;
	return r;
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

static bool retry_goes_on(const struct step_round *round, const struct error *error)
{
	const struct step_context *context = round->context;
	return worth_another_try(error) && round->number < round->of && loop_now_ns() < context->deadline_ns;
}

static int retry_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t times;
	struct error own = {0}, last = {0};
	int r = step_arg_integer(context, call, "times", 1, &times, err);
	if (r < 0)
		return r;
	for (int64_t i = 1; i <= times; i++) {
		const struct step_round round = {"attempt", i, times, retry_goes_on, context, &last};
		last = own;
		r = step_run_round(context, call, &round, &own);
		if (r == 0)
			return step_result_integer(context, "tries", i) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
		step_round_blame(context, &round, &own);
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
