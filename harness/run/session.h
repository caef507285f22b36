/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run by hand: a rig and a journal, steps as somebody types them, and cases a step at a time. One case is open at any
 * time: that of the typed steps (session_typed_case) or one that was begun with session_begin(). Testers, servers and
 * variables live until it ends; variables that were set by hand stay.
 */
#ifndef HARNESS_RUN_SESSION_H
#define HARNESS_RUN_SESSION_H

#include "executor.h"

extern const struct case_def session_typed_case; /* id "shell": what is typed without a case */

enum session_state {
	SESSION_FREE,   /* no case: only typed steps */
	SESSION_READY,  /* before the step at the position */
	SESSION_FAILED, /* the step at the position failed */
	SESSION_DONE,   /* setup and steps are behind */
};

struct session;
/* run.begin, and the rig. Options, loop and timeline are borrowed. */
int session_new(struct session **ret, struct loop *, struct timeline *, const struct executor_options *, struct error *err) WARN_UNUSED;
/* Ends the open case, stops the rig, run.end; frees. *ret: every case that ended. That somebody left a case before its end does not hide
 * what failed. */
void session_free(struct session *, struct verdict_tally *ret);

/* Runs a typed step in the open case; without one, the case of the typed steps begins. Its time is not limited. -errno with
 * err filled as the step left it; after an interruption (ERROR_OPERATOR) it is the caller's to arm the loop again. */
int session_type(struct session *, const struct step_call *, struct error *err) WARN_UNUSED;
/* Prefix for the ids of the next typed steps, unique in the run. */
void session_typed_prefix(struct session *, char *buffer, size_t size);
/* What the last step that was typed or stepped over gave: a map, or NULL. Borrowed until the next step. */
const struct value *session_results(const struct session *);
/* What a check of the last failed step wanted and found; NULL when it was not a check. Borrowed until the next step. */
void session_failed_check(const struct session *, const char **ret_expected, const char **ret_actual);
/* The failure that the open case has so far, the first; its domain is ERROR_NONE when there is none. */
const struct error *session_failure(const struct session *);
/* The variables. There are none before a case is open: see session_ready(). */
struct scope *session_scope(struct session *);
/* Opens the case of the typed steps when none is open. */
int session_ready(struct session *, struct error *err) WARN_UNUSED;
/* Ends the open case, builds the rig again whatever it is like, and opens the case of the typed steps. */
int session_renew(struct session *, struct error *err) WARN_UNUSED;
/* A signal ended the run: run.end tells it, and the status is 130 whatever the cases gave. */
void session_interrupt(struct session *);
struct rig *session_rig(const struct session *); /* NULL: none */
/* A variable by hand; it survives the end of a case. */
int session_set(struct session *, const char *name, struct value *stolen) WARN_UNUSED;

/* ---- a case, step by step ---- */
/* Ends the open case and begins this one (borrowed until it ended; its break points stay until another is begun); the rig is put into its
 * known state, and built again after a bench error. In the journal a case that is begun again is one of its own: ID#2, ID#3. -EOPNOTSUPP
 * (ERROR_USAGE): the rig lacks what it requires, or the session is a guided one. */
int session_begin(struct session *, const struct case_def *, struct error *err) WARN_UNUSED;
enum session_state session_state(const struct session *);
/* NULL while SESSION_FREE. */
const struct case_def *session_case(const struct session *);
/* Steps of setup and steps, in one count from 0; those of their blocks do not count. */
unsigned session_step_count(const struct session *);
const struct step_call *session_step_at(const struct session *, unsigned index);
/* Of the step where the case stands, or of the one whose block it stands in. */
unsigned session_position(const struct session *);

