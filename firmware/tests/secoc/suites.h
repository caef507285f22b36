/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_TESTS_SECOC_SUITES_H
#define FIRMWARE_TESTS_SECOC_SUITES_H

#include <check.h>

#include "bench.h"

TCase *secoc_vectors_case(void);
TCase *secoc_rules_case(void);
TCase *secoc_memory_case(void);
TCase *secoc_fault_case(void);

#endif
