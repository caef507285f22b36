/* SPDX-License-Identifier: Apache-2.0 */
/* For those who look on while others have a rig of the daemon. */
#ifndef HARNESS_CLI_RIG_WATCH_H
#define HARNESS_CLI_RIG_WATCH_H

#include "daemon_client.h"
#include "trace_choice.h"

struct rig_watch {
	const char *rig;
	bool wait;                  /* for somebody to have it */
	bool summary, json, utc;    /* without traffic; lines of the journal as they are; time of day */
	struct trace_choice choice; /* what of it */
};
/* Prints what happens as `hilbench trace` does, until whoever has the rig gives it back. The exit status: 2 also when it then turns out
 * that the rig has no board, or the run had no case, that was chosen. */
int rig_watch(struct daemon_client *, const struct rig_watch *);

#endif
