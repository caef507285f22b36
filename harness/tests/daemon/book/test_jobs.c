/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, runs, rigs, leases, tokens: what may happen to them, and how they are shown. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_fixture.h"

static struct error *const err = &fixture_error;

static void begin(void)
{
	fixture_begin();
	fixture_open();
	fixture_rigs(fixture_book);
}

static int64_t add_job(const char *series, const char *rig)
{
	int64_t id = 0;

	ck_done(fixture_job(fixture_book, series, rig, NULL, &id, err));
	return id;
}

START_TEST(a_job_is_read_as_it_was_added)
{
	struct job_record *job = NULL;
	char digest[65];
	uint64_t size = 0;
	int64_t id = add_job("nightly", "v1");

	ck_done(book_job(fixture_book, id, &job, err));
	ck_assert_str_eq(job->title, "a title");
	ck_assert_str_eq(job->series, "nightly");
	ck_assert_str_eq(job->submitter, "ada");
	ck_assert_str_eq(job->rig, "v1");
	ck_assert_ptr_null(job->pool);
	ck_assert_ptr_null(job->key);
	ck_assert_str_eq(job->requires[0], "can-fd");
	ck_assert_ptr_null(job->requires[1]);
	ck_assert_str_eq(job->paths[0], "cases");
	ck_assert_uint_eq(job->file_count, 2);
	ck_assert_str_eq(job->files[1].path, "cases/b.yaml");
	ck_assert_uint_eq(job->files[1].size, 17);
	ck_assert_int_eq(json_integer_value(json_object_get(job->options, "repeat")), 1);
	ck_assert_int_eq(job->state, JOB_QUEUED);
	ck_assert_int_gt(job->submitted_utc_ns, 0);
	job_record_free(job);
	ck_done(book_job_file(fixture_book, id, "cases/a.yaml", digest, &size, err));
	ck_assert_uint_eq(strlen(digest), 64);
	ck_assert_uint_eq(size, 812);
	ck_fails(ENOENT, book_job_file(fixture_book, id, "../cases/a.yaml", digest, &size, err));
	ck_fails(ENOENT, book_job(fixture_book, id + 1, &job, err));
}
END_TEST

