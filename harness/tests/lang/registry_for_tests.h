/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that exist for the tests of the language only: one of every kind of argument. None can be run. */
#ifndef HARNESS_TESTS_LANG_REGISTRY_FOR_TESTS_H
#define HARNESS_TESTS_LANG_REGISTRY_FOR_TESTS_H

#include "../../lang/step.h"

const struct step_registry *registry_for_tests(void);

#endif
