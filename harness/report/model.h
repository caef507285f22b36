/* SPDX-License-Identifier: Apache-2.0 */
/* A run as its journal tells it. All text is valid UTF-8 that XML allows. Memory does not grow with the journal but
 * with its cases, failures and samples. */
#ifndef HARNESS_REPORT_MODEL_H
#define HARNESS_REPORT_MODEL_H

#include "../base/error.h"
#include "event.h"
#include "lost_run.h"
#include "measurement.h"
#include "sweep.h"

#define MODEL_EVENTS_KEPT 40 /* before a failure */

#define MODEL_NOTES_KEPT 16 /* an attempt */

/* The step at which an attempt failed. */
struct report_step {
	char *id, *name, *phase, *text, *message, *expected, *actual;
	struct place place;
	enum verdict verdict;
};
struct report_attempt {
	int64_t number;
	char *rig;    /* of several runs together: the label of the run; else NULL */
	json_t *seed; /* likewise */
	bool ended;   /* case.end was there; if not, the verdict is error: the run ended first */
	enum verdict verdict;
	enum cause cause;
	char *message, *expected, *actual;
	char *errno_name;                      /* "ENOSPC": of an error of the bench that has one; else NULL */
	struct place place;                    /* of the failure, else of the case */
	int64_t begin_ns, end_ns, duration_ns; /* CLOCK_MONOTONIC */
	bool has_step;
	struct report_step step;
	struct report_event *events; /* the last ones before the failure; none when passed */
	size_t event_count;
	char *notes[MODEL_NOTES_KEPT]; /* what steps noted about the case, each text once; the first ones */
	size_t note_count;
};
struct report_case {
	char *id, *title;
	struct place place;
	json_t *verifies, *tags, *params; /* arrays and an object, or NULL */
	struct report_attempt *attempts;
	size_t attempt_count, deciding; /* index of the attempt that gives the verdict */
	bool not_begun;                 /* selected, but its turn never came: one attempt, skipped */
};
/* Why the run as a whole could not be, or what broke when all of its cases were over. */
struct report_failure {
	char *domain, *message; /* message NULL: nothing */
	bool at_end;
	char *errno_name; /* as of an attempt */
	struct place place;
};
/* The limit at which the run's keeper ended it. */
struct report_stop {
	char *reason, *message; /* message NULL: it did not */
};
struct report_lost_board {
	char *board, *case_id, *message; /* given up since that case */
	int64_t at_ns;
};
struct report_run {
	char *version, *utc, *rig, *rig_file, *host;
	json_t *seed, *arguments; /* as they are, or NULL */
	/* complete: the journal has its run.end, and nobody interrupted the run */
	bool virtual_rack, interrupted, complete, journal_cut, has_offset, has_status;
	int64_t realtime_offset_ns, status, clock_moved_ns;
	int64_t begin_ns, end_ns; /* first and last event */
	uint64_t events;
	unsigned planned; /* cases the run was to have, each as often as it repeats; 0 unknown */
	unsigned begun;   /* of these */
	json_t *selected; /* array of objects with id, title, file, line; or NULL */
	bool stop_at_failure;
	json_t *ota_sweep; /* of a sweep of an update: its sweep.end, an object; NULL: a run of cases */
	struct report_failure failure;
	struct report_stop stop;
	struct report_lost_run *lost_runs; /* of several runs together: those without a journal */
	size_t lost_run_count;
	struct report_lost_board *lost_boards;
	size_t lost_board_count;
	struct report_case *cases;
	size_t case_count;
	struct report_measurement *measurements;
	size_t measurement_count;
	struct report_sweep *sweeps;
	size_t sweep_count;
	unsigned by_verdict[VERDICT_ERROR + 1];
	unsigned flaky;
	enum verdict verdict; /* the heaviest */
};

/* Reads a journal: 0, or -errno with err filled. Release with report_run_free(). */
int report_run_read(const char *journal_path, struct report_run **ret, struct error *err) WARN_UNUSED;
void report_run_free(struct report_run *);
/* Frees the sweeps of a case: a further attempt counts anew. */
void report_run_drop_sweeps(struct report_run *, const char *case_id);

/* Why the exit status is worse than the verdicts let expect, for people: a new string, *ret NULL when it is not.
 * 0 or -ENOMEM. */
int report_run_status_reason(const struct report_run *, char **ret) WARN_UNUSED;
const struct report_attempt *report_case_attempt(const struct report_case *); /* the deciding one */
/* Into buffer (TEXT_NUMBER_SIZE); "" when the journal does not tell the time of day. */
const char *report_run_utc(const struct report_run *, int64_t monotonic_ns, char *buffer);

#endif
