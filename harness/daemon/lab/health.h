/* SPDX-License-Identifier: Apache-2.0 */
/* The health of a rig as a function of what was seen: no I/O, time is a parameter. */
#ifndef HARNESS_DAEMON_LAB_HEALTH_H
#define HARNESS_DAEMON_LAB_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../book/rigs.h"

enum health_input {
	HEALTH_RUN_GOOD,        /* a run ended, and the bench did its part */
	HEALTH_RUN_BENCH_ERROR, /* cases ended with cause bench: a board was lost, a driver failed, the rig could not start */
	HEALTH_CLEANUP_FAILED,
	HEALTH_CHECK_FAILED, /* offline */
	HEALTH_CHECK_GOOD,
	HEALTH_RECOVERY_GOOD,
	HEALTH_RECOVERY_FAILED,
	HEALTH_BY_HAND, /* an operator's quarantine */
};
struct health_rules {
	unsigned quarantine_after; /* bench errors in a row, from 1 */
	int64_t recovery_after_ns; /* the first try of a recovery; doubled after each that failed, at most 64 times; 0: never by itself */
};
/* Text that fits into size bytes with its end, cut between characters of UTF-8; what was cut ends with "…". It may be the buffer itself. */
void health_brief(const char *text, char *buffer, size_t size);
/* What follows: changes the record (since, reason); returns whether anything changed. kind: of the entry of the health log, NULL: none. A
 * failed clean-up quarantines at once: nobody knows what the rig would do next. A bench error makes a healthy rig suspect. The reason is of
 * a bounded length; a recovery that failed is added to it, in place of an earlier one. */
bool health_next(struct rig_record *, enum health_input, const char *text, const struct health_rules *, int64_t now_utc_ns,
                 const char **ret_kind);
/* When the next recovery is due by itself; 0: none (not quarantined, by hand, or the rules want none). */
int64_t health_recovery_due_ns(const struct rig_record *, const struct health_rules *);
/* May it be handed out, and if not why (into buffer). */
bool health_fit(const struct rig_record *, char *buffer, unsigned size);

#endif
