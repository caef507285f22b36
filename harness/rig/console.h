/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board's console: raw bytes to console-BOARD.log, lines to the timeline, boot markers to boot.stage events. What a
 * board says is bounded: long lines are split, a flood is counted instead of journaled, the raw log has a largest size.
 */
#ifndef HARNESS_RIG_CONSOLE_H
#define HARNESS_RIG_CONSOLE_H

#include "../base/timeline.h"

#define CONSOLE_LINE_BYTES     1024
#define CONSOLE_LINES_A_SECOND 200  /* journaled in the long run; a long line counts as several */
#define CONSOLE_LINES_BURST    2000 /* journaled at once after a silence */
#define CONSOLE_RAW_BYTES      (4u << 20)

struct console;
/* directory NULL: no raw log. channel "board:zgw"; on_stage (may be NULL) is told each boot marker. */
int console_new(struct console **ret, struct timeline *, const char *directory, const char *board, const char *channel,
                void (*on_stage)(const char *stage, void *context), void *context, struct error *err) WARN_UNUSED;
void console_bytes(struct console *, const void *data, size_t length, struct instant at);
/* Lines in the busiest second since console_calm(), 0 as long as every line was journaled. */
unsigned console_flood(const struct console *);
void console_calm(struct console *); /* the board begins anew */
/* Journals an unfinished line and what the flood swallowed; frees. NULL allowed. */
void console_free(struct console *);

/* Bytes as valid UTF-8 text: what is not, and control characters but tab, becomes \xHH. Newly allocated or NULL. */
char *console_clean(const void *data, size_t length);

#endif
