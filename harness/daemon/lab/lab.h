/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab: jobs get rigs, runs get keepers, results get into the book, rigs get cleaned, and what is sick is kept apart. One thread, in the
 * event loop. Every change is in the book before anybody is told. Errors: ERROR_USAGE with -EINVAL bad request, -ENOENT, -EBUSY conflict,
 * -ESTALE gone, -EHOSTDOWN no rig is fit (rig_refused), -EACCES a wrong secret (forbidden), -EAGAIN the queue is full (too_many), -ENOSPC,
 * -ESHUTDOWN; everything else is internal.
 */
#ifndef HARNESS_DAEMON_LAB_LAB_H
#define HARNESS_DAEMON_LAB_LAB_H

#include <systemd/sd-event.h>

#include "../book/jobs.h"
#include "../book/results.h"
#include "../book/rigs.h"
#include "../job/tail.h"
#include "health.h"

struct lab_rig_config {
	char *name, *pool, *file; /* file: absolute path */
	bool is_virtual;          /* when the configuration was read */
};
struct lab_config {
	struct lab_rig_config *rigs;
	size_t rig_count;
	char *daemon_program, *bench_program; /* hilbenchd (keeper), hilbench (run, rig …): paths */
	int64_t time_limit_ns, silence_limit_ns, grace_ns, cleanup_limit_ns, recovery_limit_ns, check_interval_ns;
	int64_t lease_limit_ns, heartbeat_ns; /* longest lock by a person; a lease with heartbeat is over after three of them without one */
	unsigned retries, queue_limit;
	uint64_t output_bytes, memory_bytes,
	        free_bytes;     /* free_bytes: below this no new job is taken, below a quarter of it running ones are ended cleanly */
	int64_t space_pause_ns; /* before the first further try of what found no space; 0: the usual */
	struct health_rules health;
	struct retention retention;
};

struct lab;
/* Borrowed book, loop and config outlive the lab. */
int lab_new(struct lab **ret, sd_event *, struct book *, const struct lab_config *, struct error *err) WARN_UNUSED;
/* Settles what an earlier daemon left (runs adopted or ended as bench errors, leases of persons kept until their next heartbeat is overdue,
 * rigs of dead runs cleaned), then begins to hand out rigs. */
int lab_start(struct lab *, struct error *err) WARN_UNUSED;
/* No new runs; running ones are interrupted and their jobs go back to the queue; done() from the loop when everything stands still, at most
 * grace + 10 s. */
void lab_stop(struct lab *, void (*done)(void *context), void *context);
void lab_free(struct lab *); /* keepers go on */

/* The record's rig/pool/requires/paths/files/options are checked here (paths: relative, clean; blobs there; options known). *ret_new false:
 * the key was there. by: name of who asks. */
int lab_submit(struct lab *, struct job_record *, const char *by, int64_t *ret_id, bool *ret_new, struct error *err) WARN_UNUSED;
int lab_cancel(struct lab *, int64_t job, const char *by, struct error *err) WARN_UNUSED;
int lab_rerun(struct lab *, int64_t job, bool failed_only, const char *by, int64_t *ret_id, struct error *err) WARN_UNUSED;
/* Whether new jobs are taken; if not, why. */
bool lab_accepts(struct lab *, char *reason, size_t size);
/* told() comes as often as the disk gets too full for new jobs, and at once when it is. NULL: nobody. It must not call the lab back. */
void lab_on_no_space(struct lab *, void (*told)(void *context), void *context);

#define LEASE_SECRET_SIZE 48
struct lab_lease_request {
	const char *rig, *by, *note; /* note may be NULL */
	int64_t for_ns;
	bool heartbeat;
};
/* -EBUSY says who has it; -EHOSTDOWN why it is not fit (an admin gets it all the same: `anyway`). */
int lab_lease(struct lab *, const struct lab_lease_request *, bool anyway, int64_t *ret_id, char secret[LEASE_SECRET_SIZE],
              struct error *err) WARN_UNUSED;
/* Somebody waits until the rig is free: behind those who came before, ahead of jobs of LAB_WAITER_PRIORITY and less. answered() comes once,
 * from the loop: 0 with the lease and its secret, else why not (-EHOSTDOWN: it is not fit any more, -ECANCELED: there() said no); the
 * waiter is gone then. there(): whether they still wait. Of the lab they call lab_unlease() only. -EAGAIN: too many wait. */
