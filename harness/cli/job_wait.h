/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for a job, also across a restart of the daemon, and shows meanwhile what it does. */
#ifndef HARNESS_CLI_JOB_WAIT_H
#define HARNESS_CLI_JOB_WAIT_H

#include "daemon_client.h"

enum job_show {
	JOB_SHOW_CASES, /* a line a case that ends, and a summary */
	JOB_SHOW_LOG,   /* what the runs print, as it comes, and the outcome */
};
struct job_wait_options {
	const char *command; /* for messages */
	enum job_show show;
	bool cancel_on_signal;
	const char *out; /* directory for the reports, or NULL */
};
/* Until the job is done: its exit status (job_result.h), or that of the failure to wait. SIGINT, SIGTERM and SIGHUP end the waiting with
 * 130; with cancel_on_signal the job too, and then it is waited for its end, until a second signal. */
int job_wait(struct daemon_client *, int64_t job, const struct job_wait_options *);

#endif
