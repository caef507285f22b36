/* SPDX-License-Identifier: Apache-2.0 */
/* What runs found, what a job comes to, and the shapes of docs/reference/api.md. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../report/synthetic.h"
#include "daemon/book/blobs.h"
#include "report/results.h"
#include "results_fixture.h"

static void start(void)
{
	fixture_begin();
	fixture_open();
	fixture_rigs(fixture_book);
}

static void check_counts(const json_t *counts, int planned, int total, int pass, int fail, int inconclusive, int error, int skipped,
                         int flaky, const char *what)
{
	json_t *expected = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "planned", planned, "total", total, "pass", pass, "fail", fail,
	                             "inconclusive", inconclusive, "error", error, "skipped", skipped, "flaky", flaky);
	char *text = json_dumps(counts, JSON_COMPACT);
	ck_assert_msg(json_equal(counts, expected), "%s: %s", what, text);
	free(text);
	json_decref(expected);
}

/* ---- what a job comes to ---- */
static const struct row {
	const char *name;
	bool cancelled;
	struct {
		const char *cases, *only; /* cases NULL: no results; only: JSON */
		unsigned shard;
		bool retry;
		enum job_outcome outcome;
		const char *cause;
	} runs[3];
	unsigned run_count;
	enum job_outcome outcome;
	int counts[8]; /* planned total pass fail inconclusive error skipped flaky */
	const char *unpassed, *bench;
} rows[] = {
        {"all pass", false, {{"a=pass b=pass"}}, 1, OUTCOME_PASSED, {2, 2, 2}, "[]", "[]"},
        {"one fails", false, {{"a=pass b=fail", .outcome = OUTCOME_FAILED}}, 1, OUTCOME_FAILED, {2, 2, 1, 1}, "[\"b\"]", "[]"},
        {"skipped is no failure", false, {{"a=pass b=skip"}}, 1, OUTCOME_PASSED, {2, 2, 1, 0, 0, 0, 1}, "[]", "[]"},
        {"inconclusive",
         false,
         {{"a=inconclusive b=pass", .outcome = OUTCOME_INCONCLUSIVE}},
         1,
         OUTCOME_INCONCLUSIVE,
         {2, 2, 1, 0, 1},
         "[\"a\"]",
         "[]"},
        {"a failure is above what is inconclusive",
         false,
         {{"a=inconclusive b=fail", .outcome = OUTCOME_FAILED}},
         1,
         OUTCOME_FAILED,
         {2, 2, 0, 1, 1},
         "[\"a\",\"b\"]",
         "[]"},
        {"an error of the bench is above a failure",
         false,
         {{"a=fail b=bench", .outcome = OUTCOME_ERROR}},
         1,
         OUTCOME_ERROR,
         {2, 2, 0, 1, 0, 1},
         "[\"a\",\"b\"]",
         "[\"b\"]"},
        {"an error of the test case",
         false,
         {{"a=pass b=testcase", .outcome = OUTCOME_ERROR, .cause = "testcase"}},
         1,
         OUTCOME_ERROR,
         {2, 2, 1, 0, 0, 1},
         "[\"b\"]",
         "[]"},
        {"flaky within a run", false, {{"a=flaky"}}, 1, OUTCOME_PASSED, {1, 1, 1, 0, 0, 0, 0, 1}, "[]", "[]"},
        {"the bench's error is made good by a retry",
         false,
         {{"a=pass b=bench", .outcome = OUTCOME_ERROR}, {"b=pass", "[\"b\"]", .retry = true}},
         2,
         OUTCOME_PASSED,
         {2, 2, 2, 0, 0, 0, 0, 1},
         "[]",
         "[]"},
        {"a retry does not hide a failure",
         false,
         {{"a=fail", .outcome = OUTCOME_FAILED}, {"a=pass", .retry = true}},
         2,
         OUTCOME_FAILED,
         {1, 1, 0, 1},
         "[\"a\"]",
         "[]"},
        {"nor when the bench broke in between",
         false,
         {{"a=fail", .outcome = OUTCOME_FAILED}, {"a=bench", .retry = true, .outcome = OUTCOME_ERROR}, {"a=pass", .retry = true}},
         3,
         OUTCOME_FAILED,
         {1, 1, 0, 1},
         "[\"a\"]",
         "[]"},
        {"a test case's error is not made good",
         false,
         {{"a=testcase", .outcome = OUTCOME_ERROR, .cause = "testcase"}, {"a=pass", .retry = true}},
         2,
         OUTCOME_ERROR,
         {1, 1, 0, 0, 0, 1},
         "[\"a\"]",
         "[]"},
        {"a retry that the bench breaks too",
         false,
         {{"a=bench", .outcome = OUTCOME_ERROR}, {"a=bench", .retry = true, .outcome = OUTCOME_ERROR}},
         2,
         OUTCOME_ERROR,
         {1, 1, 0, 0, 0, 1},
         "[\"a\"]",
         "[\"a\"]"},
        {"a case that was not begun is skipped, and makes the job an error",
         false,
         {{"a=pass b=missed", .outcome = OUTCOME_ERROR}},
         1,
         OUTCOME_ERROR,
         {2, 2, 1, 0, 0, 0, 1},
         "[\"b\"]",
         "[\"b\"]"},
        {"stopped at a limit in the first of two",
         false,
         {{"a=bench b=missed", .outcome = OUTCOME_ERROR}},
         1,
         OUTCOME_ERROR,
         {2, 2, 0, 0, 0, 1, 1},
         "[\"a\",\"b\"]",
         "[\"a\",\"b\"]"},
        {"begun by no run, also not by the retry",
         false,
         {{"a=bench b=missed", .outcome = OUTCOME_ERROR}, {"a=pass b=missed", .retry = true, .outcome = OUTCOME_ERROR}},
         2,
         OUTCOME_ERROR,
         {2, 2, 1, 0, 0, 0, 1, 1},
         "[\"b\"]",
         "[\"b\"]"},
        {"unless it is begun later",
         false,
         {{"a=pass b=missed", .outcome = OUTCOME_ERROR}, {"b=pass", "[\"b\"]", .retry = true}},
         2,
         OUTCOME_PASSED,
         {2, 2, 2},
         "[]",
         "[]"},
        {"or was cancelled",
         true,
         {{"a=pass b=missed", .outcome = OUTCOME_CANCELLED}},
         1,
         OUTCOME_CANCELLED,
         {2, 2, 1, 0, 0, 0, 1},
         "[\"b\"]",
         "[\"b\"]"},
        {"cancelled, with a part of which nothing is known",
         true,
         {{"a=operator b=missed", "[\"a\",\"b\"]", .outcome = OUTCOME_CANCELLED},
          {NULL, "[\"c\"]", .shard = 1, .outcome = OUTCOME_CANCELLED}},
         2,
         OUTCOME_CANCELLED,
         {3, 3, 0, 0, 0, 1, 2},
         "[\"a\",\"b\",\"c\"]",
         "[\"b\",\"c\"]"},
        {"cancelled too late to matter", true, {{"a=pass b=pass"}}, 1, OUTCOME_PASSED, {2, 2, 2}, "[]", "[]"},
        {"cancelled before anything", true, {{NULL}}, 0, OUTCOME_CANCELLED, {0}, "[]", "[]"},
        {"told to stop at the first failure",
         false,
         {{"a=fail b=left", .outcome = OUTCOME_FAILED}},
         1,
         OUTCOME_FAILED,
         {2, 2, 0, 1, 0, 0, 1},
         "[\"a\",\"b\"]",
         "[]"},
        {"shards",
         false,
         {{"a=pass", "[\"a\"]", .shard = 0}, {"b=fail", "[\"b\"]", .shard = 1, .outcome = OUTCOME_FAILED}},
         2,
         OUTCOME_FAILED,
         {2, 2, 1, 1},
         "[\"b\"]",
         "[]"},
        {"a shard that crashed",
         false,
         {{"a=pass", "[\"a\"]", .shard = 0}, {NULL, "[\"b\",\"c\"]", .shard = 1, .outcome = OUTCOME_ERROR}},
         2,
         OUTCOME_ERROR,
         {3, 3, 1, 0, 0, 0, 2},
         "[\"b\",\"c\"]",
         "[\"b\",\"c\"]"},
        {"a shard that crashed and was retried elsewhere",
         false,
         {{"a=pass", "[\"a\"]", .shard = 0},
          {NULL, "[\"b\"]", .shard = 1, .outcome = OUTCOME_ERROR},
          {"b=pass", "[\"b\"]", .shard = 0, .retry = true}},
         3,
         OUTCOME_PASSED,
         {2, 2, 2},
         "[]",
         "[]"},
        {"nothing is known of a run that crashed", false, {{NULL, NULL, .outcome = OUTCOME_ERROR}}, 1, OUTCOME_ERROR, {0}, "[]", "[]"},
        {"a crash that was made good as a whole",
         false,
         {{NULL, NULL, .outcome = OUTCOME_ERROR}, {"a=pass", NULL, .retry = true}},
         2,
         OUTCOME_PASSED,
         {1, 1, 1},
         "[]",
         "[]"},
        {"a run that breaks after its last case",
         false,
         {{"a=pass", NULL, .outcome = OUTCOME_ERROR}},
         1,
         OUTCOME_ERROR,
         {1, 1, 1},
         "[]",
         "[]"},
        {"a run without a case tests nothing", false, {{"", NULL}}, 1, OUTCOME_ERROR, {0}, "[]", "[]"},
};

