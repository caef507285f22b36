/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and runs as docs/reference/api.md shows them. Every list walks an index from its newest end and stops at the limit; the index is
 * named, so that no statistics of the database can choose another. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "jobs_private.h"
#include "results.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    1000

static json_t *no_counts(void)
{
	return json_pack("{si si si si si si si si}", "planned", 0, "total", 0, "pass", 0, "fail", 0, "inconclusive", 0, "error", 0,
	                 "skipped", 0, "flaky", 0);
}

static json_t *counts_or_none(json_t *counts)
{
	if (json_is_object(counts))
		return counts;
	json_decref(counts);
	return no_counts();
}

static json_int_t count_of(const json_t *counts, const char *name)
{
	return json_integer_value(json_object_get(counts, name));
}

/* ---- a run ---- */
/* Older daemons left the cases that the run did not come to out: they are skipped ones, as in its report. */
static json_t *run_counts(json_t *stored)
{
	json_t *counts = counts_or_none(stored);
	json_int_t missed = count_of(counts, "planned") - count_of(counts, "total");

	if (missed > 0) {
		(void)json_integer_set(json_object_get(counts, "total"), count_of(counts, "planned"));
		(void)json_integer_set(json_object_get(counts, "skipped"), count_of(counts, "skipped") + missed);
	}
	return counts;
}

#define RUN_COLUMNS                                                                                                                        \
	"runs.id, runs.job, runs.number, runs.shard, runs.rig, runs.state, runs.outcome, runs.reason, runs.cause, runs.started, "          \
	"runs.ended, "                                                                                                                     \
	"runs.exit_status, runs.signal, runs.virtual, runs.counts"

static json_t *virtual_json(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? json_null() : json_boolean(sqlite3_column_int(row, column));
}

static json_t *run_json(sqlite3_stmt *row)
{
	return json_pack("{so so so so so so so so so so so so so so sn so}", "id", column_integer_json(row, 0), "job",
	                 column_integer_json(row, 1), "number", column_integer_json(row, 2), "shard", column_integer_json(row, 3), "rig",
	                 column_text_json(row, 4), "state", column_text_json(row, 5), "outcome", column_text_json(row, 6), "reason",
	                 column_text_json(row, 7), "cause", column_text_json(row, 8), "started", column_time_json(row, 9), "ended",
	                 column_time_json(row, 10), "exit_status", column_integer_json(row, 11), "signal", column_integer_json(row, 12),
	                 "virtual", virtual_json(row, 13), "progress", "counts", run_counts(column_json(row, 14)));
}

static int read_run(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	json_t *run = run_json(row);

	if (!run)
		return book_no_memory(err);
	*(json_t **)ret = run;
	return 0;
}

int book_run_json(struct book *book, int64_t id, json_t **ret, struct error *err)
{
	json_t *run = NULL;
	int r = book_by_id(book, "run", id, read_run, &run, err, "SELECT " RUN_COLUMNS " FROM runs WHERE id = ?1");

	if (r >= 0)
		r = results_of_run_json(book, id, run, err);
	if (r < 0) {
		json_decref(run);
		return r;
	}
	*ret = run;
	return 0;
}

/* ---- a job ---- */
#define JOB_COLUMNS                                                                                                                        \
	"jobs.id, jobs.title, jobs.series, jobs.submitter, jobs.state, jobs.outcome, jobs.reason, jobs.rig, jobs.pool, jobs.requires, "    \
	"jobs.priority, jobs.spread, jobs.pinned, jobs.rerun_of, jobs.submitted, jobs.started, jobs.ended, jobs.options, "                 \
	"jobs.time_limit_ns, jobs.silence_limit_ns, jobs.retries, jobs.counts"

/* Whether an older daemon may have counted cases that were not begun as errors, or not at all: then its runs have fewer cases in all than
 * planned, or nothing is known of one. */
static int counted_before(struct book *book, int64_t job, const json_t *counts, struct error *err)
{
	int64_t runs;

	if (count_of(counts, "total") < count_of(counts, "planned"))
		return 1;
	if (count_of(counts, "error") == 0)
		return 0;
	int r = book_integer(book, &runs, err,
	                     "SELECT count(*) FROM runs WHERE job = ?1 AND (counts IS NULL OR json_extract(counts, '$.total') < "
	                     "json_extract(counts, '$.planned'))",
	                     VALUES(INTEGER(job)));
	return r < 0 ? r : runs > 0;
}

