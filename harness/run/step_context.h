/* SPDX-License-Identifier: Apache-2.0 */
/* What a step may use while it runs: the rig, the timeline, variables, connections of the case, deadlines. */
#ifndef HARNESS_RUN_STEP_CONTEXT_H
#define HARNESS_RUN_STEP_CONTEXT_H

#include "../lang/program.h"
#include "../rig/rig.h"

struct step_context {
	struct loop *loop;
	struct timeline *timeline;
	struct rig *rig;
	struct scope *scope;
	int64_t deadline_ns;   /* of the case or of its `always` phase: no step waits longer */
	uint64_t action_mark;  /* timeline mark at the begin of the last STEP_ACTION step */
	struct value *results; /* a map a step fills by step_result_*(); reset before each step */
	uint64_t seed;         /* of this case: derived from the run's */
	struct executor *executor;
	/* Case-scoped objects of steps ("testers", "servers", …): a destructor runs at the end of the case, newest first. */
	struct case_object *objects;
	char *expected, *actual; /* of a failed check; owned */
};

/* Arguments of the running call, resolved, converted, and kept alive until the step ends. A missing optional
 * argument gives NULL / the fallback with 0. */
int step_arg(struct step_context *, const struct step_call *, const char *name, const struct value **ret, struct error *) WARN_UNUSED;
int step_arg_text(struct step_context *, const struct step_call *, const char *name, const char **ret, struct error *) WARN_UNUSED;
int step_arg_integer(struct step_context *, const struct step_call *, const char *name, int64_t fallback, int64_t *ret,
                     struct error *) WARN_UNUSED; /* also durations (ns) and sizes */
int step_arg_bool(struct step_context *, const struct step_call *, const char *name, bool fallback, bool *ret, struct error *) WARN_UNUSED;
int step_arg_bytes(struct step_context *, const struct step_call *, const char *name, const struct bytes **ret,
                   struct error *) WARN_UNUSED; /* *ret NULL if absent */
bool step_has_arg(const struct step_call *, const char *name);

/* Results. */
int step_result_integer(struct step_context *, const char *name, int64_t) WARN_UNUSED;
int step_result_duration(struct step_context *, const char *name, int64_t ns) WARN_UNUSED;
int step_result_bytes(struct step_context *, const char *name, const void *, size_t) WARN_UNUSED;
int step_result_text(struct step_context *, const char *name, const char *) WARN_UNUSED;
int step_result_bool(struct step_context *, const char *name, bool) WARN_UNUSED;

/* Waits (pumps the loop) until done() or min(within, case deadline). 0, -ETIMEDOUT (err NOT filled), -ETIME (the case's
 * time was over first; err filled, ERROR_DUT, or ERROR_TESTCASE when done is NULL), -ECANCELED (err filled, ERROR_OPERATOR), or another
 * error (a board died, journal full: err filled, ERROR_BENCH). */
int step_wait(struct step_context *, bool (*done)(void *), void *, int64_t within_ns, struct error *) WARN_UNUSED;

/* Waits the whole time, for nothing. ERROR_TESTCASE (-ETIME) when the case has less time left; else as step_wait(). */
int step_pause(struct step_context *, int64_t time_ns, struct error *) WARN_UNUSED;

/* A failed check of the DUT's behaviour: fills expected/actual and err (ERROR_DUT); returns -EBADMSG. */
int step_check_failed(struct step_context *, struct error *, const char *expected, const char *actual, const char *format, ...)
        PRINTF_LIKE(5, 6);

/* Case-scoped objects: found by kind and name. object_add takes ownership. */
int step_object_add(struct step_context *, const char *kind, const char *name, void *object, void (*destroy)(void *)) WARN_UNUSED;
void *step_object_find(struct step_context *, const char *kind, const char *name);
void step_object_remove(struct step_context *, const char *kind, const char *name); /* destroys */

/* Runs a block once: stops at the first failure. */
int step_run_block(struct step_context *, const struct step_block *, struct error *) WARN_UNUSED;

/* The same for a STEP_BLOCK step, which may run its block again and again. */
struct step_round {
	const char *noun;   /* "round", "try" … */
	int64_t number, of; /* from 1; of 0: not known before */
	/* Whether the block would be run again after this failure, so that nobody has to look at it. NULL: never. */
	bool (*forgives)(const struct step_round *, const struct error *);
	const void *context; /* for forgives() */
	/* How the try before this one failed, NULL: there is none. */
	const struct error *before;
};
/* What fails is not yet prefixed with the round: see step_round_prefix(). */
int step_run_round(struct step_context *, const struct step_call *, const struct step_round *, struct error *) WARN_UNUSED;
/* The case's time went by while the device was asked again and again: that is the device's, whatever step it ended in. */
void step_round_blame(const struct step_context *, const struct step_round *, struct error *);
/* "round 2 of 5: message". */
void step_round_prefix(const struct step_round *, struct error *);
/* A clock for limits of a block's own: it stands still while somebody stands inside the block at a prompt. */
int64_t step_clock_ns(const struct step_context *);

#endif
