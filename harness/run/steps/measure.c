/* SPDX-License-Identifier: Apache-2.0 */
/* Sample windows of the case's measurements. */
#include <errno.h>
#include <inttypes.h>

#include "generic.h"

#define ID_ARG(flags)                                                                                                                      \
	{"id", VALUE_TEXT, ARG_REQUIRED | ARG_NAME | ARG_MEASURE | (flags),  NULL, NULL,                                                   \
	 0,    0,          "Id of a measurement under the case's `measure`."}
#define WITHIN_ARG {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait for the event that ends the sample."}

static const struct result_def value_results[] = {
        {"value", VALUE_DURATION, "The (last) sample."},
        {NULL},
};

static int begin_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *id;
	int r = step_arg_text(context, call, "id", &id, err);
	return r < 0 ? r : measurement_begin(context->executor->measurements, id, context->scope, err);
}

static const struct arg_def begin_args[] = {ID_ARG(ARG_SCALAR | ARG_BEGINS), {NULL}};

const struct step_def step_measure_begin = {
        .name = "measure.begin",
        .doc = "Opens the window of one sample: the measurement's `from` event is looked for from here on.",
        .example = "- measure.begin: boot",
        .args = begin_args,
        .run = begin_run,
};

struct completion {
	struct measurements *measurements;
	const char *id;
};

static bool complete(void *context)
{
	const struct completion *completion = context;
	return measurement_complete(completion->measurements, completion->id);
}

/* The step that came before may have learned of the end by another way than the event that the sample waits for. */
static int end_sample(struct step_context *context, const char *id, int64_t within_ns, struct error *err)
{
	struct completion completion = {context->executor->measurements, id};
	int64_t value_ns = 0;
	int r = step_wait(context, complete, &completion, within_ns, err);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	r = measurement_end(context->executor->measurements, id, &value_ns, err);
	if (r == 0 && step_result_duration(context, "value", value_ns) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return r;
}

static int end_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *id;
	int64_t within_ns;
	int r = step_arg_text(context, call, "id", &id, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(2), &within_ns, err);
	return r < 0 ? r : end_sample(context, id, within_ns, err);
}

static const struct arg_def end_args[] = {ID_ARG(ARG_SCALAR), WITHIN_ARG, {NULL}};

const struct step_def step_measure_end = {
        .name = "measure.end",
        .doc = "Waits for the measurement's `to` event if it has not come yet, and closes the window: one sample more. Fails when there is "
               "none.",
        .example = "- measure.end: {id: boot, within: 1s}",
        .args = end_args,
        .results = value_results,
        .run = end_run,
};

static const struct arg_def block_args[] = {
        ID_ARG(ARG_BEGINS),
        {"times", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 100000, "Number of samples."},
        WITHIN_ARG,
        {"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS, NULL, NULL, 0, 0, "What makes one sample."},
        {NULL},
};

static int one_sample(struct step_context *context, const struct step_call *call, const char *id, int64_t within_ns,
                      const struct step_round *round, struct error *err)
{
	struct measurements *measurements = context->executor->measurements;
	int r = measurement_begin(measurements, id, context->scope, err);
	if (r < 0)
		return r;
	r = step_run_round(context, call, round, err);
	if (r == 0)
		r = end_sample(context, id, within_ns, err);
	/* Whatever runs the block again begins a window of its own. */
	if (r < 0)
		measurement_abandon(measurements, id);
	return r;
}

static int block_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *id;
	int64_t within_ns, times;
	int r = step_arg_text(context, call, "id", &id, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(2), &within_ns, err);
	if (r == 0)
		r = step_arg_integer(context, call, "times", 1, &times, err);
	for (int64_t i = 1; r == 0 && i <= times; i++) {
		const struct step_round round = {.noun = "sample", .number = i, .of = times};
		r = one_sample(context, call, id, within_ns, &round, err);
		if (r < 0)
			step_round_prefix(&round, err);
	}
	return r;
}

const struct step_def step_measure_block = {
        .name = "measure.block",
        .doc = "Runs a block as one sample window, as often as samples are wanted. A sample whose block fails is forgotten.",
        .example = "- measure.block: {id: boot, times: 30, steps: [{board.power_off: zgw}, {board.boot: zgw}]}",
        .flags = STEP_BLOCK,
        .args = block_args,
        .results = value_results,
        .run = block_run,
};