/* Of a job that is done as they were found; of one that runs what is stored by now. */
static int job_counts(struct book *book, sqlite3_stmt *row, json_t **ret, struct error *err)
{
	const char *state = (const char *)sqlite3_column_text(row, 4);
	int64_t id = sqlite3_column_int64(row, 0);
	enum job_outcome outcome;

	if (!strcmp(state, "done") || !strcmp(state, "queued")) {
		json_t *stored = counts_or_none(column_json(row, 21));
		int r = stored ? counted_before(book, id, stored, err) : book_no_memory(err);
		*ret = stored;
		if (r == 0)
			return 0;
		json_decref(stored);
		if (r < 0)
			return r;
	}
	return book_job_counts(book, id, ret, &outcome, err);
}

static int read_job(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	json_t *counts = NULL, *job;
	int r = job_counts(book, row, &counts, err);

	if (r < 0)
		return r;
	job = json_pack("{so so so so so so so so so so so so sb so so so so sn so so so so so}", "id", column_integer_json(row, 0),
	                "title", column_text_json(row, 1), "series", column_text_json(row, 2), "submitter", column_text_json(row, 3),
	                "state", column_text_json(row, 4), "outcome", column_text_json(row, 5), "reason", column_text_json(row, 6), "rig",
	                column_text_json(row, 7), "pool", column_text_json(row, 8), "requires", column_json(row, 9), "priority",
	                column_integer_json(row, 10), "spread", column_integer_json(row, 11), "pinned", sqlite3_column_int(row, 12),
	                "rerun_of", column_integer_json(row, 13), "submitted", column_time_json(row, 14), "started",
	                column_time_json(row, 15), "ended", column_time_json(row, 16), "waiting_for", "counts", counts, "options",
	                column_json(row, 17), "time_limit_ns", column_integer_json(row, 18), "silence_limit_ns",
	                column_integer_json(row, 19), "retries", column_integer_json(row, 20));
	if (!job)
		return book_no_memory(err);
	*(json_t **)ret = job;
	return 0;
}

static json_t *name_json(sqlite3_stmt *row)
{
	return column_text_json(row, 0);
}

static json_t *file_json(sqlite3_stmt *row)
{
	return json_pack("{so so so}", "path", column_text_json(row, 0), "sha256", column_text_json(row, 1), "size",
	                 column_integer_json(row, 2));
}

/* The rows of a job as a member of it. */
static int put_rows(struct book *book, int64_t id, const char *sql, book_json_reader read, json_t *job, const char *member,
                    struct error *err)
{
	json_t *rows = json_array();
	int r = book_json_list(book, read, rows, err, sql, VALUES(INTEGER(id)));

	if (json_object_set_new(job, member, rows) < 0 && r >= 0)
		r = book_no_memory(err);
	return r;
}

int book_job_json(struct book *book, int64_t id, json_t **ret, struct error *err)
{
	json_t *job = NULL;
	int r = book_by_id(book, "job", id, read_job, &job, err, "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?1");

	if (r >= 0)
		r = put_rows(book, id, "SELECT " RUN_COLUMNS " FROM runs WHERE job = ?1 ORDER BY number", run_json, job, "runs", err);
	if (r >= 0)
		r = put_rows(book, id, "SELECT path, sha256, size FROM job_files WHERE job = ?1 ORDER BY path", file_json, job, "files",
		             err);
	if (r >= 0)
		r = put_rows(book, id, "SELECT name FROM job_reports WHERE job = ?1 ORDER BY name", name_json, job, "reports", err);
	if (r < 0) {
		json_decref(job);
		return r;
	}
	*ret = job;
	return 0;
}

/* ---- lists ---- */
/* ?1 before, ?2 limit, ?3 state, ?4 series, ?5 rig. A rig's jobs are those that were meant for it and those that ran on it: two indices in
 * the same order, merged. With a state that few jobs have, those are looked through instead. */
struct list {
	const char *state, *series, *rig;
	bool active, exact; /* state is "active", or one of the four */
};

static int list_without_rig(const struct list *list, char *sql, size_t size)
{
	const char *index = list->active ? "INDEXED BY jobs_active" : "NOT INDEXED";

	if (list->exact)
		index = list->series ? "INDEXED BY jobs_series" : "INDEXED BY jobs_state";
	else if (list->series && !list->active)
		index = "INDEXED BY jobs_series_id";
	return snprintf(sql, size, "SELECT " JOB_COLUMNS " FROM jobs %s WHERE id < ?1%s%s%s ORDER BY id DESC LIMIT ?2", index,
	                list->active ? " AND state <> 'done'" : "", list->exact ? " AND state = ?3" : "",
	                list->series ? " AND series = ?4" : "");
}

