/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <stdio.h>

#define AROUND 4u

static const char *state_name(enum flash_page_state state)
{
	static const char *const names[] = {"erased", "good", "torn", "weak", "bad"};

	return names[state];
}

static void tell_operation(const struct walk *walk, uint32_t number, bool cut)
{
	const struct operation *o = &walk->log->operations[number];

	printf("%10.3f ms  %s operation %u: %s %08X, %u bytes (%s, %s)\n", (double)o->begin_ns / 1e6, cut ? "->" : "  ", number,
	       o->kind == FLASH_ERASE ? "erase" : "program", o->address, o->length, stage_name((enum stage)o->know.stage),
	       region_name(operation_region(o)));
}

static void tell_pages(const struct walk *walk, const struct flash *flash)
{
	const struct operation *o = walk_operation(walk);
	uint32_t page = operation_region(o) == REGION_BANK ? FLASH_PAGE : FLASH_DATA_PAGE, from = o->address;
	enum flash_page_state state = flash_page_state(flash, from);

	for (uint32_t at = o->address + page; at <= o->address + o->length; at += page) {
		enum flash_page_state here = at < o->address + o->length ? flash_page_state(flash, at) : (enum flash_page_state)99;
		if (here == state)
			continue;
		printf("               left: %08X..%08X %s\n", from, at - 1, state_name(state));
		from = at;
		state = here;
	}
}

void replay_cut(struct board *board, const struct walk *walk, const struct cut *cut, const struct flash *flash)
{
	char id[SWEEP_ID_SIZE];
	struct point point = {.count = 1, .cuts = {*cut}};
	uint32_t first = walk->at < AROUND ? 0 : walk->at - AROUND;

	(void)board;
	for (uint32_t i = first; i <= walk->at; i++)
		tell_operation(walk, i, i == walk->at);
	point_format(&point, id, sizeof(id));
	printf("               %s (%s)\n", cut->reset ? "the watchdog resets the CPU" : "the power goes away", id);
	for (unsigned i = 0; i < walk->flying_count; i++)
		printf("               under way on another bank: operation %u\n", walk->flying[i]);
	if (!cut->reset)
		tell_pages(walk, flash);
	for (uint32_t i = walk->at + 1; i < walk->log->count && i <= walk->at + AROUND; i++)
		tell_operation(walk, i, false);
	printf("               (the last ones did not come to pass)\n");
	fflush(stdout);
}

static struct {
	uint32_t first, next, count;
} programs;

void replay_flush(const struct board *board)
{
	if (programs.count > 0)
		board_trace(board, "flash: program %08X..%08X, %u operations", programs.first, programs.next - 1, programs.count);
	programs.count = 0;
}

void replay_operation(const struct board *board, const struct flash_operation *operation)
{
	if (!board->trace)
		return;
	if (operation->kind == FLASH_PROGRAM) {
		if (programs.count > 0 && operation->address != programs.next)
			replay_flush(board);
		if (programs.count == 0)
			programs.first = operation->address;
		programs.next = operation->address + operation->length;
		programs.count++;
		return;
	}
	replay_flush(board);
	board_trace(board, "flash: erase %08X", operation->address);
}
