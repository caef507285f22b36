/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be true, judged by what is in the flash and by what the world outside knows, not by what the firmware thinks. */
#ifndef FIRMWARE_SWEEP_ORACLE_H
#define FIRMWARE_SWEEP_ORACLE_H

#include "board.h"

/* What is about to run: I1 readable and not weak, I2 exactly one of the images, I3 and I6 the right one. NULL: a finding. */
const struct image *oracle_running(struct board *board);
/* After a boot: both swap blocks are clean for the bank that runs, so that the next cut finds them so (I3). */
bool oracle_swap_settled(struct board *board);
/* After an activation was answered: both blocks name the candidate (I3), and it is whole (I6). In the CPU's process. */
void oracle_activated(struct board *board);

/* FD50, FD51, FD52 and F195 as the board answered them, against the flash (I7) and the counters (I4). */
struct report {
	uint8_t state[20], digest[32], resume[36];
	char version[24];
};
void oracle_report(struct board *board, const struct report *report);

/* Erases of every sector since `before` (I8). cuts: how many interrupted it. */
void oracle_wear(struct board *board, const struct flash *before, unsigned cuts);
struct wear {
	uint32_t bank, data, ucb; /* most erases of one sector */
};
void oracle_wear_measure(const struct flash *flash, const struct flash *before, struct wear *ret_wear);

/* True when exactly this image lies in the physical bank and no page of it is weak. */
bool oracle_bank_holds(struct board *board, unsigned bank, const struct image *image, uint32_t length);

#endif