static void check_unpassed(int64_t job, bool bench, const char *expected, const char *name)
{
	json_t *list = NULL;
	ck_done(book_job_unpassed(fixture_book, job, bench, &list, &fixture_error));
	char *text = json_dumps(list, JSON_COMPACT);
	ck_assert_msg(strcmp(text, expected) == 0, "%s: %s instead of %s", name, text, expected);
	free(text);
	json_decref(list);
}

START_TEST(outcomes)
{
	const struct row *row = &rows[_i];
	int64_t job = night_begin("nightly", NIGHT_NS);
	for (unsigned i = 0; i < row->run_count; i++)
		(void)night_run(job, (struct night_run){.shard = row->runs[i].shard,
		                                        .retry = row->runs[i].retry,
		                                        .only = row->runs[i].only,
		                                        .results = row->runs[i].cases ? results_of(row->runs[i].cases) : NULL,
		                                        .outcome = row->runs[i].outcome,
		                                        .cause = row->runs[i].cause});
	if (row->cancelled)
		ck_done(book_job_cancelled(fixture_book, job, "ada", &fixture_error));
	json_t *counts = NULL;
	enum job_outcome outcome = night_end(job, &counts, NIGHT_NS + 9);
	ck_assert_msg(outcome == row->outcome, "%s: %s", row->name, job_outcome_name(outcome));
	const int *c = row->counts;
	check_counts(counts, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], row->name);
	json_decref(counts);
	check_unpassed(job, false, row->unpassed, row->name);
	check_unpassed(job, true, row->bench, row->name);
	if (row->outcome != OUTCOME_PASSED || row->run_count == 1)
		ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

