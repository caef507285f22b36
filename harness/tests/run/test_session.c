/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions over steps of this file: what is typed, cases step by step, breaks, a run that somebody looks into. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../run/executor_private.h"
#include "../../run/session.h"
#include "../../run/steps/generic.h"

static unsigned runs, destroyed, flaky_left, looks;
static struct loop *loop;
static struct timeline *timeline;

static int ok_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	runs++;
	return step_result_integer(context, "value", 7) < 0 ? -ENOMEM : 0;
}

static int flaky_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	runs++;
	if (flaky_left == 0)
		return 0;
	flaky_left--;
	return step_check_failed(context, err, "white", "black", "the wrong colour");
}

static int late_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	runs++;
	ck_assert_int_eq(loop_until(loop, NULL, NULL, context->deadline_ns), -ETIMEDOUT);
	return step_check_failed(context, err, "white", "black", "the wrong colour");
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

static const struct arg_def no_args[] = {{NULL}};
static const struct result_def value_results[] = {{"value", VALUE_INTEGER, "Seven."}, {NULL}};
static const struct step_def test_ok = {.name = "t.ok", .doc = "Passes.", .args = no_args, .results = value_results, .run = ok_run};
static const struct step_def test_flaky = {.name = "t.flaky", .doc = "Fails for a while.", .args = no_args, .run = flaky_run};
static const struct step_def test_late = {.name = "t.late", .doc = "Fails when the time is over.", .args = no_args, .run = late_run};
static const struct step_def test_cancel = {.name = "t.cancel", .doc = "Is interrupted.", .args = no_args, .run = cancel_run};
static const struct step_def test_object = {.name = "t.object", .doc = "Makes.", .args = no_args, .run = object_run};
static const struct step_def *const steps[] = {&test_ok,   &test_flaky,    &test_late,   &test_cancel, &test_object,       &step_note,
                                               &step_poll, &step_wait_for, &step_repeat, &step_retry,  &step_measure_block};
static const struct step_registry registry = {steps, sizeof(steps) / sizeof(*steps)};

/* ---- what the journal said ---- */

static char verdicts[256], notes[256];
static unsigned begun, status_seen;
static bool interrupted_seen, error_at_end;
static char end_error[256];

static void see(const struct event *event, void *context)
{
	const char *note = json_string_value(json_object_get(event->data, "text"));
	if (!strcmp(event->kind, "case.end"))
		snprintf(verdicts + strlen(verdicts), sizeof(verdicts) - strlen(verdicts), "%s:%s/%s ",
		         json_string_value(json_object_get(event->data, "id")), json_string_value(json_object_get(event->data, "verdict")),
		         json_string_value(json_object_get(event->data, "cause")));
	if (!strcmp(event->kind, "note"))
		snprintf(notes + strlen(notes), sizeof(notes) - strlen(notes), "%s ", note);
	if (!strcmp(event->kind, "step.begin"))
		begun++;
	if (!strcmp(event->kind, "run.end")) {
		const json_t *error = json_object_get(event->data, "error");
		const char *message = json_string_value(json_object_get(error, "message"));
		snprintf(end_error, sizeof(end_error), "%s", message ? message : "");
		error_at_end = json_is_true(json_object_get(error, "at_end"));
		status_seen = (unsigned)json_integer_value(json_object_get(event->data, "status"));
		interrupted_seen = json_is_true(json_object_get(event->data, "interrupted"));
	}
}

static void setup(void)
{
	runs = destroyed = flaky_left = begun = looks = status_seen = 0;
	verdicts[0] = notes[0] = '\0';
	interrupted_seen = false;
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 1000, NULL), 0);
	ck_assert_int_eq(timeline_observe(timeline, see, NULL), 0);
}

static void teardown(void)
{
	timeline_free(timeline);
	loop_free(loop);
}

static struct session *open_session(void)
{
	static const struct executor_options options = {.seed = 1};
	struct session *session;
	ck_assert_int_eq(session_new(&session, loop, timeline, &options, NULL), 0);
	return session;
}

static int type(struct session *session, const char *yaml, struct error *err)
{
	struct step_block block;
	struct error_list errors = {0};
	char prefix[64];
	session_typed_prefix(session, prefix, sizeof(prefix));
	if (step_block_load_text("typed", yaml, strlen(yaml), &registry, prefix, session_scope(session), &block, &errors) < 0) {
		*err = errors.items[0];
		error_list_free(&errors);
		return -EINVAL;
	}
	int r = 0;
	for (unsigned i = 0; r == 0 && i < block.count; i++)
		r = session_type(session, block.calls[i], err);
	step_block_clear(&block);
	error_list_free(&errors);
	return r;
}

