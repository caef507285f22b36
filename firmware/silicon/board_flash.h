/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's use of its flash: what the factory put there, the CPU's commands in real time, what became of them as events,
 * and cuts of the power (docs/reference/virtual-board.md, section Flash).
 */
#ifndef FIRMWARE_SILICON_BOARD_FLASH_H
#define FIRMWARE_SILICON_BOARD_FLASH_H

#include "flash.h"
#include "ssw.h"

#include <jansson.h>

#define BOARD_FLASH_AREAS 3   /* bank A, bank B, DFLASH with UCB: each does one command at a time */
#define BOARD_HEADER      64u /* bytes of a package's header */
#define BOARD_SUPPLY_MV   12000u
#define BOARD_TRAILER_MAX 0x10000u /* bytes of a package's trailer that a factory takes */

struct board;

enum board_flash_user { BOARD_FLASH_BOOTLOADER, BOARD_FLASH_APPLICATION, BOARD_FLASH_DEBUGGER };

/* A command under way. */
struct board_flash_work {
	bool busy;
	enum board_flash_user user;
	enum flash_kind kind;
	uint32_t address, length, sectors;
	uint64_t operation, begin_ns, end_ns;
};

/* Programs of consecutive addresses that are told in one event. */
struct board_flash_run {
	enum board_flash_user user;
	uint32_t address, length, count;
	uint64_t operation, begin_ns, end_ns;
};

struct board_flash_cut {
	bool armed, chosen, hit; /* chosen: the operation is under way */
	uint64_t left;           /* matching operations before the one that is cut */
	struct flash_cut cut;
	bool any_kind;
	enum flash_kind kind;
	uint32_t from, to; /* 0, 0: everywhere */
};

struct board_flash {
	const char *path;             /* NULL: in memory only */
	const char *package_path[2];  /* of bank A and B, NULL: nothing there */
	const char *application_path; /* a program for bank A, wrapped without signature; NULL: none */
	const struct flash_geometry *geometry;
	enum ssw_policy policy;
	uint32_t password[8];
	struct flash *flash;
	struct ssw_result ssw;
	bool application; /* runs: it is not the bootloader that asks */
	bool changed;     /* since the factory, but for what a bootloader keeps in DFLASH */
	uint32_t supply_mv;
	uint64_t told_ns;  /* end of the commands that the newest notice told */
	uint64_t begun_ns; /* begin of the newest command */
	uint64_t next_ns;  /* when the next command ends, INSTANT_NEVER without */
	struct board_flash_work work[BOARD_FLASH_AREAS];
	struct board_flash_run run[BOARD_FLASH_AREAS];
	struct board_flash_cut cut;
};

/* Opens the flash and, when it is new, writes what the factory does. -1: the reason is in error[]. */
int board_flash_open(struct board *board, char *error, size_t error_size);
void board_flash_close(struct board *board);
/* Commands under way come to their end at once. */
void board_flash_settle(struct board *board);
/* The factory's state again; the files are read anew. -1: the reason is in error[], and the flash is as it was. */
int board_flash_factory(struct board *board, char *error, size_t error_size);
/* The installed form of a package file into a bank (0, 1). */
int board_flash_install(struct board *board, unsigned bank, const char *path, char *error, size_t error_size);

/* Power comes; power goes (tearing what is under way). */
void board_flash_power_on(struct board *board);
void board_flash_power_off(struct board *board);
/* The CPU is reset: the UCB locks. */
void board_flash_reset(struct board *board);
/* Reads map and boot header anew; tells the map if it changed. */
void board_flash_map(struct board *board);
/* When board_flash_tick() has something to do; next_ns alone is what a reset has to wait for. */
uint64_t board_flash_deadline_ns(const struct board *board);
void board_flash_tick(struct board *board, uint64_t now_ns);
/* The bootloader's bytes, at the boot header's start address: a sealed memfd, or -1 with the reason. */
int board_flash_bootloader(struct board *board, char *error, size_t error_size);
/* Takes one request of the CPU. */
void board_flash_serve(struct board *board);

/* A mapped range, over the border of the banks too. */
enum flash_status board_flash_read(struct board *board, uint32_t address, uint8_t *buffer, size_t length);
/* Every byte of a mapped range in a sealed memfd that can be run; *ret_fd only with FLASH_OK. */
enum flash_status board_flash_fetch(struct board *board, uint32_t address, uint32_t length, int *ret_fd);
struct board_wire_ask;
/* An erase or program command of the debugger: its end is flash_result()'s. */
enum flash_status board_flash_debug(struct board *board, const struct board_wire_ask *ask);
unsigned board_flash_area(const struct board *board, uint32_t address);
const char *board_flash_status_name(enum flash_status status);
/* Tells the runs of programs so far. */
void board_flash_tell(struct board *board);

/* Parts of board_flash_events.c, for board_flash.c. */
void board_flash_watch(void *context, const struct flash_operation *operation);
void board_flash_watch_end(void *context, const struct flash_operation *operation);
void board_flash_ended(struct board *board, unsigned area, const char *status, uint64_t now_ns);
void board_flash_refused(struct board *board, enum board_flash_user user, enum flash_kind kind, uint32_t address, uint32_t length,
                         enum flash_status status);
uint64_t board_flash_tell_ns(const struct board *board);

/* Parts of board_cut.c: a command is about to begin, did not begin, an operation has begun, has ended. */
void board_cut_command(struct board *board, enum flash_kind kind, uint32_t address);
void board_cut_refused(struct board *board);
void board_cut_began(struct board *board, const struct flash_operation *operation);
void board_cut_ended(struct board *board, const struct flash_operation *operation);
/* After the model was called: true when the power is gone. */
bool board_cut_after(struct board *board);
void board_cut_disarm(struct board *board);
/* From {"operation":…}: -1 with the reason. */
int board_cut_arm(struct board *board, json_t *request, char *error, size_t error_size);

#endif
