/* SPDX-License-Identifier: Apache-2.0 */
/* results.json: the canonical results of a run (reports/schemas/results.json). */
#ifndef HARNESS_REPORT_RESULTS_H
#define HARNESS_REPORT_RESULTS_H

#include "model.h"
#include "text.h"

/* Appends the document. Sorts the stages of the run's measurements. 0 or -errno with err filled. */
int results_compose(struct report_run *, struct text *out, struct error *err) WARN_UNUSED;

#endif
