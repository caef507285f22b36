/* SPDX-License-Identifier: Apache-2.0 */
/* junit.xml: one test case a stable id; a suite a file; Surefire's flakyFailure and rerunFailure for further attempts. */
#ifndef HARNESS_REPORT_JUNIT_H
#define HARNESS_REPORT_JUNIT_H

#include "model.h"
#include "text.h"

/* Appends the document. run_directory: where the attachments are looked for. 0 or -errno with err filled. */
int junit_compose(const struct report_run *, const char *run_directory, struct text *out, struct error *err) WARN_UNUSED;

#endif
