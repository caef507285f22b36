/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of a session: session*.c. */
#ifndef HARNESS_RUN_SESSION_PRIVATE_H
#define HARNESS_RUN_SESSION_PRIVATE_H

#include "executor_private.h"
#include "fiber.h"
#include "session.h"

/* How often a case was begun: each time counts for itself. */
struct begun {
	char *id;
	unsigned count;
};

/* Where to stop: everywhere, not deeper than where it began, only outside of that block, at breaks and failures. */
enum session_pace { PACE_STEP, PACE_NEXT, PACE_OUT, PACE_RUN };

/* A step of the outermost level that has a block, while it runs. It has a stack of its own, so that the case can stand inside. */
struct session_walk {
	struct step_guide guide;
	struct fiber *fiber;
	const struct step_call *outermost;
	const char *phase;
	bool inside, leaving;                              /* stands inside; everything is to end */
	enum { ORDER_GO, ORDER_RETRY, ORDER_LEAVE } order; /* what becomes of the step where it stands */
	struct session_place here;
	int64_t begin_ns; /* by step_clock_ns() */
	int r;            /* of the step where it stands, or that ended */
	struct error error;
};

struct session {
	struct executor own_executor, *executor;
	struct step_context own_context, *context; /* context NULL: no case is open */
	bool ended;                                /* by a signal */
	bool guided, by_hand;                      /* under executor_run(); somebody drives, so that what he interrupts is no failure */
	const struct case_def *def;
	struct case_def named; /* the same, by the name that it has in the journal */
	struct begun *begun;
	unsigned begun_count;
	struct session_place *breaks;
	unsigned break_count;
	const struct case_def *breaks_of; /* that had them: they stay for when it is begun again */
	unsigned position, index, typed;
	bool failed, skipped; /* the step where the case stands failed; one was left behind without an end */
	int64_t left_ns;      /* of the case's time: that of the person does not count */
	int64_t began_ns;     /* of what runs now */
	enum session_pace pace;
	unsigned pace_depth;
	const struct session_place *until; /* while something runs */
	const char *until_name;
	const struct step_call *stood; /* where the case stood when that began */
	struct {
		const struct step_call *call;
		int64_t took_ns;
		unsigned depth;
	} passed[SESSION_DEPTH + 1];
	unsigned passed_count;
	struct error forgiven; /* message "": none */
	struct session_walk walk;
	struct outcome outcome;
	char *expected, *actual;
	struct scope *kept; /* set by hand */
	struct verdict_tally tally;
};

/* Keeps what a check wanted and found, and whether the bench is suspect. */
void session_note_end(struct session *, int r, const struct error *);
/* The first failure is the case's. What the check wanted and found stays in the context, too. */
void session_take_failure(struct session *, const struct error *);
/* A step has passed that began at begin_ns of step_clock_ns(). */
void session_note_pass(struct session *, const struct step_call *, unsigned depth, int64_t begin_ns);
/* Whether to stop before the step at the place. */
bool session_stops_at(const struct session *, const struct session_place *);

/* Runs a step with a block up to where the case is to stand, or to its end: walk.inside tells. 0, or -errno with err of the step. */
int session_walk_begin(struct session *, const struct step_call *, const char *phase, struct error *err) WARN_UNUSED;
/* Goes on from inside. */
int session_walk_on(struct session *, struct error *err) WARN_UNUSED;
/* Ends the block at once, when the case stands inside. */
void session_walk_end(struct session *);

#endif
