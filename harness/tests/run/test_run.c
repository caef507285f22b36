/* SPDX-License-Identifier: Apache-2.0 */
/* The executor over steps of this file: verdicts and causes, always, timeout, cancel, retry, selection, measurements. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../run/event_match.h"
#include "../../run/executor_private.h"
#include "../../run/steps/generic.h"

/* ---- steps of the tests ---- */

static unsigned runs, destroyed, flaky_left;
static struct loop *loop;
static struct timeline *timeline;

static int ok_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	runs++;
	return step_result_integer(context, "value", 7) < 0 ? -ENOMEM : 0;
}

static int fail_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *how;
	int r = step_arg_text(context, call, "how", &how, err);
	if (r < 0)
		return r;
	if (!strcmp(how, "disk"))
		return error_set(err, ERROR_BENCH, ENOSPC, "the capture cannot be written");
	if (!strcmp(how, "bench"))
		return error_set(err, ERROR_BENCH, EIO, "the bench broke");
	if (!strcmp(how, "testcase"))
		return error_set(err, ERROR_TESTCASE, EINVAL, "nonsense");
	return step_check_failed(context, err, "white", "black", "the wrong colour");
}

static int flaky_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	if (flaky_left == 0)
		return 0;
	flaky_left--;
	return fail_run(context, call, err);
}

static int cancel_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	loop_cancel(context->loop);
	return step_wait(context, NULL, NULL, INT64_C(1000000000), err);
}

static void destroy(void *object)
{
	destroyed++;
}

static int object_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return step_object_add(context, "kind", "name", &destroyed, destroy) < 0 ? -ENOMEM : 0;
}

/* Emits an event at a given time, so that measurements are exact. */
static int emit_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *kind;
	int64_t at_ns, uncertainty_ns;
	int r = step_arg_text(context, call, "kind", &kind, err);
	if (r == 0)
		r = step_arg_integer(context, call, "at", 0, &at_ns, err);
	if (r == 0)
		r = step_arg_integer(context, call, "u", 0, &uncertainty_ns, err);
	if (r == 0)
		timeline_emit(context->timeline, (struct instant){at_ns, CLOCK_SOURCE_USER, uncertainty_ns}, "board:x", kind, NULL);
	return r;
}

static const struct arg_def no_args[] = {{NULL}};
static const struct arg_def how_args[] = {{"how", VALUE_TEXT, ARG_SCALAR, "dut", NULL, 0, 0, "How."}, {NULL}};
static const struct arg_def emit_args[] = {{"kind", VALUE_TEXT, ARG_REQUIRED, NULL, NULL, 0, 0, "Kind."},
                                           {"at", VALUE_DURATION, ARG_REQUIRED, NULL, NULL, 0, 0, "When."},
                                           {"u", VALUE_DURATION, 0, "0ms", NULL, 0, 0, "Uncertainty."},
                                           {NULL}};
static const struct result_def value_results[] = {{"value", VALUE_INTEGER, "Seven."}, {NULL}};
static const char *const no_capability[] = {"antigravity", NULL};

static const struct step_def test_ok = {
        .name = "t.ok", .doc = "Passes.", .args = no_args, .results = value_results, .run = ok_run, .flags = STEP_ALWAYS_OK};
static const struct step_def test_fail = {.name = "t.fail", .doc = "Fails.", .args = how_args, .run = fail_run, .flags = STEP_ALWAYS_OK};
static const struct step_def test_flaky = {.name = "t.flaky", .doc = "Fails for a while.", .args = how_args, .run = flaky_run};
static const struct step_def test_cancel = {.name = "t.cancel", .doc = "Cancels.", .args = no_args, .run = cancel_run};
static const struct step_def test_object = {.name = "t.object", .doc = "Makes.", .args = no_args, .run = object_run};
static const struct step_def test_emit = {.name = "t.emit", .doc = "Emits.", .args = emit_args, .run = emit_run, .flags = STEP_ACTION};
static const struct step_def test_float = {
        .name = "t.float", .doc = "Floats.", .args = no_args, .run = ok_run, .capabilities = no_capability};