/* ---- results.json ---- */
START_TEST(a_written_results_json_is_stored)
{
	struct synthetic s;
	struct report_run *run = NULL;
	struct text text = {0};
	char path[128];
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "boot.x", "cases/boot.yaml", 1);
	synthetic_samples(&s, "boot.x", 20, true);
	synthetic_case_end(&s, "boot.x", 1, "pass", "", "");
	synthetic_case_begin(&s, "boot.y", "cases/boot.yaml", 1);
	synthetic_case_end(&s, "boot.y", 1, "fail", "dut", "no answer");
	synthetic_end(&s, 1, false);
	synthetic_close(&s);
	(void)snprintf(path, sizeof(path), "%s/events.jsonl", s.directory);
	ck_done(report_run_read(path, &run, &fixture_error));
	ck_done(results_compose(run, &text, &fixture_error));
	json_t *results = json_loadb((const char *)text.bytes.data, text.bytes.length, 0, NULL);
	ck_assert_ptr_nonnull(results);
	int64_t job = night_begin("nightly", NIGHT_NS);
	int64_t id = night_run(job, (struct night_run){.results = results, .outcome = OUTCOME_FAILED});
	ck_assert_int_eq(night_end(job, NULL, NIGHT_NS + 9), OUTCOME_FAILED);
	json_t *into = json_object();
	ck_done(results_of_run_json(fixture_book, id, into, &fixture_error));
	ck_assert_uint_eq(json_array_size(json_object_get(into, "cases")), 2);
	const json_t *m = json_array_get(json_object_get(into, "measurements"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(m, "n")), 20);
	ck_assert(json_is_integer(json_object_get(m, "p95_ns")));
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(into, "cases"), 1), "message")), "no answer");
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	json_decref(into);
	text_free(&text);
	report_run_free(run);
	synthetic_remove(&s);
}
END_TEST

static int64_t rows_of(const char *table)
{
	char sql[64];
	int64_t count;
	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	ck_done(book_integer(fixture_book, &count, &fixture_error, sql, NO_VALUES));
	return count;
}

/* Each is put in place of the first case's, the measurement's or the root's member. */
static const struct hostile {
	char where; /* r, c, m, R: of the run */
	const char *member, *json;
} hostile[] = {
        {'r', "format", "2"},
        {'r', "format", "\"1\""},
        {'r', "run", "7"},
        {'r', "run", "null"},
        {'R', "virtual", "\"yes\""},
        {'R', "complete", "null"},
        {'r', "cases", "{}"},
        {'r', "cases", "[1]"},
        {'r', "cases", "[[[[]]]]"},
        {'r', "measurements", "\"\""},
        {'r', "measurements", "[null]"},
        {'c', "id", "\"\""},
        {'c', "id", "3"},
        {'c', "id", "null"},
        {'c', "line", "-1"},
        {'c', "line", "1e400"},
        {'c', "line", "9223372036854775807"},
        {'c', "verdict", "\"passed\""},
        {'c', "verdict", "null"},
        {'c', "cause", "\"weather\""},
        {'c', "duration_ns", "-5"},
        {'c', "duration_ns", "1.5"},
        {'c', "attempts", "[]"},
        {'c', "attempts", "[{}]"},
        {'c', "attempts", "{\"length\": 4}"},
        {'c', "place", "[]"},
        {'c', "place", "{\"file\": \"\", \"line\": 1, \"column\": 1}"},
        {'c', "place", "{\"file\": \"x\", \"line\": \"1\", \"column\": 1}"},
        {'c', "started", "\"yesterday\""},
        {'c', "started", "\"2026-13-45T99:00:00Z\""},
        {'c', "started", "\"2026-09-21T14:13:20\""},
        {'c', "not_begun", "true"},
        {'c', "title", "[]"},
        {'m', "id", "\"\""},
        {'m', "case", "null"},
        {'m', "unit", "5"},
        {'m', "virtual", "0"},
        {'m', "complete", "\"\""},
        {'m', "n", "-1"},
        {'m', "n", "9223372036854775807"},
        {'m', "min_ns", "9000000000000000000"},
        {'m', "p50_ns", "-7"},
        {'m', "max_ns", "null"},
        {'m', "limits", "[{}]"},
        {'m', "limits", "null"},
        {'m', "samples", "[{}]"},
        {'m', "samples", "[{\"value_ns\": 1e3}]"},
        {'m', "samples", "[{\"value_ns\": 9223372036854775807}]"},
        {'m', "samples", "{}"},
};

