/* SPDX-License-Identifier: Apache-2.0 */
/* What a debugger reaches through the access port: RAM, flash as the CPU maps it, and the registers of run control, reset and
 * flash programming (docs/reference/probe.md). */
#ifndef FIRMWARE_SILICON_DEBUG_MEMORY_H
#define FIRMWARE_SILICON_DEBUG_MEMORY_H

#include "dap.h"

#include <stddef.h>

#define DEBUG_RAM      0x20000000u
#define DEBUG_RAM_SIZE 0x10000u

#define DEBUG_DBGCTRL     0xF0000400u
#define DEBUG_RSTREQ      0xF0000404u
#define DEBUG_STMEM1      0xF0000408u
#define DEBUG_UNIQUE_ID   0xF0000480u /* 8 bytes, little-endian */
#define DEBUG_SLOT        0xF0000490u /* 16 bytes */
#define DEBUG_FCMD        0xF0000500u
#define DEBUG_FADDRESS    0xF0000504u
#define DEBUG_FSECTORS    0xF0000508u
#define DEBUG_FSTATUS     0xF000050Cu
#define DEBUG_FDATA       0xF0000600u /* 256 bytes */
#define DEBUG_FPASSWORD   0xF0000700u /* 32 bytes */
#define DEBUG_FDATA_SIZE  256u
#define DEBUG_PASSWORD    32u
#define DEBUG_SLOT_LENGTH 16u

/* Bits of DBGCTRL */
enum { DEBUG_HALT = 1, DEBUG_RUNS = 2, DEBUG_HELD = 4, DEBUG_DEAD = 8, DEBUG_POWER = 16 };
/* Values of RSTREQ */
enum { DEBUG_RESET_SYSTEM = 1, DEBUG_RESET_APPLICATION, DEBUG_RESET_HALT };
/* Values of FCMD, and what FSTATUS tells of the last one */
enum { DEBUG_ERASE = 1, DEBUG_PROGRAM, DEBUG_UNLOCK, DEBUG_LOCK };
enum { DEBUG_DONE, DEBUG_BUSY, DEBUG_SEQUENCE, DEBUG_PROTECTED, DEBUG_VERIFY, DEBUG_CUT };

struct board;

struct debug_memory {
	int ram_fd; /* shared with the CPU */
	uint8_t *ram;
	uint32_t fcmd, address, sectors;
	uint32_t refused; /* FSTATUS of a command that did not begin, DEBUG_DONE else */
	bool begun;       /* a command was begun; what became of it, the flash knows */
	uint8_t data[DEBUG_FDATA_SIZE], password[DEBUG_PASSWORD];
};

/* 0, or -errno. */
int debug_memory_open(struct board *board);
void debug_memory_close(struct board *board);
/* RAM is lost, a command of the flash was cut. */
void debug_memory_power_off(struct board *board);

/* struct dap_memory; the context is the board. Without power only DBGCTRL answers; registers take whole words, and every
 * address that is not in the list faults, as does flash that cannot be read (erased, bad ECC, busy). */
bool debug_memory_read(void *board, uint32_t address, unsigned size, uint32_t *ret_value);
bool debug_memory_write(void *board, uint32_t address, unsigned size, uint32_t value);
/* Part for debug_memory.c: FCMD and FSTATUS. */
void debug_flash_command(struct board *board, uint32_t command);
uint32_t debug_flash_status(const struct board *board);
/* The id of the chip. */
uint64_t debug_unique_id(const struct board *board);

#endif
