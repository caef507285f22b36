/* SPDX-License-Identifier: Apache-2.0 */
/* A measurement of a run: its samples, the stages they are made of, and the statistics the runner judged. */
#ifndef HARNESS_REPORT_MEASUREMENT_H
#define HARNESS_REPORT_MEASUREMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/verdict.h"

#define MEASUREMENT_SAMPLES_LIMIT 100000 /* kept; further ones are only counted */

struct report_sample {
	int64_t index, value_ns, uncertainty_ns;
};
struct report_stage {
	char *name;
	int64_t index;  /* in the definition, from 1 */
	bool after_end; /* the part that lies after the measurement's end: not in its value */
	int64_t *values_ns;
	size_t count, capacity;
	int64_t uncertainty_ns; /* largest */
};
struct report_limit {
	char *statistic, *op;
	int64_t value_ns;
	enum verdict verdict;
};
struct report_measurement {
	char *id, *case_id, *title, *unit;
	bool virtual_rack;
	bool complete; /* measure.result was there: the statistics are valid */
	uint64_t n;    /* from the result, else the samples seen */
	int64_t min_ns, p50_ns, p95_ns, max_ns, mean_ns, uncertainty_ns;
	struct report_limit *limits;
	size_t limit_count;
	struct report_sample *samples;
	size_t sample_count, sample_capacity;
	uint64_t samples_left_out;
	struct report_stage *stages;
	size_t stage_count;
};

/* data of measure.sample and measure.result: 0 or -ENOMEM. A result ends the measurement. */
int report_measurement_sample(struct report_measurement *, json_t *data) __attribute__((warn_unused_result));
int report_measurement_result(struct report_measurement *, json_t *data) __attribute__((warn_unused_result));
/* Forgets samples and statistics, keeps id and case: a new attempt begins. */
void report_measurement_restart(struct report_measurement *);
void report_measurement_free(struct report_measurement *); /* its members */

/* Median of a stage, ns; 0 without values. Sorts the values. */
int64_t report_stage_median(struct report_stage *);

#endif
