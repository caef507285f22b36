/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include "board.h"
#include "replay.h"

#include <string.h>

#define CHUNK 16384u

/* The image that has to stay as it is in a bank, NULL: none. Bank of the running image always, the old one's until
 * somebody asked for the confirmation. */
static const struct image *guarded(const struct board *board, unsigned bank)
{
	const struct setup *setup = board->setup;
	bool running = bank == board->active;

	if (bank == setup->bank)
		return running || !board->shared->know.confirmation ? &setup->old : NULL;
	return running && board->shared->know.activation ? &setup->new : NULL;
}

static void compare(struct board *board, unsigned bank, const struct image *image)
{
	static uint8_t buffer[CHUNK];
	const struct flash_geometry *geometry = flash_geometry(board->flash);
	uint32_t begin = geometry->bank_address[bank] + geometry->boot_size;

	for (uint32_t at = 0; at < image->length; at += CHUNK) {
		uint32_t length = image->length - at < CHUNK ? image->length - at : CHUNK;
		enum flash_status status = flash_read(board->flash, begin + at, buffer, length);
		if (status == FLASH_BUSY)
			return; /* looked at when the command is over */
		if (status == FLASH_OK && memcmp(buffer, image->bytes + at, length) == 0)
			continue;
		board_find(board, 5, "bank %c does not hold image %s any more (at %08X, %s)", "AB"[bank], image -> name, begin + at,
		           stage_name((enum stage)board->shared->know.stage));
		return;
	}
}

static void compare_all(struct board *board)
{
	for (unsigned bank = 0; bank < 2 && !board_found(board); bank++) {
		const struct image *image = guarded(board, bank);
		if (image)
			compare(board, bank, image);
	}
}

static void check_address(struct board *board, const struct flash_operation *operation)
{
	const struct flash_geometry *geometry = flash_geometry(board->flash);

	for (unsigned bank = 0; bank < 2; bank++) {
		const struct image *image = guarded(board, bank);
		if (image && operation->address >= geometry->bank_address[bank] &&
		    operation->address - geometry->bank_address[bank] < geometry->bank_size)
			board_find(board, 5, "%s at %08X in bank %c, which holds image %s (%s)",
			           operation->kind == FLASH_ERASE ? "erase" : "program", operation->address, "AB"[bank], image -> name,
			           stage_name((enum stage)board->shared->know.stage));
	}
}

static void on_operation(void *context, const struct flash_operation *operation)
{
	struct board *board = context;

	replay_operation(board, operation);
	if (board->log)
		oplog_add(board->log, operation, board->active, &board->shared->know);
	if (!board_found(board))
		check_address(board, operation);
	if (board->guard_each)
		compare_all(board);
}

void guard_begin(struct board *board)
{
	flash_watch_set(board->flash, on_operation, board);
}

void guard_end(struct board *board)
{
	flash_watch_set(board->flash, NULL, NULL);
	replay_flush(board);
	compare_all(board);
}
