/* SPDX-License-Identifier: Apache-2.0 */
/* Where the daemon is, and who asks: options, else the environment, else what is usual. */
#ifndef HARNESS_CLI_DAEMON_PLACE_H
#define HARNESS_CLI_DAEMON_PLACE_H

#include "../base/error.h"

#define DAEMON_SOCKET "/run/hilbench/hilbenchd.sock"

/* What options said; NULL: nothing. */
struct daemon_where {
	const char *url, *token_file, *ca_file;
};

struct daemon_place {
	char *base;    /* what a path is put behind: "https://lab:8480" */
	char *socket;  /* UNIX socket, NULL: TCP */
	char *name;    /* for messages */
	char *token;   /* NULL: none. Never printed */
	char *ca_file; /* NULL: the system's authorities */
	int is_local;  /* socket or loopback: no proxy */
};
/* --url, HILBENCH_URL, HILBENCH_SOCKET, DAEMON_SOCKET, the first that is there. ERROR_USAGE: no URL of a daemon (http, https or unix:/path,
 * no user, no path), a token that is none or that would go over the network in the clear, a token file that cannot be read. */
int daemon_place_find(const struct daemon_where *, struct daemon_place *ret, struct error *err) WARN_UNUSED;
void daemon_place_clear(struct daemon_place *);

#endif
