/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that lost their keeper: found by the mark in their environment. */
#ifndef HARNESS_DAEMON_JOB_STRAYS_H
#define HARNESS_DAEMON_JOB_STRAYS_H

#include <stdbool.h>

/* One look through the processes, some ms: freezes those of the mark ("HILBENCH_KEEPER=…", a whole variable) that run; when all of them
 * stood still already, kills them. How many there were; to be repeated until there is none. Never this process. */
unsigned strays_round(const char *mark, unsigned *killed);

#endif
