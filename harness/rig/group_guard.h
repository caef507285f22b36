/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends a process group when this process is no more, however it ended. The signal at the parent's death (prctl) is for direct children
 * alone: what a wrapper script started would live on, and hold an adapter that the next user needs.
 */
#ifndef HARNESS_RIG_GROUP_GUARD_H
#define HARNESS_RIG_GROUP_GUARD_H

#include <sys/types.h>

#include "../base/error.h"

struct group_guard {
	pid_t pid; /* 0: none */
	int fd;
};
/* A process that waits for the end of this one, in a session of its own. ERROR_BENCH. */
int group_guard_begin(struct group_guard *ret, pid_t group, struct error *) WARN_UNUSED;
/* The group has ended, or may live on. Zeroed memory is none. */
void group_guard_end(struct group_guard *);

#endif
