/* SPDX-License-Identifier: Apache-2.0 */
/* What a job left running: processes that have its mark, HILBENCH_JOB, in their environment. */
#ifndef HARNESS_CLI_RIG_JOB_H
#define HARNESS_CLI_RIG_JOB_H

#include "rig_work.h"

/* Ends every process with the same HILBENCH_JOB as this one, but for this one and its ancestors: SIGTERM, after a second SIGKILL. An item
 * for each; one when there is none, or no mark. */
void rig_job_end(struct rig_work *);
/* The same for the mark of somebody else; work NULL: nobody is told. How many are left. */
unsigned rig_job_end_all(const char *mark, struct rig_work *work);

#endif
