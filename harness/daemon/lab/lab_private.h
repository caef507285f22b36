/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the lab. Every thing that goes on (a run that is stored, a rig that is cleaned, a job that is finished) is a small state
 * machine with a function …_advance() that can be called at any time: it does what can be done now. What fails for a reason that may pass
 * (a full disk) calls lab_again(), and is tried anew by the next tick. What a function changes in memory is in the book before.
 */
#ifndef HARNESS_DAEMON_LAB_LAB_PRIVATE_H
#define HARNESS_DAEMON_LAB_LAB_PRIVATE_H

#include <limits.h>

#include "../book/blobs.h"
#include "../job/keeper.h"
#include "folder.h"
#include "lab.h"
#include "lease.h"
#include "lease_journal.h"
#include "queue.h"
#include "rig_list.h"

#define LAB_SECOND_NS   INT64_C(1000000000)
#define LAB_RUN_TOLD_NS (LAB_SECOND_NS / 4) /* at most 4 events a second a run */
/* How reasons begin that are asked for again after a restart. */
#define REASON_LIMIT     "over its limit: "       /* not tried again: it would only happen once more */
#define REASON_NO_SPACE  "no space on the host: " /* of the host, not of the rig */
#define LAB_SPACE_TRIES  8                        /* further ones for want of space, beside those for what the bench broke */
#define REASON_NOT_BEGUN "not begun: "            /* does not count as a try */
#define REASON_STOPPED   "the daemon was ended"   /* its job is begun anew */

enum rig_work { WORK_NONE, WORK_CHECK, WORK_CLEANUP, WORK_SELFTEST };
struct lab_lease {
	int64_t id; /* 0: none */
	enum lease_kind kind;
	enum lease_state state;
	int64_t job, run;
	char *holder, *note, *secret_hash;
	struct lease_times times;
	int64_t deadline_utc_ns, ends_ns; /* the same by the clock that nobody sets; 0: none */
	bool beats;
	struct lease_journal *journal; /* what its holder sent for others to see; NULL: nothing */
};
struct lab_rig {
	struct lab *lab;
	const struct lab_rig_config *config;
	struct rig_facts facts;
	struct rig_record *record;
	struct rig_record shown; /* for the queue: a rig that was not looked at yet is not offline */
	struct lab_lease lease;
	enum rig_work work;
	struct errand *errand;
	bool checked;                      /* since the start */
	bool wants_test, wants_help;       /* a self-test before the next user; a recovery that was asked for */
	bool cleaned, clean_good;          /* the clean-up is over, the book does not know yet */
	bool tested, test_good;            /* the same of a self-test */
	char words[600];                   /* what the last of them said */
	int64_t check_due_ns, help_due_ns; /* 0: none */
	uint64_t used;                     /* when it was last handed out, by count */
	struct lab_job *reserved;          /* for parts of a job whose cases are being asked for */
	unsigned judging;                  /* runs on it that are not stored */
};

