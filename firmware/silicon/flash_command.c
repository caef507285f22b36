/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, their operations in time, and cuts of the power. */
#include "flash_private.h"

#include <string.h>

/* ---- cuts ------------------------------------------------------------------------------------------------------- */

static void tear_command(struct flash *flash, struct flash_command *c, unsigned torn, uint64_t seed)
{
	c->active = false;
	if (c->kind == FLASH_PROGRAM)
		flash_cells_program(flash, c->address, c->data, c->length, torn > FLASH_T4 ? FLASH_T4 : torn, seed);
	else
		flash_cells_erase(flash, c->address, torn > FLASH_E3 ? FLASH_E3 : torn, seed);
}

static void power_gone(struct flash *flash, unsigned torn, uint64_t seed)
{
	for (unsigned i = 0; i < FLASH_BANKS; i++) {
		if (flash->commands[i].active)
			tear_command(flash, &flash->commands[i], torn, seed);
	}
	flash->powered = flash->unlocked = flash->locked_out = false;
}

/* The handler comes last: it may never return here. */
static void cut(struct flash *flash)
{
	const flash_cut_handler handler = flash->cut_handler;
	void *context = flash->cut_context;
	flash->armed = false;
	power_gone(flash, flash->cut.torn, flash->cut.seed);
	if (handler)
		handler(context);
}

static bool cut_is(const struct flash *flash, enum flash_phase phase, uint64_t operation)
{
	return flash->armed && flash->cut.phase == phase && flash->cut.operation == operation;
}

void flash_arm(struct flash *flash, const struct flash_cut *cut, flash_cut_handler handler, void *context)
{
	flash->armed = cut != NULL;
	if (!cut)
		return;
	flash->cut = *cut;
	flash->cut_handler = handler;
	flash->cut_context = context;
}

void flash_power_off(struct flash *flash, unsigned torn, uint64_t seed, uint64_t now_ns)
{
	flash_poll(flash, now_ns);
	if (flash->powered)
		power_gone(flash, torn, seed);
}

void flash_power_on(struct flash *flash)
{
	if (flash->powered)
		return;
	flash->powered = true;
	for (unsigned i = 0; i < FLASH_BANKS; i++)
		flash->commands[i].result = FLASH_OK;
}

void flash_commands_drop(struct flash *flash)
{
	for (unsigned i = 0; i < FLASH_BANKS; i++)
		flash->commands[i].active = false;
}

/* ---- operations --------------------------------------------------------------------------------------------------- */

static void tell(const struct flash *flash, flash_watch watch, void *context, const struct flash_command *c, enum flash_status status)
{
	const struct flash_operation operation = {.number = c->operation,
	                                          .kind = c->kind,
	                                          .address = c->address,
	                                          .length = c->length,
	                                          .data = c->kind == FLASH_PROGRAM ? c->data : NULL,
	                                          .status = status,
	                                          .begin_ns = c->begin_ns,
	                                          .end_ns = c->end_ns};
	watch(context, &operation);
}

static enum flash_status outlook(const struct flash *flash, const struct flash_command *c)
{
	if (c->endless || cut_is(flash, FLASH_DURING, c->operation))
		return FLASH_BUSY;
	return flash_cells_predict(flash, c);
}

/* False: the power went away instead. */
static bool begin_operation(struct flash *flash, struct flash_command *c, uint64_t now_ns, uint64_t cost_ns)
{
	if (cut_is(flash, FLASH_BEFORE, flash->counters->operations)) {
		cut(flash);
		return false;
	}
	c->active = true;
	c->operation = flash->counters->operations++;
	c->begin_ns = now_ns;
	c->end_ns = c->endless ? FLASH_NEVER : now_ns + cost_ns;
	c->cut_ns = now_ns + cost_ns / 2;
	if (flash->watch)
		tell(flash, flash->watch, flash->watch_context, c, outlook(flash, c));
	return true;
}

static uint64_t further_sector_ns(const struct flash *flash, uint32_t address)
{
	const struct flash_area *area = flash_area_at(flash, address);
	if (!area->small)
		return flash->cost.erase_sector_ns;
	return area == &flash->areas[FLASH_AREA_UCB] ? flash->cost.ucb_erase_ns : flash->cost.data_erase_sector_ns;
}

/* Lets the operation take effect; the next sector of an erase begins at the same moment. */
static void end_operation(struct flash *flash, struct flash_command *c)
{
	enum flash_status status;
	c->active = false;
	if (c->kind == FLASH_PROGRAM)
		status = flash_cells_program(flash, c->address, c->data, c->length, FLASH_WHOLE, 0);
	else
		status = flash_cells_erase(flash, c->address, FLASH_WHOLE, 0);
	if (status != FLASH_OK)
		c->result = status;
	if (flash->watch_end)
		tell(flash, flash->watch_end, flash->watch_end_context, c, status);
	if (cut_is(flash, FLASH_AFTER, c->operation)) {
		cut(flash);
		return;
	}
	if (c->sectors_left == 0)
		return;
	c->sectors_left--;
	c->address += c->length;
	begin_operation(flash, c, c->end_ns, further_sector_ns(flash, c->address));
}

