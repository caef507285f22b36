/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurements of one case. An observer of the timeline notes, inside each sample window, the from event, the stages
 * and the to event; a sample is the distance between from and to, its uncertainty the sum of both clocks'.
 */
#ifndef HARNESS_RUN_MEASUREMENT_H
#define HARNESS_RUN_MEASUREMENT_H

#include "../base/timeline.h"
#include "../base/verdict.h"
#include "../lang/program.h"

struct measurements;
/* case_def must outlive it. is_virtual labels the results. */
int measurements_new(struct measurements **ret, struct timeline *, const struct case_def *, bool is_virtual, struct error *err) WARN_UNUSED;
void measurements_free(struct measurements *);

/* Opens a sample window; its selectors' variables are resolved now. ERROR_TESTCASE: unknown id, or open already. */
int measurement_begin(struct measurements *, const char *id, const struct scope *, struct error *err) WARN_UNUSED;
/* Whether the open window has seen its `to`. */
bool measurement_complete(const struct measurements *, const char *id);
/* Closes the window. ERROR_DUT when `from` or `to` did not come. */
int measurement_end(struct measurements *, const char *id, int64_t *ret_value_ns, struct error *err) WARN_UNUSED;
/* Somebody stands at a prompt: the samples of the open windows do not count, with his time in them. */
void measurements_hold(struct measurements *);
/* Forgets the open window without a sample; nothing where none is open. */
void measurement_abandon(struct measurements *, const char *id);
void measurements_abandon(struct measurements *);

struct measure_verdict {
	enum verdict verdict;
	struct error error; /* of the heaviest finding; its domain tells the cause */
	char expected[128], actual[128];
};
/* Emits measure.result of each measurement that has samples, judges the limits and the number of samples: too few
 * because too few windows were opened is VERDICT_ERROR (ERROR_TESTCASE). */
void measurements_finish(struct measurements *, struct measure_verdict *ret);

/* The verdict on a limit: inconclusive while the statistic lies within its uncertainty of it. */
enum verdict limit_judge(bool at_most, int64_t limit_ns, int64_t statistic_ns, int64_t uncertainty_ns);

#endif
