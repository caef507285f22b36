/* SPDX-License-Identifier: Apache-2.0 */
/* Every cut of a recorded run, and of what follows it: made, told to the end, judged. */
#ifndef FIRMWARE_SWEEP_EXPLORE_H
#define FIRMWARE_SWEEP_EXPLORE_H

#include "shared.h"
#include "totals.h"
#include "walk.h"

#define SELECTION_RANGES 32u

struct selection {
	unsigned range_count; /* 0: all operations */
	struct {
		uint32_t first, last;
	} ranges[SELECTION_RANGES];
	unsigned phases;      /* bit FLASH_BEFORE .. */
	unsigned programs;    /* bit T0..T4 */
	unsigned erases;      /* bit E0..E3 */
	unsigned samples;     /* seeds of a class that has chance in it */
	unsigned depth;       /* 1, or 2: a second cut at every operation of what follows the first */
	uint32_t random;      /* so many triples of cuts in place of all that */
	bool reset;           /* watchdog resets in place of cuts */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC, 0 none */
};
bool selection_has(const struct selection *selection, uint32_t operation);
/* How many cuts an operation is worth: 0 where no phase and class of the selection fits it. */
unsigned selection_cuts(const struct selection *selection, const struct operation *operation);
/* It is selected, and worth a cut. */
bool selection_strikes(const struct selection *selection, const struct oplog *log, uint32_t operation);

/* The run that is cut: recorded once, without a cut. */
struct base {
	struct flash *origin; /* when the board's life began: for the wear */
	struct flash *start;  /* when the run began */
	uint8_t nvm[PORT_NVM_SIZE];
	struct knowledge know;
	struct oplog *log;
	unsigned cuts; /* that lie before it (scenario resume) */
};

struct explorer;
/* NULL: no memory. What it is given is borrowed. */
struct explorer *explorer_new(const struct setup *setup, const struct selection *selection, const struct base *base, struct totals *totals,
                              struct visited *cuts, struct visited *settled);
void explorer_free(struct explorer *explorer);
/* Takes operations from totals->next until there are none. */
void explorer_run(struct explorer *explorer);
/* The cut can be made in what was recorded: there is such an operation, of that kind. */
bool explorer_fits(const struct cut *cut, const struct oplog *log);
/* One point alone, with a timeline on stdout. False: the base has no such operation. */
bool explorer_replay(struct explorer *explorer, const struct point *point);

#endif
