/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, runs and rigs of the daemon's answers as lines for a person. */
#ifndef HARNESS_CLI_JOB_TEXT_H
#define HARNESS_CLI_JOB_TEXT_H

#include <jansson.h>

void job_print_header(void);
void job_print_line(const json_t *job); /* one line of a list */
void job_print(const json_t *job);      /* everything, with its runs */
void job_rig_print_header(void);
void job_rig_print_line(const json_t *rig);

#endif
