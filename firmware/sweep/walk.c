/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include <stdlib.h>

#define END_OF_TIME (FLASH_NEVER - 1u)

static const struct operation *get(const struct walk *walk, uint32_t number)
{
	return &walk->log->operations[number];
}

const struct operation *walk_operation(const struct walk *walk)
{
	return get(walk, walk->at);
}

static void issue(const struct walk *walk, uint32_t number, struct flash *flash)
{
	const struct operation *operation = get(walk, number);

	(void)flash_unlock(flash, setup_password);
	if (operation->kind == FLASH_PROGRAM)
		(void)flash_program(flash, operation->address, walk->log->data + operation->data, operation->length, operation->begin_ns);
	else
		(void)flash_erase(flash, operation->address, 1, operation->begin_ns);
	flash_lock(flash);
}

/* Nothing else is under way on this flash, so its end may be had at once. */
static void apply(const struct walk *walk, uint32_t number, struct flash *flash)
{
	issue(walk, number, flash);
	(void)flash_poll(flash, END_OF_TIME);
}

void walk_begin(struct walk *walk, const struct setup *setup, const struct oplog *log, struct flash *base)
{
	*walk = (struct walk){.setup = setup, .log = log, .base = base};
}

static void land(struct walk *walk, uint64_t now_ns)
{
	unsigned left = 0;

	for (unsigned i = 0; i < walk->flying_count; i++) {
		if (get(walk, walk->flying[i])->end_ns <= now_ns)
			apply(walk, walk->flying[i], walk->base);
		else
			walk->flying[left++] = walk->flying[i];
	}
	walk->flying_count = left;
}

void walk_to(struct walk *walk, uint32_t at)
{
	while (walk->at < at) {
		if (walk->flying_count == BOARD_MAX_PENDING)
			abort(); /* there are three banks */
		walk->flying[walk->flying_count++] = walk->at++;
		land(walk, get(walk, walk->at)->begin_ns);
	}
}

static void fly(const struct walk *walk, struct flash *flash)
{
	for (unsigned i = 0; i < walk->flying_count; i++)
		issue(walk, walk->flying[i], flash);
}

void walk_cut(const struct walk *walk, const struct cut *cut, struct flash *flash)
{
	struct flash_cut armed = {.phase = cut->phase, .torn = cut->torn, .seed = cut_seed(walk->setup, cut)};

	flash_copy(flash, walk->base);
	fly(walk, flash);
	armed.operation = flash_operations(flash);
	flash_arm(flash, &armed, NULL, NULL);
	issue(walk, walk->at, flash);
	(void)flash_poll(flash, END_OF_TIME);
	flash_arm(flash, NULL, NULL, NULL);
	flash_power_on(flash);
}

void walk_whole(const struct walk *walk, struct flash *flash)
{
	flash_copy(flash, walk->base);
	apply(walk, walk->at, flash);
}

void walk_reset(const struct walk *walk, const struct cut *cut, struct flash *flash)
{
	flash_copy(flash, walk->base);
	if (cut->phase == FLASH_AFTER)
		apply(walk, walk->at, flash);
}

void walk_pending(const struct walk *walk, const struct cut *cut, struct board *board)
{
	const struct operation *operation = walk_operation(walk);

	board->pending_log = walk->log;
	board->pending_count = 0;
	for (unsigned i = 0; i < walk->flying_count; i++)
		board->pending[board->pending_count++] = get(walk, walk->flying[i]);
	if (cut->phase == FLASH_DURING && board->pending_count < BOARD_MAX_PENDING)
		board->pending[board->pending_count++] = operation;
	board->active = operation->active;
	board->now_ns = operation->begin_ns;
	if (cut->phase == FLASH_DURING)
		board->now_ns += (operation->end_ns - operation->begin_ns) / 2;
	else if (cut->phase == FLASH_AFTER)
		board->now_ns = operation->end_ns;
}
