/* SPDX-License-Identifier: Apache-2.0 */
/* What is typed at the prompt, as YAML. */
#ifndef HARNESS_CLI_SHELL_TYPED_H
#define HARNESS_CLI_SHELL_TYPED_H

#include <stdbool.h>
#include <stddef.h>

#include "../lang/program.h"

/* Where a piece of the YAML text stood when it was typed. */
struct typed_piece {
	unsigned line, column;             /* in the YAML text, from 1 */
	unsigned typed_line, typed_column; /* as typed */
};
struct typed {
	char *yaml; /* a list of steps */
	size_t length;
	struct typed_piece *pieces; /* in the order of the text */
	unsigned count;
};

/* Whether more lines are to follow: an open bracket, quote or block. */
bool typed_is_open(const char *text, const struct step_registry *);
/* The forms of a step: `NAME key: value…`, `NAME {…}`, `NAME value`, and YAML with or without "- ". first_line: number of the
 * text's first line. 0 or -ENOMEM; release with typed_clear(). */
int typed_read(const char *text, unsigned first_line, struct typed *ret) WARN_UNUSED;
void typed_clear(struct typed *);
/* A place in the YAML text becomes the place where that was typed. */
void typed_move(const struct typed *, struct place *);
void typed_move_block(const struct typed *, struct step_block *);
/* Length of the "key:" that stands at text, 0: none. */
size_t typed_key(const char *text);
/* Whether a name of a step may contain the character. */
bool typed_name_char(char);

/* Walks over text: how deep in brackets, and whether in quotes, the next character stands. */
struct typed_scan {
	unsigned depth;
	char quote, before;
};
void typed_scan(struct typed_scan *, const char *at, size_t *ret_length);

#endif
