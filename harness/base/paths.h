/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bench's own programs and fixtures are: the same in the build tree, beside each other, and installed. */
#ifndef HARNESS_BASE_PATHS_H
#define HARNESS_BASE_PATHS_H

#include <stddef.h>

#include "error.h"

/* A program: a name with a slash as it is; else the directory of the running program, else each directory of
 * $HILBENCH_PROGRAMS (colons between). Fills ret (untouched on failure). -ENOENT names where it looked. */
int program_find(const char *name, char *ret, size_t size, struct error *err) WARN_UNUSED;

/* A file or folder of the fixtures: below $HILBENCH_FIXTURES, else below share/hilbench/fixtures beside the folder of
 * the running program. -ENOENT names where it looked. */
int fixture_find(const char *relative, char *ret, size_t size, struct error *err) WARN_UNUSED;

#endif
