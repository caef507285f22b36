/* SPDX-License-Identifier: Apache-2.0 */
/* Logs in a folder that goes with a command, and messages that name them. */
#ifndef HARNESS_RIG_LOG_KEEP_H
#define HARNESS_RIG_LOG_KEEP_H

#include "../base/error.h"

/* When the message names a log in the folder: moves it to /tmp, under a name that nobody has, and names that. */
void log_keep(const char *folder, struct error *);

#endif
