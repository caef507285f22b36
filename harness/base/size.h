/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_BASE_SIZE_H
#define HARNESS_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define SIZE_TEXT_MAX 32

/* For people: "9.4 MiB", "40 MiB", "512 B": the largest of B, KiB, MiB, GiB that leaves 1 or more, and tenths, cut off and not rounded, so
 * that what is less than a limit never reads as more. Returns buffer; SIZE_TEXT_MAX is enough. */
const char *size_text(uint64_t bytes, char *buffer, size_t size);

#endif