static json_t *good_results(void)
{
	const int64_t samples[] = {10, 20, 30};
	json_t *results = results_of("a=fail b=pass");
	results_measure(results, "a", "m", samples, 3);
	return results;
}

START_TEST(hostile_results_are_refused)
{
	const struct hostile *h = &hostile[_i];
	int64_t job = night_begin("nightly", NIGHT_NS);
	int64_t run = night_run(job, (struct night_run){.results = good_results(), .outcome = OUTCOME_FAILED});
	json_t *results = good_results(), *value = json_loads(h->json, JSON_DECODE_ANY, NULL);
	json_t *target = h->where == 'r'   ? results
	                 : h->where == 'R' ? json_object_get(results, "run")
	                 : h->where == 'c' ? json_array_get(json_object_get(results, "cases"), 0)
	                                   : json_array_get(json_object_get(results, "measurements"), 0);
	ck_assert_int_eq(json_object_set_new(target, h->member, value ? value : json_real(1e300)), 0);
	ck_fails(EINVAL, book_results_add(fixture_book, run, results, &fixture_error));
	/* What was there is still there. */
	ck_assert_int_eq(rows_of("cases"), 2);
	ck_assert_int_eq(rows_of("measured"), 1);
	ck_assert_int_eq(night_end(job, NULL, NIGHT_NS), OUTCOME_FAILED);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	json_decref(results);
}
END_TEST

