/* SPDX-License-Identifier: Apache-2.0 */
/* A shell on a rig of the daemon: it has the rig as long as it runs, and ends when the rig is taken from it. */
#ifndef HARNESS_CLI_SHELL_LEASE_H
#define HARNESS_CLI_SHELL_LEASE_H

#include "../base/loop.h"
#include "daemon_client.h"
#include "lease.h"

struct shell;
struct shell_lease {
	struct daemon_client *client;
	struct lease lease;
	sd_event_source *source;
	struct shell *shell;
	bool lost;
};
/* Takes the rig, and tells where its rig file is: ret->lease.file. 0, or the exit status after a message. */
int shell_lease_begin(struct shell_lease *ret, const struct daemon_where *, const char *rig);
/* From then on the shell is ended when the lease is lost, and its journal (in the directory) can be watched. */
int shell_lease_watch(struct shell_lease *, struct shell *, const char *directory, struct error *err) WARN_UNUSED;
void shell_lease_unwatch(struct shell_lease *);
/* Gives the rig back. The exit status: `status`, or that of a lease that was lost. */
int shell_lease_end(struct shell_lease *, int status);

#endif
