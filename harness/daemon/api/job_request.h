/* SPDX-License-Identifier: Apache-2.0 */
/* What a client says in a submission (docs/reference/api.md) as a job's record: keys, types and ranges. Whether it makes sense, and whether
 * its files are there, lab_submit() says. */
#ifndef HARNESS_DAEMON_API_JOB_REQUEST_H
#define HARNESS_DAEMON_API_JOB_REQUEST_H

#include "../book/jobs.h"

#define JOB_REQUEST_BODY_MAX (4u << 20)
#define JOB_REQUEST_SERIES   "manual" /* of a job that names none */

/* retries: of a job that says nothing. Limits that were not given are 0. -EINVAL (ERROR_USAGE). */
int job_request_read(const json_t *, unsigned retries, struct job_record **ret, struct error *err) WARN_UNUSED;

#endif