static const struct step_def *const steps[] = {
        &test_ok,
        &test_fail,
        &test_flaky,
        &test_cancel,
        &test_object,
        &test_emit,
        &test_float,
        &step_wait_for,
        &step_note,
        &step_repeat,
        &step_poll,
        &step_retry,
        &step_wait_event,
        &step_expect_absent_event,
        &step_measure_begin,
        &step_measure_end,
        &step_measure_block,
};
static const struct step_registry registry = {steps, sizeof(steps) / sizeof(*steps)};

/* ---- what the journal said ---- */

struct ended {
	char id[64], verdict[16], cause[16], message[512], errno_name[32], expected[64], actual[64];
	unsigned line, attempt;
};
static struct ended ended[32];
static unsigned ended_count;
static json_t *results[4], *samples[64];
static unsigned result_count, sample_count, run_ends;
static int run_status;
static char step_cause[16];  /* of the first step that had one */
static char run_stopped[24]; /* run.end: the reason of the keeper */

static void copy_text(char *to, size_t size, const json_t *data, const char *key)
{
	const char *text = json_string_value(json_object_get(data, key));
	snprintf(to, size, "%s", text ? text : "");
}

static void see(const struct event *event, void *context)
{
	if (!strcmp(event->kind, "case.end") && ended_count < 32) {
		struct ended *end = &ended[ended_count++];
		copy_text(end->id, sizeof(end->id), event->data, "id");
		copy_text(end->verdict, sizeof(end->verdict), event->data, "verdict");
		copy_text(end->cause, sizeof(end->cause), event->data, "cause");
		copy_text(end->message, sizeof(end->message), event->data, "message");
		copy_text(end->errno_name, sizeof(end->errno_name), event->data, "errno");
		copy_text(end->expected, sizeof(end->expected), event->data, "expected");
		copy_text(end->actual, sizeof(end->actual), event->data, "actual");
		end->line = (unsigned)json_integer_value(json_object_get(event->data, "line"));
		end->attempt = (unsigned)json_integer_value(json_object_get(event->data, "attempt"));
	} else if (!strcmp(event->kind, "measure.result") && result_count < 4) {
		results[result_count++] = json_incref(event->data);
	} else if (!strcmp(event->kind, "measure.sample") && sample_count < 64) {
		samples[sample_count++] = json_incref(event->data);
	} else if (!strcmp(event->kind, "step.end") && !step_cause[0]) {
		copy_text(step_cause, sizeof(step_cause), event->data, "cause");
	} else if (!strcmp(event->kind, "run.end")) {
		run_ends++;
		const char *reason = json_string_value(json_object_get(json_object_get(event->data, "stopped"), "reason"));
		(void)snprintf(run_stopped, sizeof(run_stopped), "%s", reason ? reason : "");
		run_status = (int)json_integer_value(json_object_get(event->data, "status"));
	}
}

static void setup(void)
{
	struct error error;
	(void)unsetenv("HILBENCH_KEEPER"); /* this test may itself run under one */
	ck_assert_int_eq(loop_new(&loop, &error), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 1000, &error), 0);
	ck_assert_int_eq(timeline_observe(timeline, see, NULL), 0);
	step_cause[0] = '\0';
	runs = destroyed = flaky_left = ended_count = result_count = sample_count = run_ends = 0;
}

static void teardown(void)
{
	while (result_count)
		json_decref(results[--result_count]);
	while (sample_count)
		json_decref(samples[--sample_count]);
	timeline_free(timeline);
	loop_free(loop);
}

static int run_text_with(const char *text, struct executor_options *options)
{
	struct program *program = NULL;
	struct error_list errors = {0};
	struct verdict_tally tally = {0};
	struct error error = {0};
	int r = program_load_text("test.yaml", text, strlen(text), &registry, &program, &errors);
	ck_assert_msg(r == 0, "%s", errors.count ? errors.items[0].message : "?");
	ck_assert_int_eq(executor_run(program, loop, timeline, options, &tally, &error), 0);
	ck_assert_uint_eq(run_ends, 1);
	ck_assert_int_eq(run_status, verdict_exit_status(&tally));
	program_free(program);
	error_list_free(&errors);
	return verdict_exit_status(&tally);
}