START_TEST(doubled_and_huge_results_are_refused)
{
	int64_t job = night_begin("nightly", NIGHT_NS);
	int64_t run = night_run(job, (struct night_run){.results = good_results()});
	json_t *results = good_results(), *cases = json_object_get(results, "cases");
	json_array_append(cases, json_array_get(cases, 0));
	ck_fails(EINVAL, book_results_add(fixture_book, run, results, &fixture_error));
	json_decref(results);
	results = good_results();
	json_t *list = json_object_get(results, "measurements");
	json_array_append(list, json_array_get(list, 0));
	ck_fails(EINVAL, book_results_add(fixture_book, run, results, &fixture_error));
	json_decref(results);
	results = good_results();
	cases = json_object_get(results, "cases");
	for (int i = 0; i < 100001; i++)
		json_array_append(cases, json_array_get(cases, 0));
	ck_fails(EINVAL, book_results_add(fixture_book, run, results, &fixture_error));
	json_decref(results);
	results = good_results();
	list = json_object_get(json_array_get(json_object_get(results, "measurements"), 0), "samples");
	for (int i = 0; i < 100001; i++)
		json_array_append(list, json_array_get(list, 0));
	ck_fails(EINVAL, book_results_add(fixture_book, run, results, &fixture_error));
	json_decref(results);
	results = good_results();
	char *long_id = malloc(100000);
	memset(long_id, 'x', 99999);
	long_id[99999] = '\0';
	json_object_set_new(json_array_get(json_object_get(results, "cases"), 0), "message", json_string(long_id)); /* cut, not refused */
	ck_done(book_results_add(fixture_book, run, results, &fixture_error));
	json_object_set_new(json_array_get(json_object_get(results, "cases"), 0), "id", json_string(long_id));
	ck_fails(EINVAL, book_results_add(fixture_book, run, results, &fixture_error));
	json_decref(results);
	free(long_id);
	ck_fails(EINVAL, book_results_add(fixture_book, run, NULL, &fixture_error));
	results = good_results();
	ck_fails(ENOENT, book_results_add(fixture_book, 4711, results, &fixture_error));
	json_decref(results);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

/* ---- shapes ---- */
static void check_members(const json_t *object, const char *members)
{
	char *copy = strdup(members), *rest = copy;
	size_t count = 0;
	for (char *name; (name = strsep(&rest, " ")); count++)
		ck_assert_msg(json_object_get(object, name) != NULL, "%s is missing", name);
	char *text = json_dumps(object, JSON_COMPACT);
	ck_assert_msg(json_object_size(object) == count, "more than %s: %s", members, text);
	free(text);
	free(copy);
}

START_TEST(a_run_in_detail)
{
	char sha[65];
	int64_t job = night_begin("nightly", NIGHT_NS);
	int64_t run = night_run(job, (struct night_run){.results = good_results(), .outcome = OUTCOME_FAILED});
	blob_of("{}", sha);
	ck_done(book_artefact_add(fixture_book, run, "results.json", sha, 2, &fixture_error));
	ck_done(book_artefact_add(fixture_book, run, "captures/can.pcapng", sha, 2, &fixture_error));
	ck_done(book_artefact_add(fixture_book, run, "results.json", sha, 2, &fixture_error)); /* again: replaced */
	json_t *into = json_object();
	ck_done(results_of_run_json(fixture_book, run, into, &fixture_error));
	check_members(into, "cases measurements artefacts");
	const json_t *c = json_array_get(json_object_get(into, "cases"), 0);
	check_members(c, "id title file line verdict cause message place duration_ns attempts flaky started");
	ck_assert_str_eq(json_string_value(json_object_get(c, "started")), "2026-09-21T14:13:20.250Z");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(c, "place"), "line")), 15);
	ck_assert_str_eq(json_string_value(json_object_get(c, "cause")), "dut");
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(into, "cases"), 1), "cause")));
	check_members(json_array_get(json_object_get(into, "measurements"), 0),
	              "series case id title unit virtual complete n min_ns p50_ns p95_ns max_ns limits");
	check_members(json_array_get(json_object_get(json_array_get(json_object_get(into, "measurements"), 0), "limits"), 0),
	              "statistic op value_ns verdict");
	ck_assert_uint_eq(json_array_size(json_object_get(into, "artefacts")), 2);
	check_members(json_array_get(json_object_get(into, "artefacts"), 0), "name size sha256 type");
	json_decref(into);
	uint64_t size;
	char found[65];
	ck_done(book_artefact_find(fixture_book, run, "captures/can.pcapng", found, &size, &fixture_error));
	ck_assert_str_eq(found, sha);
	ck_fails(ENOENT, book_artefact_find(fixture_book, run, "../results.json", found, &size, &fixture_error));
	static const char *const bad[] = {"", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", ".", "a\nb", "a\\b", "\xff", "a/./b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_fails(EINVAL, book_artefact_add(fixture_book, run, bad[i], sha, 2, &fixture_error));
	ck_fails(EINVAL, book_artefact_add(fixture_book, run, "other", sha, 3, &fixture_error));
	sha[0] = sha[0] == 'a' ? 'b' : 'a';
	ck_fails(ENOENT, book_artefact_add(fixture_book, run, "other", sha, 2, &fixture_error));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

/* ---- one rule for job, run and list ---- */
static void counts_are(json_t *of, int total, int pass, int error, int skipped, const char *what)
{
	check_counts(json_object_get(of, "counts"), 2, total, pass, 0, 0, error, skipped, 0, what);
}

static void shown_counts_are(int64_t job, int64_t run, int pass, int error, int skipped)
{
	json_t *json = NULL;
	ck_done(book_job_json(fixture_book, job, &json, &fixture_error));
	counts_are(json, 2, pass, error, skipped, "job");
	counts_are(json_array_get(json_object_get(json, "runs"), 0), 2, pass, error, skipped, "run of the job");
	json_decref(json);
	ck_done(book_run_json(fixture_book, run, &json, &fixture_error));
	counts_are(json, 2, pass, error, skipped, "run");
	json_decref(json);
	ck_done(book_jobs_json(fixture_book, NULL, NULL, NULL, 10, 0, &json, &fixture_error));
	counts_are(json_array_get(json_object_get(json, "jobs"), 0), 2, pass, error, skipped, "list");
	json_decref(json);
}

static const struct never_begun {
	bool cancelled;
	const char *cases;
	enum job_outcome outcome;
	int pass, error;
	const char *old_run, *old_job; /* as they were counted before the rule */
} never_begun[] = {
        {false, "a=bench b=missed", OUTCOME_ERROR, 0, 1,
         "{\"planned\":2,\"total\":1,\"pass\":0,\"fail\":0,\"inconclusive\":0,\"error\":1,\"skipped\":0,\"flaky\":0}",
         "{\"planned\":2,\"total\":2,\"pass\":0,\"fail\":0,\"inconclusive\":0,\"error\":2,\"skipped\":0,\"flaky\":0}"},
        {true, "a=pass b=missed", OUTCOME_CANCELLED, 1, 0,
         "{\"planned\":2,\"total\":1,\"pass\":1,\"fail\":0,\"inconclusive\":0,\"error\":0,\"skipped\":0,\"flaky\":0}",
         "{\"planned\":2,\"total\":1,\"pass\":1,\"fail\":0,\"inconclusive\":0,\"error\":0,\"skipped\":0,\"flaky\":0}"},
};

/* counts NULL: as they are found now. */
static int64_t never_begun_night(const struct never_begun *n, const char *run_counts, const char *job_counts, int64_t *ret_run)
{
	int64_t job = night_begin("nightly", NIGHT_NS);
	*ret_run = night_run(job, (struct night_run){.results = results_of(n->cases), .outcome = n->outcome});
	if (n->cancelled)
		ck_done(book_job_cancelled(fixture_book, job, "ada", &fixture_error));
	if (!job_counts) {
		ck_assert_int_eq(night_end(job, NULL, NIGHT_NS + 9), n->outcome);
		return job;
	}
	json_t *counts = json_loads(job_counts, 0, NULL);
	ck_done(book_execute(fixture_book, &fixture_error, "UPDATE runs SET counts = ?2 WHERE id = ?1",
	                     VALUES(INTEGER(*ret_run), TEXT(run_counts))));
	ck_done(book_job_done(fixture_book, job, n->outcome, "", counts, NIGHT_NS + 9, &fixture_error));
	json_decref(counts);
	return job;
}

START_TEST(never_begun_is_counted_once)
{
	const struct never_begun *n = &never_begun[_i];
	int64_t run, job = never_begun_night(n, NULL, NULL, &run);
	shown_counts_are(job, run, n->pass, n->error, 1);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	/* What an older daemon stored is shown by the same rule, and is no breach. */
	job = never_begun_night(n, n->old_run, n->old_job, &run);
	shown_counts_are(job, run, n->pass, n->error, 1);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	/* Numbers that neither has are one. */
	(void)never_begun_night(n, n->old_run, never_begun[!_i].old_job, &run);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 1);
}
END_TEST

