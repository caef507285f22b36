/* SPDX-License-Identifier: Apache-2.0 */
/* The TCL server of OpenOCD: scripts and answers, each ended by 1Ah, over one connection; and words for scripts. */
#ifndef HARNESS_RIG_DRIVERS_PROBE_OPENOCD_RPC_H
#define HARNESS_RIG_DRIVERS_PROBE_OPENOCD_RPC_H

#include "../../base/bytes.h"
#include "probe_openocd_process.h"

struct openocd_rpc;
/* Connects to the server of a process, by the deadline. */
int openocd_rpc_open(struct openocd_rpc **ret, struct loop *, struct openocd_process *, int64_t deadline_ns, struct error *) WARN_UNUSED;
void openocd_rpc_close(struct openocd_rpc *); /* NULL allowed */
/* Whether the server still holds the connection. */
bool openocd_rpc_alive(const struct openocd_rpc *);
/* Runs a script, whatever is in it: *ret_answer (newly allocated) is its result, or what its error says; *ret_good tells which. -ETIMEDOUT,
 * -EPIPE (the process or its server is gone, or answers nothing sensible), -ECANCELED, -ENOMEM: the connection is of no use any more. err
 * is not filled. */
int openocd_rpc_run(struct openocd_rpc *, const char *script, int64_t deadline_ns, bool *ret_good, char **ret_answer) WARN_UNUSED;

/* Appends a text as one word of a script in which nothing is substituted. 0 or -ENOMEM. */
int openocd_quote(struct bytes *script, const char *text) WARN_UNUSED;
/* The same, newly allocated. NULL: out of memory. */
char *openocd_quoted(const char *text);

#endif
