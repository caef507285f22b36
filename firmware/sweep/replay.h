/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a point's timeline that is not told as it happens. */
#ifndef FIRMWARE_SWEEP_REPLAY_H
#define FIRMWARE_SWEEP_REPLAY_H

#include "walk.h"

/* The operations around a cut, and what it left in `flash`. */
void replay_cut(struct board *board, const struct walk *walk, const struct cut *cut, const struct flash *flash);
/* An operation as it begins: programs of a bank, one after the other, are told as one line. */
void replay_operation(const struct board *board, const struct flash_operation *operation);
void replay_flush(const struct board *board);

#endif