static const json_t *cell(const json_t *matrix, size_t row, size_t column)
{
	return json_array_get(json_object_get(json_array_get(json_object_get(matrix, "cases"), row), "results"), column);
}

START_TEST(the_matrix)
{
	static const char *const nights[] = {"b=pass a=pass", "a=fail b=pass c=pass", "a=flaky c=missed"};
	int64_t jobs[3];
	json_t *matrix = NULL;
	for (int i = 0; i < 3; i++) {
		jobs[i] = night_begin("nightly", NIGHT_NS + i * 86400 * SECOND);
		(void)night_run(jobs[i], (struct night_run){.results = results_of(nights[i]),
		                                            .outcome = i == 1   ? OUTCOME_FAILED
		                                                       : i == 2 ? OUTCOME_ERROR
		                                                                : OUTCOME_PASSED});
		(void)night_end(jobs[i], NULL, NIGHT_NS + i * 86400 * SECOND + 9);
	}
	(void)night_begin("other", NIGHT_NS);
	int64_t queued;
	ck_done(fixture_job(fixture_book, "nightly", NULL, NULL, &queued, &fixture_error));
	ck_done(book_matrix_json(fixture_book, "nightly", 14, &matrix, &fixture_error));
	check_members(matrix, "series series_names jobs cases");
	ck_assert_uint_eq(json_array_size(json_object_get(matrix, "series_names")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(matrix, "jobs")), 3);
	check_members(json_array_get(json_object_get(matrix, "jobs"), 0), "id started outcome");
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json_object_get(matrix, "jobs"), 0), "id")), jobs[0]);
	ck_assert_uint_eq(json_array_size(json_object_get(matrix, "cases")), 3);
	check_members(json_array_get(json_object_get(matrix, "cases"), 0), "id title results");
	check_members(cell(matrix, 0, 1), "job verdict flaky run");
	ck_assert_str_eq(json_string_value(json_object_get(cell(matrix, 0, 1), "verdict")), "fail");
	ck_assert(json_is_true(json_object_get(cell(matrix, 0, 2), "flaky")));
	ck_assert(json_is_null(cell(matrix, 2, 0)));
	ck_assert_str_eq(json_string_value(json_object_get(cell(matrix, 2, 2), "verdict")), "skipped"); /* never begun */
	json_decref(matrix);
	ck_done(book_matrix_json(fixture_book, "nightly", 2, &matrix, &fixture_error));
	ck_assert_uint_eq(json_array_size(json_object_get(matrix, "jobs")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(json_object_get(matrix, "cases"), 0), "results")), 2);
	json_decref(matrix);
	ck_done(book_matrix_json(fixture_book, "nothing", 14, &matrix, &fixture_error));
	ck_assert_uint_eq(json_array_size(json_object_get(matrix, "jobs")), 0);
	json_decref(matrix);
}
END_TEST

START_TEST(the_history_of_a_case)
{
	static const char *const hows[] = {"x=pass", "x=fail", "x=bench", "x=pass", "x=flaky", "x=missed", "x=fail"};
	json_t *history = NULL;
	for (int i = 0; i < 7; i++) {
		int64_t job = night_begin(i % 2 ? "odd" : "even", NIGHT_NS + i * SECOND);
		(void)night_run(job, (struct night_run){.results = results_of(hows[i]), .rig = i % 2 ? "v2" : "v1"});
		(void)night_end(job, NULL, NIGHT_NS + i * SECOND);
	}
	ck_done(book_case_history_json(fixture_book, "x", NULL, 100, 0, &history, &fixture_error));
	check_members(history, "id title entries passed failed flips flaky next");
	ck_assert_int_eq(json_integer_value(json_object_get(history, "passed")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(history, "failed")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(history, "flips")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(history, "flaky")), 1);
	ck_assert(json_is_null(json_object_get(history, "next")));
	const json_t *first = json_array_get(json_object_get(history, "entries"), 0);
	check_members(first, "job run rig at verdict cause message place duration_ns attempts flaky");
	ck_assert_str_eq(json_string_value(json_object_get(first, "verdict")), "fail");
	ck_assert_str_eq(json_string_value(json_object_get(first, "rig")), "v1");
	json_decref(history);
	ck_done(book_case_history_json(fixture_book, "x", "odd", 2, 0, &history, &fixture_error));
	ck_assert_uint_eq(json_array_size(json_object_get(history, "entries")), 2);
	int64_t next = json_integer_value(json_object_get(history, "next"));
	ck_assert_int_gt(next, 0);
	json_decref(history);
	ck_done(book_case_history_json(fixture_book, "x", "odd", 2, next, &history, &fixture_error));
	ck_assert_uint_eq(json_array_size(json_object_get(history, "entries")), 1);
	ck_assert(json_is_null(json_object_get(history, "next")));
	json_decref(history);
	ck_fails(ENOENT, book_case_history_json(fixture_book, "y", NULL, 10, 0, &history, &fixture_error));
	int64_t expected;
	ck_done(book_case_expected_ns(fixture_book, "x", &expected, &fixture_error));
	ck_assert_int_eq(expected, 1000);
	ck_done(book_case_expected_ns(fixture_book, "y", &expected, &fixture_error));
	ck_assert_int_eq(expected, -1);
}
END_TEST

