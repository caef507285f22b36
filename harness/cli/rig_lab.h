/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `hilbench rig` that are about rigs of the daemon: lock, unlock, quarantine, recover. */
#ifndef HARNESS_CLI_RIG_LAB_H
#define HARNESS_CLI_RIG_LAB_H

#include <stdbool.h>

bool rig_lab_has(const char *verb);
/* argv[0] is "rig", the verb stands somewhere behind. Returns the exit status. */
int rig_lab_run(int argc, char **argv);
/* Runs a command as long as it and its lease last. The exit status: its own, or 3 when the lease was lost, which was said then. */
struct lease;
int rig_hold(struct lease *, char *const *words, bool *ret_lost);

#endif
