/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of run/ and the generic steps only. */
#ifndef HARNESS_RUN_EXECUTOR_PRIVATE_H
#define HARNESS_RUN_EXECUTOR_PRIVATE_H

#include "executor.h"
#include "measurement.h"
#include "step_context.h"

/* What a running step keeps; blocks nest. */
struct step_frame {
	struct step_frame *outer;
	const struct step_call *call;
	struct value *args[24]; /* resolved, owned */
	unsigned arg_count;
	const struct step_round *round; /* while its block runs */
	unsigned index;                 /* of the step of its block that runs, from 0 */
};

/* Whoever drives a case by hand has its hands on the steps of blocks, too. */
struct step_guide {
	/* In the place of call_run(); executor->frame is that of the block. */
	int (*run)(struct step_guide *, struct step_context *, const struct step_call *, struct error *err);
};

struct case_object {
	struct case_object *next;
	char *kind, *name;
	void *object;
	void (*destroy)(void *);
};

/* Why the keeper ended the run. */
struct run_stop {
	char reason[24]; /* "time_limit", "silence" …; "": it did not */
	char message[512];
};

struct executor {
	struct loop *loop;
	struct timeline *timeline;
	const struct executor_options *options;
	struct rig *rig;
	bool rig_suspect;    /* a bench error came since the rig was built */
	struct error broken; /* why no rig can be built any more; domain ERROR_NONE: it can */
	struct error
	        left_on; /* boards that may still have power, although they were to be switched off (executor_power.c); ERROR_NONE: none */
	const struct case_def *current;
	const char *phase;
	uint64_t case_mark; /* timeline mark at the begin of the case */
	int64_t case_begin_ns, action_begin_ns;
	bool interrupted;
	struct run_stop stop; /* executor_stop.c */
	struct step_frame *frame;
	struct measurements *measurements;
	struct board_record *boards; /* executor_boards.c */
	struct step_guide *guide;    /* of the steps inside blocks; NULL: none */
	int64_t held_ns;             /* that somebody stood inside a block, see step_clock_ns() */
	bool keep_results;
	struct value *kept_results; /* of the outermost step that ended last, when they are kept; owned */
};

/* ---- boards that do not come up ---- */
/* Fails (ERROR_DUT, with what it failed with before) when the board was given up and no step has touched its power,
 * reset or parameters since. */
int boards_refuse(struct step_context *, const struct rig_board *, struct error *err) WARN_UNUSED;
/* Whether the board's last try to come up failed. */
bool boards_failed_before(const struct step_context *, const struct rig_board *);
/* How a try to come up ended: the second failure in a row gives the board up (board.given_up). */
void boards_failed(struct step_context *, const struct rig_board *, int64_t waited_ns, const struct error *);
void boards_came_up(struct step_context *, const struct rig_board *);
/* A step changed the board (NULL: all of them are new): it is worth one more try. */
void boards_changed(struct executor *, const struct rig_board *board_or_null);
void boards_free(struct executor *);

/* ---- power at the end ---- */
/* Boards are switched off where the rig file says so, also after an interruption. */
void executor_power_end(struct executor *);
/* A board could not be switched off: the journal, who looks at the program, and its status have it. */
void executor_left_on(struct executor *, const struct error *why);

/* The verdict of a case, a block or a step. */
struct outcome {
	enum verdict verdict;
	enum cause cause;
	struct error error;
	char *expected, *actual; /* owned */
};
void outcome_from_error(struct outcome *, const struct error *);
void outcome_clear(struct outcome *);

/* Whether it was the run's keeper that interrupted it, at a limit: executor->stop then has the reason. */
bool executor_was_stopped(struct executor *);
/* What was cancelled by the keeper is the bench's, with its reason. */
void executor_blame_stop(struct executor *, struct outcome *);
/* Counts the interruption, if there was one; `r` and `err`: what became of the run. */
void executor_judge_stop(struct executor *, int r, struct verdict_tally *, struct error *err);

/* The first error stays; takes what was expected and found from the context. */
void outcome_take(struct outcome *, struct step_context *, const struct error *);

/* ---- the parts of a run, for who drives its cases himself (session.c) ---- */
/* run.begin and the rig. */
int executor_begin(struct executor *, const struct program *, struct error *err) WARN_UNUSED;
/* Stops the rig; run.end. `r` and `err`: what became of the run. Returns r. */
int executor_end(struct executor *, int r, struct verdict_tally *, struct error *err);
/* What the case asks of the rig and the rig has not; NULL: nothing. */
const char *executor_missing(const struct rig_file *, const struct case_def *);
void executor_emit_case_begin(struct executor *, const struct case_def *, unsigned attempt, unsigned index, unsigned of);
void executor_emit_case_end(struct executor *, const struct case_def *, unsigned attempt, const struct outcome *);
/* The rig in its known state, measurements, and a fresh *context with the case's variables. Whatever it returns, case_release(). */
int case_prepare(struct executor *, const struct case_def *, unsigned round, struct step_context *ret, struct error *err) WARN_UNUSED;
/* Every step of `always`; then the objects of the case go, and its measurements are judged. */
void case_wind_up(struct step_context *, const struct case_def *, struct outcome *);
void case_release(struct executor *, struct step_context *, const struct outcome *);
/* Runs a case's setup and steps with options->on_failure: session.c. */
void session_guide(struct step_context *, const struct case_def *, struct outcome *);

/* Runs one step: events, deadline, expectations, saved results. */
int call_run(struct step_context *, const struct step_call *, struct error *err) WARN_UNUSED;
/* -errno when nothing may go on: cancelled, a board's driver died, the journal failed. */
int context_check(struct step_context *, struct error *err) WARN_UNUSED;
void context_objects_free(struct step_context *);
void context_forget_check(struct step_context *); /* expected and actual */

#endif