static int run_text(const char *text)
{
	struct executor_options options = {.retries = 1, .seed = 1};
	return run_text_with(text, &options);
}

#define CASE "- id: a\n  title: A\n  steps:\n"

/* ---- verdicts ---- */

START_TEST(passes)
{
	ck_assert_int_eq(run_text(CASE "    - t.ok: {expect: {value: 7}, save: {x: value}}\n    - note: \"${x}\"\n"), 0);
	ck_assert_str_eq(ended[0].verdict, "pass");
	ck_assert_uint_eq(runs, 1);
}
END_TEST

START_TEST(fails_with_place)
{
	ck_assert_int_eq(run_text(CASE "    - t.ok:\n    - t.fail: dut\n    - t.ok:\n"), 1);
	ck_assert_str_eq(ended[0].verdict, "fail");
	ck_assert_str_eq(ended[0].cause, "dut");
	ck_assert_str_eq(ended[0].expected, "white");
	ck_assert_str_eq(ended[0].actual, "black");
	ck_assert_uint_eq(ended[0].line, 5);
	ck_assert_uint_eq(runs, 1);
}
END_TEST

START_TEST(expectation_fails)
{
	ck_assert_int_eq(run_text(CASE "    - t.ok: {expect: {value: 8}}\n"), 1);
	ck_assert_str_eq(ended[0].verdict, "fail");
	ck_assert_ptr_nonnull(strstr(ended[0].actual, "7"));
}
END_TEST

START_TEST(test_case_is_wrong)
{
	ck_assert_int_eq(run_text(CASE "    - t.fail: testcase\n"), 2);
	ck_assert_str_eq(ended[0].verdict, "error");
	ck_assert_str_eq(ended[0].cause, "testcase");
	ck_assert_uint_eq(ended_count, 1);
}
END_TEST

/* For programs that act by what the system said; a code of another domain is nobody's. */
START_TEST(errors_of_the_bench_have_their_names)
{
	ck_assert_int_eq(run_text(CASE "    - t.fail: disk\n"), 3);
	ck_assert_str_eq(ended[0].cause, "bench");
	ck_assert_str_eq(ended[0].errno_name, "ENOSPC");
	ended_count = run_ends = 0;
	ck_assert_int_eq(run_text(CASE "    - t.fail: dut\n"), 1);
	ck_assert_str_eq(ended[0].errno_name, "");
}
END_TEST

START_TEST(bench_is_retried_once)
{
	flaky_left = 1;
	ck_assert_int_eq(run_text(CASE "    - t.flaky: bench\n"), 3);
	ck_assert_uint_eq(ended_count, 2);
	ck_assert_str_eq(ended[0].verdict, "error");
	ck_assert_str_eq(ended[0].cause, "bench");
	ck_assert_uint_eq(ended[1].attempt, 2);
	ck_assert_str_eq(ended[1].verdict, "pass");
}
END_TEST

START_TEST(product_is_not_retried)
{
	flaky_left = 1;
	ck_assert_int_eq(run_text(CASE "    - t.flaky: dut\n"), 1);
	ck_assert_uint_eq(ended_count, 1);
}
END_TEST

/* ---- always, timeout, cancel ---- */

START_TEST(always_runs_after_failure)
{
	ck_assert_int_eq(
	        run_text("- id: a\n  title: A\n  setup: [{t.fail: dut}]\n  steps: [{t.ok: {}}]\n  always: [{t.fail: bench}, {t.ok: {}}]\n"),
	        1);
	ck_assert_uint_eq(runs, 1);
	ck_assert_str_eq(ended[0].cause, "dut"); /* the first failure counts */
}
END_TEST

START_TEST(always_alone_fails)
{
	ck_assert_int_eq(run_text("- id: a\n  title: A\n  steps: [{t.ok: {}}]\n  always: [{t.fail: dut}]\n"), 1);
	ck_assert_str_eq(ended[0].verdict, "fail");
}
END_TEST

