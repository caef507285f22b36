/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs as one report. */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../report/merge.h"
#include "../../report/report.h"
#include "synthetic.h"

/* A run whose run.begin names what it selected. */
static void begin_seeded(struct synthetic *s, const char *selected, long long offset_ns, int seed)
{
	synthetic_begin(s);
	synthetic_event(s, "run", "run.begin",
	                "{\"version\":\"0\",\"utc\":\"2026-01-01T00:00:00Z\",\"realtime_offset_ns\":%lld,\"rig\":\"virtual\",\"rig_file\":"
	                "\"v.yaml\","
	                "\"virtual\":true,\"seed\":%d,\"arguments\":[],\"host\":\"h\",\"repeat\":1,\"stop_at_failure\":false,\"cases\":%s}",
	                offset_ns, seed, selected);
}

static void begin(struct synthetic *s, const char *selected, long long offset_ns)
{
	begin_seeded(s, selected, offset_ns, 1);
}

static void one_case(struct synthetic *s, const char *id, const char *verdict, const char *cause)
{
	synthetic_case_begin(s, id, "a.yaml", 1);
	synthetic_case_end(s, id, 1, verdict, cause, *cause ? "because" : "");
}

#define CASE(id) "{\"id\":\"" id "\",\"title\":\"" id "\",\"file\":\"a.yaml\",\"line\":1}"

static struct report_run *merged(struct synthetic *a, struct synthetic *b)
{
	struct merge_part parts[] = {{"v1", a->directory}, {"v2", b->directory}};
	struct report_run *run;
	struct error error = {0};
	ck_assert_msg(report_run_merge(parts, 2, &run, &error) == 0, "%s", error.message);
	return run;
}

static const struct report_case *find(const struct report_run *run, const char *id)
{
	for (size_t i = 0; i < run->case_count; i++)
		if (strcmp(run->cases[i].id, id) == 0)
			return &run->cases[i];
	ck_abort_msg("there is no case %s", id);
}

