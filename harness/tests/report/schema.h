/* SPDX-License-Identifier: Apache-2.0 */
/* The part of JSON Schema that reports/schemas/ uses: type, const, enum, required, properties, additionalProperties
 * false, items, $ref into $defs. */
#ifndef HARNESS_TESTS_REPORT_SCHEMA_H
#define HARNESS_TESTS_REPORT_SCHEMA_H

#include <jansson.h>

/* Fails the running test where the value does not fit. path is for the message. */
void schema_assert(const json_t *root, const json_t *schema, const json_t *value, const char *path);

#endif
