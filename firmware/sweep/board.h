/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One board: flash, map, memory, and a CPU that runs a program in a process of its own. Firmware has static storage, so a
 * process forked from one that has never run firmware is what a reset is. All that survives is in shared memory.
 */
#ifndef FIRMWARE_SWEEP_BOARD_H
#define FIRMWARE_SWEEP_BOARD_H

#include "../core/ota_boot.h"
#include "oplog.h"
#include "setup.h"

#define BOARD_MAX_FINDINGS 6u
#define BOARD_MAX_PENDING  4u

enum cpu_end {
	CPU_DONE,
	CPU_SYSTEM_RESET,
	CPU_APPLICATION_RESET,
	CPU_STUCK,   /* it waits for ever */
	CPU_CRASHED, /* a signal */
	CPU_HUNG,    /* no end within real time */
};

/* A violated invariant: I1..I9. */
struct finding {
	unsigned invariant;
	char text[200];
};

enum goal { GOAL_NONE, GOAL_REACHED, GOAL_AGAIN /* a power cycle, then go on */ };

struct board_shared {
	uint8_t nvm[PORT_NVM_SIZE];
	struct ota_boot_result boot; /* of the newest boot */
	uint64_t now_ns;             /* when the newest CPU ended */
	uint8_t end;                 /* enum cpu_end, what the process says itself */
	uint8_t goal;                /* enum goal: what the tester says */
	uint8_t attempts;            /* of the campaign, that failed */
	unsigned cuts;               /* so far */
	struct knowledge know;
	unsigned finding_count;
	struct finding findings[BOARD_MAX_FINDINGS];
};

struct board {
	const struct setup *setup;
	struct flash *flash; /* shared */
	struct board_shared *shared;
	struct oplog *log; /* NULL: not recorded */
	uint8_t active;
	enum port_reset_reason reason;
	uint64_t now_ns;
	uint32_t boots;     /* since the last cut */
	bool guard_each;    /* compare the guarded banks at every operation, not only at the end of each program */
	bool stop_at_reset; /* the scenario's preparation ends there */
	bool trace;         /* tell what happens */
	/* Commands that were under way at a watchdog reset: the next CPU begins with them. */
	const struct operation *pending[BOARD_MAX_PENDING];
	const struct oplog *pending_log;
	unsigned pending_count;
};

/* NULL: no memory. */
struct board *board_new(const struct setup *setup);
void board_free(struct board *board);
/* Forgets findings, knowledge and time; the flash becomes a copy, the NVM and the knowledge what is given. */
void board_set(struct board *board, const struct flash *flash, const uint8_t *nvm, const struct knowledge *know);

typedef void (*cpu_program)(struct board *board);
enum cpu_end board_run(struct board *board, cpu_program program);

enum board_release { RELEASE_POWER_ON, RELEASE_SYSTEM, RELEASE_WATCHDOG };
/* From the release of reset to the point at which an image is started: SSW, bootloader, as many system resets as the
 * bootloader wants. False: there is a finding. */
bool board_start(struct board *board, enum board_release release);

void board_find(struct board *board, unsigned invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool board_found(const struct board *board);
/* A line of the timeline, when it is wanted. */
void board_trace(const struct board *board, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
