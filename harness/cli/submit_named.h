/* SPDX-License-Identifier: Apache-2.0 */
/* The files that cases name and that travel with a job; where a run looks for them says docs/reference/test-case-file.md. */
#ifndef HARNESS_CLI_SUBMIT_NAMED_H
#define HARNESS_CLI_SUBMIT_NAMED_H

#include <stdbool.h>

#include "../lang/program.h"
#include "submit_files.h"

/* Adds what the cases name that the filter selects. A name of the fixtures, and what only the run will know, stays out. ERROR_USAGE at the
 * place of the name: it is not there, cannot be read, cannot travel (absolute, or with ".."), or is a key. `is_fixture`: whether a package,
 * or a key, is found among the fixtures here. */
int submit_named_add(struct submit_files *, const struct program *, const struct case_filter *,
                     bool (*is_fixture)(const char *name, bool key), struct error *err) WARN_UNUSED;

#endif
