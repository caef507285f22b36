/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare.h"

#include "script.h"

#include <string.h>

#define SPARE_OPERATIONS 16384u

/* The board's state is where the base begins. */
static void take_start(struct base *base, const struct board *board)
{
	flash_copy(base->start, board->flash);
	memcpy(base->nvm, board->shared->nvm, sizeof(base->nvm));
	base->know = board->shared->know;
}

static bool allocate(struct base *base, const struct setup *setup)
{
	uint32_t operations = setup->new.length / FLASH_PAGE + SPARE_OPERATIONS;
	struct flash_geometry geometry;

	setup_geometry(setup, &geometry);
	base->origin = flash_new(&geometry, &flash_cost_tc375);
	base->start = flash_new(&geometry, &flash_cost_tc375);
	base->log = oplog_new(operations, operations * FLASH_PAGE + setup->new.length * 2u);
	return base->origin && base->start && base->log;
}

/* Up to the reset that makes the new image run for the first time. */
static void until_activated(struct base *base, struct board *board)
{
	board->stop_at_reset = true;
	(void)script_run(board, RELEASE_POWER_ON, base->origin, 0, NULL, NULL);
	board->stop_at_reset = false;
	take_start(base, board);
}

static uint32_t middle_of_transfer(const struct oplog *log)
{
	uint32_t count = 0, half = 0;

	for (uint32_t i = 0; i < log->count; i++)
		count += log->operations[i].know.stage == STAGE_TRANSFER;
	for (uint32_t i = 0; i < log->count; i++) {
		half += log->operations[i].know.stage == STAGE_TRANSFER;
		if (half > count * 3u / 4u && operation_region(&log->operations[i]) == REGION_BANK)
			return i;
	}
	return 0;
}

/* The power goes while a burst is programmed, at three quarters of the transfer: behind the first bookmarks. */
static void until_cut(struct base *base, struct board *board)
{
	struct cut cut = {.phase = FLASH_DURING, .torn = FLASH_T2, .sample = 1};
	struct walk walk;

	board->log = base->log;
	(void)script_run(board, RELEASE_POWER_ON, base->origin, 0, NULL, NULL);
	board->log = NULL;
	if (board_found(board) || base->log->count == 0)
		return;
	cut.operation = middle_of_transfer(base->log);
	walk_begin(&walk, board->setup, base->log, base->start);
	walk_to(&walk, cut.operation);
	base->know = walk_operation(&walk)->know;
	board_set(board, base->origin, base->nvm, &base->know);
	walk_cut(&walk, &cut, board->flash);
	take_start(base, board);
	base->cuts = 1;
}

static void record(struct base *base, struct board *board, enum board_release release)
{
	board_set(board, base->start, base->nvm, &base->know);
	oplog_clear(base->log);
	board->log = base->log;
	board->guard_each = true;
	(void)script_run(board, release, base->origin, base->cuts, NULL, NULL);
	board->guard_each = false;
	board->log = NULL;
	if (base->log->overflow)
		board_find(board, 9, "the scenario has more operations than can be recorded");
	if (!board_found(board) && board->setup->scenario == SCENARIO_ROLLBACK && board->shared->know.trials != SETUP_TRIALS)
		board_find(board, 3, "rolled back after %u trials, not %u", board->shared->know.trials, SETUP_TRIALS);
}

bool base_prepare(struct base *base, struct board *board)
{
	static const struct knowledge nothing;
	static const uint8_t nvm[PORT_NVM_SIZE];
	const struct setup *setup = board->setup;
	enum board_release release = RELEASE_POWER_ON;
	bool trace = board->trace;

	memset(base, 0, sizeof(*base));
	if (!allocate(base, setup))
		return false;
	setup_factory(setup, base->origin);
	board_set(board, base->origin, nvm, &nothing);
	take_start(base, board);
	board->trace = trace && setup->scenario == SCENARIO_UPDATE;
	if (setup->scenario == SCENARIO_ROLLBACK || setup->scenario == SCENARIO_CONFIRM) {
		until_activated(base, board);
		release = RELEASE_SYSTEM;
	} else if (setup->scenario == SCENARIO_RESUME) {
		until_cut(base, board);
	}
	board->trace = trace;
	if (!board_found(board))
		record(base, board, release);
	return true;
}
