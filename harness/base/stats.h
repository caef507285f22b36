/* SPDX-License-Identifier: Apache-2.0 */
/* Order statistics of durations, int64 nanoseconds. */
#ifndef HARNESS_BASE_STATS_H
#define HARNESS_BASE_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct stats {
	size_t count;
	int64_t min_ns, p50_ns, p95_ns, max_ns, mean_ns; /* all 0 when count is 0 */
};

/* Sorts in place, ascending. */
void stats_sort(int64_t *values_ns, size_t count);

/* The quantile of ascending values: Hyndman and Fan's type 7 (linear between order statistics at (n - 1) q),
 * rounded to the nearest ns. per_mille 0…1000 (950 = p95). 0 when count is 0. */
int64_t stats_quantile(const int64_t *sorted_ns, size_t count, unsigned per_mille);

/* All figures of values in any order; the input is not changed. 0 or -ENOMEM. */
int stats_of(const int64_t *values_ns, size_t count, struct stats *ret) WARN_UNUSED;

#endif