START_TEST(shards_are_joined)
{
	struct synthetic a, b;
	begin(&a, "[" CASE("one") "]", 1000);
	one_case(&a, "one", "pass", "");
	synthetic_end(&a, 0, false);
	synthetic_close(&a);
	begin(&b, "[" CASE("two") "]", 1000);
	one_case(&b, "two", "fail", "dut");
	synthetic_end(&b, 1, false);
	synthetic_close(&b);
	struct report_run *run = merged(&a, &b);
	ck_assert_uint_eq(run->case_count, 2);
	ck_assert(run->complete);
	ck_assert_int_eq(run->verdict, VERDICT_FAIL);
	ck_assert_uint_eq(run->by_verdict[VERDICT_PASS], 1);
	ck_assert_uint_eq(run->by_verdict[VERDICT_FAIL], 1);
	ck_assert_str_eq(run->rig, "v1, v2");
	ck_assert_str_eq(find(run, "one")->attempts[0].rig, "v1");
	ck_assert_str_eq(find(run, "two")->attempts[0].rig, "v2");
	report_run_free(run);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

/* The first rig broke; the second one did what was left. Both attempts stay, and the bench's does not count. */
START_TEST(a_retry_keeps_both_attempts)
{
	struct synthetic a, b;
	begin(&a, "[" CASE("one") "," CASE("two") "," CASE("three") "]", 0);
	one_case(&a, "one", "pass", "");
	one_case(&a, "two", "error", "bench");
	synthetic_case_begin(&a, "three", "a.yaml", 1); /* killed */
	synthetic_close(&a);
	begin(&b, "[" CASE("two") "," CASE("three") "]", 0);
	one_case(&b, "two", "pass", "");
	one_case(&b, "three", "pass", "");
	synthetic_end(&b, 0, false);
	synthetic_close(&b);
	struct report_run *run = merged(&a, &b);
	ck_assert_uint_eq(run->case_count, 3);
	ck_assert_uint_eq(find(run, "two")->attempt_count, 2);
	ck_assert_int_eq(find(run, "two")->attempts[0].verdict, VERDICT_ERROR);
	ck_assert_int_eq(find(run, "two")->attempts[1].number, 2);
	ck_assert_uint_eq(find(run, "three")->attempt_count, 2);
	ck_assert(run->complete);
	ck_assert_int_eq(run->verdict, VERDICT_PASS);
	ck_assert_uint_eq(run->flaky, 2);
	report_run_free(run);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

/* What a device did wrong is not hidden by a later run. */
static void end_left_on(struct synthetic *s)
{
	synthetic_event(s, "run", "run.end",
	                "{\"status\":3,\"interrupted\":false,\"clock_moved_ns\":0,\"error\":{\"domain\":\"bench\",\"message\":"
	                "\"vmg stays on\",\"at_end\":true}}");
	synthetic_close(s);
}

/* A board that stayed on counts, whatever the cases say, until there is a later run of the same part. */
START_TEST(a_board_that_stayed_on)
{
	static const char *const seconds[] = {"two", "one", "one"};
	static const char *const wanted[] = {"v1: vmg stays on", NULL, "v2: vmg stays on"};
	struct synthetic a, b;
	begin(&a, "[" CASE("one") "]", 0);
	one_case(&a, "one", "pass", "");
	end_left_on(&a);
	begin(&b, _i == 0 ? "[" CASE("two") "]" : "[" CASE("one") "]", 1000);
	one_case(&b, seconds[_i], "pass", "");
	if (_i == 2) {
		end_left_on(&b);
	} else {
		synthetic_end(&b, 0, false);
		synthetic_close(&b);
	}
	struct report_run *run = merged(&a, &b);
	ck_assert_int_eq(run->verdict, wanted[_i] ? VERDICT_ERROR : VERDICT_PASS);
	ck_assert_pstr_eq(run->failure.message, wanted[_i]);
	report_run_free(run);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

START_TEST(a_failure_is_not_mended)
{
	struct synthetic a, b;
	begin(&a, "[" CASE("one") "]", 0);
	one_case(&a, "one", "fail", "dut");
	synthetic_end(&a, 1, false);
	synthetic_close(&a);
	begin(&b, "[" CASE("one") "]", 0);
	one_case(&b, "one", "pass", "");
	synthetic_end(&b, 0, false);
	synthetic_close(&b);
	struct report_run *run = merged(&a, &b);
	ck_assert_int_eq(run->verdict, VERDICT_FAIL);
	report_run_free(run);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

START_TEST(what_nobody_began_makes_it_incomplete)
{
	struct synthetic a, b;
	begin(&a, "[" CASE("one") "," CASE("two") "]", 0);
	one_case(&a, "one", "pass", "");
	synthetic_close(&a);
	synthetic_begin(&b); /* no event at all */
	synthetic_close(&b);
	struct report_run *run = merged(&a, &b);
	ck_assert(!run->complete);
	ck_assert(find(run, "two")->not_begun);
	ck_assert_int_eq(run->verdict, VERDICT_ERROR);
	report_run_free(run);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

/* Each run's times are right by its own offset between the clocks. */
START_TEST(times_are_shifted)
{
	struct synthetic a, b;
	char early[64], late[64];
	begin(&a, "[" CASE("one") "]", 1000000000000000000);
	one_case(&a, "one", "pass", "");
	synthetic_end(&a, 0, false);
	synthetic_close(&a);
	begin(&b, "[" CASE("two") "]", 1000000060000000000);
	one_case(&b, "two", "pass", "");
	synthetic_end(&b, 0, false);
	synthetic_close(&b);
	struct report_run *alone;
	char path[128];
	snprintf(path, sizeof(path), "%s/events.jsonl", b.directory);
	ck_assert_int_eq(report_run_read(path, &alone, NULL), 0);
	report_run_utc(alone, alone->cases[0].attempts[0].begin_ns, early);
	struct report_run *run = merged(&a, &b);
	report_run_utc(run, find(run, "two")->attempts[0].begin_ns, late);
	ck_assert_str_eq(early, late);
	report_run_free(alone);
	report_run_free(run);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

/* Measurements of a case are those of the run that had it last; every report can be written of the whole. */
START_TEST(measurements_are_of_the_last_run)
{
	struct synthetic a, b;
	struct report_summary summary;
	struct error error = {0};
	begin(&a, "[" CASE("one") "]", 0);
	synthetic_case_begin(&a, "one", "a.yaml", 1);
	synthetic_samples(&a, "one", 7, true);
	synthetic_case_end(&a, "one", 1, "error", "bench", "lost");
	synthetic_end(&a, 3, false);
	synthetic_close(&a);
	begin(&b, "[" CASE("one") "]", 0);
	synthetic_case_begin(&b, "one", "a.yaml", 1);
	synthetic_samples(&b, "one", 5, true);
	synthetic_case_end(&b, "one", 1, "pass", "", "");
	synthetic_end(&b, 0, false);
	synthetic_close(&b);
	struct merge_part parts[] = {{"v1", a.directory}, {"v2", b.directory}};
	ck_assert_msg(report_write_merged(b.directory, parts, 2, &(struct report_options){0}, &summary, &error) == 0, "%s", error.message);
	ck_assert_uint_eq(summary.figure_count, 1);
	ck_assert_uint_eq(summary.figures[0].n, 5);
	report_summary_free(&summary);
	char *junit = synthetic_read(&b, "junit.xml");
	ck_assert_ptr_nonnull(strstr(junit, "tests=\"1\""));
	free(junit);
	ck_assert(synthetic_has(&b, "report.html") && synthetic_has(&b, "results.json"));
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

/* Who reads a case's attempt can have it again: on the same rig, with the same seed. */
START_TEST(attempts_tell_their_rig_and_seed)
{
	struct synthetic a, b;
	struct report_summary summary;
	struct error error = {0};
	begin_seeded(&a, "[" CASE("one") "]", 0, 7);
	one_case(&a, "one", "error", "bench");
	synthetic_end(&a, 3, false);
	synthetic_close(&a);
	begin_seeded(&b, "[" CASE("one") "]", 0, 8);
	one_case(&b, "one", "pass", "");
	synthetic_end(&b, 0, false);
	synthetic_close(&b);
	struct merge_part parts[] = {{"v1", a.directory}, {"v2", b.directory}};
	const struct report_options options = {.portable = true};
	ck_assert_msg(report_write_merged(b.directory, parts, 2, &options, &summary, &error) == 0, "%s", error.message);
	report_summary_free(&summary);
	char *junit = synthetic_read(&b, "junit.xml"), *html = synthetic_read(&b, "report.html"),
	     *results = synthetic_read(&b, "results.json");
	const char *the_case = strstr(junit, "<testcase");
	ck_assert(the_case && strstr(the_case, "name=\"rig\" value=\"v2\"") && strstr(the_case, "name=\"seed\" value=\"8\""));
	ck_assert_ptr_nonnull(strstr(the_case, "attempt 1 on rig v1: error"));
	ck_assert_ptr_nonnull(strstr(junit, "name=\"rig\" value=\"v1, v2\""));
	ck_assert_ptr_nonnull(strstr(html, "Attempt 1 of 2 on rig v1, seed 7: error"));
	json_t *json = json_loads(results, 0, NULL);
	json_t *attempts = json_object_get(json_array_get(json_object_get(json, "cases"), 0), "attempts");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(attempts, 0), "rig")), "v1");
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(attempts, 0), "seed")), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(attempts, 1), "seed")), 8);
	ck_assert_ptr_null(json_object_get(json_object_get(json, "run"), "seed")); /* there is no one seed of both */
	json_decref(json);
	free(junit);
	free(html);
	free(results);
	synthetic_remove(&a);
	synthetic_remove(&b);
}
END_TEST

