/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a command. */
#ifndef HARNESS_DAEMON_LAB_WORDS_H
#define HARNESS_DAEMON_LAB_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define WORDS_MOST 1300 /* options have at most 64 of each, paths 1000 */
#define WORDS_MADE 200

struct words {
	const char *word[WORDS_MOST + 1]; /* NULL-terminated when it began as zeroes */
	size_t count;
	char *made[WORDS_MADE];
	size_t made_count;
	bool failed; /* out of memory, or too many: a command without some of its words is another command */
};
/* word: borrowed. */
void words_add(struct words *, const char *word);
/* OPTION=TEXT of each text, as one word: whatever the text is, it is never an option itself. */
void words_add_list(struct words *, const char *option, const json_t *list);
void words_free(struct words *); /* NULL allowed */

#endif
