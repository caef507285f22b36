/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job left running: processes that have its mark, HILBENCH_JOB, in their environment. Who cleans up after it has the mark as
 * HILBENCH_CLEANUP: that is none of the job, and whoever ends a job's processes beside it leaves it alone.
 */
#ifndef HARNESS_CLI_RIG_JOB_H
#define HARNESS_CLI_RIG_JOB_H

#include "rig_work.h"

/* The mark of the job after which this process cleans up: HILBENCH_CLEANUP, else HILBENCH_JOB; NULL: none. */
const char *rig_job_mark(void);
/* Ends every process with that mark, also those that clean up after it, but for this one and its ancestors: SIGTERM, after a second
 * SIGKILL. An item for each; one when there is none, or no mark. */
void rig_job_end(struct rig_work *);
/* The same for a job's own processes, but for this one and its ancestors; work NULL: nobody is told. How many are left. */
unsigned rig_job_end_all(const char *mark, struct rig_work *work);

#endif
