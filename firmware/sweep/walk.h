/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded run again, operation by operation, without the firmware that made it: so the flash is had at every operation, and
 * what a cut there leaves.
 */
#ifndef FIRMWARE_SWEEP_WALK_H
#define FIRMWARE_SWEEP_WALK_H

#include "board.h"

struct walk {
	const struct setup *setup;
	const struct oplog *log;
	struct flash *base; /* everything that ended before the operation begins */
	uint32_t at;
	uint32_t flying[BOARD_MAX_PENDING]; /* operations of other banks, begun before and not over */
	unsigned flying_count;
};
/* base: the flash as it was when the run began; it changes from here on. */
void walk_begin(struct walk *walk, const struct setup *setup, const struct oplog *log, struct flash *base);
/* Forward only, at < log->count. */
void walk_to(struct walk *walk, uint32_t at);
const struct operation *walk_operation(const struct walk *walk);
/* `flash` becomes what a cut at the operation leaves; not for resets. */
void walk_cut(const struct walk *walk, const struct cut *cut, struct flash *flash);
/* `flash` becomes what it is after the operation, whole. */
void walk_whole(const struct walk *walk, struct flash *flash);
/* A watchdog reset at the operation: `flash` as it is then, and what goes on in it, for the board's next CPU. */
void walk_reset(const struct walk *walk, const struct cut *cut, struct flash *flash);
void walk_pending(const struct walk *walk, const struct cut *cut, struct board *board);

#endif
