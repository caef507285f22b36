/* SPDX-License-Identifier: Apache-2.0 */
/* What a board of the driver `board` is put together from, beside its power (supply.h): the line to its console, its reset. */
#ifndef HARNESS_RIG_DRIVERS_BOARD_PARTS_H
#define HARNESS_RIG_DRIVERS_BOARD_PARTS_H

#include "../../link/serial.h"
#include "../rig_private.h"

/* ---- `console:` ---- */

struct board_line;
int board_line_check(const struct value *map, struct error *err) WARN_UNUSED;
/* Kind, address, speed and lines as the map says; the handlers are the caller's. The texts are borrowed from the map. */
void board_line_options(const struct value *map, struct serial_options *ret);
int board_line_open(struct board_line **ret, struct rig_board *, struct error *err) WARN_UNUSED;
void board_line_close(struct board_line *); /* NULL allowed */
int board_line_write(struct board_line *, const void *data, size_t length, struct error *err) WARN_UNUSED;
/* Each of them stays as it is when its argument is negative. */
int board_line_set(struct board_line *, int rts, int dtr, struct error *err) WARN_UNUSED;
/* While held, what comes is kept with its stamps, so that it follows the event of the action that caused it. */
void board_line_hold(struct board_line *, bool on);
int board_line_alive(const struct board_line *, struct error *err) WARN_UNUSED;
/* Why nothing of use came, "" when there is nothing to say; true: it is the bench's fault. */
bool board_line_hint(struct board_line *, char *ret, size_t size);

/* ---- `reset:` ---- */

struct board_reset;
/* Against the whole role: a reset line of the console needs a serial port. */
int board_reset_check(const struct value *role, struct error *err) WARN_UNUSED;
/* line: of the console. */
int board_reset_open(struct board_reset **ret, struct rig_board *, struct board_line *line, struct error *err) WARN_UNUSED;
void board_reset_close(struct board_reset *); /* NULL allowed */
/* Asserted and released. *ret_at: the release. */
int board_reset_pulse(struct board_reset *, int64_t deadline_ns, struct instant *ret_at, struct error *err) WARN_UNUSED;
/* -EOPNOTSUPP where it can only be pulsed. */
int board_reset_hold(struct board_reset *, bool on, int64_t deadline_ns, struct error *err) WARN_UNUSED;

#endif
