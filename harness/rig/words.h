/* SPDX-License-Identifier: Apache-2.0 */
/* The argument vector of a program; grows as needed, every word is owned. Zero-initialise. */
#ifndef HARNESS_RIG_WORDS_H
#define HARNESS_RIG_WORDS_H

#include <stdbool.h>

#include "../base/error.h"

struct words {
	char **items; /* NULL-terminated */
	unsigned count;
	bool failed; /* out of memory at some word */
};

void words_add(struct words *, const char *format, ...) PRINTF_LIKE(2, 3);
void words_free(struct words *);

#endif