START_TEST(timeout_is_the_products)
{
	int64_t begin_ns = loop_now_ns();
	ck_assert_int_eq(run_text("- id: a\n  title: A\n  timeout: 50ms\n  steps: [{wait.event: {event: can.lost, within: 9s}}]\n  always: "
	                          "[{t.ok: {}}]\n"),
	                 1);
	ck_assert_int_lt(loop_now_ns() - begin_ns, INT64_C(8000000000)); /* before the step's own time is over */
	ck_assert_str_eq(ended[0].cause, "dut");
	ck_assert_ptr_nonnull(strstr(ended[0].message, "time of the case was over"));
	ck_assert_uint_eq(runs, 1);
}
END_TEST

START_TEST(timeout_between_steps)
{
	ck_assert_int_eq(
	        run_text("- id: a\n  title: A\n  timeout: 30ms\n  steps: [{repeat: {times: 1000, steps: [{wait: 10ms}]}}, {t.ok: {}}]\n"),
	        2);
	ck_assert_str_eq(ended[0].verdict, "error");
	ck_assert_str_eq(ended[0].cause, "testcase");
	ck_assert_ptr_nonnull(strstr(ended[0].message, "time of the case was over"));
	ck_assert_uint_eq(runs, 0);
}
END_TEST

/* Nobody waits for the DUT: not while notes are written, nor for the absence of an event that gets no time. */
START_TEST(timeout_is_the_test_cases)
{
	ck_assert_int_eq(run_text("- {id: a, title: A, timeout: 30ms, steps: [{repeat: {times: 1000000, steps: [{note: x}]}}]}\n"), 2);
	ck_assert_str_eq(ended[0].cause, "testcase");
	ended_count = run_ends = 0;
	ck_assert_int_eq(run_text("- {id: a, title: A, timeout: 30ms, steps: [{expect.absent_event: {event: can.lost, for: 5s}}]}\n"), 2);
	ck_assert_str_eq(ended[0].cause, "testcase");
	ended_count = run_ends = 0;
	ck_assert_int_eq(run_text("- {id: a, title: A, always_timeout: 30ms, steps: [{t.ok: {}}], always: [{wait: 20ms}, {wait: 20ms}, "
	                          "{t.ok: {}}]}\n"),
	                 2);
	ck_assert_str_eq(ended[0].cause, "testcase");
	ck_assert_ptr_nonnull(strstr(ended[0].message, "time of the always block was over"));
}
END_TEST

START_TEST(timeout_of_a_poll_is_the_products)
{
	flaky_left = 1000000;
	ck_assert_int_eq(
	        run_text("- {id: a, title: A, timeout: 50ms, steps: [{poll: {every: 20ms, within: 9s, steps: [{wait: 5ms}, {t.flaky: "
	                 "dut}]}}]}\n"),
	        1);
	ck_assert_str_eq(ended[0].cause, "dut");
}
END_TEST

START_TEST(cancel_runs_always_and_stops)
{
	ck_assert_int_eq(run_text("- id: a\n  title: A\n  steps: [{t.cancel: {}}]\n  always: [{t.ok: {}}]\n- id: b\n  title: B\n  steps: "
	                          "[{t.ok: {}}]\n"),
	                 130);
	ck_assert_uint_eq(ended_count, 1);
	ck_assert_str_eq(ended[0].cause, "operator");
	ck_assert_uint_eq(runs, 1);
}
END_TEST

