/* SPDX-License-Identifier: Apache-2.0 */
/* What whole and torn programs and erases leave in the cells. */
#include "flash_private.h"

#include <string.h>

#define WORN_WEAK 4u /* one page of so many is weak in a sector past its endurance */

static bool all_ones(const uint8_t *data, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) {
		if (data[i] != 0xFF)
			return false;
	}
	return true;
}

static void make_weak(const struct flash_place *p, uint64_t seed)
{
	*flash_state(p) = FLASH_WEAK;
	*flash_detail_of(p) = (struct flash_detail){.seed = (uint32_t)flash_mix(seed ^ (uint64_t)p->address << 32)};
}

/* Is what is programmed here weak although nothing was cut? */
static bool ground_is_bad(const struct flash *flash, const struct flash_place *p, uint64_t *ret_seed)
{
	const struct flash_sector *sector = &flash->table[p->sector];
	*ret_seed = (uint64_t)sector->erases << 32 ^ p->address;
	if (sector->unreliable) {
		*ret_seed = sector->seed;
		return true;
	}
	if (flash->n_flaws > 0 && flash_flaw_find(flash, FLASH_DEFECT_WORN, p->address))
		return true;
	return sector->erases > p->area->endurance && flash_mix(*ret_seed) % WORN_WEAK == 0;
}

/* May this be programmed over what is there? */
static bool allowed_over(const struct flash_place *p, const uint8_t *data)
{
	return *flash_state(p) == FLASH_ERASED || (p->area->small && all_ones(data, p->area->page));
}

static void merge(const struct flash_place *p, const uint8_t *data)
{
	uint8_t *cells = flash_cells(p);
	if (*flash_state(p) == FLASH_ERASED) {
		memcpy(cells, data, p->area->page);
		return;
	}
	for (uint32_t i = 0; i < p->area->page; i++)
		cells[i] |= data[i];
}

/* Bits that were there before stay there, however weak the new ones are. */
static void remember_under(const struct flash_place *p)
{
	if (p->area->small && *flash_state(p) != FLASH_WEAK)
		memcpy(flash_under(p), flash_cells(p), p->area->page);
}

static enum flash_status program_page(struct flash *flash, const struct flash_place *p, const uint8_t *data)
{
	const bool allowed = allowed_over(p, data);
	uint64_t seed;
	remember_under(p);
	merge(p, data);
	*flash_state(p) = allowed ? FLASH_GOOD : FLASH_BAD;
	if (flash->n_flaws > 0 && flash_flaw_find(flash, FLASH_DEFECT_PVER, p->address))
		*flash_state(p) = FLASH_BAD;
	if (*flash_state(p) == FLASH_BAD)
		return FLASH_VERIFY;
	if (ground_is_bad(flash, p, &seed))
		make_weak(p, seed);
	return FLASH_OK;
}

/* T1, T2 and T4 choose what of the data arrives. */
static void tear_data(uint8_t *part, const uint8_t *data, uint32_t length, unsigned torn, uint64_t seed)
{
	uint64_t state = seed;
	const uint32_t prefix = 1 + (uint32_t)(flash_random(&state) % (length - 1));
	for (uint32_t i = 0; i < length; i++) {
		if (torn == FLASH_T1)
			part[i] = i < prefix ? data[i] : 0;
		else if (torn == FLASH_T2)
			part[i] = data[i] & (uint8_t)flash_random(&state);
		else
			part[i] = torn == FLASH_T4 ? (uint8_t)flash_random(&state) : data[i];
	}
}

static void tear_page(const struct flash_place *p, const uint8_t *data, unsigned torn, uint64_t seed)
{
	static const uint8_t left[] = {[FLASH_T1] = FLASH_TORN, [FLASH_T2] = FLASH_TORN, [FLASH_T3] = FLASH_WEAK, [FLASH_T4] = FLASH_BAD};
	uint8_t part[FLASH_PAGE];
	if (torn == FLASH_T0)
		return;
	if (torn > FLASH_T4)
		torn = FLASH_T4;
	const bool allowed = allowed_over(p, data);
	seed = flash_mix(seed ^ p->address);
	tear_data(part, data, p->area->page, torn, seed);
	remember_under(p);
	merge(p, part);
	*flash_state(p) = allowed ? left[torn] : FLASH_BAD;
	if (*flash_state(p) == FLASH_WEAK)
		make_weak(p, seed);
}