static uint64_t due_ns(const struct flash *flash, const struct flash_command *c)
{
	if (!c->active)
		return FLASH_NEVER;
	return cut_is(flash, FLASH_DURING, c->operation) ? c->cut_ns : c->end_ns;
}

static struct flash_command *next_due(struct flash *flash)
{
	struct flash_command *next = &flash->commands[0];
	for (unsigned i = 1; i < FLASH_BANKS; i++) {
		if (due_ns(flash, &flash->commands[i]) < due_ns(flash, next))
			next = &flash->commands[i];
	}
	return next;
}

uint64_t flash_poll(struct flash *flash, uint64_t now_ns)
{
	for (;;) {
		struct flash_command *c = next_due(flash);
		const uint64_t at_ns = due_ns(flash, c);
		if (at_ns == FLASH_NEVER || at_ns > now_ns)
			return at_ns;
		if (cut_is(flash, FLASH_DURING, c->operation))
			cut(flash);
		else
			end_operation(flash, c);
	}
}

enum flash_status flash_result(const struct flash *flash, uint32_t address)
{
	const struct flash_area *area = flash_area_at(flash, address);
	if (!area)
		return FLASH_NOWHERE;
	const struct flash_command *c = &flash->commands[area->bank];
	return !flash->powered || c->active ? FLASH_BUSY : c->result;
}

uint64_t flash_operations(const struct flash *flash)
{
	return flash->counters->operations;
}

void flash_watch_set(struct flash *flash, flash_watch watch, void *context)
{
	flash->watch = watch;
	flash->watch_context = context;
}

void flash_watch_end_set(struct flash *flash, flash_watch watch, void *context)
{
	flash->watch_end = watch;
	flash->watch_end_context = context;
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static bool is_protected(const struct flash *flash, const struct flash_area *area, uint32_t address)
{
	return address - area->address < area->protected_size || (area == &flash->areas[FLASH_AREA_UCB] && !flash->unlocked);
}

/* What programs and erases have in common. The command is to be filled in when this is FLASH_OK. */
static enum flash_status accept(struct flash *flash, uint32_t address, uint64_t now_ns, struct flash_command **ret_command)
{
	flash_poll(flash, now_ns);
	if (!flash->powered)
		return FLASH_BUSY;
	const struct flash_area *area = flash_area_at(flash, address);
	if (!area)
		return FLASH_PROTECTED;
	*ret_command = &flash->commands[area->bank];
	if ((*ret_command)->active)
		return FLASH_SEQUENCE;
	return is_protected(flash, area, address) ? FLASH_PROTECTED : FLASH_OK;
}

static enum flash_status begin_command(struct flash *flash, struct flash_command *c, uint64_t now_ns, uint64_t cost_ns)
{
	const enum flash_status before = c->result;
	c->result = FLASH_OK;
	c->endless = flash->n_flaws > 0 && flash_flaw_take(flash, FLASH_DEFECT_BUSY, c->address);
	if (begin_operation(flash, c, now_ns, cost_ns))
		return FLASH_OK;
	c->result = before;
	return FLASH_BUSY;
}

enum flash_status flash_program(struct flash *flash, uint32_t address, const uint8_t *data, size_t length, uint64_t now_ns)
{
	struct flash_command *c;
	const enum flash_status status = accept(flash, address, now_ns, &c);
	if (status != FLASH_OK)
		return status;
	const struct flash_area *area = flash_area_at(flash, address);
	const bool burst = !area->small && length == FLASH_BURST;
	if ((length != area->page && !burst) || (address - area->address) % length != 0)
		return FLASH_SEQUENCE;
	c->kind = FLASH_PROGRAM;
	c->address = address;
	c->length = (uint32_t)length;
	c->sectors_left = 0;
	memcpy(c->data, data, length);
	const uint64_t page_ns = area->small ? flash->cost.data_page_ns : flash->cost.page_ns;
	return begin_command(flash, c, now_ns, burst ? flash->cost.burst_ns : page_ns);
}

enum flash_status flash_erase(struct flash *flash, uint32_t address, uint32_t sectors, uint64_t now_ns)
{
	struct flash_command *c;
	const enum flash_status status = accept(flash, address, now_ns, &c);
	if (status != FLASH_OK)
		return status;
	const struct flash_area *area = flash_area_at(flash, address);
	const uint32_t offset = address - area->address;
	if (offset % area->sector != 0 || sectors == 0 || sectors > FLASH_MAX_SECTORS || sectors > (area->size - offset) / area->sector)
		return FLASH_SEQUENCE;
	c->kind = FLASH_ERASE;
	c->address = address;
	c->length = area->sector;
	c->sectors_left = sectors - 1;
	uint64_t cost_ns = flash->cost.erase_ns;
	if (area->small)
		cost_ns = area == &flash->areas[FLASH_AREA_UCB] ? flash->cost.ucb_erase_ns : flash->cost.data_erase_ns;
	return begin_command(flash, c, now_ns, cost_ns);
}
