/* SPDX-License-Identifier: Apache-2.0 */
/* The file `stop`: tells a command that is interrupted that it was the keeper, at a limit, and why. In the working directory. */
#ifndef HARNESS_DAEMON_JOB_KEEPER_STOP_H
#define HARNESS_DAEMON_JOB_KEEPER_STOP_H

/* Makes the file that keeper_stop_write() fills and renames, with its block, so that a full disk cannot keep the reason a secret. Its
 * descriptor, or -errno: then there will be none. */
int keeper_stop_reserve(void);
/* {"reason", "message"}, whole or not there. 0 or -errno. */
int keeper_stop_write(int reserved, const char *reason, const char *message);
/* The reserved file, when nothing was written. */
void keeper_stop_drop(int reserved);

#endif