#define LAB_WAITER_PRIORITY 0
#define LAB_WAITERS_MAX     100
struct lab_waiter;
struct lab_waiter_calls {
	bool (*there)(void *context);
	void (*answered)(int r, const struct error *, int64_t lease, const char *secret, void *context);
};
int lab_wait(struct lab *, const struct lab_lease_request *, bool anyway, const struct lab_waiter_calls *, void *context,
             struct lab_waiter **ret, struct error *err) WARN_UNUSED;
void lab_wait_drop(struct lab_waiter *); /* without an answer */
/* What processes of the lease have as HILBENCH_JOB, by which the clean-up finds them. Returns buffer. */
#define LEASE_MARK_SIZE 48
const char *lab_lease_mark(const struct lab *, int64_t lease, char buffer[LEASE_MARK_SIZE]);
int lab_heartbeat(struct lab *, int64_t lease, const char *secret, struct error *err) WARN_UNUSED;
/* secret NULL: broken by an admin. */
int lab_unlease(struct lab *, int64_t lease, const char *secret, const char *by, struct error *err) WARN_UNUSED;
/* What the holder of a lease sends of its journal, at most LEASE_JOURNAL_LINES bytes of whole lines (lease_journal.h). *ret_next: bytes so
 * far, also with -EBUSY: `from` is another number. -ENOSPC: the disk is full. */
int lab_lease_write(struct lab *, int64_t lease, const char *secret, uint64_t from, const char *lines, size_t length, uint64_t *ret_next,
                    struct error *err) WARN_UNUSED;
/* NULL: its holder sent nothing, or the lease is over. Borrowed until LAB_LEASE_JOURNAL is told: take a reference. */
struct lease_journal *lab_lease_journal(const struct lab *, int64_t lease);
int lab_quarantine(struct lab *, const char *rig, const char *reason, const char *by, struct error *err) WARN_UNUSED;
int lab_recover(struct lab *, const char *rig, const char *by, struct error *err) WARN_UNUSED;

/* Shapes of docs/reference/api.md; new references. */
int lab_rigs_json(struct lab *, json_t **ret, struct error *err) WARN_UNUSED; /* {"rigs": […]} */
int lab_rig_json(struct lab *, const char *name, json_t **ret, struct error *err) WARN_UNUSED;
/* With "rig" and "watchable"; -ESTALE when it is over. */
int lab_lease_json(struct lab *, int64_t lease, json_t **ret, struct error *err) WARN_UNUSED;
int lab_job_json(struct lab *, int64_t id, json_t **ret, struct error *err) WARN_UNUSED; /* with progress and waiting_for */
/* Into "waiting_for" of jobs of a list, as lab_job_json() has it. */
void lab_waiting_json(struct lab *, json_t *jobs);
int lab_run_json(struct lab *, int64_t id, json_t **ret, struct error *err) WARN_UNUSED;
const char *lab_rig_file(const struct lab *, const char *name); /* NULL: no such rig */
/* The journal of a run that is not stored yet; NULL: it is. Borrowed until the run is RUN_DONE (lab_listener is told before). */
struct tail *lab_run_tail(struct lab *, int64_t run);
/* Its directory (…/out), "" when the run is stored. */
void lab_run_directory(struct lab *, int64_t run, char *buffer, size_t size);

enum lab_event {
	LAB_JOB,
	LAB_RUN,
	LAB_RIG,
	LAB_QUEUE,
	LAB_RUN_TAIL /* more in its journal */,
	LAB_RUN_STORING /* its tail goes away now */,
	LAB_LEASE_JOURNAL /* more in the journal of a lease, or the lease is over */
};
/* data: JSON as the lists have it, borrowed; NULL for LAB_RUN_TAIL, LAB_RUN_STORING and LAB_LEASE_JOURNAL. id: job, run, lease;
 * rigs: 0. A listener must not call the
 * lab back. */
typedef void (*lab_listener)(enum lab_event, int64_t id, const json_t *data, void *context);
int lab_listen(struct lab *, lab_listener, void *context, struct error *err) WARN_UNUSED;
void lab_unlisten(struct lab *, lab_listener, void *context);

struct lab_figures {
	uint64_t jobs_by_outcome[6], runs_by_outcome[6], bench_errors, cleanups, cleanups_failed, recoveries, recoveries_failed,
	        leases_expired, adopted;
	unsigned queued, running;
};
void lab_figures(struct lab *, struct lab_figures *ret);

#endif
