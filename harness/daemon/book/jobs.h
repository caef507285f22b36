/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and their runs, as they are kept. A job asks for cases; a run is one process on one rig for some or all of them. */
#ifndef HARNESS_DAEMON_BOOK_JOBS_H
#define HARNESS_DAEMON_BOOK_JOBS_H

#include "book.h"

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_FINISHING, JOB_DONE };
enum run_state {
	RUN_STARTING, /* its lease is granted, its directory is being made */
	RUN_RUNNING,  /* the keeper was started */
	RUN_ENDED,    /* the process is over, its results are not stored yet */
	RUN_DONE,
};
enum job_outcome { OUTCOME_NONE, OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_INCONCLUSIVE, OUTCOME_ERROR, OUTCOME_CANCELLED };
const char *job_state_name(enum job_state);
const char *run_state_name(enum run_state);
const char *job_outcome_name(enum job_outcome); /* NULL for OUTCOME_NONE */

struct job_file {
	char *path, *sha256;
	uint64_t size;
};
struct job_record {
	int64_t id;
	char *title, *series, *submitter, *key; /* key may be NULL */
	char *rig, *pool;                       /* at most one of them, else NULL */
	char **
	        requires; /* NULL-terminated */
	char **paths;
	int priority;
	unsigned spread, retries;
	json_t *options; /* as submitted */
	int64_t time_limit_ns, silence_limit_ns;
	struct job_file *files;
	size_t file_count;
	int64_t rerun_of; /* 0: none */
	json_t *only;     /* array of case ids: only these; or NULL: all */
	enum job_state state;
	enum job_outcome outcome;
	char *reason;
	bool cancelled, pinned; /* cancelled: asked for */
	int64_t submitted_utc_ns, started_utc_ns, ended_utc_ns;
};
struct run_record {
	int64_t id, job;
	unsigned number, shard; /* number: from 1 in the order of beginning; shard: from 0 */
	char *rig;
	json_t *cases; /* array of case ids, NULL: all of the job's */
	enum run_state state;
	enum job_outcome outcome;
	char *cause, *reason; /* cause NULL unless an error */
	bool retry;           /* of a run that the bench broke */
	int64_t lease;
	int64_t started_utc_ns, ended_utc_ns;
	int exit_status, signal; /* -1: none */
};
void job_record_free(struct job_record *); /* NULL allowed */
void run_record_free(struct run_record *);

/* A new job, queued. id, state and submitted_utc_ns of the record are set here. With a key that is there: -EEXIST, and *ret_id is the
 * first's. */
int book_job_add(struct book *, struct job_record *, int64_t *ret_id, struct error *err) WARN_UNUSED;
int book_job(struct book *, int64_t id, struct job_record **ret, struct error *err) WARN_UNUSED;
/* Every job that is not done, in the order of the queue (priority, id). */
int book_jobs_open(struct book *, struct job_record ***ret, size_t *ret_count, struct error *err) WARN_UNUSED;
int book_job_started(struct book *, int64_t id, int64_t utc_ns, struct error *err) WARN_UNUSED;
int book_job_cancelled(struct book *, int64_t id, const char *by, struct error *err) WARN_UNUSED; /* asked for; -EALREADY when done */
/* Back to the queue: no run was begun, or the daemon ended before it. */
int book_job_requeued(struct book *, int64_t id, const char *reason, struct error *err) WARN_UNUSED;
int book_job_finishing(struct book *, int64_t id, struct error *err) WARN_UNUSED;
int book_job_done(struct book *, int64_t id, enum job_outcome, const char *reason, const json_t *counts, int64_t utc_ns,
                  struct error *err) WARN_UNUSED;
int book_job_pin(struct book *, int64_t id, bool pinned, struct error *err) WARN_UNUSED;
/* Reports of a done job: name -> blob. */
int book_job_report(struct book *, int64_t id, const char *name, const char *sha256, uint64_t size, struct error *err) WARN_UNUSED;
int book_job_report_find(struct book *, int64_t id, const char *name, char sha256[65], uint64_t *ret_size, struct error *err) WARN_UNUSED;

/* A new run in RUN_STARTING with its lease (rigs.h), both at once. Sets id and number. */
int book_run_add(struct book *, struct run_record *, struct error *err) WARN_UNUSED;
int book_run(struct book *, int64_t id, struct run_record **ret, struct error *err) WARN_UNUSED;
int book_runs_of(struct book *, int64_t job, struct run_record ***ret, size_t *ret_count, struct error *err) WARN_UNUSED;
/* Every run that is not RUN_DONE. */
int book_runs_open(struct book *, struct run_record ***ret, size_t *ret_count, struct error *err) WARN_UNUSED;
int book_run_running(struct book *, int64_t id, int64_t utc_ns, struct error *err) WARN_UNUSED;
int book_run_ended(struct book *, int64_t id, int exit_status, int signal, int64_t utc_ns, struct error *err) WARN_UNUSED;
/* With the results (results.h) in one transaction. */
int book_run_done(struct book *, int64_t id, enum job_outcome, const char *cause, const char *reason, struct error *err) WARN_UNUSED;

/* ---- what the API shows ---- */
/* state, series, rig: NULL for any; state may be "active". */
int book_jobs_json(struct book *, const char *state, const char *series, const char *rig, unsigned limit, int64_t before, json_t **ret,
                   struct error *err) WARN_UNUSED;
int book_job_json(struct book *, int64_t id, json_t **ret,
                  struct error *err) WARN_UNUSED; /* with runs and files; progress and waiting_for are null */
int book_run_json(struct book *, int64_t id, json_t **ret, struct error *err) WARN_UNUSED; /* with cases, measurements, artefacts */
int book_queue_counts(struct book *, unsigned *ret_queued, unsigned *ret_running, struct error *err) WARN_UNUSED;
/* The blob of a file that came with the job; -ENOENT. */
int book_job_file(struct book *, int64_t id, const char *path, char sha256[65], uint64_t *ret_size, struct error *err) WARN_UNUSED;

#endif
