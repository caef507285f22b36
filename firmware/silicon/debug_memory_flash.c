/* SPDX-License-Identifier: Apache-2.0 */
/* Flash programming by the debugger: the commands are the CPU's own, with their time, their cost and their protection. */
#include "debug_memory.h"

#include "board.h"
#include "board_wire.h"
#include "instant.h"

#include <string.h>

static uint32_t status_of(enum flash_status status)
{
	switch (status) {
	case FLASH_OK:
		return DEBUG_DONE;
	case FLASH_BUSY:
		return DEBUG_BUSY;
	case FLASH_PROTECTED:
		return DEBUG_PROTECTED;
	case FLASH_VERIFY:
		return DEBUG_VERIFY;
	default:
		return DEBUG_SEQUENCE;
	}
}

static void begin(struct board *board, bool erase)
{
	struct debug_memory *debug = &board->debug;
	struct board_wire_ask ask = {.request = erase ? BOARD_WIRE_ERASE : BOARD_WIRE_PROGRAM, .address = debug->address};
	ask.time.sent_ns = instant_ns();
	ask.length = erase ? debug->sectors : board_flash_area(board, debug->address) < 2 ? FLASH_BURST : FLASH_DATA_PAGE;
	memcpy(ask.data, debug->data, sizeof debug->data);
	enum flash_status status = board_flash_debug(board, &ask);
	debug->begun = status == FLASH_OK;
	/* A bank that is busy with another command takes none. */
	debug->refused = debug->begun ? DEBUG_DONE : status == FLASH_BUSY ? DEBUG_SEQUENCE : status_of(status);
}

static void unlock(struct board *board)
{
	uint32_t password[DEBUG_PASSWORD / 4];
	memcpy(password, board->debug.password, sizeof password);
	board->debug.refused = status_of(flash_unlock(board->flash.flash, password));
}

void debug_flash_command(struct board *board, uint32_t command)
{
	board->debug.fcmd = command;
	board->debug.begun = false;
	board->debug.refused = DEBUG_DONE;
	if (command == DEBUG_ERASE || command == DEBUG_PROGRAM)
		begin(board, command == DEBUG_ERASE);
	else if (command == DEBUG_UNLOCK)
		unlock(board);
	else if (command == DEBUG_LOCK)
		flash_lock(board->flash.flash);
	else
		board->debug.refused = DEBUG_SEQUENCE;
}

uint32_t debug_flash_status(const struct board *board)
{
	const struct debug_memory *debug = &board->debug;
	return debug->begun ? status_of(flash_result(board->flash.flash, debug->address)) : debug->refused;
}
