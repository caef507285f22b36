/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a trend over 1,000,000 samples takes, beside two floors of the same run: bare SQLite that reads as many rows of samples, and
 * bare SQLite that reads as many spans as the answer has points. bench_trend [RUNS SAMPLES]…; fails above 100 ms.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "results_fixture.h"

#define ROUNDS   15
#define LIMIT_MS 100.0

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static const char runs_begin[] = "PRAGMA foreign_keys = OFF; DROP TRIGGER run_added; DROP TRIGGER run_leased; INSERT INTO rigs "
                                 "(name, since, health) VALUES ('v1', 0, "
                                 "'healthy'), ('v2', 0, 'healthy'), ('v3', 0, 'healthy'), ('v4', 0, 'healthy')";

/* Runs as they are after a long time: one each twenty minutes on four rigs. */
static void run_make(int64_t i, int64_t at)
{
	char rig[8];
	(void)snprintf(rig, sizeof(rig), "v%d", (int)(i % 4) + 1);
	ck_done(book_execute(
	        fixture_book, &fixture_error,
	        "INSERT INTO jobs (id, title, series, submitter, requires, paths, priority, spread, retries, options, time_limit_ns, "
	        "silence_limit_ns, state, outcome, submitted, started, ended) VALUES (?1, 'nightly', 'nightly', 'ada', '[]', '[]', 0, 1, "
	        "0, '{}', "
	        "0, 0, 'done', 'passed', ?2, ?2, ?2)",
	        VALUES(INTEGER(i + 1), INTEGER(at))));
	ck_done(book_execute(fixture_book, &fixture_error,
	                     "INSERT INTO runs (id, job, number, shard, rig, state, outcome, retry, lease, started, ended) VALUES (?1, ?1, "
	                     "1, 0, ?2, 'done', "
	                     "'passed', 0, ?1, ?3, ?3)",
	                     VALUES(INTEGER(i + 1), TEXT(rig), INTEGER(at))));
}

/* The rows that a trend without histograms would read. */
static void floor_make(int64_t run, const int64_t *samples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ck_done(book_execute(fixture_book, &fixture_error, "INSERT INTO floor (run, value_ns) VALUES (?1, ?2)",
		                     VALUES(INTEGER(run), INTEGER(samples[i]))));
}

static double fill(int64_t runs, size_t samples)
{
	uint64_t state = 12345;
	int64_t *values = calloc(samples, sizeof(*values));
	double storing = 0;
	ck_assert_int_eq(sqlite3_exec(fixture_book->db, runs_begin, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(fixture_book->db, "CREATE TEMP TABLE floor (run INTEGER, value_ns INTEGER)", NULL, NULL, NULL),
	                 SQLITE_OK);
	ck_done(book_begin(fixture_book, &fixture_error));
	for (int64_t i = 0; i < runs; i++) {
		run_make(i, NIGHT_NS + i * 1200 * SECOND);
		for (size_t k = 0; k < samples; k++)
			values[k] = 80000000 + i * 50 + (int64_t)(random_next(&state) % 8000000);
		json_t *results = results_of("c=pass");
		results_measure(results, "c", "m", values, samples);
		double begun = now_ms();
		ck_done(book_results_add(fixture_book, i + 1, results, &fixture_error));
		storing += now_ms() - begun;
		json_decref(results);
		floor_make(i + 1, values, samples);
	}
	ck_done(book_commit(fixture_book, &fixture_error));
	free(values);
	return storing / (double)runs;
}

/* Median of the rounds. */
static double time_sql(const char *sql)
{
	double times[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		sqlite3_stmt *rows;
		double begun = now_ms();
		volatile int64_t sum = 0;
		ck_assert_int_eq(sqlite3_prepare_v2(fixture_book->db, sql, -1, &rows, NULL), SQLITE_OK);
		while (sqlite3_step(rows) == SQLITE_ROW)
			sum += sqlite3_column_int64(rows, 0) + sqlite3_column_bytes(rows, 1);
		sqlite3_finalize(rows);
		times[i] = now_ms() - begun;
	}
	qsort(times, ROUNDS, sizeof(*times), compare);
	return times[ROUNDS / 2];
}

static void time_trend(unsigned points, int64_t from, const char *rig, double *ret_median, double *ret_most, size_t *ret_points)
{
	double times[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		json_t *json = NULL;
		double begun = now_ms();
		ck_done(book_trend_json(fixture_book, 1, from, 0, points, rig, &json, &fixture_error));
		char *text = json_dumps(json, JSON_COMPACT);
		times[i] = now_ms() - begun;
		*ret_points = json_array_size(json_object_get(json, "points"));
		free(text);
		json_decref(json);
	}
	qsort(times, ROUNDS, sizeof(*times), compare);
	*ret_median = times[ROUNDS / 2];
	*ret_most = times[ROUNDS - 1];
}

static int failures;

static void measure(int64_t runs, size_t samples)
{
	static const struct {
		unsigned points;
		const char *rig;
		bool half;
	} questions[] = {{400, NULL, false}, {400, NULL, true}, {400, "v2", false}, {50, NULL, false}, {1000, NULL, false}};
	fixture_begin();
	fixture_open();
	double storing = fill(runs, samples);
	double every = time_sql("SELECT value_ns, NULL FROM floor");
	double spans =
	        time_sql("SELECT n, histogram FROM measured_spans WHERE series = 1 AND level = 'day' ORDER BY begin, rig LIMIT 1600");
	printf("%lld runs x %zu samples: storing a run %.2f ms; floors: %lld rows of samples %.1f ms, spans as in an answer %.2f ms\n",
	       (long long)runs, samples, storing, (long long)runs * (long long)samples, every, spans);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		double median, most;
		size_t points;
		time_trend(questions[i].points, questions[i].half ? NIGHT_NS + runs * 600 * SECOND : 0, questions[i].rig, &median, &most,
		           &points);
		printf("  trend of %4u points, %s, %s: %4zu points, median %6.2f ms, most %6.2f ms (limit %.0f)\n", questions[i].points,
		       questions[i].rig ? questions[i].rig : "all rigs", questions[i].half ? "half of the time" : "all the time", points,
		       median, most, LIMIT_MS);
		failures += most > LIMIT_MS;
	}
	fixture_end();
}

static int64_t sizes[16][2] = {{1000, 1000}, {100000, 10}};

START_TEST(trends)
{
	measure(sizes[_i][0], (size_t)sizes[_i][1]);
}
END_TEST

int main(int argc, char **argv)
{
	int count = argc > 2 ? (argc - 1) / 2 : 2;
	for (int i = 0; i < count && i < 16 && argc > 2; i++) {
		sizes[i][0] = strtoll(argv[1 + 2 * i], NULL, 10);
		sizes[i][1] = strtoll(argv[2 + 2 * i], NULL, 10);
	}
	Suite *suite = suite_create("trends");
	TCase *tcase = tcase_create("trends");
	tcase_add_loop_test(tcase, trends, 0, count < 16 ? count : 16);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failures += srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}
