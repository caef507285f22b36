/* SPDX-License-Identifier: Apache-2.0 */
/* Runs: one process on one rig under one lease. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "jobs_private.h"

static const char *const run_states[] = {"starting", "running", "ended", "done"};

const char *run_state_name(enum run_state state)
{
	return run_states[state];
}

void run_record_free(struct run_record *run)
{
	if (!run)
		return;
	free(run->rig);
	json_decref(run->cases);
	free(run->cause);
	free(run->reason);
	free(run);
}

#define RECORD_COLUMNS                                                                                                                     \
	"id, job, number, shard, rig, cases, state, outcome, cause, reason, retry, lease, started, ended, ifnull(exit_status, -1), "       \
	"ifnull(signal, -1)"

static struct run_record *record_of(sqlite3_stmt *row)
{
	struct run_record *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	*run = (struct run_record){
	        .id = sqlite3_column_int64(row, 0),
	        .job = sqlite3_column_int64(row, 1),
	        .number = (unsigned)sqlite3_column_int(row, 2),
	        .shard = (unsigned)sqlite3_column_int(row, 3),
	        .rig = column_text(row, 4),
	        .cases = column_json_or_null(row, 5),
	        .state = (enum run_state)name_index(run_states, 4, (const char *)sqlite3_column_text(row, 6)),
	        .outcome = outcome_from_name((const char *)sqlite3_column_text(row, 7)),
	        .cause = column_text(row, 8),
	        .reason = column_text(row, 9),
	        .retry = sqlite3_column_int(row, 10),
	        .lease = sqlite3_column_int64(row, 11),
	        .started_utc_ns = sqlite3_column_int64(row, 12),
	        .ended_utc_ns = sqlite3_column_int64(row, 13),
	        .exit_status = sqlite3_column_int(row, 14),
	        .signal = sqlite3_column_int(row, 15),
	};
	if (run->rig && run->reason)
		return run;
	run_record_free(run);
	return NULL;
}

static int read_record(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct run_record *run = record_of(row);

	if (!run)
		return book_no_memory(err);
	*(struct run_record **)ret = run;
	return 0;
}

static void drop_record(void *run)
{
	run_record_free(run);
}

int book_run(struct book *book, int64_t id, struct run_record **ret, struct error *err)
{
	return book_by_id(book, "run", id, read_record, ret, err, "SELECT " RECORD_COLUMNS " FROM runs WHERE id = ?1");
}

int book_runs_of(struct book *book, int64_t job, struct run_record ***ret, size_t *ret_count, struct error *err)
{
	return book_list(book, read_record, drop_record, ret, ret_count, err,
	                 "SELECT " RECORD_COLUMNS " FROM runs WHERE job = ?1 ORDER BY number", VALUES(INTEGER(job)));
}

int book_runs_open(struct book *book, struct run_record ***ret, size_t *ret_count, struct error *err)
{
	return book_list(book, read_record, drop_record, ret, ret_count, err,
	                 "SELECT " RECORD_COLUMNS " FROM runs INDEXED BY runs_open WHERE state <> 'done' ORDER BY id", NO_VALUES);
}

/* ---- adding ---- */
/* A lease of the job for this run, until the job's time limit is over. */
static int add_lease(struct book *book, const struct run_record *run, int64_t *ret_lease, struct error *err)
{
	struct job_record *job = NULL;
	struct lease_record lease = {.job = run->job, .rig = run->rig, .kind = LEASE_JOB};
	int r = book_job(book, run->job, &job, err);

	if (r < 0)
		return r;
	lease.holder = job->submitter;
	if (job->time_limit_ns)
		lease.deadline_utc_ns = book_now_utc_ns() + job->time_limit_ns;
	r = book_lease_add(book, &lease, err);
	job_record_free(job);
	if (r >= 0)
		*ret_lease = lease.id;
	return r;
}

