/* SPDX-License-Identifier: Apache-2.0 */
/* Reports for readers on other machines: they name no file that is not there. */
#ifndef HARNESS_REPORT_PORTABLE_H
#define HARNESS_REPORT_PORTABLE_H

#include "model.h"

/* Absolute paths, and in the arguments those out of the working directory, are left with their last component. What a device said and
 * messages of errors stay as they are. 0 or -ENOMEM. */
int report_run_make_portable(struct report_run *) WARN_UNUSED;

#endif
