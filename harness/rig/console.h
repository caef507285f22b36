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
struct rig_board;
/* directory NULL: no raw log. channel "board:zgw"; on_stage (may be NULL) is told each boot marker. */
int console_new(struct console **ret, struct timeline *, const char *directory, const char *board, const char *channel,
                void (*on_stage)(const char *stage, void *context), void *context, struct error *err) WARN_UNUSED;
void console_bytes(struct console *, const void *data, size_t length, struct instant at);
/* Lines in the busiest second since console_calm(), 0 as long as every line was journaled. */
unsigned console_flood(const struct console *);
void console_calm(struct console *); /* the board begins anew */
/* Journals an unfinished line and what the flood swallowed; frees. NULL allowed. */
void console_free(struct console *);

/* ---- several readers ---- */

/* Every byte as it came, right after it was logged, with the stamp of its read. Removing (also oneself) from inside is allowed. */
typedef void (*console_reader)(const void *data, size_t length, struct instant at, void *context);
int console_add_reader(struct console *, console_reader, void *context, struct error *err) WARN_UNUSED;
void console_remove_reader(struct console *, console_reader, void *context);

/* ---- one writer ---- */

/* While somebody has taken it, nobody else's bytes come in between. -EBUSY, ERROR_BENCH names who has it. `who` is copied. */
int console_take(struct console *, const void *owner, const char *who, struct error *err) WARN_UNUSED;
void console_release(struct console *, const void *owner);
/* 0 when it is free or the owner's. */
int console_may_write(const struct console *, const void *owner, struct error *err) WARN_UNUSED;

/* What came since console_calm(): a line at the wrong speed is not silent, but says nothing. */
struct console_health {
	uint64_t bytes, invalid; /* invalid: neither text nor line ends, tab, backspace, escape */
	unsigned markers;        /* of the boot */
};
void console_health_read(const struct console *, struct console_health *ret);

/* ---- of a board ---- */

struct console *rig_board_console(struct rig_board *); /* owned by the board */
/* rig_board_input() of whoever took the console. */
int rig_board_input_as(struct rig_board *, const void *owner, const void *data, size_t length, struct error *err) WARN_UNUSED;
/* RTS and DTR of a serial console, negative: as it is. -EOPNOTSUPP where there are none. */
int rig_board_set_lines(struct rig_board *, int rts, int dtr, struct error *err) WARN_UNUSED;
/* What the bench may have to do with a boot that is missed, "" for nothing; true: it is the bench's fault, not the board's. */
bool rig_board_hint(struct rig_board *, char *ret, size_t size);

/* Bytes as valid UTF-8 text: what is not, and control characters but tab, becomes \xHH. Newly allocated or NULL. */
char *console_clean(const void *data, size_t length);

#endif