static struct program *load(const char *text)
{
	struct program *program;
	struct error_list errors = {0};
	int r = program_load_text("case.yaml", text, strlen(text), &registry, &program, &errors);
	ck_assert_msg(r == 0, "%s", errors.count ? errors.items[0].message : "");
	error_list_free(&errors);
	return program;
}

static unsigned close_session(struct session *session)
{
	struct verdict_tally tally;
	session_free(session, &tally);
	return (unsigned)verdict_exit_status(&tally);
}

/* ---- typed steps ---- */

START_TEST(variables_and_objects_stay_between_steps)
{
	struct session *session = open_session();
	struct error error = {0};
	ck_assert_int_eq(type(session, "- t.ok: {save: {x: value}}\n- t.object", &error), 0);
	ck_assert_int_eq(scope_get(session_scope(session), "x")->integer, 7);
	ck_assert_int_eq(type(session, "- note: \"x is ${x}\"", &error), 0);
	ck_assert_str_eq(notes, "x is 7 ");
	ck_assert_uint_eq(destroyed, 0);
	ck_assert_uint_eq(close_session(session), 0);
	ck_assert_uint_eq(destroyed, 1);
	ck_assert_str_eq(verdicts, "shell:pass/ ");
}
END_TEST

START_TEST(a_typed_mistake_has_its_place)
{
	struct session *session = open_session();
	struct error error = {0};
	ck_assert_int_lt(type(session, "- t.okay", &error), 0);
	ck_assert_str_eq(error.message, "unknown step \"t.okay\" (did you mean \"t.ok\"?)");
	ck_assert_uint_eq(error.place.column, 3);
	ck_assert_int_lt(type(session, "- note: ${nothing}", &error), 0);
	ck_assert_ptr_nonnull(strstr(error.message, "${nothing}"));
	/* Nothing ran, so there is nothing to judge. */
	ck_assert_uint_eq(close_session(session), 0);
	ck_assert_uint_eq(begun, 0);
}
END_TEST

START_TEST(results_of_the_last_step_are_kept)
{
	struct session *session = open_session();
	struct error error = {0};
	ck_assert_ptr_null(session_results(session));
	ck_assert_int_eq(type(session, "- t.ok", &error), 0);
	ck_assert_int_eq(value_get(session_results(session), "value")->integer, 7);
	ck_assert_int_eq(type(session, "- poll: {within: 1s, steps: [t.ok]}", &error), 0);
	/* Those of the block's own steps are its own. */
	ck_assert_ptr_null(value_get(session_results(session), "value"));
	close_session(session);
}
END_TEST

START_TEST(a_failed_step_is_told_and_judged)
{
	struct session *session = open_session();
	struct error error = {0};
	const char *expected, *actual;
	flaky_left = 1;
	ck_assert_int_lt(type(session, "- t.flaky", &error), 0);
	session_failed_check(session, &expected, &actual);
	ck_assert_str_eq(expected, "white");
	ck_assert_str_eq(actual, "black");
	ck_assert_int_eq(type(session, "- t.flaky", &error), 0);
	ck_assert_uint_eq(close_session(session), 1);
	ck_assert_str_eq(verdicts, "shell:fail/dut ");
}
END_TEST

START_TEST(an_interrupted_step_is_no_failure)
{
	struct session *session = open_session();
	struct error error = {0};
	ck_assert_int_lt(type(session, "- t.cancel", &error), 0);
	ck_assert_int_eq(error.domain, ERROR_OPERATOR);
	loop_rearm(loop);
	ck_assert_int_eq(type(session, "- t.ok", &error), 0);
	ck_assert_uint_eq(close_session(session), 0);
	ck_assert_uint_eq(status_seen, 0);
}
END_TEST

START_TEST(a_variable_by_hand_survives_cases)
{
	struct session *session = open_session();
	struct program *program = load("- {id: a, steps: [t.ok]}\n");
	struct error error = {0};
	ck_assert_int_eq(session_set(session, "mine", value_new_integer(3)), 0);
	ck_assert_int_eq(type(session, "- note: \"${mine}\"", &error), 0);
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_eq(type(session, "- note: \"${mine}\"", &error), 0);
	ck_assert_str_eq(notes, "3 3 ");
	close_session(session);
	program_free(program);
}
END_TEST

