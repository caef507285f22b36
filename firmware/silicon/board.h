/* SPDX-License-Identifier: Apache-2.0 */
/* The board: power, reset, the SSW, the watchdog, and the CPU behind them. */
#ifndef FIRMWARE_SILICON_BOARD_H
#define FIRMWARE_SILICON_BOARD_H

#include "board_flash.h"
#include "control.h"
#include "cpu.h"
#include "debug_memory.h"
#include "image.h"
#include "straps.h"
#include "uart.h"

enum board_hold_line { BOARD_HOLD_CONTROL = 1, BOARD_HOLD_SRST = 2 };
enum board_state { BOARD_OFF, BOARD_HELD, BOARD_SSW, BOARD_RUNNING, BOARD_DEAD };

struct board {
	const char *name, *boot_path;
	int nvm, netns;
	const char *can_path[CPU_MAX_CAN]; /* sockets of the buses the board is wired to, NULL: none */
	struct straps straps;
	struct board_flash flash;
	struct cpu cpu;
	struct uart uart;
	enum board_state state;
	bool powered, held;
	unsigned hold_lines; /* who holds it in reset: bits of enum board_hold_line */
	bool halted;         /* the debugger wants the CPU to stand still */
	bool ssw_told;       /* the SSW has done its work since the last reset */
	bool fresh;          /* powered, but not yet released from reset */
	unsigned boots;
	const char *reason;        /* of the reset under way, as the firmware knows it */
	uint64_t release_ns;       /* the moment reset was released */
	uint64_t ssw_end_ns;       /* INSTANT_NEVER outside the SSW */
	uint64_t watchdog_ns;      /* when it bites, INSTANT_NEVER without */
	uint64_t frozen_ns;        /* when a CPU that lost its power is ended, INSTANT_NEVER without */
	uint64_t watchdog_left_ns; /* of a halted CPU's watchdog, INSTANT_NEVER without */
	struct debug_memory debug;
	struct control control;
};

/* Actions. *ret_t_ns: the action's own time. -1: refused, the reason is in error[]. kind has to live for ever. */
/* board_power() leaves the report of the reset that it released to the caller: the power edge is told first. */
int board_power(struct board *board, bool on, uint64_t *ret_t_ns, char *error, size_t error_size);
int board_reset(struct board *board, const char *kind, uint64_t *ret_t_ns, char *error, size_t error_size);
int board_hold(struct board *board, bool on, uint64_t *ret_t_ns, char *error, size_t error_size);

/* The same by a line of the debug connector; the board is held as long as anyone holds it. */
int board_srst(struct board *board, bool on, char *error, size_t error_size);
/* The debugger halts the CPU, or lets it go on. A reset forgets it; what is halted before its first instruction begins when it may. */
void board_halt(struct board *board, bool on);

/* The event of the newest release from reset. */
void board_report_reset(struct board *board, const char *kind);

/* What happened: a deadline passed, the debug trace has a message, the CPU ended. */
uint64_t board_deadline_ns(const struct board *board);
void board_tick(struct board *board, uint64_t now_ns);
void board_trace(struct board *board);
void board_cpu_ended(struct board *board);

/* The power went away by itself, in the middle of what the flash was doing; who knows why tells it. */
void board_power_lost(struct board *board);

/* One request of the control channel (context: the board). */
void board_request(void *context, json_t *request);

#endif
