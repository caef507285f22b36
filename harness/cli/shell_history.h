/* SPDX-License-Identifier: Apache-2.0 */
/* $XDG_STATE_HOME/hilbench/history. */
#ifndef HARNESS_CLI_SHELL_HISTORY_H
#define HARNESS_CLI_SHELL_HISTORY_H

#include <histedit.h>

/* An empty history when there is no file yet, or none that may be read. NULL: out of memory. */
History *shell_history_open(void);
void shell_history_add(History *, const char *line);
/* Writes the file (mode 0600) whole or not at all; frees. */
void shell_history_close(History *);

#endif