/* ---- cases ---- */

#define FOUR "- id: c\n  setup: [t.ok]\n  steps: [t.ok, t.flaky, t.ok]\n  always: [{note: back}]\n"

START_TEST(a_case_runs_step_by_step)
{
	struct session *session = open_session();
	struct program *program = load(FOUR);
	struct error error = {0};
	enum verdict verdict;
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_uint_eq(session_step_count(session), 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(session_state(session), SESSION_READY);
		ck_assert_uint_eq(session_position(session), i);
		ck_assert_int_eq(session_next(session, &error), 0);
	}
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_int_eq(session_next(session, &error), -ENOENT);
	session_finish(session, &verdict, NULL);
	ck_assert_int_eq(verdict, VERDICT_PASS);
	ck_assert_str_eq(notes, "back ");
	ck_assert_int_eq(session_state(session), SESSION_FREE);
	ck_assert_uint_eq(close_session(session), 0);
	program_free(program);
}
END_TEST

static bool toggle(struct session *session, const char *text)
{
	struct session_place place;
	struct error error = {0};
	ck_assert_msg(session_find(session, text, &place, &error) == 0, "%s: %s", text, error.message);
	return session_break(session, &place);
}

START_TEST(a_case_stops_at_breaks_and_failures)
{
	struct session *session = open_session();
	struct program *program = load(FOUR);
	struct error error = {0};
	struct session_place place;
	enum verdict verdict;
	flaky_left = 2;
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert(toggle(session, "2"));
	ck_assert_int_eq(session_find(session, "18", &place, &error), -ENOENT);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_uint_eq(session_position(session), 1);
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_FAILED);
	ck_assert_uint_eq(session_position(session), 2);
	/* A look at it is no part of the case. */
	ck_assert_int_eq(type(session, "- t.ok", &error), 0);
	ck_assert_int_lt(session_retry(session, &error), 0);
	ck_assert_int_eq(session_retry(session, &error), 0);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	session_finish(session, &verdict, NULL);
	/* That it failed once stays. */
	ck_assert_int_eq(verdict, VERDICT_FAIL);
	ck_assert_uint_eq(close_session(session), 1);
	program_free(program);
}
END_TEST

START_TEST(a_failed_last_step_can_be_left_behind)
{
	struct session *session = open_session();
	struct program *program = load("- {id: c, steps: [t.flaky]}\n");
	struct error error = {0};
	flaky_left = 1;
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(runs, 1);
	ck_assert_uint_eq(close_session(session), 1);
	program_free(program);
}
END_TEST

START_TEST(a_case_left_early_is_no_pass)
{
	struct session *session = open_session();
	struct program *program = load(FOUR);
	struct error error = {0};
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_uint_eq(close_session(session), 130);
	ck_assert_str_eq(verdicts, "c:error/operator ");
	ck_assert_str_eq(notes, "back ");
	program_free(program);
}
END_TEST

START_TEST(what_failed_before_it_was_begun_again_counts)
{
	struct session *session = open_session();
	struct program *program = load("- {id: c, steps: [t.flaky, t.ok]}\n");
	struct error error = {0};
	flaky_left = 1;
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_lt(session_next(session, &error), 0);
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_str_eq(session_case(session)->id, "c");
	ck_assert_int_eq(session_next(session, &error), 0);
	/* Left early: that does not hide the failure. */
	ck_assert_uint_eq(close_session(session), 1);
	ck_assert_str_eq(verdicts, "c:fail/dut c#2:error/operator ");
	ck_assert_uint_eq(status_seen, 1);
	program_free(program);
}
END_TEST

START_TEST(a_run_that_a_signal_ended_says_so)
{
	struct session *session = open_session();
	struct error error = {0};
	flaky_left = 1;
	ck_assert_int_lt(type(session, "- t.flaky", &error), 0);
	session_interrupt(session);
	ck_assert_uint_eq(close_session(session), 130);
	ck_assert_uint_eq(status_seen, 130);
	ck_assert(interrupted_seen);
}
END_TEST

START_TEST(a_step_that_was_interrupted_and_left_is_no_pass)
{
	struct session *session = open_session();
	struct program *program = load("- {id: c, steps: [t.cancel, t.ok]}\n");
	struct error error = {0};
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_lt(session_next(session, &error), 0);
	loop_rearm(loop);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(close_session(session), 130);
	program_free(program);
}
END_TEST

