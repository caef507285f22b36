/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes below this one, which must be a child subreaper: then whoever daemonises below it stays below it, and no child at all means
 * no descendant at all.
 */
#ifndef HARNESS_DAEMON_JOB_DESCENDANTS_H
#define HARNESS_DAEMON_JOB_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Who waits for children, and what became of them. */
struct reaper {
	pid_t command; /* the one child whose status counts */
	bool ended;
	int status; /* of wait(2), once it ended */
	uint64_t max_rss_bytes;
	unsigned strays; /* others that SIGKILL ended, after the command had */
};
/* Reaps what has ended, without waiting. False: there is no child any more. */
bool reaper_reap(struct reaper *);

/* Whether the kernel tells the children of a process. */
bool descendants_supported(void);
/* Resident memory of all of them together. Pages that several share are counted once only if the simple sum is above `limit_bytes`: that
 * costs more. */
uint64_t descendants_memory(uint64_t limit_bytes);
/* Freezes and kills all of them, the command too if it still runs, and waits for their end. False: some were left after limit_ns. */
bool descendants_end(struct reaper *, int64_t limit_ns);

int64_t clock_ns(int clock_id);

#endif