/* Interrupted by the keeper at a limit: that is the bench's, with the keeper's reason; without one it is a person's. */
START_TEST(limit_of_the_keeper_is_the_benchs)
{
	static const char cases[] = "- id: a\n  title: A\n  steps: [{t.cancel: {}}]\n  always: [{t.ok: {}}]\n- id: b\n  title: B\n  steps: "
	                            "[{t.ok: {}}]\n";
	char directory[] = "/tmp/hilbench-keeper-XXXXXX", path[64];
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/stop", directory);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	(void)fputs("{\"reason\":\"silence\",\"message\":\"no event and no output for 9.0 s\"}", file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(setenv("HILBENCH_KEEPER", directory, 1), 0);
	ck_assert_int_eq(run_text(cases), 3);
	ck_assert_uint_eq(ended_count, 1); /* neither the other case nor another attempt */
	ck_assert_str_eq(ended[0].verdict, "error");
	ck_assert_str_eq(ended[0].cause, "bench");
	ck_assert_ptr_nonnull(strstr(ended[0].message, "no event and no output for 9.0 s"));
	ck_assert_str_eq(run_stopped, "silence");
	ck_assert_str_eq(step_cause, "bench");
	ck_assert_uint_eq(runs, 1); /* `always` */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(keeper_without_a_reason_means_a_person)
{
	ck_assert_int_eq(setenv("HILBENCH_KEEPER", "/nonexistent", 1), 0);
	ck_assert_int_eq(run_text("- id: a\n  title: A\n  steps: [{t.cancel: {}}]\n"), 130);
	ck_assert_str_eq(ended[0].cause, "operator");
	ck_assert_str_eq(run_stopped, "");
}
END_TEST

START_TEST(objects_end_with_the_case)
{
	ck_assert_int_eq(run_text(CASE "    - t.object:\n    - t.fail: dut\n"), 1);
	ck_assert_uint_eq(destroyed, 1);
}
END_TEST

START_TEST(skips_what_the_rig_has_not)
{
	ck_assert_int_eq(run_text("- id: a\n  title: A\n  requires: [zgw]\n  steps: [{t.ok: {}}]\n- id: b\n  title: B\n  steps: [{repeat: "
	                          "{times: 1, steps: [{t.float: {}}]}}]\n"),
	                 0);
	ck_assert_uint_eq(ended_count, 2);
	ck_assert_str_eq(ended[0].verdict, "skipped");
	ck_assert_ptr_nonnull(strstr(ended[0].message, "zgw"));
	ck_assert_str_eq(ended[1].verdict, "skipped");
	ck_assert_ptr_nonnull(strstr(ended[1].message, "antigravity"));
	ck_assert_uint_eq(runs, 0);
}
END_TEST

START_TEST(selection_and_repeat)
{
	static const char *const globs[] = {"x.*", NULL}, *const tags[] = {"quick", NULL};
	struct executor_options options = {.globs = globs, .tags = tags, .repeat = 3};
	ck_assert_int_eq(run_text_with("- {id: x.a, title: A, tags: [quick], steps: [{t.ok: {}}]}\n- {id: x.b, title: B, tags: [slow], "
	                               "steps: [{t.ok: {}}]}\n"
	                               "- {id: y.a, title: C, tags: [quick], steps: [{t.ok: {}}]}\n",
	                               &options),
	                 0);
	ck_assert_uint_eq(runs, 3);
	ck_assert_uint_eq(ended_count, 3);
}
END_TEST

/* ---- blocks ---- */

START_TEST(poll_until_it_passes)
{
	flaky_left = 3;
	ck_assert_int_eq(run_text(CASE "    - poll: {every: 1ms, within: 15s, steps: [{t.flaky: dut}, {t.ok: {}}], expect: {tries: 4}}\n"),
	                 0);
	ck_assert_uint_eq(runs, 1);
}
END_TEST

START_TEST(poll_ends)
{
	flaky_left = 1000000;
	ck_assert_int_eq(run_text(CASE "    - poll: {every: 5ms, within: 30ms, steps: [{t.flaky: dut}]}\n"), 1);
	ck_assert_str_eq(ended[0].expected, "white");
}
END_TEST

START_TEST(poll_does_not_hide_the_bench)
{
	struct executor_options options = {0};
	flaky_left = 1;
	ck_assert_int_eq(run_text_with(CASE "    - poll: {every: 1ms, within: 15s, steps: [{t.flaky: bench}]}\n", &options), 3);
}
END_TEST

START_TEST(retry_block)
{
	flaky_left = 2;
	ck_assert_int_eq(run_text(CASE "    - retry: {times: 3, steps: [{t.flaky: dut}], expect: {tries: 3}}\n"), 0);
	flaky_left = 3;
	ended_count = run_ends = 0;
	ck_assert_int_eq(run_text(CASE "    - retry: {times: 3, steps: [{t.flaky: dut}]}\n"), 1);
}
END_TEST

START_TEST(events_since_the_action)
{
	ck_assert_int_eq(run_text(CASE
	                          "    - t.emit: {kind: tls.alert, at: 5ms}\n    - wait.event: {event: tls.alert, role: x, within: 10ms}\n"
	                          "    - t.emit: {kind: two, at: 6ms}\n    - expect.absent_event: {event: tls.alert, for: 5ms}\n"
	                          "    - wait.event: {event: tls.alert, since: case, within: 10ms}\n"),
	                 0);
	ended_count = run_ends = 0;
	ck_assert_int_eq(
	        run_text(CASE "    - t.emit: {kind: tls.alert, at: 5ms}\n    - expect.absent_event: {event: tls.alert, for: 5ms}\n"), 1);
}
END_TEST

START_TEST(fields)
{
	struct value integer = {.type = VALUE_INTEGER, .integer = 0x0e00}, text = {.type = VALUE_TEXT, .text = (char *)"0x0e00"},
	             yes = {.type = VALUE_BOOL, .boolean = true};
	json_t *number = json_integer(0x0e00), *string = json_string("0x0e00"), *truth = json_true();
	ck_assert(field_equals(number, &integer) && field_equals(string, &integer) && field_equals(number, &text) &&
	          field_equals(string, &text));
	ck_assert(field_equals(truth, &yes) && !field_equals(number, &yes) && !field_equals(truth, &integer) &&
	          !field_equals(NULL, &integer));
	json_decref(number);
	json_decref(string);
}
END_TEST

/* ---- measurements ---- */

#define MEASURE(limits, samples)                                                                                                           \
	"- id: a\n  title: A\n  measure:\n    - id: m\n      title: M\n      samples: " samples                                            \
	"\n      from: {event: power.on, role: x}\n"                                                                                       \
	"      to: {event: boot.stage, role: x}\n      stages: [{name: first, to: {event: reset, role: x}}, {name: none, to: {event: "     \
	"board.fault, "                                                                                                                    \
	"role: x}}, "                                                                                                                      \
	"{name: rest, to: {event: boot.stage, role: x}}]\n      limits: {" limits "}\n  steps:\n"
#define SAMPLE(from, middle, to, u)                                                                                                        \
	"    - measure.begin: m\n    - t.emit: {kind: boot.stage, at: 1ms}\n    - t.emit: {kind: power.on, at: " from ", u: " u            \
	"}\n    - t.emit: {kind: reset, at: " middle "}\n    - t.emit: {kind: boot.stage, at: " to ", u: " u                               \
	"}\n    - t.emit: {kind: boot.stage, at: 900ms}\n    - measure.end: m\n"

static json_int_t number(const json_t *data, const char *key)
{
	return json_integer_value(json_object_get(data, key));
}

START_TEST(measurement_arithmetic)
{
	ck_assert_int_eq(run_text(MEASURE("p50: {at_most: 40ms}, max: {at_most: 60ms}", "2") SAMPLE("100ms", "110ms", "120ms", "10us")
	                                  SAMPLE("200ms", "210ms", "240ms", "30us")),
	                 0);
	ck_assert_uint_eq(sample_count, 2);
	ck_assert_int_eq(number(samples[0], "value_ns"), 20000000);
	ck_assert_int_eq(number(samples[0], "uncertainty_ns"), 20000);
	json_t *stages = json_object_get(samples[1], "stages");
	ck_assert_uint_eq(json_array_size(stages), 2);
	ck_assert_int_eq(number(json_array_get(stages, 0), "ns"), 10000000);
	ck_assert_int_eq(number(json_array_get(stages, 1), "ns"), 30000000);
	ck_assert_uint_eq(result_count, 1);
	ck_assert_int_eq(number(results[0], "n"), 2);
	ck_assert_int_eq(number(results[0], "p50_ns"), 30000000);
	ck_assert_int_eq(number(results[0], "p95_ns"), 39000000); /* type 7: 20 + 0.95 * 20 ms */
	ck_assert_int_eq(number(results[0], "max_ns"), 40000000);
	ck_assert_int_eq(number(results[0], "uncertainty_ns"), 60000);
}
END_TEST

/* A stage with the stamp of the beginning, journaled before it; and one that ends after the measurement. */
START_TEST(measurement_stages_at_the_edges)
{
	ck_assert_int_eq(
	        run_text(MEASURE("max: {at_most: 50ms}", "1") "    - measure.begin: m\n    - t.emit: {kind: board.fault, at: 3ms}\n"
	                                                      "    - t.emit: {kind: reset, at: 100ms}\n"
	                                                      "    - t.emit: {kind: power.on, at: 100ms}\n"
	                                                      "    - t.emit: {kind: board.fault, at: 130ms}\n"
	                                                      "    - t.emit: {kind: boot.stage, at: 120ms}\n    - measure.end: m\n"),
	        0);
	json_t *stages = json_object_get(samples[0], "stages");
	ck_assert_uint_eq(json_array_size(stages), 4);
	ck_assert_int_eq(number(json_array_get(stages, 0), "ns"), 0);
	ck_assert_int_eq(number(json_array_get(stages, 0), "index"), 1);
	ck_assert_int_eq(number(json_array_get(stages, 1), "ns"), 20000000);
	ck_assert_ptr_null(json_object_get(json_array_get(stages, 1), "after_end"));
	ck_assert_int_eq(number(json_array_get(stages, 2), "ns"), 10000000);
	ck_assert(json_is_true(json_object_get(json_array_get(stages, 2), "after_end")));
	ck_assert_int_eq(number(json_array_get(stages, 3), "ns"), 0);
}
END_TEST

START_TEST(measurement_over_its_limit)
{
	ck_assert_int_eq(run_text(MEASURE("max: {at_most: 15ms}", "1") SAMPLE("100ms", "110ms", "120ms", "1us")), 1);
	ck_assert_str_eq(ended[0].verdict, "fail");
	ck_assert_str_eq(ended[0].cause, "dut");
	ck_assert_ptr_nonnull(strstr(ended[0].expected, "15"));
}
END_TEST

START_TEST(measurement_undecided)
{
	ck_assert_int_eq(run_text(MEASURE("max: {at_most: 20ms}", "1") SAMPLE("100ms", "110ms", "120ms", "1us")), 4);
	ck_assert_str_eq(ended[0].verdict, "inconclusive");
}
END_TEST

START_TEST(measurement_lacks_samples)
{
	ck_assert_int_eq(run_text(MEASURE("max: {at_most: 50ms}", "2") SAMPLE("100ms", "110ms", "120ms", "1us")), 2);
	ck_assert_str_eq(ended[0].cause, "testcase");
	ck_assert_str_eq(ended[0].expected, "2 samples");
	ck_assert_uint_eq(result_count, 1);
}
END_TEST

START_TEST(measurement_never_begun)
{
	static const char text[] = MEASURE("max: {at_most: 50ms}", "1") "    - t.ok: {}\n";
	struct error_list errors = {0};
	struct program *program;
	ck_assert_int_lt(program_load_text("test.yaml", text, strlen(text), &registry, &program, &errors), 0);
	ck_assert_uint_eq(errors.count, 1);
	ck_assert_ptr_nonnull(strstr(errors.items[0].message, "measure.begin"));
	error_list_free(&errors);
}
END_TEST

START_TEST(measurement_without_end)
{
	ck_assert_int_eq(run_text(MEASURE("max: {at_most: 50ms}", "1") "    - measure.begin: m\n    - t.emit: {kind: power.on, at: 5ms}\n"
	                                                               "    - measure.end: {id: m, within: 5ms}\n"),
	                 1);
	ck_assert_ptr_nonnull(strstr(ended[0].message, "no boot.stage"));
	ck_assert_uint_eq(result_count, 0);
}
END_TEST

START_TEST(measurement_block)
{
	ck_assert_int_eq(run_text(MEASURE("max: {at_most: 50ms}",
	                                  "5") "    - measure.block: {id: m, times: 5, steps: [{t.emit: {kind: power.on, at: 5ms}}, "
	                                       "{t.emit: {kind: boot.stage, at: 9ms}}], expect: {value: 4ms}}\n"),
	                 0);
	ck_assert_uint_eq(sample_count, 5);
}
END_TEST

START_TEST(limits)
{
	ck_assert_int_eq(limit_judge(true, 100, 89, 10), VERDICT_PASS);
	ck_assert_int_eq(limit_judge(true, 100, 90, 10), VERDICT_INCONCLUSIVE);
	ck_assert_int_eq(limit_judge(true, 100, 110, 10), VERDICT_INCONCLUSIVE);
	ck_assert_int_eq(limit_judge(true, 100, 111, 10), VERDICT_FAIL);
	ck_assert_int_eq(limit_judge(false, 100, 111, 10), VERDICT_PASS);
	ck_assert_int_eq(limit_judge(false, 100, 89, 10), VERDICT_FAIL);
}
END_TEST

/* ---- a full disk ---- */

START_TEST(journal_cannot_be_written)
{
	struct error error;
	timeline_free(timeline);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 10, &error), 0);
	char directory[] = "/tmp/test-run-XXXXXX", path[64];
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/events.jsonl", directory);
	ck_assert_int_eq(symlink("/dev/full", path), 0);
	timeline_free(timeline);
	if (timeline_new(&timeline, directory, 10, &error) < 0)
		ck_assert_int_eq(timeline_new(&timeline, NULL, 10, &error), 0); /* it refuses a journal that is there: as good */
	else {
		struct executor_options options = {.retries = 1};
		struct program *program;
		struct error_list errors = {0};
		struct verdict_tally tally;
		const char *text = CASE "    - t.ok:\n- {id: b, title: B, steps: [{t.ok: {}}]}\n";
		ck_assert_int_eq(program_load_text("t", text, strlen(text), &registry, &program, &errors), 0);
		ck_assert_int_eq(executor_run(program, loop, timeline, &options, &tally, &error), 0);
		ck_assert_int_eq(verdict_exit_status(&tally), 3);
		ck_assert_uint_eq(runs, 0);
		program_free(program);
		error_list_free(&errors);
	}
	unlink(path);
	rmdir(directory);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("run");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, passes);
	tcase_add_test(all, fails_with_place);
	tcase_add_test(all, expectation_fails);
	tcase_add_test(all, test_case_is_wrong);
	tcase_add_test(all, errors_of_the_bench_have_their_names);
	tcase_add_test(all, bench_is_retried_once);
	tcase_add_test(all, product_is_not_retried);
	tcase_add_test(all, always_runs_after_failure);
	tcase_add_test(all, always_alone_fails);
	tcase_add_test(all, timeout_is_the_products);
	tcase_add_test(all, timeout_between_steps);
	tcase_add_test(all, timeout_is_the_test_cases);
	tcase_add_test(all, timeout_of_a_poll_is_the_products);
	tcase_add_test(all, cancel_runs_always_and_stops);
	tcase_add_test(all, limit_of_the_keeper_is_the_benchs);
	tcase_add_test(all, keeper_without_a_reason_means_a_person);
	tcase_add_test(all, objects_end_with_the_case);
	tcase_add_test(all, skips_what_the_rig_has_not);
	tcase_add_test(all, selection_and_repeat);
	tcase_add_test(all, poll_until_it_passes);
	tcase_add_test(all, poll_ends);
	tcase_add_test(all, poll_does_not_hide_the_bench);
	tcase_add_test(all, retry_block);
	tcase_add_test(all, events_since_the_action);
	tcase_add_test(all, fields);
	tcase_add_test(all, measurement_arithmetic);
	tcase_add_test(all, measurement_stages_at_the_edges);
	tcase_add_test(all, measurement_over_its_limit);
	tcase_add_test(all, measurement_undecided);
	tcase_add_test(all, measurement_lacks_samples);
	tcase_add_test(all, measurement_never_begun);
	tcase_add_test(all, measurement_without_end);
	tcase_add_test(all, measurement_block);
	tcase_add_test(all, limits);
	tcase_add_test(all, journal_cannot_be_written);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
