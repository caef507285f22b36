/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of flash and updates check of a call before it runs (step_def.check). Each looks only at what is known; what is not
 * known yet, or not written, passes. ERROR_USAGE at the argument. */
#ifndef HARNESS_RUN_STEPS_OTA_CHECK_H
#define HARNESS_RUN_STEPS_OTA_CHECK_H

#include "can_check.h"

/* `area` and `offset`, or `address`: one of the two. */
int flash_check_place(const struct step_call *, const struct value *known, struct error *) WARN_UNUSED;
/* `mutate`: a text that swpg_mutate() could take of some package. */
int ota_check_mutation(const struct step_call *, const struct value *known, struct error *) WARN_UNUSED;
/* `version`: 1.2.3 or 1.2.3.4. */
int ota_check_version(const struct step_call *, const struct value *known, struct error *) WARN_UNUSED;
/* `untouched`: a step of the same case before this one, `step`, has to give the name in its argument `by`. Outside a case nothing is
 * checked: what was typed before is not known here. */
int ota_check_remembered(const struct step_call *, const struct value *known, const char *step, const char *by, struct error *) WARN_UNUSED;
/* At least one of the arguments (NULL-terminated), or an `expect`. */
int ota_check_judges(const struct step_call *, const char *const *arguments, const char *list, struct error *) WARN_UNUSED;

#endif
