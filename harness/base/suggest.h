/* SPDX-License-Identifier: Apache-2.0 */
/* "did you mean": the known word nearest to a misspelt one. */
#ifndef HARNESS_BASE_SUGGEST_H
#define HARNESS_BASE_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Collects the nearest candidate; zero-initialise with the word, offer every candidate, read `best`. */
struct suggestion {
	const char *word;
	const char *best; /* borrowed from the caller's candidates; NULL: none is near */
	unsigned distance;
};
void suggestion_offer(struct suggestion *, const char *candidate);

/* Insertions, deletions, substitutions and swaps of neighbours between two words (bytes; upper and lower case are
 * the same). Words over 63 bytes are never near: UINT_MAX. */
unsigned edit_distance(const char *a, const char *b);

/* ` (did you mean "x"?)`, or "" when nothing is near, into buffer. Returns buffer. words is NULL-terminated. */
const char *suggest_text(const char *word, const char *const *words, char *buffer, size_t size);
/* The same for a collected suggestion. */
const char *suggestion_text(const struct suggestion *, char *buffer, size_t size);

#endif