START_TEST(a_key_makes_one_job)
{
	int64_t first = 0, second = 0;

	ck_done(fixture_job(fixture_book, "s", NULL, "k1", &first, err));
	ck_fails(EEXIST, fixture_job(fixture_book, "s", NULL, "k1", &second, err));
	ck_assert_int_eq(first, second);
	ck_fails(EINVAL,
	         fixture_job(fixture_book, "s", NULL, "12345678901234567890123456789012345678901234567890123456789012345", &second, err));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(the_queue_is_in_order)
{
	struct job_record **jobs = NULL;
	int64_t low = add_job("s", NULL), high = add_job("s", NULL), later = add_job("s", NULL);
	unsigned queued = 0, running = 0;
	size_t count = 0;

	ck_done(book_execute(fixture_book, err, "UPDATE jobs SET priority = 5 WHERE id IN (?1, ?2)",
	                     VALUES(INTEGER(high), INTEGER(later))));
	ck_done(book_job_done(fixture_book, add_job("s", NULL), OUTCOME_CANCELLED, "", NULL, 0, err));
	ck_done(book_jobs_open(fixture_book, &jobs, &count, err));
	ck_assert_uint_eq(count, 3);
	ck_assert_int_eq(jobs[0]->id, high);
	ck_assert_int_eq(jobs[1]->id, later);
	ck_assert_int_eq(jobs[2]->id, low);
	for (size_t i = 0; i < count; i++)
		job_record_free(jobs[i]);
	free(jobs);
	ck_done(book_job_started(fixture_book, low, 0, err));
	ck_done(book_queue_counts(fixture_book, &queued, &running, err));
	ck_assert_uint_eq(queued, 2);
	ck_assert_uint_eq(running, 1);
}
END_TEST

START_TEST(a_job_goes_one_way)
{
	struct job_record *job = NULL;
	int64_t id = add_job("s", NULL), run = 0;

	ck_done(book_job_started(fixture_book, id, 5, err));
	ck_done(book_job_requeued(fixture_book, id, "the daemon ended", err));
	ck_done(fixture_whole_run(fixture_book, id, "v1", OUTCOME_PASSED, &run, err));
	ck_done(book_job_cancelled(fixture_book, id, "bob", err));
	ck_done(book_job_finishing(fixture_book, id, err));
	ck_done(book_job_done(fixture_book, id, OUTCOME_CANCELLED, "", NULL, 7, err));
	ck_done(book_job(fixture_book, id, &job, err));
	ck_assert_str_eq(job->reason, "cancelled by bob");
	ck_assert_int_eq(job->outcome, OUTCOME_CANCELLED);
	ck_assert(job->cancelled);
	ck_assert_int_eq(job->ended_utc_ns, 7);
	job_record_free(job);
	ck_fails(EALREADY, book_job_done(fixture_book, id, OUTCOME_PASSED, "", NULL, 8, err));
	ck_fails(EALREADY, book_job_cancelled(fixture_book, id, "bob", err));
	ck_fails(EALREADY, book_job_requeued(fixture_book, id, "", err));
	ck_fails(EALREADY, book_job_started(fixture_book, id, 9, err));
	ck_fails(EALREADY, book_run_done(fixture_book, run, OUTCOME_FAILED, NULL, "", err));
	ck_fails(ENOENT, book_job_done(fixture_book, 99, OUTCOME_PASSED, "", NULL, 8, err));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	struct run_record run = {.job = add_job("s", NULL)};
	char v1[] = "v1", nowhere[] = "nowhere";

	run.rig = nowhere;
	ck_fails(ENOENT, book_run_add(fixture_book, &run, err));
	run.rig = v1;
	ck_done(book_run_add(fixture_book, &run, err));
	ck_fails(EBUSY, book_run_add(fixture_book, &(struct run_record){.job = run.job, .rig = v1}, err));
	ck_fails(EINVAL, book_job_done(fixture_book, run.job, OUTCOME_PASSED, "", NULL, 0, err));
	ck_fails(EINVAL, book_job_requeued(fixture_book, run.job, "", err));
	ck_fails(EINVAL, book_lease_over(fixture_book, run.lease, err));
	ck_fails(EINVAL, book_run_done(fixture_book, run.id, OUTCOME_ERROR, NULL, "", err));
	ck_fails(EINVAL, book_run_done(fixture_book, run.id, OUTCOME_ERROR, "the moon", "", err));
	ck_fails(EINVAL, book_run_done(fixture_book, run.id, OUTCOME_NONE, NULL, "", err));
	ck_done(book_run_done(fixture_book, run.id, OUTCOME_ERROR, "bench", "the daemon was killed", err));
	ck_done(book_lease_over(fixture_book, run.lease, err));
	ck_fails(EALREADY, book_lease_over(fixture_book, run.lease, err));
	ck_fails(EALREADY, book_lease_renewed(fixture_book, run.lease, 5, err));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	ck_done(book_job_done(fixture_book, run.job, OUTCOME_ERROR, "bench", NULL, 0, err));
	ck_fails(EINVAL, book_run_add(fixture_book, &(struct run_record){.job = run.job, .rig = v1}, err));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(a_removed_job_takes_its_own_along)
{
	int64_t done = add_job("s", NULL), rerun = add_job("s", NULL), run = 0, left = -1;

	ck_done(fixture_whole_run(fixture_book, done, "v1", OUTCOME_PASSED, &run, err));
	ck_done(book_health_entry(fixture_book, "v1", "cleanup", "clean", done, run, err));
	ck_done(book_execute(fixture_book, err, "UPDATE jobs SET rerun_of = ?2 WHERE id = ?1", VALUES(INTEGER(rerun), INTEGER(done))));
	ck_fails(EINVAL, book_execute(fixture_book, err, "DELETE FROM jobs WHERE id = ?1", VALUES(INTEGER(done))));
	ck_done(book_job_done(fixture_book, done, OUTCOME_PASSED, "", NULL, 0, err));
	ck_done(book_execute(fixture_book, err, "DELETE FROM jobs WHERE id = ?1", VALUES(INTEGER(done))));
	ck_done(book_integer(
	        fixture_book, &left, err,
	        "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM leases) + (SELECT count(*) FROM job_files WHERE job = ?1) "
	        "+ (SELECT count(*) FROM health_entries WHERE job IS NOT NULL OR run IS NOT NULL) + (SELECT count(rerun_of) FROM jobs)",
	        VALUES(INTEGER(done))));
	ck_assert_int_eq(left, 0);
	ck_done(fixture_whole_run(fixture_book, rerun, "v1", OUTCOME_PASSED, &left, err));
	ck_assert_int_gt(left, run);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(leases_are_one_a_rig)
{
	char rig[] = "v2", holder[] = "ada", hash[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
	struct lease_record lease = {.rig = rig, .holder = holder, .kind = LEASE_PERSON, .secret_hash = hash, .expires_utc_ns = 5},
	                    other = {.rig = rig, .holder = holder, .kind = LEASE_RECOVERY}, **open = NULL, *read = NULL;
	size_t count = 0;
	json_t *json = NULL;

	ck_done(book_lease_add(fixture_book, &lease, err));
	ck_fails(EBUSY, book_lease_add(fixture_book, &other, err));
	ck_done(book_lease_renewed(fixture_book, lease.id, 77, err));
	ck_done(book_lease_cleaning(fixture_book, lease.id, "expired", err));
	ck_fails(EALREADY, book_lease_cleaning(fixture_book, lease.id, "again", err));
	ck_fails(EALREADY, book_lease_renewed(fixture_book, lease.id, 78, err));
	ck_done(book_leases_open(fixture_book, &open, &count, err));
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(open[0]->expires_utc_ns, 77);
	ck_assert_int_eq(open[0]->state, LEASE_CLEANING);
	lease_record_free(open[0]);
	free(open);
	ck_done(book_rig_json(fixture_book, "v2", &json, err));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json, "lease"), "state")), "cleaning");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json, "lease"), "expires")), "1970-01-01T00:00:00.000Z");
	json_decref(json);
	ck_done(book_lease_over(fixture_book, lease.id, err));
	ck_done(book_lease_add(fixture_book, &other, err));
	ck_done(book_lease(fixture_book, lease.id, &read, err));
	ck_assert_str_eq(read->end_reason, "expired");
	lease_record_free(read);
	ck_fails(ENOENT, book_lease_over(fixture_book, 99, err));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(health_is_kept)
{
	char name[] = "v1", reason[] = "zgw does not answer";
	struct rig_record rig = {name, HEALTH_QUARANTINED, reason, 5, 3, 1, true}, *read = NULL;
	json_t *json = NULL;

	ck_done(book_rig_changed(fixture_book, &rig, "quarantined", reason, 0, 0, err));
	for (int i = 0; i < 5; i++)
		ck_done(book_health_entry(fixture_book, "v1", "bench_error", "an error", 0, 0, err));
	ck_fails(EINVAL, book_health_entry(fixture_book, "v1", "gossip", "?", 0, 0, err));
	ck_fails(ENOENT, book_health_entry(fixture_book, "v9", "offline", "?", 0, 0, err));
	ck_done(book_board_error(fixture_book, "v1", "zgw", "first", err));
	ck_done(book_board_error(fixture_book, "v1", "zgw", "second", err));
	fixture_close();
	fixture_open();
	fixture_rigs(fixture_book);
	ck_done(book_rig(fixture_book, "v1", &read, err));
	ck_assert_int_eq(read->health, HEALTH_QUARANTINED);
	ck_assert_str_eq(read->reason, reason);
	ck_assert_uint_eq(read->bench_errors, 3);
	rig_record_free(read);
	ck_done(book_rig_json(fixture_book, "v1", &json, err));
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(json, "boards"), 0), "last_error")), "second");
	ck_assert(json_is_null(json_object_get(json, "lease")));
	json_decref(json);
	ck_done(book_health_json(fixture_book, "v1", 4, 0, &json, err));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "entries")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "next")), 3);
	json_decref(json);
	ck_done(book_health_json(fixture_book, "v1", 4, 3, &json, err));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "entries")), 2);
	ck_assert(json_is_null(json_object_get(json, "next")));
	json_decref(json);
	ck_fails(ENOENT, book_health_json(fixture_book, "v9", 4, 0, &json, err));
}
END_TEST

