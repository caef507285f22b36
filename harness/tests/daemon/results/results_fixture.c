/* SPDX-License-Identifier: Apache-2.0 */
#include "results_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "daemon/book/blobs.h"

static const struct how {
	const char *word, *verdict, *cause;
	bool begun;
} hows[] = {
        {"pass", "pass", "", true},
        {"flaky", "pass", "", true},
        {"skip", "skipped", "", true},
        {"fail", "fail", "dut", true},
        {"inconclusive", "inconclusive", "", true},
        {"bench", "error", "bench", true},
        {"testcase", "error", "testcase", true},
        {"operator", "error", "operator", true},
        {"missed", "skipped", "", false},
        {"left", "skipped", "", false},
};

static json_t *case_of(const char *id, const struct how *how)
{
	json_t *attempts = json_array();
	if (strcmp(how->word, "flaky") == 0)
		ck_assert_int_eq(json_array_append_new(attempts, json_pack("{s:i,s:b,s:s,s:s,s:i}", "attempt", 1, "complete", 1, "verdict",
		                                                           "error", "cause", "bench", "duration_ns", 5)),
		                 0);
	ck_assert_int_eq(json_array_append_new(attempts, json_pack("{s:i,s:b,s:s,s:i}", "attempt", (int)json_array_size(attempts) + 1,
	                                                           "complete", 1, "verdict", how->verdict, "duration_ns", 1000)),
	                 0);
	json_t *c = json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:{s:s,s:i,s:i},s:s,s:i,s:o,s:[]}", "id", id, "title", id, "file",
	                      "cases/a.yaml", "line", 14, "verdict", how->verdict, "cause", how->cause, "message", how->word, "place",
	                      "file", "cases/a.yaml", "line", 15, "column", 5, "started", "2026-09-21T14:13:20.250Z", "duration_ns", 1000,
	                      "attempts", attempts, "measurements");
	ck_assert_ptr_nonnull(c);
	if (!how->begun)
		ck_assert_int_eq(json_object_set_new(c, "not_begun", json_true()), 0);
	return c;
}

json_t *results_of(const char *text)
{
	char *copy = strdup(text), *rest = copy;
	json_t *cases = json_array();
	bool complete = true;
	for (char *word; (word = strsep(&rest, " "));) {
		char *how = strchr(word, '=');
		if (!how)
			continue;
		*how++ = '\0';
		size_t i = 0;
		while (i < sizeof(hows) / sizeof(hows[0]) && strcmp(hows[i].word, how) != 0)
			i++;
		ck_assert_msg(i < sizeof(hows) / sizeof(hows[0]), "no such outcome: %s", how);
		complete = complete && strcmp(how, "missed") != 0;
		ck_assert_int_eq(json_array_append_new(cases, case_of(word, &hows[i])), 0);
	}
	free(copy);
	json_t *results = json_pack("{s:i,s:{s:b,s:i,s:b,s:b,s:b,s:i,s:i},s:s,s:{},s:o,s:[]}", "format", 1, "run", "virtual", 1,
	                            "duration_ns", 5, "complete", complete, "interrupted", 0, "journal_cut", 0, "clock_moved_ns", 0,
	                            "planned_cases", 0, "verdict", "pass", "counts", "cases", cases, "measurements");
	ck_assert_ptr_nonnull(results);
	return results;
}