enum run_stage { STAGE_BEGUN, STAGE_END, STAGE_REPORT, STAGE_FILES, STAGE_BOOK, STAGE_DONE };
enum run_stop { STOP_NONE, STOP_CANCEL, STOP_DAEMON };
struct lab_run {
	struct lab_job *job;
	struct lab_rig *rig; /* NULL: it is no longer in the configuration */
	struct run_record *record;
	struct kept *kept;
	struct tail *tail;
	struct keeper_exit exit;
	enum run_stage stage;
	enum run_stop stop;
	struct errand *errand; /* hilbench report */
	bool reported, results_bad, not_begun;
	struct store *store;
	char directory[PATH_MAX - 256];
	int64_t told_ns;
	bool tell_due;
};
/* A part of a job that waits for a rig again. */
struct lab_retry {
	unsigned shard;
	json_t *cases; /* NULL: all */
	char *avoid;
};
enum job_stage { STAGE_OPEN, STAGE_CLOSING, STAGE_MERGING, STAGE_MERGED, STAGE_REPORTED };
struct lab_job {
	struct lab *lab;
	struct job_record *record; /* without its files */
	struct lab_run **runs;     /* every run since it was last begun, in the order of their numbers */
	size_t run_count, open_count;
	struct lab_retry *retries;
	size_t retry_count;
	int64_t paused_until_ns; /* no further try before: the last one found no space; 0: none */
	bool fresh;              /* no run was begun since it was queued */
	bool requeued;           /* runs from before that are made good by the new ones */
	bool asked, refused;     /* its cases are known or cannot be; nothing fits any more */
	json_t *ids;             /* of its cases, when it is to be spread */
	size_t *granted;         /* rigs that wait for those */
	size_t granted_count;
	struct errand *errand; /* list, report */
	struct store *store;   /* of its joined reports */
	enum job_stage stage;
	enum job_outcome outcome;
	char reason[1024];
	json_t *counts;
	struct lab_job *next_dead;
};
struct lab_ear {
	lab_listener listener;
	void *context;
};
struct lab {
	sd_event *event;
	struct book *book;
	const struct lab_config *config;
	struct lab_rig *rigs;
	struct lab_job *dead;
	struct lab_job **jobs; /* open ones, sorted: priority, id */
	size_t job_count, job_room;
	struct lab_waiter *waiters; /* in the order in which they came */
	unsigned waiter_count;
	int64_t waiters_seen;
	struct queue_want *wants; /* room for the jobs and LAB_WAITERS_MAX people */
	struct queue_rig *queue_rigs;
	struct queue_grant *grants;
	size_t *order; /* rigs by last use */
	struct lab_ear *ears;
	size_t ear_count;
	struct folder_remover *remover;
	sd_event_source *turn, *tick, *tell, *stopping_timer;
	struct lab_figures figures;
	unsigned told_queued, told_running;
	bool started, stopping, again, fitness_changed;
	bool space;
	char space_reason[200];
	int64_t space_due_ns, short_utc_ns; /* short: when space was last found wanting; 0: never */
	int64_t ticked_ns;                  /* the last tick, which comes every second; 0: none yet */
	int64_t clock_offset_ns;            /* lab_utc_ns() - lab_now_ns() when it was last set; 0: not looked at yet */
	void (*no_space)(void *context);
	void *no_space_context;
	uint64_t uses;
	uint32_t state_number; /* of the state directory */
	char *environment[8];  /* NULL-terminated */
	void (*stopped)(void *context);
	void *stopped_context;
};

/* ---- lab.c ---- */
int64_t lab_now_ns(void); /* CLOCK_BOOTTIME */
int64_t lab_utc_ns(void);

/* ---- lab_tick.c ---- */
int lab_tick_add(struct lab *) WARN_UNUSED; /* its event source */
void lab_again(struct lab *, const struct error *why);
void lab_turn_soon(struct lab *);
void lab_wake_at(struct lab *, int64_t at_ns); /* a tick then at the latest */

/* ---- lab_clock.c ---- */
void lab_look_at_clock(struct lab *); /* every second */

/* ---- lab_turn.c ---- */
int lab_turn_add(struct lab *) WARN_UNUSED; /* its event source */
void lab_turn(struct lab *);
/* Whether a new job that is not spread gets a rig now (index into lab->rigs); nothing is changed. */
bool lab_turn_grants(struct lab *, const struct lab_job *, size_t *ret_rig);
void lab_tell_stopped(struct lab *);
void lab_job_want(const struct lab_job *, struct queue_want *);
void lab_queue_rigs(struct lab *); /* fills queue_rigs in the order of use */

/* ---- lab_find.c ---- */
struct lab_rig *lab_rig_find(const struct lab *, const char *name);
struct lab_job *lab_job_find(const struct lab *, int64_t id);
struct lab_run *lab_run_find(const struct lab *, int64_t id);

/* ---- lab_jobs.c ---- */
int lab_job_keep(struct lab *, struct job_record *stolen, struct lab_job **ret, struct error *err) WARN_UNUSED;
int lab_make_room(struct lab *) WARN_UNUSED;       /* for one more job, and for whoever waits; -ENOMEM */
void lab_job_drop(struct lab *, struct lab_job *); /* out of the memory of the lab */
void lab_job_free(struct lab_job *);
void lab_bury(struct lab *);                                                  /* frees what was dropped: nobody is in the middle of it */
bool lab_job_waits(const struct lab_job *);                                   /* queued, or for its next try with no run open */
void lab_count_jobs(const struct lab *, unsigned *queued, unsigned *running); /* queued: those that wait */