static void has_keys(const json_t *object, const char *const *keys)
{
	size_t count = 0;

	for (; keys[count]; count++)
		ck_assert_msg(json_object_get(object, keys[count]) != NULL, "no %s", keys[count]);
	ck_assert_uint_eq(json_object_size(object), count);
}

START_TEST(json_has_the_shape_of_the_interface)
{
	static const char *const job_keys[] = {
	        "id",       "title",    "series",        "submitter",        "state",    "outcome",   "reason",  "rig",     "pool",
	        "requires", "priority", "spread",        "pinned",           "rerun_of", "submitted", "started", "ended",   "waiting_for",
	        "counts",   "options",  "time_limit_ns", "silence_limit_ns", "retries",  "runs",      "files",   "reports", NULL};
	static const char *const run_keys[] = {"id",      "job",     "number",   "shard",   "rig",   "state",
	                                       "outcome", "reason",  "cause",    "started", "ended", "exit_status",
	                                       "signal",  "virtual", "progress", "counts",  NULL};
	int64_t id = add_job("nightly", NULL), run = 0;
	json_t *json = NULL;

	ck_done(fixture_whole_run(fixture_book, id, "v1", OUTCOME_PASSED, &run, err));
	ck_done(book_job_pin(fixture_book, id, true, err));
	ck_done(book_job_done(fixture_book, id, OUTCOME_PASSED, "", NULL, INT64_C(1700000000123456789), err));
	ck_done(book_job_json(fixture_book, id, &json, err));
	has_keys(json, job_keys);
	has_keys(json_array_get(json_object_get(json, "runs"), 0), run_keys);
	ck_assert_str_eq(json_string_value(json_object_get(json, "ended")), "2023-11-14T22:13:20.123Z");
	ck_assert(json_is_true(json_object_get(json, "pinned")));
	ck_assert_uint_eq(json_object_size(json_object_get(json, "counts")), 8);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "files")), 2);
	json_decref(json);
	ck_done(book_run_json(fixture_book, run, &json, err));
	ck_assert(json_is_array(json_object_get(json, "cases")));
	ck_assert(json_is_array(json_object_get(json, "artefacts")));
	json_decref(json);
	ck_fails(ENOENT, book_run_json(fixture_book, 99, &json, err));
	ck_fails(ENOENT, book_job_json(fixture_book, 99, &json, err));
}
END_TEST

