/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a helper process of the daemon: this program under another name of its main. Costs the same however much memory the daemon has. */
#ifndef HARNESS_DAEMON_JOB_HELPER_H
#define HARNESS_DAEMON_JOB_HELPER_H

#include "../../base/error.h"

struct spawn {
	const char *const *argv, *const *environment;
	const char *directory;            /* NULL: as it is */
	int input, output, errors, extra; /* become 0 to 3; -1: /dev/null, and nothing for 3. Each at least 4. */
};
/* In a session of its own, nothing else open, SIGTERM blocked (so that none is lost before it looks at them), everything else default. */
int spawn_session(const struct spawn *, int *ret_pidfd, struct error *err) WARN_UNUSED;

#endif