START_TEST(a_case_that_the_rig_lacks_things_for_is_refused)
{
	struct session *session = open_session();
	struct program *program = load("- {id: c, requires: [zgw], steps: [t.ok]}\n");
	struct error error = {0};
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error.message, "zgw"));
	ck_assert_int_eq(session_state(session), SESSION_FREE);
	close_session(session);
	program_free(program);
}
END_TEST

START_TEST(the_time_of_the_person_does_not_count)
{
	struct session *session = open_session();
	struct program *program = load("- {id: c, timeout: 100ms, steps: [t.ok, {wait: 20ms}]}\n");
	struct error error = {0};
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_int_eq(type(session, "- wait: 150ms", &error), 0);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_uint_eq(close_session(session), 0);
	program_free(program);
}
END_TEST

/* ---- blocks ---- */

static const char *here(const struct session *session)
{
	static char text[SESSION_PLACE_TEXT];
	struct session_place place;
	return session_here(session, &place) ? session_place_text(&place, text) : "";
}

static struct program *begin(struct session *session, const char *text)
{
	struct program *program = load(text);
	struct error error = {0};
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	return program;
}

static unsigned end(struct session *session, struct program *program)
{
	unsigned status = close_session(session);
	program_free(program);
	return status;
}

#define BLOCKS "- id: c\n  steps: [t.ok, {repeat: {times: 2, steps: [t.ok, t.flaky, {repeat: {times: 2, steps: [t.ok]}}]}}, t.ok]\n"

START_TEST(every_step_of_a_block_can_be_stood_at)
{
	static const char *const places[] = {"2",
	                                     "2.repeat[1].1",
	                                     "2.repeat[1].2",
	                                     "2.repeat[1].3",
	                                     "2.repeat[1].3.repeat[1].1",
	                                     "2.repeat[1].3.repeat[2].1",
	                                     "2.repeat[2].1",
	                                     "2.repeat[2].2",
	                                     "2.repeat[2].3",
	                                     "2.repeat[2].3.repeat[1].1",
	                                     "2.repeat[2].3.repeat[2].1",
	                                     "3",
	                                     ""};
	static const unsigned ran[] = {1, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9, 10};
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS);
	struct error error = {0};
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		ck_assert_int_eq(session_enter(session, &error), 0);
		ck_assert_str_eq(here(session), places[i]);
		ck_assert_uint_eq(runs, ran[i]);
		/* What is typed there does not move it. */
		ck_assert_int_eq(type(session, "- note: x", &error), 0);
	}
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(end(session, program), 0);
	ck_assert_str_eq(verdicts, "c:pass/ ");
}
END_TEST

START_TEST(next_goes_over_a_block_and_finish_out_of_it)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS);
	struct error error = {0};
	int64_t took_ns;
	ck_assert_int_eq(session_out(session, &error), -ENOENT);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_int_eq(session_enter(session, &error), 0);
	ck_assert_ptr_null(session_passed(session, 0, &took_ns));
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_str_eq(session_passed(session, 0, &took_ns)->def->name, "t.ok");
	ck_assert_int_eq(value_get(session_results(session), "value")->integer, 7);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[1].3");
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[2].1");
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_int_eq(session_enter(session, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[2].3.repeat[1].1");
	ck_assert_int_eq(session_out(session, &error), 0);
	ck_assert_str_eq(here(session), "3");
	/* Both blocks have ended. */
	ck_assert_ptr_eq(session_passed(session, 0, &took_ns)->block, session_step_at(session, 1)->block->calls[2]->block);
	ck_assert_ptr_eq(session_passed(session, 1, &took_ns), session_step_at(session, 1));
	ck_assert_ptr_null(session_passed(session, 2, &took_ns));
	ck_assert_uint_eq(runs, 9);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_uint_eq(end(session, program), 0);
}
END_TEST

START_TEST(breaks_hold_in_blocks_in_every_round_or_in_one)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS);
	struct session_place place;
	struct error error = {0};
	ck_assert(toggle(session, "c/steps/1/1"));
	ck_assert(toggle(session, "2.repeat[2].3.1"));
	ck_assert(toggle(session, "2.3.1"));
	ck_assert(!toggle(session, "2.repeat.3.repeat.1"));
	ck_assert_uint_eq(session_break_at(session, 1)->round[0], 2);
	ck_assert_ptr_null(session_break_at(session, 2));
	ck_assert_int_eq(session_find(session, "2.4", &place, &error), -ENOENT);
	ck_assert_int_eq(session_find(session, "1.1", &place, &error), -ENOENT);
	ck_assert_int_eq(session_find(session, "2.repeat[0].1", &place, &error), -ENOENT);
	ck_assert_int_eq(session_find(session, "2.repeat", &place, &error), -ENOENT);
	ck_assert_int_eq(session_find(session, "2.", &place, &error), -ENOENT);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[1].2");
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[2].2");
	ck_assert(!toggle(session, "steps/1/1"));
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[2].3.repeat[1].1");
	ck_assert_int_eq(session_find(session, "2.1", &place, &error), 0);
	/* It does not come any more: not past its block. */
	ck_assert(!toggle(session, "2.repeat[2].3.1"));
	ck_assert_int_eq(session_run(session, &place, &error), 0);
	ck_assert_str_eq(here(session), "3");
	ck_assert_int_eq(session_run_to(session, "t.flaky", &error), -ENOENT);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_uint_eq(end(session, program), 0);
}
END_TEST

