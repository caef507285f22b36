/* SPDX-License-Identifier: Apache-2.0 */
/* What a job that is done came to: its summary, its files, its exit status. */
#ifndef HARNESS_CLI_JOB_RESULT_H
#define HARNESS_CLI_JOB_RESULT_H

#include "daemon_client.h"

/* As `hilbench run` would have ended: 0, 1, 2 (a test case's error), 3, 4, 130 (cancelled). */
int job_result_status(const json_t *job);
/* Problems as file:line:column messages, counts, the outcome with its reason. A job without results has only the last line. */
void job_result_print(struct daemon_client *, const json_t *job);

/* Makes the directory. */
int job_result_open(const char *out, struct error *err) WARN_UNUSED;
/* Removes what an earlier job left there under the names of the reports. */
void job_result_clear(const char *out);
/* junit.xml, results.json and report.html into the directory; a job that ended before it had any: 0, and it is said on stderr. */
int job_result_save(struct daemon_client *, int64_t job, const char *out, struct error *err) WARN_UNUSED;

#endif
