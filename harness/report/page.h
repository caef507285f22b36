/* SPDX-License-Identifier: Apache-2.0 */
/* report.html: one file that needs no other; styles and script come from reports/templates/. */
#ifndef HARNESS_REPORT_PAGE_H
#define HARNESS_REPORT_PAGE_H

#include "model.h"
#include "text.h"

/* Appends the document. Sorts the stages of the run's measurements. 0 or -errno with err filled. */
int page_compose(struct report_run *, struct text *out, struct error *err) WARN_UNUSED;

#endif
