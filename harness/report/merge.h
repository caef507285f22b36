/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs as one: parts of a suite that were spread over rigs, and later runs of what the bench broke in earlier ones. */
#ifndef HARNESS_REPORT_MERGE_H
#define HARNESS_REPORT_MERGE_H

#include "model.h"

struct merge_part {
	const char *label;     /* the rig, for people; borrowed */
	const char *directory; /* holds its events.jsonl */
};
/* Reads the journals in this order (that of the runs' beginnings) and joins them: a case that several runs had gets all their attempts,
 * numbered on; a measurement or a sweep is that of the last run that made it. Times are shifted by the runs' own clocks, so that they are
 * right in UTC. The whole is complete when every case that any part selected came to its end in one of them. A part without a journal, or
 * whose journal has no events, is a run that never began: an error of the bench, and the whole is not complete. Its directory may say why,
 * and which cases it was to have (lost_run.h); those are told as not begun. -ENODATA when there is neither for any. Attempts get their
 * part's label and seed; of the whole's seed, arguments and files is kept what all parts share. */
int report_run_merge(const struct merge_part *parts, size_t count, struct report_run **ret, struct error *err) WARN_UNUSED;

#endif