START_TEST(breaks_stay_when_the_case_is_begun_again)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS "- {id: d, steps: [t.ok]}\n");
	struct error error = {0};
	enum verdict verdict;
	ck_assert(toggle(session, "2.2"));
	session_finish(session, &verdict, NULL);
	ck_assert_int_eq(type(session, "- t.ok", &error), 0);
	ck_assert_int_eq(session_begin(session, program->cases[0], &error), 0);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[1].2");
	ck_assert_int_eq(session_begin(session, program->cases[1], &error), 0);
	ck_assert_ptr_null(session_break_at(session, 0));
	end(session, program);
}
END_TEST

START_TEST(the_next_of_a_name_may_be_in_a_block)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS);
	struct error error = {0};
	ck_assert_int_eq(session_run_to(session, "t.flaky", &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[1].2");
	ck_assert_int_eq(session_run_to(session, "t.flaky", &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[2].2");
	ck_assert_int_eq(session_run_to(session, "t.flaky", &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(end(session, program), 0);
}
END_TEST

START_TEST(a_failure_in_a_block_is_stood_at)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS);
	struct error error = {0};
	const char *expected, *actual;
	flaky_left = 2;
	ck_assert_int_eq(session_run(session, NULL, &error), -EBADMSG);
	ck_assert_str_eq(here(session), "2.repeat[1].2");
	ck_assert_int_eq(session_state(session), SESSION_FAILED);
	session_failed_check(session, &expected, &actual);
	ck_assert_str_eq(expected, "white");
	ck_assert_int_eq(type(session, "- t.ok", &error), 0);
	ck_assert_int_lt(session_retry(session, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[1].2");
	ck_assert_int_eq(session_retry(session, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[1].3");
	ck_assert_str_eq(session_failure(session)->message, "round 1 of 2: the wrong colour");
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_uint_eq(end(session, program), 1);
	ck_assert_str_eq(verdicts, "c:fail/dut ");
}
END_TEST

START_TEST(a_failure_in_a_block_is_left_behind_or_its_block_is)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS);
	struct error error = {0};
	flaky_left = 2;
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "2.repeat[2].2");
	ck_assert_int_lt(session_leave(session, &error), 0);
	ck_assert_str_eq(here(session), "2");
	ck_assert_int_eq(session_state(session), SESSION_FAILED);
	/* The block as a whole. */
	ck_assert_int_eq(session_retry(session, &error), 0);
	ck_assert_str_eq(here(session), "3");
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_uint_eq(end(session, program), 1);
	ck_assert_str_eq(verdicts, "c:fail/dut ");
}
END_TEST

START_TEST(a_case_left_inside_a_block_ends_it)
{
	struct session *session = open_session();
	struct program *program = begin(session, BLOCKS "  always: [{note: back}]\n");
	struct error error = {0};
	ck_assert(toggle(session, "2.3.1"));
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_uint_eq(end(session, program), 130);
	ck_assert_str_eq(verdicts, "c:error/operator ");
	ck_assert_str_eq(notes, "back ");
	ck_assert_uint_eq(runs, 3);
}
END_TEST

START_TEST(a_step_of_a_block_is_interrupted_and_run_again)
{
	struct session *session = open_session();
	struct program *program = begin(session, "- {id: c, steps: [{repeat: {times: 1, steps: [t.cancel, t.ok]}}]}\n");
	struct error error = {0};
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_OPERATOR);
	ck_assert_str_eq(here(session), "1.repeat[1].1");
	loop_rearm(loop);
	ck_assert_int_lt(session_retry(session, &error), 0);
	loop_rearm(loop);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(end(session, program), 130);
}
END_TEST

#define TRIES "- {id: c, steps: [{retry: {times: 3, steps: [t.ok, t.flaky]}}, {poll: {every: 1ms, within: 10s, steps: [t.flaky]}}]}\n"

START_TEST(only_the_last_try_is_stood_at)
{
	struct session *session = open_session();
	struct program *program = begin(session, TRIES);
	struct error error = {0};
	flaky_left = 4;
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "1.retry[3].2");
	/* One more failure for the poll, which forgives it. */
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_str_eq(here(session), "2");
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_ptr_nonnull(session_forgiven(session));
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(end(session, program), 1);
}
END_TEST

START_TEST(a_failed_try_is_told_to_who_steps)
{
	struct session *session = open_session();
	struct program *program = begin(session, TRIES);
	struct error error = {0};
	flaky_left = 1;
	ck_assert_int_eq(session_enter(session, &error), 0);
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_ptr_null(session_forgiven(session));
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_str_eq(here(session), "1.retry[2].1");
	ck_assert_str_eq(session_forgiven(session)->message, "the wrong colour");
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_uint_eq(end(session, program), 0);
}
END_TEST

START_TEST(a_block_that_is_left_makes_no_other_try_with_its_fresh_time)
{
	struct session *session = open_session();
	struct program *program = begin(session, "- {id: c, timeout: 20ms, steps: [{retry: {times: 3, steps: [t.late]}}, t.ok]}\n");
	struct error error = {0};
	ck_assert_int_lt(session_run(session, NULL, &error), 0);
	ck_assert_str_eq(here(session), "1.retry[1].1");
	ck_assert_int_lt(session_leave(session, &error), 0);
	ck_assert_str_eq(here(session), "1");
	ck_assert_uint_eq(runs, 1);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_uint_eq(end(session, program), 1);
	ck_assert_str_eq(verdicts, "c:fail/dut ");
}
END_TEST

START_TEST(the_time_of_who_stands_in_a_block_does_not_count)
{
	struct session *session = open_session();
	struct program *program =
	        begin(session, "- {id: c, timeout: 400ms, steps: [{poll: {every: 1ms, within: 300ms, steps: [t.ok, t.flaky]}}]}\n");
	struct error error = {0};
	flaky_left = 1;
	ck_assert_int_eq(session_enter(session, &error), 0);
	ck_assert_int_eq(type(session, "- wait: 450ms", &error), 0);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(end(session, program), 0);
}
END_TEST

#define MEASURED                                                                                                                           \
	"- id: c\n  measure: [{id: m, from: {event: note, where: {text: a}}, to: {event: note, where: {text: b}}, samples: 2}]\n"          \
	"  steps: [{measure.block: {id: m, times: 2, steps: [{note: a}, {note: b}]}}]\n"

START_TEST(a_sample_in_which_somebody_stood_does_not_count)
{
	struct session *session = open_session();
	struct program *program = begin(session, MEASURED);
	struct error error = {0};
	ck_assert(toggle(session, "1.measure.block[2].2"));
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert_int_eq(session_state(session), SESSION_DONE);
	ck_assert_uint_eq(end(session, program), 130);
	ck_assert_str_eq(verdicts, "c:error/operator ");
	ck_assert_ptr_nonnull(strstr(notes, "does not count"));
}
END_TEST

START_TEST(a_measured_block_passes_where_nobody_stands)
{
	struct session *session = open_session();
	struct program *program = begin(session, MEASURED);
	struct error error = {0};
	ck_assert_int_eq(session_next(session, &error), 0);
	ck_assert_uint_eq(end(session, program), 0);
}
END_TEST

START_TEST(a_measured_block_that_was_left_can_be_run_again)
{
	struct session *session = open_session();
	struct program *program = begin(session, MEASURED);
	struct error error = {0};
	ck_assert(toggle(session, "1.measure.block[1].2"));
	ck_assert_int_eq(session_run(session, NULL, &error), 0);
	ck_assert(!toggle(session, "1.measure.block[1].2"));
	ck_assert_int_lt(session_leave(session, &error), 0);
	int r = session_retry(session, &error);
	ck_assert_msg(r == 0, "%s", error.message);
	ck_assert_uint_eq(end(session, program), 0);
	ck_assert_str_eq(verdicts, "c:pass/ ");
}
END_TEST

#define MEASURED_FLAKY(outer, end)                                                                                                         \
	"- id: c\n  measure: [{id: m, from: {event: note, where: {text: a}}, to: {event: note, where: {text: b}}, samples: 1}]\n"          \
	"  steps: [" outer "{measure.block: {id: m, steps: [{note: a}, t.flaky, {note: b}]}}" end "]\n"

START_TEST(a_measured_block_may_be_tried_again)
{
	struct session *session = open_session();
	struct program *program = begin(session, MEASURED_FLAKY("{retry: {times: 2, steps: [", "]}}"));
	struct error error = {0};
	flaky_left = 1;
	int r = session_run(session, NULL, &error);
	ck_assert_msg(r == 0, "%s", error.message);
	ck_assert_uint_eq(end(session, program), 0);
	ck_assert_str_eq(verdicts, "c:pass/ ");
}
END_TEST

/* ---- a run that somebody looks into ---- */

static bool give_up;
static const char *failure, *stands_at;

static void look(struct session *session, void *context)
{
	struct error error = {0};
	looks++;
	ck_assert(session_guided(session));
	ck_assert_int_eq(session_state(session), SESSION_FAILED);
	ck_assert_str_eq(session_failure(session)->message, failure ? failure : "the wrong colour");
	if (stands_at)
		ck_assert_str_eq(here(session), stands_at);
	ck_assert_int_eq(session_begin(session, session_case(session), &error), -EOPNOTSUPP);
	ck_assert_int_eq(type(session, "- note: looked", &error), 0);
	if (give_up)
		loop_cancel(loop);
	else
		ck_assert_int_eq(session_run(session, NULL, &error), 0);
}

static int run_looked_into(const char *text)
{
	struct program *program = load(text);
	struct verdict_tally tally;
	const struct executor_options options = {.seed = 1, .on_failure = look};
	ck_assert_int_eq(executor_run(program, loop, timeline, &options, &tally, NULL), 0);
	program_free(program);
	return verdict_exit_status(&tally);
}

START_TEST(a_run_stops_at_a_failure_and_goes_on)
{
	flaky_left = 1;
	give_up = false;
	ck_assert_int_eq(run_looked_into(FOUR "- {id: d, steps: [t.ok]}\n"), 1);
	ck_assert_uint_eq(looks, 1);
	ck_assert_str_eq(notes, "looked back ");
	ck_assert_str_eq(verdicts, "c:fail/dut d:pass/ ");
	ck_assert_uint_eq(runs, 5);
}
END_TEST

START_TEST(who_gives_up_ends_the_run)
{
	flaky_left = 1;
	give_up = true;
	ck_assert_int_eq(run_looked_into(FOUR "- {id: d, steps: [t.ok]}\n"), 130);
	ck_assert_str_eq(notes, "looked back ");
	ck_assert_str_eq(verdicts, "c:fail/dut ");
}
END_TEST

START_TEST(a_run_stops_inside_a_block)
{
	flaky_left = 1;
	failure = "round 1 of 2: the wrong colour";
	stands_at = "2.repeat[1].2";
	give_up = false;
	ck_assert_int_eq(run_looked_into(BLOCKS), 1);
	ck_assert_uint_eq(looks, 1);
	ck_assert_uint_eq(runs, 10);
	flaky_left = 1;
	give_up = true;
	ck_assert_int_eq(run_looked_into(BLOCKS "  always: [{note: back}]\n"), 130);
	ck_assert_str_eq(verdicts, "c:fail/dut c:fail/dut ");
	ck_assert_str_eq(notes, "looked looked back ");
	failure = stands_at = NULL;
}
END_TEST

START_TEST(a_sample_of_a_run_in_which_somebody_looked_does_not_count)
{
	flaky_left = 1;
	failure = "sample 1 of 1: the wrong colour";
	give_up = false;
	ck_assert_int_eq(run_looked_into(MEASURED_FLAKY("", "")), 1);
	ck_assert_uint_eq(looks, 1);
	ck_assert_ptr_nonnull(strstr(notes, "does not count"));
	failure = NULL;
}
END_TEST

/* ---- the end ---- */

/* The case keeps its verdict; the run tells the boards. */
START_TEST(boards_that_stay_on_are_the_error_of_the_run)
{
	struct session *session = open_session();
	struct error why = {0};
	(void)error_set(&why, ERROR_BENCH, EIO, "vmg: no answer");
	session_left_on(session, &why);
	(void)error_set(&why, ERROR_BENCH, EIO, "zgw: refused");
	session_left_on(session, &why);
	ck_assert_uint_eq(close_session(session), 3);
	ck_assert_uint_eq(status_seen, 3);
	ck_assert_str_eq(end_error, "vmg: no answer; the board may still have power; zgw: refused; the board may still have power");
	ck_assert(error_at_end);
	session = open_session();
	ck_assert_uint_eq(close_session(session), 0);
	ck_assert_str_eq(end_error, "");
}
END_TEST

START_TEST(a_run_that_passes_or_is_interrupted_asks_nobody)
{
	ck_assert_int_eq(run_looked_into(FOUR), 0);
	ck_assert_int_eq(run_looked_into("- {id: e, steps: [t.cancel]}\n"), 130);
	ck_assert_uint_eq(looks, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *typed = tcase_create("typed"), *cases = tcase_create("cases"), *looked = tcase_create("a run looked into"),
	      *blocks = tcase_create("blocks");
	tcase_add_checked_fixture(blocks, setup, teardown);
	tcase_add_checked_fixture(typed, setup, teardown);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_checked_fixture(looked, setup, teardown);
	tcase_add_test(typed, variables_and_objects_stay_between_steps);
	tcase_add_test(typed, a_typed_mistake_has_its_place);
	tcase_add_test(typed, results_of_the_last_step_are_kept);
	tcase_add_test(typed, a_failed_step_is_told_and_judged);
	tcase_add_test(typed, an_interrupted_step_is_no_failure);
	tcase_add_test(typed, a_variable_by_hand_survives_cases);
	tcase_add_test(cases, a_case_runs_step_by_step);
	tcase_add_test(cases, a_case_stops_at_breaks_and_failures);
	tcase_add_test(cases, a_failed_last_step_can_be_left_behind);
	tcase_add_test(cases, a_case_left_early_is_no_pass);
	tcase_add_test(cases, what_failed_before_it_was_begun_again_counts);
	tcase_add_test(cases, a_run_that_a_signal_ended_says_so);
	tcase_add_test(cases, a_step_that_was_interrupted_and_left_is_no_pass);
	tcase_add_test(cases, a_case_that_the_rig_lacks_things_for_is_refused);
	tcase_add_test(cases, the_time_of_the_person_does_not_count);
	tcase_add_test(blocks, every_step_of_a_block_can_be_stood_at);
	tcase_add_test(blocks, next_goes_over_a_block_and_finish_out_of_it);
	tcase_add_test(blocks, breaks_hold_in_blocks_in_every_round_or_in_one);
	tcase_add_test(blocks, breaks_stay_when_the_case_is_begun_again);
	tcase_add_test(blocks, the_next_of_a_name_may_be_in_a_block);
	tcase_add_test(blocks, a_failure_in_a_block_is_stood_at);
	tcase_add_test(blocks, a_failure_in_a_block_is_left_behind_or_its_block_is);
	tcase_add_test(blocks, a_case_left_inside_a_block_ends_it);
	tcase_add_test(blocks, a_step_of_a_block_is_interrupted_and_run_again);
	tcase_add_test(blocks, only_the_last_try_is_stood_at);
	tcase_add_test(blocks, a_failed_try_is_told_to_who_steps);
	tcase_add_test(blocks, a_block_that_is_left_makes_no_other_try_with_its_fresh_time);
	tcase_add_test(blocks, the_time_of_who_stands_in_a_block_does_not_count);
	tcase_add_test(blocks, a_sample_in_which_somebody_stood_does_not_count);
	tcase_add_test(blocks, a_measured_block_passes_where_nobody_stands);
	tcase_add_test(blocks, a_measured_block_that_was_left_can_be_run_again);
	tcase_add_test(blocks, a_measured_block_may_be_tried_again);
	tcase_add_test(looked, a_run_stops_inside_a_block);
	tcase_add_test(looked, a_sample_of_a_run_in_which_somebody_looked_does_not_count);
	tcase_add_test(looked, a_run_stops_at_a_failure_and_goes_on);
	tcase_add_test(looked, who_gives_up_ends_the_run);
	tcase_add_test(looked, a_run_that_passes_or_is_interrupted_asks_nobody);
	tcase_add_test(looked, boards_that_stay_on_are_the_error_of_the_run);
	suite_add_tcase(suite, typed);
	suite_add_tcase(suite, cases);
	suite_add_tcase(suite, blocks);
	suite_add_tcase(suite, looked);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
