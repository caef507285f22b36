/* SPDX-License-Identifier: Apache-2.0 */
/* The story of a board from a power-on to the goal of the scenario: the same with and without a cut before it. */
#ifndef FIRMWARE_SWEEP_SCRIPT_H
#define FIRMWARE_SWEEP_SCRIPT_H

#include "board.h"

enum script_result {
	SCRIPT_REACHED,
	SCRIPT_FOUND, /* the board has findings */
	SCRIPT_KNOWN, /* known() said so */
	SCRIPT_RESET, /* the board asked for its reset, and board->stop_at_reset */
};
/* known: asked once, when the first image after the cut is about to run; true: the rest was seen before. May be NULL. */
typedef bool (*script_known)(struct board *board, void *context);
/* cuts: so many before this. before: the flash when all began, for the wear. */
enum script_result script_run(struct board *board, enum board_release release, const struct flash *before, unsigned cuts,
                              script_known known, void *context);

#endif