/* A case that only passed in a later run of the job is as flaky as one that passed in a later attempt of the same. */
START_TEST(flaky_is_flaky_everywhere)
{
	static const struct {
		const char *first, *second;
		bool flaky;
	} table[] = {{"x=pass", NULL, false},       {"x=flaky", NULL, true},       {"x=bench", "x=pass", true},
	             {"x=bench", "x=bench", false}, {"x=missed", "x=pass", false}, {"x=fail", "x=pass", false}};
	json_t *history, *matrix, *counts;
	int expected = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		int64_t job = night_begin("nightly", NIGHT_NS + (int64_t)i * SECOND);
		int64_t run = night_run(job, (struct night_run){.results = results_of(table[i].first)});
		if (table[i].second)
			run = night_run(job, (struct night_run){.results = results_of(table[i].second), .retry = true});
		(void)night_end(job, &counts, NIGHT_NS + (int64_t)i * SECOND);
		ck_assert_int_eq(json_integer_value(json_object_get(counts, "flaky")), table[i].flaky);
		json_decref(counts);
		ck_done(book_case_history_json(fixture_book, "x", i % 2 ? NULL : "nightly", 100, 0, &history, &fixture_error));
		ck_assert_int_eq(json_integer_value(json_object_get(history, "flaky")), expected += table[i].flaky);
		const json_t *newest = json_array_get(json_object_get(history, "entries"), 0);
		ck_assert_int_eq(json_integer_value(json_object_get(newest, "run")), run);
		ck_assert_int_eq(json_is_true(json_object_get(newest, "flaky")), table[i].flaky);
		json_decref(history);
	}
	ck_done(book_matrix_json(fixture_book, "nightly", 14, &matrix, &fixture_error));
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		ck_assert_int_eq(json_is_true(json_object_get(cell(matrix, 0, i), "flaky")), table[i].flaky);
	json_decref(matrix);
}
END_TEST

/* ---- retention ---- */
static int64_t old_night(int64_t age_s, const char *artefact, bool report)
{
	char sha[65];
	int64_t now = NIGHT_NS - age_s * SECOND, job = night_begin("nightly", now);
	int64_t run = night_run(job, (struct night_run){.results = good_results(), .at_utc_ns = now});
	blob_of(artefact, sha);
	ck_done(book_artefact_add(fixture_book, run, "a", sha, strlen(artefact), &fixture_error));
	if (report)
		ck_done(book_job_report(fixture_book, job, "report.html", sha, strlen(artefact), &fixture_error));
	(void)night_end(job, NULL, now);
	return job;
}

static struct retained retained;
static unsigned retain(struct retention rules, unsigned at_most, bool *ret_more)
{
	ck_done(book_retain(fixture_book, &rules, NIGHT_NS, at_most, &retained, &fixture_error));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	*ret_more = retained.more;
	return retained.files + retained.given + retained.whole;
}

START_TEST(old_jobs_go)
{
	bool more;
	int64_t old = old_night(100, "first", true), pinned = old_night(90, "second", true), young = old_night(10, "third", true);
	int64_t running = night_begin("nightly", NIGHT_NS - 1000 * SECOND);
	ck_done(book_job_pin(fixture_book, pinned, true, &fixture_error));
	ck_assert_uint_eq(retain((struct retention){0}, 9, &more), 0);
	/* The artefacts before the results. */
	ck_assert_uint_eq(retain((struct retention){.age_ns = 50 * SECOND, .results_age_ns = 200 * SECOND}, 9, &more), 1);
	ck_assert(!more);
	ck_assert_int_eq(rows_of("artefacts"), 2);
	ck_assert_int_eq(rows_of("jobs"), 4);
	ck_assert_int_eq(rows_of("cases"), 6);
	ck_assert_uint_eq(retain((struct retention){.age_ns = 50 * SECOND}, 9, &more), 1);
	ck_assert_int_eq(rows_of("jobs"), 3);
	ck_assert_int_eq(rows_of("cases"), 4);
	struct job_record *record = NULL;
	ck_fails(ENOENT, book_job(fixture_book, old, &record, &fixture_error));
	ck_assert_uint_eq(retain((struct retention){.age_ns = SECOND}, 0, &more), 0);
	ck_assert(more);
	ck_assert_uint_eq(retain((struct retention){.age_ns = SECOND}, 9, &more), 1);
	ck_fails(ENOENT, book_job(fixture_book, young, &record, &fixture_error));
	ck_done(book_job(fixture_book, pinned, &record, &fixture_error));
	job_record_free(record);
	ck_done(book_job(fixture_book, running, &record, &fixture_error));
	job_record_free(record);
	ck_done(book_job_pin(fixture_book, pinned, false, &fixture_error));
	ck_assert_uint_eq(retain((struct retention){.age_ns = SECOND}, 9, &more), 1);
	ck_assert_int_eq(rows_of("jobs"), 1);
	ck_assert_int_eq(rows_of("case_names"), 0);
}
END_TEST

