/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of durations that can be added to each other without loss: bins of a width that grows with the value (32 in each power of two,
 * single nanoseconds below 64), so that the middle of a bin is within 1/64 of everything in it. Kept as a short string of bytes: a version,
 * then for each bin that is not empty the distance from the one before and the count, both as LEB128.
 */
#ifndef HARNESS_DAEMON_BOOK_HISTOGRAM_H
#define HARNESS_DAEMON_BOOK_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "../../base/bytes.h"
#include "../../base/error.h"

#define HISTOGRAM_RESOLUTION (1.0 / 64)
#define HISTOGRAM_SIDE       1888                 /* bins of values from 0 on */
#define HISTOGRAM_BINS       (2 * HISTOGRAM_SIDE) /* and of negative ones */

struct histogram {
	uint64_t total;
	uint64_t bins[HISTOGRAM_BINS];
};

void histogram_clear(struct histogram *);
void histogram_add(struct histogram *, int64_t value_ns);
/* Adds an encoded one. 0, or -EBADMSG when it is none (the histogram may then hold a part of it). */
int histogram_merge(struct histogram *, const void *data, size_t length) WARN_UNUSED;
/* Equal histograms give equal bytes. 0 or -ENOMEM. */
int histogram_encode(const struct histogram *, struct bytes *ret) WARN_UNUSED;
/* The quantile (type 7, as stats_quantile()) of what was added, within 1/64 of the exact one; min_ns and max_ns are those of the values. 0
 * when nothing was added. */
int64_t histogram_quantile(const struct histogram *, unsigned per_mille, int64_t min_ns, int64_t max_ns);

#endif
