/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a run that must be looked after: silence, output, memory, space on the disk. */
#ifndef HARNESS_DAEMON_JOB_KEEPER_WATCH_H
#define HARNESS_DAEMON_JOB_KEEPER_WATCH_H

#include "keeper.h"

#define WATCH_TICK_NS INT64_C(500000000)

struct keeper_watch {
	const struct keeper_order *order;
	uint64_t max_rss_bytes, output_bytes; /* seen so far; at the last walk */
	uint64_t given_bytes;                 /* what was there before the command: no output */
	uint64_t grown;                       /* bytes of journal and log */
	int64_t grown_at_ns, walk_at_ns;      /* CLOCK_MONOTONIC: a suspended machine is not silent */
	bool odd;
};
void keeper_watch_begin(struct keeper_watch *, const struct keeper_order *);
/* Once a WATCH_TICK_NS, from the keeper's directory. The reason to end the command, with a message, or NULL. */
const char *keeper_watch_tick(struct keeper_watch *, char *message, size_t size);
/* Whether the output is so much above its limit that there is no time for grace. */
bool keeper_watch_flooded(const struct keeper_watch *);
/* Bytes on disk of what came into the working directory since the begin. */
uint64_t keeper_watch_output(const struct keeper_watch *);

#endif
