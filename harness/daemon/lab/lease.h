/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a lease ends, without I/O. While the daemon lives only a clock counts that nobody sets (CLOCK_BOOTTIME, "_now_ns"); the wall clock
 * is asked once, when a daemon takes over what an earlier one granted.
 */
#ifndef HARNESS_DAEMON_LAB_LEASE_H
#define HARNESS_DAEMON_LAB_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "../book/rigs.h"

#define LEASE_BEATS 3 /* that many heartbeats may be missed */

struct lease_times {
	int64_t expires_ns, deadline_ns; /* 0: never */
};
enum lease_verdict { LEASE_HELD, LEASE_OVERDUE /* no heartbeat */, LEASE_EXPIRED /* the deadline */ };

/* heartbeat_ns 0: none is asked for. for_ns 0: no deadline. */
struct lease_times lease_times_new(int64_t now_ns, int64_t for_ns, int64_t heartbeat_ns);
void lease_times_beat(struct lease_times *, int64_t now_ns, int64_t heartbeat_ns);
/* The daemon itself was so late: heartbeats of that time are still to be heard. The deadline stays. */
void lease_times_forgive(struct lease_times *, int64_t late_ns);
enum lease_verdict lease_times_judge(const struct lease_times *, int64_t now_ns);
/* The earlier of both ends; INT64_MAX: none. */
int64_t lease_times_next_ns(const struct lease_times *);
/* For a lease of an earlier daemon: its holder could not renew it meanwhile, so that a whole time of heartbeats is his; the deadline stays
 * where the wall clock has it, though never later than the time that was granted. */
struct lease_times lease_times_resume(const struct lease_record *, int64_t now_ns, int64_t now_utc_ns, int64_t heartbeat_ns);

#endif
