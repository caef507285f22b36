/* SPDX-License-Identifier: Apache-2.0 */
/* What those who make a model share. */
#ifndef HARNESS_REPORT_MODEL_PRIVATE_H
#define HARNESS_REPORT_MODEL_PRIVATE_H

#include "model.h"

/* Which attempt of each case decides, the counts, and the verdict of the whole. */
void report_run_judge(struct report_run *);
void report_attempt_clear(struct report_attempt *); /* its members */
void report_case_clear(struct report_case *);

#endif