static int insert_run(struct book *book, const struct run_record *run, int64_t lease, struct error *err)
{
	char *cases = run->cases ? json_dumps(run->cases, JSON_COMPACT) : NULL;
	int r;

	if (run->cases && !cases)
		return book_no_memory(err);
	r = book_execute(book, err,
	                 "INSERT INTO runs (job, number, shard, rig, cases, retry, lease) VALUES (?1, "
	                 "(SELECT ifnull(max(number), 0) + 1 FROM runs WHERE job = ?1), ?2, ?3, ?4, ?5, ?6)",
	                 VALUES(INTEGER(run->job), INTEGER(run->shard), TEXT(run->rig), TEXT(cases), INTEGER(run->retry), INTEGER(lease)));
	free(cases);
	return r;
}

static int add_run(struct book *book, const struct run_record *run, int64_t *ret_lease, int64_t *ret_id, int64_t *ret_number,
                   struct error *err)
{
	int r = 0;

	if (!*ret_lease)
		r = add_lease(book, run, ret_lease, err);
	if (r >= 0)
		r = insert_run(book, run, *ret_lease, err);
	if (r < 0)
		return r;
	*ret_id = book_last_id(book);
	r = book_integer(book, ret_number, err, "SELECT number FROM runs WHERE id = ?1", VALUES(INTEGER(*ret_id)));
	/* A job with an open run is never queued, not even between two transactions. */
	return r < 0 ? r : book_job_started(book, run->job, 0, err);
}

int book_run_add(struct book *book, struct run_record *run, struct error *err)
{
	int64_t lease = run->lease, id = 0, number = 0;
	int r = book_begin(book, err);

	if (r < 0)
		return r;
	r = add_run(book, run, &lease, &id, &number, err);
	if (r < 0) {
		book_roll_back(book);
		return r;
	}
	r = book_commit(book, err);
	if (r < 0)
		return r;
	run->lease = lease;
	run->id = id;
	run->number = (unsigned)number;
	run->state = RUN_STARTING;
	return 0;
}

/* ---- the way of a run ---- */
/* An UPDATE that matched no row: no such run, or it is further already. */
static int changed(struct book *book, int r, int64_t id, struct error *err)
{
	int64_t done;

	if (r != 0)
		return r < 0 ? r : 0;
	r = book_integer(book, &done, err, "SELECT state = 'done' FROM runs WHERE id = ?1", VALUES(INTEGER(id)));
	if (r == -ENOENT)
		return no_such("run", id, err);
	if (r < 0)
		return r;
	return done ? error_set(err, ERROR_BENCH, EALREADY, "run %" PRId64 " is done", id) : 0;
}

static int64_t or_now(int64_t utc_ns)
{
	return utc_ns ? utc_ns : book_now_utc_ns();
}

int book_run_running(struct book *book, int64_t id, int64_t utc_ns, struct error *err)
{
	int r = book_execute(book, err, "UPDATE runs SET state = 'running', started = ?2 WHERE id = ?1 AND state = 'starting'",
	                     VALUES(INTEGER(id), INTEGER(or_now(utc_ns))));

	return changed(book, r, id, err);
}

int book_run_ended(struct book *book, int64_t id, int exit_status, int signal, int64_t utc_ns, struct error *err)
{
	struct book_value none = {.type = BOOK_NULL};
	int r = book_execute(book, err,
	                     "UPDATE runs SET state = 'ended', ended = ?2, exit_status = ?3, signal = ?4 "
	                     "WHERE id = ?1 AND state IN ('starting', 'running')",
	                     VALUES(INTEGER(id), INTEGER(or_now(utc_ns)), exit_status >= 0 && signal <= 0 ? INTEGER(exit_status) : none,
	                            signal > 0 ? INTEGER(signal) : none));

	return changed(book, r, id, err);
}

int book_run_done(struct book *book, int64_t id, enum job_outcome outcome, const char *cause, const char *reason, struct error *err)
{
	int r = book_execute(book, err,
	                     "UPDATE runs SET state = 'done', outcome = ?2, cause = ?3, reason = ?4, ended = coalesce(ended, ?5) "
	                     "WHERE id = ?1 AND state <> 'done'",
	                     VALUES(INTEGER(id), TEXT(job_outcome_name(outcome)), TEXT(outcome == OUTCOME_ERROR ? cause : NULL),
	                            TEXT(reason ? reason : ""), INTEGER(book_now_utc_ns())));

	return changed(book, r, id, err);
}
