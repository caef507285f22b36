/* SPDX-License-Identifier: Apache-2.0 */
/* Which job gets which rig: a function without I/O. */
#ifndef HARNESS_DAEMON_LAB_QUEUE_H
#define HARNESS_DAEMON_LAB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../book/rigs.h"

struct queue_rig {
	const char *name, *pool;
	const char *const *capabilities; /* NULL-terminated */
	const struct rig_record *record;
	bool free; /* no lease that is not over */
};
struct queue_want {
	int64_t job;
	const char *rig, *pool; /* NULL: any */
	const char *const *
	        requires;
	int priority;      /* more is sooner; then the older job */
	unsigned shards;   /* rigs it would use at once, from 1 */
	const char *avoid; /* a retry prefers another rig; NULL: none */
};
struct queue_grant {
	int64_t job;
	size_t rig; /* index */
};
/* Fills grants (room for rig_count) with who gets what now, the wants in any order. Healthy rigs before suspect ones; of those the one that
 * was used longest ago (order of `rigs`). A job with shards gets every fit free rig of one pool up to that many, and does not wait for
 * more. No rig twice. Returns how many. */
size_t queue_assign(const struct queue_want *wants, size_t want_count, const struct queue_rig *rigs, size_t rig_count,
                    struct queue_grant *grants);
/* Whether any rig could ever do it as things stand (busy ones count, unfit ones do not). False: text says why, a rig a line: "rack1:
 * quarantined: …". */
bool queue_possible(const struct queue_want *, const struct queue_rig *rigs, size_t rig_count, char *text, size_t size);
/* What a queued job waits for, in words ("v1 and v2 are busy", "rack1 is locked by ada until …" is the lab's addition). */
void queue_waits_for(const struct queue_want *, const struct queue_rig *rigs, size_t rig_count, char *text, size_t size);

#endif
