/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are either whole or not there. */
#ifndef HARNESS_REPORT_STORE_H
#define HARNESS_REPORT_STORE_H

#include <stddef.h>

#include "../base/error.h"

/* Writes directory/name: under a temporary name, flushed to stable storage, renamed. 0, or -errno with err filled
 * (ERROR_BENCH) and directory/name as it was before. */
int store_file(const char *directory, const char *name, const void *data, size_t length, struct error *err) WARN_UNUSED;

#endif