/* ---- lab_disk.c ---- */
void lab_look_at_disk(struct lab *);
bool lab_has_space(struct lab *); /* looks now; else lab->space_reason says why not */
struct run_verdict;
/* What broke because the host had no space is neither the rig's nor a board's fault, and no limit of the run. results may be NULL. */
void lab_disk_excuse(const struct lab_run *, const json_t *results, struct run_verdict *);

/* ---- lab_listeners.c ---- */
int lab_tell_add(struct lab *) WARN_UNUSED; /* its event source */
bool lab_listened(const struct lab *);
void lab_tell(struct lab *, enum lab_event, int64_t id, json_t *stolen);
void lab_tell_job(struct lab *, int64_t id);
void lab_tell_run(struct lab *, int64_t id);
void lab_tell_rig(struct lab_rig *);
void lab_tell_queue(struct lab *); /* when its figures changed */

/* ---- lab_environment.c ---- */
/* "VARIABLE=job-JOB-run-RUN-STATE" or "…lease-LEASE-STATE": the last part tells this daemon's processes from those of another with the
 * same numbers. job 0: the lease. The clean-up has a variable of its own: whoever else ends what has the mark of the job does not end it.
 */
#define MARK_JOB     "HILBENCH_JOB"
#define MARK_CLEANUP "HILBENCH_CLEANUP"
void lab_mark(const struct lab *, const char *variable, int64_t job, int64_t run_or_lease, char *buffer, size_t size);
/* "locked by ada until 2026-01-02T03:04:05Z (note)". Returns buffer. */
const char *lab_lock_text(const struct lab_rig *, char *buffer, size_t size);
/* Environment of everything that is started, NULL-terminated; job: as of lab_mark(), or NULL. */
void lab_environment(const struct lab *, const char *job, const char *ret[10]);
int lab_make_environment(struct lab *) WARN_UNUSED;
void lab_number_state(struct lab *);

/* ---- lab_run.c ---- */
struct lab_run *lab_run_new(struct lab_job *, struct run_record *stolen); /* NULL: no memory; takes the record all the same */
void lab_run_free(struct lab_run *);
/* cases: borrowed or NULL. Several parts of a job are begun together in the caller's transaction; start the process after it. */
int lab_run_add(struct lab_job *, struct lab_rig *, unsigned shard, json_t *cases, bool retry, struct lab_run **ret,
                struct error *err) WARN_UNUSED;
void lab_run_start(struct lab_run *);
void lab_run_ended(const struct keeper_exit *, void *run); /* kept_ended */
int lab_run_watch(struct lab_run *, struct error *err) WARN_UNUSED;
void lab_run_stop(struct lab_run *, enum run_stop);
/* For the files of a job in a directory: files/ below it, and files.list, by which the keeper fills it. only_cases: only the test cases are
 * read there, of the others (packages may be large) only the names. */
int lab_job_files(struct lab *, const struct job_record *, const char *directory, bool only_cases, struct error *err) WARN_UNUSED;

/* ---- lab_store.c ---- */
void lab_run_advance(struct lab_run *);
void store_free(struct store *);

/* ---- verdict.c ---- */
struct run_verdict {
	enum job_outcome outcome;
	const char *cause; /* NULL unless an error */
	char reason[800];
	bool crashed, good, bench_error; /* good: the bench did its part; bench_error: the rig is to blame */
	char bench_text[400];
	bool no_space; /* of the host: lab_disk_excuse() */
};
/* results NULL: there are none. last_words: of its output, "" none. */
/* Whether an attempt, a board or the run broke because the keeper ended the run: that is what the runner says of all that was open then. */
bool verdict_was_ended(const json_t *results, const json_t *broken);
/* Boards that the bench lost: those that a run gave up, and those that its errors name. Borrowed from results and roles. */
#define VERDICT_BOARDS_MAX 64
struct lost_board {
	const char *role, *text;
};
/* roles: of the rig, NULL-terminated; NULL: unknown. How many; each once. */
size_t verdict_lost_boards(const json_t *results, char *const *roles, struct lost_board ret[VERDICT_BOARDS_MAX]);
void run_verdict(const struct keeper_exit *, const json_t *results, const char *last_words, struct run_verdict *ret);