START_TEST(the_oldest_go_when_there_are_too_many_bytes)
{
	bool more;
	uint64_t used;
	int64_t first = old_night(100, "0123456789", false), second = old_night(50, "abcdefghij0123456789", false);
	(void)old_night(10, "0123456789", false); /* the same bytes as the first: kept once */
	ck_done(blobs_used(fixture_book, &used, &fixture_error));
	const uint64_t files = 812 + 17; /* of the fixture's jobs, the same for each */
	ck_assert_uint_eq(used, files + 30);
	ck_assert_uint_eq(retain((struct retention){.bytes = files + 30}, 9, &more), 0);
	/* Taking the first's away frees nothing: the third has them too. */
	ck_assert_uint_eq(retain((struct retention){.bytes = files + 29}, 9, &more), 2);
	ck_done(blobs_used(fixture_book, &used, &fixture_error));
	ck_assert_uint_eq(used, files + 10);
	ck_assert_int_eq(rows_of("jobs"), 3);
	ck_done(book_job_pin(fixture_book, second, true, &fixture_error));
	/* What the third has, and at last what the others came with. */
	ck_assert_uint_eq(retain((struct retention){.bytes = 1}, 9, &more), 3);
	ck_assert(retained.files == 1 && retained.given == 2 && retained.whole == 0);
	struct job_record *record = NULL;
	ck_done(book_job(fixture_book, first, &record, &fixture_error));
	ck_assert_uint_eq(record->file_count, 0);
	job_record_free(record);
	ck_assert_int_eq(rows_of("jobs"), 3);
}
END_TEST

/* Pinned jobs that need more than there is to be: that costs nobody's verdicts, and it is known. */
START_TEST(too_many_bytes_forget_no_verdict)
{
	bool more;
	uint64_t pinned_bytes;
	json_t *history = NULL;
	int64_t pinned = old_night(100, "0123456789", true), other = old_night(50, "abcdefghij", true);
	ck_done(book_job_pin(fixture_book, pinned, true, &fixture_error));
	ck_done(book_pinned_bytes(fixture_book, &pinned_bytes, &fixture_error));
	const uint64_t files = 812 + 17;
	ck_assert_uint_eq(pinned_bytes, files + 10); /* the report is the artefact: kept once */
	const int64_t cases = rows_of("cases"), measured = rows_of("measured");
	(void)retain((struct retention){.bytes = 100}, 9, &more);
	ck_assert_uint_eq(retained.over_bytes, files + 10 - 100);
	ck_assert_uint_eq(book_retention_over(fixture_book), files + 10 - 100);
	ck_assert_int_eq(rows_of("jobs"), 2);
	ck_assert_int_eq(rows_of("cases"), cases);
	ck_assert_int_eq(rows_of("measured"), measured);
	ck_assert_uint_eq(retain((struct retention){.bytes = 100}, 9, &more), 0);
	ck_done(book_case_history_json(fixture_book, "a", NULL, 10, 0, &history, &fixture_error));
	ck_assert_uint_eq(json_array_size(json_object_get(history, "entries")), 2);
	json_decref(history);
	/* Their age alone ends them. */
	ck_assert_uint_eq(retain((struct retention){.age_ns = SECOND, .results_age_ns = 49 * SECOND, .bytes = 100}, 9, &more), 1);
	ck_assert_uint_eq(retained.whole, 1);
	struct job_record *record = NULL;
	ck_fails(ENOENT, book_job(fixture_book, other, &record, &fixture_error));
	ck_done(book_job_pin(fixture_book, pinned, false, &fixture_error));
	(void)retain((struct retention){.bytes = 100}, 9, &more);
	ck_assert_uint_eq(book_retention_over(fixture_book), 0);
	ck_done(book_pinned_bytes(fixture_book, &pinned_bytes, &fixture_error));
	ck_assert_uint_eq(pinned_bytes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("results");
	TCase *tcase = tcase_create("results");
	tcase_add_checked_fixture(tcase, start, fixture_end);
	tcase_add_loop_test(tcase, outcomes, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, a_written_results_json_is_stored);
	tcase_add_loop_test(tcase, hostile_results_are_refused, 0, sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(tcase, doubled_and_huge_results_are_refused);
	tcase_add_test(tcase, a_run_in_detail);
	tcase_add_loop_test(tcase, never_begun_is_counted_once, 0, sizeof(never_begun) / sizeof(never_begun[0]));
	tcase_add_test(tcase, the_matrix);
	tcase_add_test(tcase, the_history_of_a_case);
	tcase_add_test(tcase, old_jobs_go);
	tcase_add_test(tcase, the_oldest_go_when_there_are_too_many_bytes);
	tcase_add_test(tcase, too_many_bytes_forget_no_verdict);
	tcase_add_test(tcase, flaky_is_flaky_everywhere);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