/* A run that left nothing may have had anything to do. */
START_TEST(a_part_that_never_began_is_told)
{
	struct synthetic a;
	struct report_summary summary;
	struct error error = {0};
	begin(&a, "[" CASE("one") "]", 0);
	one_case(&a, "one", "pass", "");
	synthetic_end(&a, 0, false);
	synthetic_close(&a);
	struct merge_part parts[] = {{"v1", a.directory}, {"v2", "/nonexistent"}};
	ck_assert_msg(report_write_merged(a.directory, parts, 2, &(struct report_options){0}, &summary, &error) == 0, "%s", error.message);
	ck_assert(!summary.complete);
	ck_assert_uint_eq(summary.never_began_count, 1);
	ck_assert_str_eq(summary.never_began[0], "run v2 never began");
	report_summary_free(&summary);
	char *junit = synthetic_read(&a, "junit.xml"), *html = synthetic_read(&a, "report.html"),
	     *results = synthetic_read(&a, "results.json");
	ck_assert_ptr_nonnull(strstr(junit, "message=\"run v2 never began\" type=\"infrastructure\""));
	ck_assert_ptr_nonnull(strstr(junit, "tests=\"2\" failures=\"0\" errors=\"1\""));
	ck_assert_ptr_nonnull(strstr(html, "Run v2 never began."));
	ck_assert_ptr_nonnull(strstr(results, "\"never_began\""));
	free(junit);
	free(html);
	free(results);
	synthetic_remove(&a);
}
END_TEST

static void say_end(const struct synthetic *part, const char *text)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/end.json", part->directory);
	FILE *file = fopen(path, "w");
	ck_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void drop(const struct synthetic *part, const char *name)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/%s", part->directory, name);
	ck_assert_int_eq(unlink(path), 0);
}