static void check_list(const char *state, const char *series, const char *rig, unsigned expected)
{
	int64_t before = 0, last = INT64_MAX;
	unsigned found = 0;
	json_t *json = NULL, *job;
	size_t i;

	do {
		ck_done(book_jobs_json(fixture_book, state, series, rig, 3, before, &json, err));
		ck_assert_uint_le(json_array_size(json_object_get(json, "jobs")), 3);
		json_array_foreach (json_object_get(json, "jobs"), i, job) {
			int64_t id = json_integer_value(json_object_get(job, "id"));

			ck_assert_int_lt(id, last);
			last = id;
			found++;
		}
		before = json_integer_value(json_object_get(json, "next"));
		json_decref(json);
	} while (before);
	ck_assert_msg(found == expected, "state %s series %s rig %s: %u instead of %u", state, series, rig, found, expected);
}

/* 10 of series a that ran on v1 (meant for nowhere), 5 of b meant for v2 that ran there, 4 of b that wait for v2, 1 of a that runs on v3.
 */
static void fill(void)
{
	char v3[] = "v3";
	int64_t id;

	for (int i = 0; i < 15; i++) {
		id = add_job(i < 10 ? "a" : "b", i < 10 ? NULL : "v2");
		ck_done(fixture_whole_run(fixture_book, id, i < 10 ? "v1" : "v2", OUTCOME_PASSED, NULL, err));
		/* A second run on the same rig must not show the job twice. */
		ck_done(fixture_whole_run(fixture_book, id, i < 10 ? "v1" : "v2", OUTCOME_PASSED, NULL, err));
		ck_done(book_job_done(fixture_book, id, OUTCOME_PASSED, "", NULL, 0, err));
	}
	for (int i = 0; i < 4; i++)
		(void)add_job("b", "v2");
	ck_done(book_run_add(fixture_book, &(struct run_record){.job = add_job("a", NULL), .rig = v3}, err));
}

