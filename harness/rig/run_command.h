/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the rig's owner: relay boxes, switches, whatever has a command line. No shell: the words are what the rig file lists. The
 * program gets a process group of its own, which is ended at the deadline with everything that it started.
 */
#ifndef HARNESS_RIG_RUN_COMMAND_H
#define HARNESS_RIG_RUN_COMMAND_H

#include "../base/loop.h"
#include "../base/timeline.h"
#include "../base/value.h"

#define RUN_COMMAND_OUTPUT 400

struct run_command_result {
	int status;                      /* exit status; -1: ended by `signal` */
	int signal;                      /* 0: it exited */
	char output[RUN_COMMAND_OUTPUT]; /* of both streams, the end of it, as text on one line */
	struct instant at;               /* of its end; uncertain by how long it ran */
};
/* A list of at least one text, the first with a `/`; ERROR_USAGE with place. */
int run_command_check(const struct value *words, const char *name, struct error *err) WARN_UNUSED;
/* Whether the program is there and may be run: ERROR_BENCH. */
int run_command_look(const struct value *words, struct error *err) WARN_UNUSED;
/* Pumps the loop until it ended. ERROR_BENCH when it cannot be started or has not ended at the deadline, 5 s from now at the latest; its
 * status is the caller's. */
int run_command(struct loop *, const struct value *words, int64_t deadline_ns, struct run_command_result *ret,
                struct error *err) WARN_UNUSED;
/* "PATH ended with status 3: what it said": err as ERROR_BENCH, -EREMOTEIO. */
int run_command_failed(const struct value *words, const struct run_command_result *, struct error *err) WARN_UNUSED;

#endif