/* ---- lab_finish.c ---- */
void lab_job_advance(struct lab_job *);

/* ---- lab_spread.c ---- */
/* Begins a job on rigs[0…count) (indices into lab->rigs). */
void lab_job_begin(struct lab_job *, const size_t *rigs, size_t count);
/* The run of a job on one rig, in the caller's transaction; lab_run_begin() after it, lab_job_forget_runs() if it fails. */
int lab_job_add_run(struct lab_job *, size_t rig, struct lab_run **ret, struct error *err) WARN_UNUSED;
void lab_job_forget_runs(struct lab_job *);
/* A run that is in the book, and its lease with it, becomes a process. */
void lab_run_begin(struct lab_run *);
/* Splits ids into `count` arrays by expected time, longest first; unknown times are the median of the known. ret: new references. Fewer
 * parts when there are fewer ids. */
size_t spread_split(const json_t *ids, const int64_t *expected_ns, size_t count, json_t **ret);

/* ---- lab_rig.c ---- */
bool lab_rig_free(const struct lab_rig *); /* may be handed out now */
void lab_rig_advance(struct lab_rig *);
int lab_rig_health(struct lab_rig *, enum health_input, const char *text, int64_t job, int64_t run, struct error *err) WARN_UNUSED;
void lab_rig_reload_record(struct lab_rig *); /* after a roll-back */
void lab_rig_leased(struct lab_rig *, const struct lease_record *, const struct lease_times *);
int lab_rig_lease_cleaning(struct lab_rig *, const char *why, struct error *err) WARN_UNUSED;
void lab_rig_due(struct lab_rig *); /* when its next recovery is */
void lab_rig_interrupt_check(struct lab_rig *);

/* ---- lab_lease.c ---- */
/* Whether it could have the rig now: -EBUSY, -EHOSTDOWN, …. Who waits for it does not count. */
int lab_lease_check(const struct lab_rig *, const struct lab_lease_request *, bool anyway, struct error *err) WARN_UNUSED;
int lab_lease_now(struct lab_rig *, const struct lab_lease_request *, bool anyway, int64_t *ret_id, char secret[LEASE_SECRET_SIZE],
                  struct error *err) WARN_UNUSED;

/* ---- lab_journal.c ---- */
/* Of a person's active lease; -EBUSY: `from` is not *ret_next. */
int lab_journal_write(struct lab_rig *, uint64_t from, const char *lines, size_t length, uint64_t *ret_next, struct error *err) WARN_UNUSED;
bool lab_journal_watchable(const struct lab_rig *);
void lab_journal_end(struct lab_rig *);    /* the lease is over */
void lab_journal_resume(struct lab_rig *); /* what an earlier daemon kept of the lease */
void lab_journal_sweep(struct lab *);      /* removes what earlier daemons kept of leases that are over */

/* ---- lab_waiters.c ---- */
size_t lab_waiters_want(const struct lab *, struct queue_want *); /* their wants: job is less than 0 */
bool lab_waiter_serve(struct lab *, int64_t want_job);            /* false: nothing changed */
void lab_waiters_turn(struct lab *);                              /* those whose rig is not fit */
void lab_waiters_look(struct lab *);                              /* who is gone is dropped */
void lab_waiters_end(struct lab *);
const char *lab_waiter_first(const struct lab *, const struct lab_rig *); /* who; NULL: nobody */
/* Appends who gets a rig before this job; queue_rigs are fresh. */
void lab_waiters_name(const struct lab *, const struct queue_want *, char *text, size_t size);

/* ---- lab_settle.c ---- */
int lab_settle(struct lab *, struct error *err) WARN_UNUSED;

#endif
