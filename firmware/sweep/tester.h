/* SPDX-License-Identifier: Apache-2.0 */
/* The tester of the bench, in the process of the application: looks at what runs and does what is next. */
#ifndef FIRMWARE_SWEEP_TESTER_H
#define FIRMWARE_SWEEP_TESTER_H

#include "board.h"

/* A program for board_run(). Ends with board->shared->goal set, or with a reset that it asked the board for. */
void tester_run(struct board *board);

#endif
