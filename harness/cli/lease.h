/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rig of the daemon in this program's hands. A helper process tells the daemon that the program lives, and gives the rig back when the
 * program ends, however that happens: a program that is busy, stopped in a debugger or killed does not keep others waiting, nor loses the
 * rig for being busy.
 */
#ifndef HARNESS_CLI_LEASE_H
#define HARNESS_CLI_LEASE_H

#include "daemon_client.h"

struct lease_request {
	const char *rig, *duration, *note; /* duration NULL: the usual; note may be NULL */
	bool heartbeat, wait;              /* wait: until it is free */
};
struct lease {
	int64_t id;
	char *rig, *secret, *file; /* file: path of the rig file, on the daemon's machine */
	char *mark;                /* HILBENCH_JOB of what is started under it: by this the clean-up finds it */
	char *deadline;            /* UTC, as the daemon writes it */
	int64_t period_ns;         /* of heartbeats */
	int64_t over_ns;           /* loop_now_ns() of its deadline, not before the daemon's */
	int helper, control;       /* process; closed: give it back */
	int lost;                  /* readable when the helper has something to say, as that the lease is lost; -1: not kept */
};
/* Asks the daemon for the rig. */
int lease_take(struct daemon_client *, const struct lease_request *, struct lease *ret, struct error *err) WARN_UNUSED;
/* Starts the helper, and marks this process's children as the lease's (HILBENCH_JOB). Before anything else is opened or started. */
int lease_keep(struct daemon_client *, struct lease *, struct error *err) WARN_UNUSED;
/* What happens under the lease can be watched from now on: the journal in a run's directory, which the helper reads beside its writer. */
int lease_show(struct lease *, const char *directory, struct error *err) WARN_UNUSED;
/* What the helper says; blocks until it does. True: the lease is lost, and why; false: news of those who watch. */
bool lease_hear(struct lease *, char *buffer, size_t size);
/* Why the lease is lost; blocks until the helper says it. Returns buffer. */
const char *lease_why(struct lease *, char *buffer, size_t size);
/* Gives it back, and frees it. -ESTALE: it was over already, somebody else may have had the rig. */
int lease_end(struct daemon_client *, struct lease *, struct error *err) WARN_UNUSED;
int lease_give_back(struct daemon_client *, int64_t id, const char *secret, struct error *err) WARN_UNUSED;
void lease_clear(struct lease *);

/* ---- kept between two commands: $XDG_STATE_HOME/hilbench/leases/RIG, mode 0600 ---- */
/* Whether a lease of the rig could be stored: before it is taken. */
int lease_store_check(const char *rig, struct error *err) WARN_UNUSED;
int lease_store(const struct daemon_client *, const struct lease *, struct error *err) WARN_UNUSED;
/* -ENOENT: none is stored. */
int lease_load(const struct daemon_client *, const char *rig, struct lease *ret, struct error *err) WARN_UNUSED;
void lease_forget(const char *rig);
/* Removes the stored leases of this daemon that it says are over; errors are no matter here. */
void lease_forget_over(struct daemon_client *);

#endif