void results_measure(json_t *results, const char *case_id, const char *id, const int64_t *samples_ns, size_t count)
{
	struct stats stats;
	json_t *samples = json_array();
	ck_assert_int_eq(stats_of(samples_ns, count, &stats), 0);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(json_array_append_new(samples, json_pack("{s:I,s:I,s:i}", "index", (json_int_t)i, "value_ns",
		                                                          (json_int_t)samples_ns[i], "uncertainty_ns", 1)),
		                 0);
	json_t *m = json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:[{s:s,s:s,s:I,s:s}],s:[],s:o}", "id", id, "case", case_id,
	                      "title", "From power to VIN", "unit", "ns", "virtual", 1, "complete", 1, "n", (json_int_t)count, "min_ns",
	                      (json_int_t)stats.min_ns, "p50_ns", (json_int_t)stats.p50_ns, "p95_ns", (json_int_t)stats.p95_ns, "max_ns",
	                      (json_int_t)stats.max_ns, "limits", "statistic", "p95", "op", "<=", "value_ns", (json_int_t)2000000,
	                      "verdict", "pass", "stages", "samples", samples);
	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(json_array_append_new(json_object_get(results, "measurements"), m), 0);
}

int64_t night_begin(const char *series, int64_t started_utc_ns)
{
	int64_t job;
	ck_done(fixture_job(fixture_book, series, NULL, NULL, &job, &fixture_error));
	ck_done(book_job_started(fixture_book, job, started_utc_ns, &fixture_error));
	return job;
}

int64_t night_run(int64_t job, struct night_run n)
{
	char rig[16];
	(void)snprintf(rig, sizeof(rig), "%s", n.rig ? n.rig : "v1");
	struct run_record run = {.job = job, .rig = rig, .shard = n.shard, .retry = n.retry};
	run.cases = n.only ? json_loads(n.only, 0, NULL) : NULL;
	int64_t at = n.at_utc_ns ? n.at_utc_ns : NIGHT_NS;
	struct error *err = &fixture_error;
	ck_done(book_run_add(fixture_book, &run, err));
	ck_done(book_run_running(fixture_book, run.id, at, err));
	ck_done(book_run_ended(fixture_book, run.id, 0, -1, at + SECOND, err));
	ck_done(book_lease_cleaning(fixture_book, run.lease, "the run is over", err));
	ck_done(book_begin(fixture_book, err));
	if (n.results)
		ck_done(book_results_add(fixture_book, run.id, n.results, err));
	ck_done(book_run_done(fixture_book, run.id, n.outcome ? n.outcome : OUTCOME_PASSED,
	                      n.outcome == OUTCOME_ERROR ? n.cause ? n.cause : "bench" : NULL, "", err));
	ck_done(book_commit(fixture_book, err));
	ck_done(book_lease_over(fixture_book, run.lease, err));
	json_decref(run.cases);
	json_decref(n.results);
	return run.id;
}

enum job_outcome night_end(int64_t job, json_t **ret_counts, int64_t ended_utc_ns)
{
	json_t *counts = NULL;
	enum job_outcome outcome = OUTCOME_NONE;
	ck_done(book_job_counts(fixture_book, job, &counts, &outcome, &fixture_error));
	ck_done(book_job_done(fixture_book, job, outcome, "", counts, ended_utc_ns, &fixture_error));
	if (ret_counts)
		*ret_counts = counts;
	else
		json_decref(counts);
	return outcome;
}

int64_t night_measured(const char *rig, int64_t at_utc_ns, const int64_t *samples_ns, size_t count)
{
	int64_t job = night_begin("nightly", at_utc_ns);
	json_t *results = results_of("c=pass");
	results_measure(results, "c", "m", samples_ns, count);
	int64_t run = night_run(job, (struct night_run){.rig = rig, .results = results, .at_utc_ns = at_utc_ns});
	(void)night_end(job, NULL, at_utc_ns + 2 * SECOND);
	return run;
}

int64_t job_of_run(int64_t run)
{
	int64_t job;
	ck_done(book_integer(fixture_book, &job, &fixture_error, "SELECT job FROM runs WHERE id = ?1", VALUES(INTEGER(run))));
	return job;
}

void blob_of(const char *text, char name[65])
{
	struct blob_writer *w = NULL;
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	ck_done(blob_write(w, text, strlen(text), &fixture_error));
	ck_done(blob_end(w, NULL, name, NULL, &fixture_error));
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
