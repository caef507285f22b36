/* SPDX-License-Identifier: Apache-2.0 */
/* Every step there is. */
#ifndef HARNESS_RUN_STEPS_REGISTRY_H
#define HARNESS_RUN_STEPS_REGISTRY_H

#include "../../lang/step.h"

const struct step_registry *step_registry_all(void);

#endif
