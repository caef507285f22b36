/* SPDX-License-Identifier: Apache-2.0 */
/* 100,000 jobs with a run each: how long opening the book and the first pages take, beside the bare database doing the least of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "book_fixture.h"

#define JOBS    100000
#define OPEN_MS 1000
#define PAGE_MS 50
#define ROUNDS  5

static struct error *const err = &fixture_error;
static unsigned too_slow;

static double since_ms(int64_t begin)
{
	return (double)(book_monotonic_ns() - begin) / 1e6;
}

/* The rows that the whole way of a job leaves, written in one statement a table: the way itself would take minutes of fsync. */
static void fill(void)
{
	fixture_open();
	fixture_rigs(fixture_book);
	ck_done(book_begin(fixture_book, err));
	ck_done(book_script(
	        fixture_book,
	        "CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n;"
	        "INSERT INTO jobs (title, series, submitter, pool, requires, paths, priority, spread, retries, options, time_limit_ns, "
	        "silence_limit_ns, state, outcome, submitted, started, ended, counts) SELECT 'nightly ' || i, iif(i % 5, 'nightly', "
	        "'supplier'), 'ada', "
	        "'virtual', '[\"can-fd\"]', '[\"testcases\"]', 0, 1, 1, '{\"tags\":[\"!slow\"],\"repeat\":1}', 7200000000000, "
	        "600000000000, 'done', "
	        "'passed', 1700000000000000000 + i, 1700000000000000000 + i, 1700000000000000000 + i, "
	        "'{\"planned\":0,\"total\":0,\"pass\":0,\"fail\":0,\"inconclusive\":0,\"error\":0,\"skipped\":0,\"flaky\":0}' FROM n;"
	        "INSERT INTO job_files (job, path, sha256, size) SELECT i, 'testcases/' || k || '.yaml', printf('%064x', i % 50 * 8 + k), "
	        "812 FROM n, "
	        "(SELECT 1 AS k UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4);"
	        "INSERT INTO leases (rig, kind, state, job, holder, granted, ended, end_reason) SELECT 'v' || (i % 3 + 1), 'job', 'over', "
	        "i, 'ada', "
	        "1700000000000000000 + i, 1700000000000000000 + i, 'the run is over' FROM n;"
	        "DROP TRIGGER run_added; DROP TRIGGER run_leased;"
	        "INSERT INTO runs (job, number, shard, rig, state, outcome, retry, lease, started, ended, exit_status, virtual, counts) "
	        "SELECT i, 1, 0, "
	        "'v' || (i % 3 + 1), 'done', 'passed', 0, i, 1700000000000000000 + i, 1700000000000000000 + i, 0, 1, "
	        "'{\"planned\":0,\"total\":0,\"pass\":0,\"fail\":0,\"inconclusive\":0,\"error\":0,\"skipped\":0,\"flaky\":0}' FROM n;"
	        "CREATE TRIGGER run_added BEFORE INSERT ON runs\n"
	        "WHEN NOT EXISTS (SELECT 1 FROM jobs WHERE id = NEW.job AND state IN ('queued', 'running'))\n"
	        "BEGIN SELECT RAISE(ABORT, 'the job takes no more runs'); END;"
	        "CREATE TRIGGER run_leased BEFORE INSERT ON runs\n"
	        "WHEN NOT EXISTS (SELECT 1 FROM leases WHERE id = NEW.lease AND state = 'active' AND rig = NEW.rig AND job = NEW.job)\n"
	        "BEGIN SELECT RAISE(ABORT, 'the run has no active lease of its rig'); END;"
	        "INSERT INTO health_entries (rig, at, kind, text, job) SELECT 'v1', i, 'lease', 'the run is over', i FROM n",
	        err));
	ck_done(book_commit(fixture_book, err));
	fixture_close();
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void say(const char *what, double *ms, double limit_ms)
{
	qsort(ms, ROUNDS, sizeof(*ms), compare);
	(void)printf("%-52s %8.2f ms (worst of %d: %.2f)", what, ms[ROUNDS / 2], ROUNDS, ms[ROUNDS - 1]);
	if (limit_ms > 0)
		(void)printf(", limit %.0f", limit_ms);
	(void)printf("\n");
	if (limit_ms > 0 && ms[ROUNDS - 1] > limit_ms)
		too_slow++;
}

static double floor_open(void)
{
	int64_t begin = book_monotonic_ns();
	char path[PATH_SIZE];
	sqlite3_stmt *rows;
	sqlite3 *db;
	int count = 0;

	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT * FROM jobs ORDER BY id DESC LIMIT 100", -1, &rows, NULL), SQLITE_OK);
	while (sqlite3_step(rows) == SQLITE_ROW)
		count += sqlite3_column_bytes(rows, 1) > 0;
	sqlite3_finalize(rows);
	ck_assert_int_eq(count, 100);
	double ms = since_ms(begin);
	sqlite3_close(db);
	return ms;
}

static void measure_open(void)
{
	double bare[ROUNDS], opened[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin;

		bare[i] = floor_open();
		begin = book_monotonic_ns();
		fixture_open();
		opened[i] = since_ms(begin);
		if (i < ROUNDS - 1)
			fixture_close();
	}
	say("floor: bare sqlite3, open and read 100 rows", bare, 0);
	say("book_open", opened, OPEN_MS);
}

static void measure_list(const char *what, const char *state, const char *series, const char *rig, unsigned expected, double limit_ms)
{
	double taken[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = book_monotonic_ns();
		json_t *json = NULL;

		ck_done(book_jobs_json(fixture_book, state, series, rig, 100, 0, &json, err));
		taken[i] = since_ms(begin);
		ck_assert_uint_eq(json_array_size(json_object_get(json, "jobs")), expected);
		json_decref(json);
	}
	say(what, taken, limit_ms);
}

static void measure_commit(void)
{
	double taken[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = book_monotonic_ns(), id;

		ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
		taken[i] = since_ms(begin);
		ck_done(book_job_done(fixture_book, id, OUTCOME_CANCELLED, "", NULL, 0, err));
	}
	say("a job submitted, on the disk", taken, 0);
}

/* The files that the jobs name are not there: those breaches are expected, and only the time is asked for. */
static void measure_check(void)
{
	int64_t begin = book_monotonic_ns();
	unsigned breaches;

	ck_done(book_check(fixture_book, false, NULL, NULL, &breaches, err));
	(void)printf("%-52s %8.2f ms\n", "book_check, not deep", since_ms(begin));
}

START_TEST(measure)
{
	fill();
	measure_open();
	measure_list("first page of jobs", NULL, NULL, NULL, 100, PAGE_MS);
	measure_list("first page of a series", NULL, "supplier", NULL, 100, PAGE_MS);
	measure_list("first page of a series that is not there", NULL, "none", NULL, 0, PAGE_MS);
	measure_list("first page of the active jobs", "active", NULL, NULL, 0, PAGE_MS);
	measure_list("first page of a rig's jobs", NULL, NULL, "v2", 100, PAGE_MS);
	measure_list("first page of a rig's jobs of a state and a series", "done", "nightly", "v2", 100, PAGE_MS);
	/* Walks over every run of the rig: a figure to know, without a limit. */
	measure_list("a rig's jobs of a series it never had (worst case)", "done", "none", "v2", 0, 0);
	measure_commit();
	measure_check();
	ck_assert_msg(too_slow == 0, "%u figures are above their limits", too_slow);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book: benchmark");
	TCase *tests = tcase_create("benchmark");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_set_timeout(tests, 280);
	tcase_add_test(tests, measure);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
