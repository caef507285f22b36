/* SPDX-License-Identifier: Apache-2.0 */
/* Where the results of a run go. */
#ifndef HARNESS_CLI_RUN_DIRECTORY_H
#define HARNESS_CLI_RUN_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/error.h"

/* Creates the directory `out`, or a new one below reports/out when it is NULL, and fills path with its name. mark stands in
 * the new one's name ("" or "sweep-"). *ret_made (may be NULL): it was not there before. ERROR_USAGE when results of another run
 * are there already, ERROR_BENCH when it cannot be written to. */
int run_directory_open(const char *out, const char *mark, char *path, size_t size, bool *ret_made, struct error *err) WARN_UNUSED;
/* Makes the reports of what the journal holds and prints their summary. `status` is that of the run; the answer is worse
 * when the reports cannot be made. `command` stands in front of messages. */
int run_directory_report(const char *command, const char *path, int status);
/* The same, the reports written by these options. */
struct report_options;
int run_directory_report_with(const char *command, const char *path, const struct report_options *, int status);
/* "hilbench COMMAND: message" on stderr; the exit status that fits. */
int run_failure(const char *command, const struct error *);

#endif
