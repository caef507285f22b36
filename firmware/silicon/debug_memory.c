/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_memory.h"

#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STMEM1_ACTIVE 16

int debug_memory_open(struct board *board)
{
	struct debug_memory *debug = &board->debug;
	debug->ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (debug->ram_fd < 0 || ftruncate(debug->ram_fd, DEBUG_RAM_SIZE) < 0)
		return -errno;
	debug->ram = mmap(NULL, DEBUG_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, debug->ram_fd, 0);
	if (debug->ram == MAP_FAILED) {
		debug->ram = NULL;
		return -errno;
	}
	return 0;
}

void debug_memory_close(struct board *board)
{
	if (board->debug.ram)
		munmap(board->debug.ram, DEBUG_RAM_SIZE);
	if (board->debug.ram_fd >= 0)
		close(board->debug.ram_fd);
	board->debug.ram = NULL;
	board->debug.ram_fd = -1;
}

void debug_memory_power_off(struct board *board)
{
	struct debug_memory *debug = &board->debug;
	debug->refused = debug->begun && debug_flash_status(board) == DEBUG_BUSY ? DEBUG_CUT : DEBUG_DONE;
	debug->begun = false;
	if (debug->ram)
		memset(debug->ram, 0, DEBUG_RAM_SIZE);
	memset(debug->data, 0, sizeof debug->data);
	memset(debug->password, 0, sizeof debug->password);
	debug->address = debug->sectors = 0;
}

/* ---- who the chip is -------------------------------------------------------------------------------------------- */

uint64_t debug_unique_id(const struct board *board)
{
	const char *text = straps_get(&board->straps, "debug.unique_id");
	uint64_t id = UINT64_C(0xcbf29ce484222325);
	if (text)
		return strtoull(text, NULL, 0);
	for (const char *c = board->name; *c; c++) /* every chip has another one, and the same one every time (FNV-1a) */
		id = (id ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	return id >> 1;
}

static void slot_of(const struct board *board, uint8_t *slot)
{
	const char *text = straps_get(&board->straps, "debug.slot");
	size_t length = strlen(text ? text : board->name);
	memset(slot, 0, DEBUG_SLOT_LENGTH);
	memcpy(slot, text ? text : board->name, length < DEBUG_SLOT_LENGTH ? length : DEBUG_SLOT_LENGTH);
}

/* ---- registers -------------------------------------------------------------------------------------------------- */

static uint32_t control_of(const struct board *board)
{
	uint32_t bits = board->halted ? DEBUG_HALT : 0;
	if (board->state == BOARD_RUNNING ? !board->halted : board->state == BOARD_SSW && !(board->halted && board->ssw_told))
		bits |= DEBUG_RUNS;
	if (board->powered && board->held)
		bits |= DEBUG_HELD;
	if (board->state == BOARD_DEAD)
		bits |= DEBUG_DEAD;
	return bits | (board->powered ? DEBUG_POWER : 0);
}

static bool request_reset(struct board *board, uint32_t kind)
{
	char error[512];
	uint64_t t_ns;
	if (kind < DEBUG_RESET_SYSTEM || kind > DEBUG_RESET_HALT)
		return false;
	if (board_reset(board, kind == DEBUG_RESET_APPLICATION ? "application" : "system", &t_ns, error, sizeof error) < 0)
		return false;
	if (kind == DEBUG_RESET_HALT)
		board_halt(board, true);
	return true;
}

static bool register_read(const struct board *board, uint32_t address, uint32_t *ret_value)
{
	switch (address) {
	case DEBUG_DBGCTRL:
		*ret_value = control_of(board);
		return true;
	case DEBUG_RSTREQ:
		*ret_value = 0;
		return true;
	case DEBUG_STMEM1:
		*ret_value = (board->flash.ssw.active ? 2u : 1u) << STMEM1_ACTIVE;
		return true;
	case DEBUG_FCMD:
		*ret_value = board->debug.fcmd;
		return true;
	case DEBUG_FADDRESS:
		*ret_value = board->debug.address;
		return true;
	case DEBUG_FSECTORS:
		*ret_value = board->debug.sectors;
		return true;
	case DEBUG_FSTATUS:
		*ret_value = debug_flash_status(board);
		return true;
	default:
		return false;
	}
}

static bool register_write(struct board *board, uint32_t address, uint32_t value)
{
	switch (address) {
	case DEBUG_DBGCTRL:
		board_halt(board, value & DEBUG_HALT);
		return true;
	case DEBUG_RSTREQ:
		return request_reset(board, value);
	case DEBUG_FCMD:
		debug_flash_command(board, value);
		return true;
	case DEBUG_FADDRESS:
		board->debug.address = value;
		return true;
	case DEBUG_FSECTORS:
		board->debug.sectors = value;
		return true;
	default:
		return false;
	}
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static bool within(uint32_t address, unsigned size, uint32_t begin, uint32_t length)
{
	return address >= begin && address - begin <= length - size;
}

/* Memory that can be written as well as read, of any width; NULL: there is none. */
static uint8_t *memory_at(struct board *board, uint32_t address, unsigned size)
{
	struct debug_memory *debug = &board->debug;
	if (within(address, size, DEBUG_RAM, DEBUG_RAM_SIZE) && debug->ram)
		return debug->ram + (address - DEBUG_RAM);
	if (within(address, size, DEBUG_FDATA, DEBUG_FDATA_SIZE))
		return debug->data + (address - DEBUG_FDATA);
	if (within(address, size, DEBUG_FPASSWORD, DEBUG_PASSWORD))
		return debug->password + (address - DEBUG_FPASSWORD);
	return NULL;
}

static bool identity_read(const struct board *board, uint32_t address, unsigned size, uint8_t *bytes)
{
	uint8_t slot[DEBUG_SLOT_LENGTH];
	const uint64_t id = debug_unique_id(board);
	if (within(address, size, DEBUG_UNIQUE_ID, sizeof id)) {
		memcpy(bytes, (const uint8_t *)&id + (address - DEBUG_UNIQUE_ID), size);
		return true;
	}
	if (!within(address, size, DEBUG_SLOT, DEBUG_SLOT_LENGTH))
		return false;
	slot_of(board, slot);
	memcpy(bytes, slot + (address - DEBUG_SLOT), size);
	return true;
}

bool debug_memory_read(void *context, uint32_t address, unsigned size, uint32_t *ret_value)
{
	struct board *board = context;
	uint8_t bytes[4] = {0};
	if (!board->powered && address != DEBUG_DBGCTRL)
		return false;
	if (size == 4 && register_read(board, address, ret_value))
		return true;
	const uint8_t *memory = memory_at(board, address, size);
	if (memory)
		memcpy(bytes, memory, size);
	else if (!identity_read(board, address, size, bytes) && board_flash_read(board, address, bytes, size) != FLASH_OK)
		return false;
	*ret_value = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
	return true;
}

bool debug_memory_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
	struct board *board = context;
	if (!board->powered)
		return false;
	uint8_t *memory = memory_at(board, address, size);
	for (unsigned i = 0; memory && i < size; i++)
		memory[i] = (uint8_t)(value >> 8 * i);
	return memory || (size == 4 && register_write(board, address, value));
}