START_TEST(lists_have_what_was_asked_for)
{
	json_t *json = NULL;

	fill();
	/* The clock went back after each of them: the order stays. */
	ck_done(book_execute(fixture_book, err, "UPDATE jobs SET submitted = 1000 - id, started = iif(started, 2000 - id, NULL)",
	                     NO_VALUES));
	check_list(NULL, NULL, NULL, 20);
	check_list("done", NULL, NULL, 15);
	check_list("active", NULL, NULL, 5);
	check_list("queued", NULL, NULL, 4);
	check_list("running", NULL, NULL, 1);
	check_list("finishing", NULL, NULL, 0);
	check_list(NULL, "a", NULL, 11);
	check_list("done", "a", NULL, 10);
	check_list("active", "a", NULL, 1);
	check_list("queued", "a", NULL, 0);
	check_list(NULL, "c", NULL, 0);
	check_list(NULL, NULL, "v1", 10);
	check_list(NULL, NULL, "v2", 9);
	check_list("done", NULL, "v2", 5);
	check_list("active", NULL, "v2", 4);
	check_list("running", NULL, "v3", 1);
	check_list("active", "a", "v3", 1);
	check_list("active", "b", "v3", 0);
	check_list("done", "b", "v2", 5);
	check_list(NULL, "a", "v2", 0);
	check_list(NULL, "' OR 1=1 --", "v2", 0);
	ck_fails(EINVAL, book_jobs_json(fixture_book, "sleeping", NULL, NULL, 3, 0, &json, err));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

/* What may be walked from end to end: indices of what is open, the rigs, the few tokens, a list that was limited before. */
static bool may_be_scanned(const char *detail)
{
	static const char *const good[] = {"jobs_active", "jobs_queue",  "runs_open",   "leases_open",
	                                   "SCAN found",  "SCAN tokens", "CONSTANT ROW"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (strstr(detail, good[i]))
			return true;
	return false;
}

static void explain(const char *sql)
{
	char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	bool list_of_rig = strstr(sql, "AS found"), merged = false;
	sqlite3_stmt *rows;

	ck_assert_int_eq(sqlite3_prepare_v2(fixture_book->db, text, -1, &rows, NULL), SQLITE_OK);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(rows, 3);

		ck_assert_msg(strncmp(detail, "SCAN", 4) != 0 || may_be_scanned(detail), "%s\n%s", detail, sql);
		merged |= !strcmp(detail, "MERGE (UNION)");
		/* The jobs of a rig are limited before they are sorted. */
		ck_assert_msg(!strstr(detail, "TEMP B-TREE") || list_of_rig, "%s\n%s", detail, sql);
	}
	ck_assert_msg(!list_of_rig || merged, "%s", sql);
	sqlite3_finalize(rows);
	sqlite3_free(text);
}

START_TEST(nothing_walks_over_all_jobs)
{
	static const char *const states[] = {NULL, "active", "queued", "done"};
	json_t *json = NULL;
	size_t explained = 0;

	fill();
	for (int i = 0; i < 16; i++) {
		ck_done(book_jobs_json(fixture_book, states[i % 4], i & 4 ? "a" : NULL, i & 8 ? "v1" : NULL, 10, 0, &json, err));
		json_decref(json);
	}
	ck_done(book_job_json(fixture_book, 1, &json, err));
	json_decref(json);
	ck_done(book_rig_json(fixture_book, "v1", &json, err));
	json_decref(json);
	ck_done(book_health_json(fixture_book, "v1", 9, 0, &json, err));
	json_decref(json);
	for (size_t i = 0; i < fixture_book->statement_room; i++) {
		const char *sql = fixture_book->statements[i] ? sqlite3_sql(fixture_book->statements[i]) : NULL;

		/* Examinations of the whole and changes of the schema are not what is asked every day. */
		if (!sql || strstr(sql, "sqlite_schema") || strncmp(sql, "SELECT", 6) != 0)
			continue;
		explain(sql);
		explained++;
	}
	ck_assert_uint_gt(explained, 20);
}
END_TEST

START_TEST(tokens_are_found_and_not_kept)
{
	enum token_role role = ROLE_NOBODY;
	char token[TOKEN_SIZE] = "", other[TOKEN_SIZE] = "", name[65] = "", path[PATH_SIZE];
	unsigned char *bytes;
	int64_t id = 0, second = 0;
	json_t *json = NULL;
	size_t size;

	ck_done(book_token_add(fixture_book, "jenkins", ROLE_OPERATOR, 1000, &id, token, err));
	ck_done(book_token_add(fixture_book, "wall", ROLE_VIEWER, 0, &second, other, err));
	ck_fails(EEXIST, book_token_add(fixture_book, "wall", ROLE_ADMIN, 0, &second, other, err));
	ck_fails(EINVAL, book_token_add(fixture_book, "", ROLE_ADMIN, 0, &second, name, err));
	ck_fails(EINVAL, book_token_add(fixture_book, "nobody", ROLE_NOBODY, 0, &second, name, err));
	ck_assert_uint_eq(strlen(token), 46);
	ck_assert_str_ne(token, other);
	ck_done(book_token_find(fixture_book, token, 999, &role, name, err));
	ck_assert_int_eq(role, ROLE_OPERATOR);
	ck_assert_str_eq(name, "jenkins");
	ck_fails(ENOENT, book_token_find(fixture_book, token, 1000, &role, name, err));
	ck_done(book_token_find(fixture_book, other, INT64_MAX, &role, name, err));
	other[20] ^= 1;
	ck_fails(ENOENT, book_token_find(fixture_book, other, 1, &role, name, err));
	ck_fails(ENOENT, book_token_find(fixture_book, "", 1, &role, name, err));
	ck_done(book_tokens_json(fixture_book, &json, err));
	ck_assert_uint_eq(json_array_size(json), 2);
	ck_assert_uint_eq(json_object_size(json_array_get(json, 0)), 6);
	json_decref(json);
	ck_done(book_token_remove(fixture_book, id, err));
	ck_fails(ENOENT, book_token_remove(fixture_book, id, err));
	ck_fails(ENOENT, book_token_find(fixture_book, token, 1, &role, name, err));
	fixture_close();
	fixture_file(path, BOOK_FILE);
	bytes = fixture_read(path, &size);
	ck_assert_ptr_null(memmem(bytes, size, token, 46));
	free(bytes);
}
END_TEST

START_TEST(the_check_finds_breaches)
{
	static const char *const wounds[] = {
	        "UPDATE jobs SET state = 'queued', started = NULL WHERE id = 16",
	        "UPDATE jobs SET state = 'done' WHERE id = 16",
	        "UPDATE leases SET state = 'over', ended = 1, end_reason = '' WHERE id = (SELECT lease FROM runs WHERE job = 16)",
	        "UPDATE runs SET rig = 'v2' WHERE job = 16",
	        "UPDATE runs SET number = 4 WHERE job = 16",
	        "UPDATE runs SET outcome = 'error' WHERE id = 1",
	        "UPDATE runs SET outcome = 'failed' WHERE id = 1",
	        "UPDATE runs SET job = 77 WHERE id = 1",
	        "UPDATE leases SET state = 'active', ended = NULL, end_reason = NULL WHERE id = 1",
	        "UPDATE rigs SET health = 'suspect' WHERE name = 'v1'",
	        "DELETE FROM sqlite_sequence",
	};
	int64_t id;
	char v3[] = "v3";

	for (int i = 0; i < 15; i++) {
		id = add_job("a", NULL);
		ck_done(fixture_whole_run(fixture_book, id, "v1", OUTCOME_PASSED, NULL, err));
		ck_done(book_job_done(fixture_book, id, OUTCOME_PASSED, "", NULL, 0, err));
	}
	ck_done(book_run_add(fixture_book, &(struct run_record){.job = add_job("a", NULL), .rig = v3}, err));
	ck_done(book_script(fixture_book, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", err));
	for (size_t i = 0; i < sizeof(wounds) / sizeof(*wounds); i++) {
		ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
		ck_done(book_begin(fixture_book, err));
		ck_done(book_script(
		        fixture_book,
		        "DROP TRIGGER job_done; DROP TRIGGER job_final; DROP TRIGGER run_final; DROP TRIGGER lease_over; DROP TRIGGER "
		        "lease_final",
		        err));
		ck_done(book_script(fixture_book, wounds[i], err));
		ck_assert_msg(fixture_breaches(fixture_book, true) > 0, "not found: %s", wounds[i]);
		book_roll_back(fixture_book);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book: jobs");
	TCase *tests = tcase_create("jobs");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, fixture_end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_job_is_read_as_it_was_added);
	tcase_add_test(tests, a_key_makes_one_job);
	tcase_add_test(tests, the_queue_is_in_order);
	tcase_add_test(tests, a_job_goes_one_way);
	tcase_add_test(tests, what_cannot_be_is_refused);
	tcase_add_test(tests, a_removed_job_takes_its_own_along);
	tcase_add_test(tests, leases_are_one_a_rig);
	tcase_add_test(tests, health_is_kept);
	tcase_add_test(tests, json_has_the_shape_of_the_interface);
	tcase_add_test(tests, lists_have_what_was_asked_for);
	tcase_add_test(tests, nothing_walks_over_all_jobs);
	tcase_add_test(tests, tokens_are_found_and_not_kept);
	tcase_add_test(tests, the_check_finds_breaches);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