static int list_of_rig(const struct list *list, char *sql, size_t size)
{
	const char *series = list->series ? " AND jobs.series = ?4" : "", *state = list->exact ? " AND jobs.state = ?3" : "";

	if (list->active || (list->exact && strcmp(list->state, "done") != 0))
		return snprintf(sql, size,
		                "SELECT " JOB_COLUMNS
		                " FROM jobs INDEXED BY jobs_active WHERE state <> 'done' AND id < ?1%s%s AND (rig = ?5 OR "
		                "EXISTS (SELECT 1 FROM runs WHERE runs.job = jobs.id AND runs.rig = ?5)) ORDER BY id DESC LIMIT ?2",
		                state, series);
	return snprintf(
	        sql, size,
	        "SELECT " JOB_COLUMNS " FROM (SELECT id AS job FROM jobs INDEXED BY jobs_rig WHERE rig = ?5 AND id < ?1%s%s UNION "
	        "SELECT runs.job FROM runs INDEXED BY runs_rig CROSS JOIN jobs ON jobs.id = runs.job "
	        "WHERE runs.rig = ?5 AND runs.job < ?1%s%s ORDER BY 1 DESC LIMIT ?2) AS found CROSS JOIN jobs ON jobs.id = found.job "
	        "ORDER BY found.job DESC",
	        state, series, state, series);
}

static int list_begin(struct book *book, const struct list *list, unsigned limit, int64_t before, sqlite3_stmt **ret, struct error *err)
{
	char sql[2048];
	int length = list->rig ? list_of_rig(list, sql, sizeof(sql)) : list_without_rig(list, sql, sizeof(sql));

	/* Values after the last one that the text names must not be bound. */
	size_t count = list->rig ? 5 : list->series ? 4 : list->exact ? 3 : 2;
	const struct book_value values[] = {INTEGER(before > 0 ? before : INT64_MAX), INTEGER(limit + 1), TEXT(list->state),
	                                    TEXT(list->series), TEXT(list->rig)};

	if (length < 0 || (size_t)length >= sizeof(sql))
		return error_set(err, ERROR_BENCH, EOVERFLOW, "the query is too long");
	return book_select(book, ret, err, sql, values, count);
}

static int list_read(struct book *book, sqlite3_stmt *rows, unsigned limit, json_t *jobs, json_t **ret_next, struct error *err)
{
	int64_t last = 0;
	int r;

	while ((r = book_next(book, rows, err)) > 0) {
		json_t *job = NULL;

		if (json_array_size(jobs) == limit) {
			*ret_next = json_integer(last);
			return *ret_next ? 0 : book_no_memory(err);
		}
		last = sqlite3_column_int64(rows, 0);
		r = read_job(book, rows, &job, err);
		if (r < 0)
			return r;
		if (json_array_append_new(jobs, job) < 0)
			return book_no_memory(err);
	}
	if (r < 0)
		return r;
	*ret_next = json_null();
	return 0;
}

static int list_state(struct list *list, struct error *err)
{
	if (!list->state)
		return 0;
	list->active = !strcmp(list->state, "active");
	for (int i = JOB_QUEUED; i <= JOB_DONE; i++)
		list->exact |= !strcmp(list->state, job_state_name((enum job_state)i));
	if (!list->active && !list->exact)
		return error_set(err, ERROR_USAGE, EINVAL, "there is no state \"%.40s\" of a job: queued, running, finishing, done, active",
		                 list->state);
	return 0;
}

int book_jobs_json(struct book *book, const char *state, const char *series, const char *rig, unsigned limit, int64_t before, json_t **ret,
                   struct error *err)
{
	struct list list = {.state = state, .series = series, .rig = rig};
	json_t *jobs = NULL, *next = NULL;
	sqlite3_stmt *rows = NULL;
	int r = list_state(&list, err);

	if (!limit)
		limit = LIMIT_DEFAULT;
	if (limit > LIMIT_MOST)
		limit = LIMIT_MOST;
	if (r >= 0)
		r = list_begin(book, &list, limit, before, &rows, err);
	if (r >= 0) {
		jobs = json_array();
		r = jobs ? list_read(book, rows, limit, jobs, &next, err) : book_no_memory(err);
	}
	book_select_end(book, rows);
	if (r < 0) {
		json_decref(jobs);
		json_decref(next);
		return r;
	}
	*ret = json_pack("{so so}", "jobs", jobs, "next", next);
	return *ret ? 0 : book_no_memory(err);
}