/* Of several that left nothing each is an error with its reason, and none of their cases is missing. */
START_TEST(parts_without_a_journal_are_told_with_their_reasons)
{
	struct synthetic a, b, c;
	struct report_summary summary;
	struct error error = {0};
	begin(&a, "[" CASE("one") "]", 0);
	one_case(&a, "one", "pass", "");
	synthetic_end(&a, 0, false);
	synthetic_close(&a);
	synthetic_begin(&b);
	synthetic_begin(&c);
	synthetic_close(&b);
	synthetic_close(&c);
	drop(&b, "events.jsonl"); /* the other one is empty */
	say_end(&b, "{\"message\": \"killed by signal 9\", \"cases\": [\"two\", \"one\", 7]}");
	say_end(&c, "{\"message\": \"the job was cancelled\", \"cancelled\": true, \"cases\": [\"three\"]}");
	struct merge_part parts[] = {{"v2", b.directory}, {"v1", a.directory}, {"v3", c.directory}};
	ck_assert_msg(report_write_merged(a.directory, parts, 3, &(struct report_options){0}, &summary, &error) == 0, "%s", error.message);
	ck_assert(!summary.complete);
	ck_assert_uint_eq(summary.total, 3);
	ck_assert_str_eq(summary.never_began[0], "run v2 never began: killed by signal 9");
	report_summary_free(&summary);
	char *junit = synthetic_read(&a, "junit.xml"), *html = synthetic_read(&a, "report.html"),
	     *results = synthetic_read(&a, "results.json");
	ck_assert_ptr_nonnull(strstr(junit, "message=\"run v2 never began: killed by signal 9\" type=\"infrastructure\""));
	ck_assert_ptr_nonnull(strstr(junit, "message=\"run v3 never began: the job was cancelled\" type=\"cancelled\""));
	ck_assert_ptr_nonnull(strstr(junit, "tests=\"5\" failures=\"0\" errors=\"2\" skipped=\"2\""));
	ck_assert_ptr_nonnull(strstr(junit, "not begun: killed by signal 9"));
	ck_assert_ptr_nonnull(strstr(html, "Run v2 never began.</b> killed by signal 9"));
	json_t *json = json_loads(results, 0, NULL);
	const json_t *run = json_object_get(json, "run"), *lost = json_object_get(run, "lost_runs"), *first = json_array_get(lost, 0);
	ck_assert_uint_eq(json_array_size(lost), 2);
	ck_assert_str_eq(json_string_value(json_object_get(first, "run")), "v2");
	ck_assert_str_eq(json_string_value(json_object_get(first, "cause")), "bench");
	ck_assert_str_eq(json_string_value(json_object_get(first, "message")), "killed by signal 9");
	ck_assert_uint_eq(json_array_size(json_object_get(first, "cases")), 2);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lost, 1), "cause")), "operator");
	ck_assert_str_eq(json_string_value(json_object_get(json, "verdict")), "error");
	ck_assert_uint_eq(json_array_size(json_object_get(json, "cases")), 3);
	json_decref(json);
	free(junit);
	free(html);
	free(results);
	drop(&b, "end.json");
	drop(&c, "end.json");
	synthetic_remove(&a);
	synthetic_remove(&b);
	synthetic_remove(&c);
}
END_TEST

/* Where no run left a journal, what was said of them is the report: no file looks like a success to many. */
START_TEST(runs_that_left_nothing_at_all_have_a_report)
{
	struct synthetic a;
	struct report_summary summary;
	struct error error = {0};
	synthetic_begin(&a);
	synthetic_close(&a);
	say_end(&a, "{\"message\": \"killed\", \"cases\": [\"one\"]}");
	struct merge_part parts[] = {{"v1", a.directory}};
	ck_assert_msg(report_write_merged(a.directory, parts, 1, &(struct report_options){0}, &summary, &error) == 0, "%s", error.message);
	ck_assert(!summary.complete);
	report_summary_free(&summary);
	char *junit = synthetic_read(&a, "junit.xml");
	ck_assert_ptr_nonnull(strstr(junit, "tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"1\""));
	ck_assert_ptr_nonnull(strstr(junit, "name=\"rig\" value=\"v1\""));
	free(junit);
	drop(&a, "end.json");
	synthetic_remove(&a);
}
END_TEST

START_TEST(nothing_to_merge_is_an_error)
{
	struct merge_part parts[] = {{"v1", "/nonexistent/a"}, {"v2", "/nonexistent/b"}};
	struct report_run *run;
	struct error error = {0};
	ck_assert_int_eq(report_run_merge(parts, 2, &run, &error), -ENODATA);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *tests = tcase_create("merge");
	tcase_add_test(tests, shards_are_joined);
	tcase_add_test(tests, a_retry_keeps_both_attempts);
	tcase_add_test(tests, a_failure_is_not_mended);
	tcase_add_loop_test(tests, a_board_that_stayed_on, 0, 3);
	tcase_add_test(tests, what_nobody_began_makes_it_incomplete);
	tcase_add_test(tests, times_are_shifted);
	tcase_add_test(tests, measurements_are_of_the_last_run);
	tcase_add_test(tests, attempts_tell_their_rig_and_seed);
	tcase_add_test(tests, a_part_that_never_began_is_told);
	tcase_add_test(tests, parts_without_a_journal_are_told_with_their_reasons);
	tcase_add_test(tests, runs_that_left_nothing_at_all_have_a_report);
	tcase_add_test(tests, nothing_to_merge_is_an_error);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
