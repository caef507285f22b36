/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines from a person or a pipe, read by the event loop: captures, consoles and keep-alives go on while somebody types.
 * On a terminal with history, completion and editing (libedit); else plain lines.
 */
#ifndef HARNESS_CLI_SHELL_INPUT_H
#define HARNESS_CLI_SHELL_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/loop.h"

struct shell_input;
enum shell_line { SHELL_LINE, SHELL_LINE_INTERRUPTED, SHELL_LINE_END };

/* What may stand at the end of a line: calls add() for each candidate; *ret_from: where the word begins that they replace. */
struct shell_completer {
	void (*complete)(void *context, const char *line, size_t *ret_from, void (*add)(void *, const char *), void *list);
	void *context;
};
int shell_input_new(struct shell_input **ret, struct loop *, bool terminal, struct shell_completer, struct error *err) WARN_UNUSED;
void shell_input_free(struct shell_input *); /* writes the history */

/* *ret: the line without its newline, borrowed until the next call; set with SHELL_LINE only. */
enum shell_line shell_input_read(struct shell_input *, const char *prompt, const char **ret);
/* Into the history, unless it begins with a blank. */
void shell_input_remember(struct shell_input *, const char *line);
/* Prints text (whole lines) above the line that is being typed. */
void shell_input_show(struct shell_input *, const char *text);
/* From the signal handlers: the line is given up; the window has another size. */
void shell_input_interrupt(struct shell_input *);
void shell_input_resize(struct shell_input *);
bool shell_input_reading(const struct shell_input *);

#endif