#define SESSION_DEPTH 16 /* of blocks in blocks; deeper ones run as a whole */
/* A step, in blocks too: 3.repeat[2].1 is the first step of the block of the third step, in its second round. */
struct session_place {
	const struct step_call *call;
	unsigned depth;                     /* blocks around it */
	unsigned number[SESSION_DEPTH + 1]; /* from 1, of the outermost step first */
	int64_t round[SESSION_DEPTH];       /* of the block of each of them but the last; in a place to stop at 0: any */
	int64_t of[SESSION_DEPTH];          /* 0: not known */
	const struct step_call *block[SESSION_DEPTH];
};
#define SESSION_PLACE_TEXT 256
/* Where the case stands; false: before or behind everything. */
bool session_here(const struct session *, struct session_place *ret);
/* "3", "3.repeat[2].1"; without a round "3.repeat.1". Returns buffer. */
const char *session_place_text(const struct session_place *, char buffer[SESSION_PLACE_TEXT]);
/* By number (3, 3.1, 3.repeat.1, 3.repeat[2].1, 3[2].1) or id ("steps/2/0", with or without that of the case). -ENOENT with ERROR_USAGE. */
int session_find(const struct session *, const char *text, struct session_place *ret, struct error *err) WARN_UNUSED;

/*
 * All of these run from where the case stands up to a break point, a failure, or what is said. The step where it stands runs in any case; a
 * failed one is left behind (its failure stays the case's). 0, or -errno with err as the step left it: the case stands on that step, in
 * whatever block. A failure that its block answers by another try is none, until the last one (session_forgiven). -ENOENT (ERROR_USAGE):
 * there is no step left.
 */
int session_next(struct session *, struct error *err) WARN_UNUSED;  /* one step, a block as a whole */
int session_enter(struct session *, struct error *err) WARN_UNUSED; /* one step, or up to the first one of its block */
int session_out(struct session *, struct error *err) WARN_UNUSED;   /* to the end of the block, all of its rounds */
/* To the place, but not over its outermost step; NULL: to the end of the steps. */
int session_run(struct session *, const struct session_place *until_or_null, struct error *err) WARN_UNUSED;
/* To the next step of this name. */
int session_run_to(struct session *, const char *name, struct error *err) WARN_UNUSED;
/* Runs the failed step again. That it failed before stays the case's verdict. */
int session_retry(struct session *, struct error *err) WARN_UNUSED;
#define SESSION_LEFT "left at the prompt" /* in the message of what was given up */
/* Gives up the block around the step where the case stands: the step that has the block fails, and the case stands there. */
int session_leave(struct session *, struct error *err) WARN_UNUSED;
/* What passed since the last of these calls began, by an index from 0: the step where the case stood, then the blocks around it that have
 * ended, too; and how long it took, without the time of who stood in it. NULL: no more. */
const struct step_call *session_passed(const struct session *, unsigned index, int64_t *ret_took_ns);
/* The failure that a block answered by another try, since the last of these calls began; NULL: none. */
const struct error *session_forgiven(const struct session *);
/* Toggles a break point; returns whether there is one now. */
bool session_break(struct session *, const struct session_place *);
/* The break points, by an index from 0; NULL behind the last. */
const struct session_place *session_break_at(const struct session *, unsigned index);
/* Whether there is one at the step, in any round. */
bool session_breaks_at(const struct session *, const struct step_call *);
/* Runs the steps of `always` now. */
int session_always(struct session *, struct error *err) WARN_UNUSED;
/* `always`, measurements, case.end. What was not run makes it an error (cause operator) unless it failed before. Nothing
 * to do when no case is open. */
void session_finish(struct session *, enum verdict *ret_verdict, struct error *ret_why);
/* A board could not be switched off: told on stderr and in the journal, and an error of the bench in the totals. */
void session_left_on(struct session *, const struct error *why);
/* The run goes on by itself after this case: the session belongs to executor_run(). */
bool session_guided(const struct session *);
/* Why nothing may go on: a board's driver died, the journal failed. */
int session_check(struct session *, struct error *err) WARN_UNUSED;

#endif