enum flash_status flash_cells_program(struct flash *flash, uint32_t address, const uint8_t *data, uint32_t length, unsigned torn,
                                      uint64_t seed)
{
	enum flash_status status = FLASH_OK;
	struct flash_place p;
	if (!flash_place_at(flash, address, &p))
		return FLASH_NOWHERE;
	const uint32_t pages = length / p.area->page;
	const uint32_t point = torn == FLASH_WHOLE ? pages : (uint32_t)(flash_mix(seed) % pages);
	flash_touch(flash, p.sector); /* a burst does not leave its sector */
	for (uint32_t i = 0; i < pages && i <= point; i++) {
		if (i == point)
			tear_page(&p, data, torn, seed);
		else if (program_page(flash, &p, data) != FLASH_OK)
			status = FLASH_VERIFY;
		p.page++;
		p.address += p.area->page;
		data += p.area->page;
	}
	return status;
}

static void clear_sector(struct flash *flash, const struct flash_place *p)
{
	memset(p->block, 0, p->area->stride);
	flash->table[p->sector].unreliable = 0;
	flash->table[p->sector].seed = 0;
}

/* E1: bits of every page fall, ECC happens to fit: the worst that software can meet. */
static void clear_some(const struct flash_place *sector, uint64_t seed)
{
	for (struct flash_place p = *sector; p.page < p.area->pages; p.page++) {
		uint8_t *cells = flash_cells(&p);
		if (*flash_state(&p) == FLASH_ERASED)
			continue;
		for (uint32_t i = 0; i < p.area->page; i++)
			cells[i] &= (uint8_t)flash_random(&seed);
		if (*flash_state(&p) != FLASH_BAD)
			*flash_state(&p) = FLASH_TORN;
	}
}

static void make_garbage(const struct flash_place *sector, uint64_t seed)
{
	for (struct flash_place p = *sector; p.page < p.area->pages; p.page++) {
		uint8_t *cells = flash_cells(&p);
		for (uint32_t i = 0; i < p.area->page; i++)
			cells[i] = (uint8_t)flash_random(&seed);
		*flash_state(&p) = FLASH_BAD;
	}
}

static void tear_sector(struct flash *flash, const struct flash_place *p, unsigned torn, uint64_t seed)
{
	seed = flash_mix(seed ^ p->address);
	if (torn == FLASH_E1) {
		clear_some(p, seed);
	} else if (torn == FLASH_E2) {
		clear_sector(flash, p);
		flash->table[p->sector].unreliable = 1;
		flash->table[p->sector].seed = seed;
	} else {
		make_garbage(p, seed);
	}
}

enum flash_status flash_cells_erase(struct flash *flash, uint32_t address, unsigned torn, uint64_t seed)
{
	struct flash_place p;
	if (!flash_place_at(flash, address, &p))
		return FLASH_NOWHERE;
	if (torn == FLASH_E0)
		return FLASH_OK;
	flash_touch(flash, p.sector);
	flash->table[p.sector].erases++;
	if (torn != FLASH_WHOLE) {
		tear_sector(flash, &p, torn, seed);
		return FLASH_OK;
	}
	if (flash->n_flaws > 0 && flash_flaw_find(flash, FLASH_DEFECT_EVER, address)) {
		clear_some(&p, flash_mix((uint64_t)flash->table[p.sector].erases << 32 ^ address));
		return FLASH_VERIFY;
	}
	clear_sector(flash, &p);
	return FLASH_OK;
}

enum flash_status flash_cells_predict(const struct flash *flash, const struct flash_command *command)
{
	struct flash_place p;
	if (!flash_place_at(flash, command->address, &p))
		return FLASH_NOWHERE;
	if (command->kind == FLASH_ERASE)
		return flash_flaw_find(flash, FLASH_DEFECT_EVER, command->address) ? FLASH_VERIFY : FLASH_OK;
	for (uint32_t at = 0; at < command->length; at += p.area->page) {
		if (!allowed_over(&p, command->data + at) || flash_flaw_find(flash, FLASH_DEFECT_PVER, p.address))
			return FLASH_VERIFY;
		p.page++;
		p.address += p.area->page;
	}
	return FLASH_OK;
}
