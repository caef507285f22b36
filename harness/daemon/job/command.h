/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the command that a keeper or an errand looks after. */
#ifndef HARNESS_DAEMON_JOB_COMMAND_H
#define HARNESS_DAEMON_JOB_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

#include "../../base/error.h"

struct command {
	const char *const *argv, *const *environment;
	const char *directory; /* NULL: stays where it is */
	int output, errors;
	uint64_t file_bytes; /* RLIMIT_FSIZE; 0: as it is */
};
/* Its process id, or -errno when it could not be started (err says why). It gets nothing open but 0 (/dev/null), 1 and 2, no blocked and no
 * ignored signal, a process group of its own, and dies with the caller. */
pid_t command_start(const struct command *, struct error *err) WARN_UNUSED;

#endif
