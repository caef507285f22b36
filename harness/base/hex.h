/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and random bytes as text. */
#ifndef HARNESS_BASE_HEX_H
#define HARNESS_BASE_HEX_H

#include <stddef.h>

/* Lower-case hexadecimal digits and NUL: 2 * length + 1 bytes. Returns text. */
char *hex_text(const void *bytes, size_t length, char *text);

#endif
