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
/* Ends the open case and begins this one (borrowed until it ended); the rig is put into its known state, and built again
 * after a bench error. In the journal a case that is begun again is one of its own: ID#2, ID#3. -EOPNOTSUPP (ERROR_USAGE): the rig lacks
 * what it requires, or the session is a guided one. */
int session_begin(struct session *, const struct case_def *, struct error *err) WARN_UNUSED;
enum session_state session_state(const struct session *);
/* NULL while SESSION_FREE. */
const struct case_def *session_case(const struct session *);
/* Steps of setup and steps, in one count from 0. */
unsigned session_step_count(const struct session *);
const struct step_call *session_step_at(const struct session *, unsigned index);
unsigned session_position(const struct session *);
/* Runs the step at the position and moves on; a failed one is left behind first (its failure stays the case's). 0, or
 * -errno with err as the step left it: the position stays. -ENOENT (ERROR_USAGE): there is none left. */
int session_next(struct session *, struct error *err) WARN_UNUSED;
/* Runs the failed step again. That it failed before stays the case's verdict. */
int session_retry(struct session *, struct error *err) WARN_UNUSED;
/* session_next() until the position is at a break point or at `until`, a step fails, or there are none left. */
int session_run(struct session *, unsigned until, struct error *err) WARN_UNUSED;
/* Toggles a break point; returns whether there is one now. */
bool session_break(struct session *, unsigned index);
bool session_breaks_at(const struct session *, unsigned index);
/* Runs the steps of `always` now. */
int session_always(struct session *, struct error *err) WARN_UNUSED;
/* `always`, measurements, case.end. What was not run makes it an error (cause operator) unless it failed before. Nothing
 * to do when no case is open. */
void session_finish(struct session *, enum verdict *ret_verdict, struct error *ret_why);
/* The run goes on by itself after this case: the session belongs to executor_run(). */
bool session_guided(const struct session *);
/* Why nothing may go on: a board's driver died, the journal failed. */
int session_check(struct session *, struct error *err) WARN_UNUSED;

#endif
