/* SPDX-License-Identifier: Apache-2.0 */
/* The factory's and a debugger's ways into the flash, and defects. */
#include "flash_private.h"

#include <string.h>

/* ---- the factory ------------------------------------------------------------------------------------------------ */

static void write_page(struct flash *flash, const struct flash_place *p, const uint8_t *data, size_t length)
{
	flash_touch(flash, p->sector);
	memset(flash_cells(p), 0, p->area->page);
	if (length > 0)
		memcpy(flash_cells(p), data, length);
	if (p->area->small)
		memset(flash_under(p), 0, p->area->page);
	*flash_detail_of(p) = (struct flash_detail){0};
	*flash_state(p) = length > 0 ? FLASH_GOOD : FLASH_ERASED;
}

enum flash_status flash_factory_write(struct flash *flash, uint32_t address, const uint8_t *data, size_t length)
{
	struct flash_place p;
	if (!flash_range_mapped(flash, address, length))
		return FLASH_NOWHERE;
	flash_place_at(flash, address, &p);
	if (p.address != address)
		return FLASH_SEQUENCE;
	for (size_t part; length > 0; length -= part) {
		flash_place_at(flash, address, &p);
		part = length < p.area->page ? length : p.area->page;
		write_page(flash, &p, data, part);
		address += p.area->page;
		data += part;
	}
	return FLASH_OK;
}

enum flash_status flash_factory_erase(struct flash *flash, uint32_t address, uint32_t length)
{
	struct flash_place p;
	if (!flash_range_mapped(flash, address, length))
		return FLASH_NOWHERE;
	flash_place_at(flash, address, &p);
	if (p.address != address || length % p.area->page != 0)
		return FLASH_SEQUENCE;
	while (length > 0) {
		flash_place_at(flash, address, &p);
		const uint32_t part = p.page == 0 && length >= p.area->sector ? p.area->sector : p.area->page;
		if (part == p.area->sector) {
			flash_touch(flash, p.sector);
			memset(p.block, 0, p.area->stride);
			flash->table[p.sector].unreliable = 0;
			flash->table[p.sector].seed = 0;
		} else {
			write_page(flash, &p, NULL, 0);
		}
		address += part;
		length -= part < length ? part : length;
	}
	return FLASH_OK;
}

enum flash_page_state flash_page_state(const struct flash *flash, uint32_t address)
{
	struct flash_place p;
	return flash_place_at(flash, address, &p) ? (enum flash_page_state) * flash_state(&p) : FLASH_BAD;
}

uint32_t flash_erases(const struct flash *flash, uint32_t address)
{
	struct flash_place p;
	return flash_place_at(flash, address, &p) ? flash->table[p.sector].erases : 0;
}

uint64_t flash_corrected(const struct flash *flash)
{
	return flash->counters->corrected;
}

/* ---- defects ---------------------------------------------------------------------------------------------------- */

/* Where a defect of this kind lies, of any address it concerns. */
static uint32_t seat(const struct flash *flash, enum flash_defect kind, uint32_t address)
{
	struct flash_place p;
	if (!flash_place_at(flash, address, &p))
		return address;
	if (kind == FLASH_DEFECT_EVER || kind == FLASH_DEFECT_WORN)
		return p.address - p.page * p.area->page;
	if (kind != FLASH_DEFECT_BUSY)
		return p.address;
	return flash->areas[p.area->bank].address; /* DFLASH stands for UCB too */
}

static const struct flash_flaw *find(const struct flash *flash, enum flash_defect kind, uint32_t at)
{
	for (size_t i = 0; i < flash->n_flaws; i++) {
		if (flash->flaws[i].kind == kind && flash->flaws[i].address == at)
			return &flash->flaws[i];
	}
	return NULL;
}

const struct flash_flaw *flash_flaw_find(const struct flash *flash, enum flash_defect kind, uint32_t address)
{
	return flash->n_flaws > 0 ? find(flash, kind, seat(flash, kind, address)) : NULL;
}

bool flash_flaw_take(struct flash *flash, enum flash_defect kind, uint32_t address)
{
	const struct flash_flaw *flaw = flash_flaw_find(flash, kind, address);
	if (!flaw)
		return false;
	flash->flaws[flaw - flash->flaws] = flash->flaws[--flash->n_flaws];
	return true;
}

static void flip(struct flash *flash, const struct flash_place *p, unsigned bit)
{
	flash_touch(flash, p->sector);
	flash_cells(p)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	if (*flash_state(p) == FLASH_ERASED)
		*flash_state(p) = FLASH_GOOD;
}

enum flash_status flash_defect_set(struct flash *flash, enum flash_defect defect, uint32_t address, unsigned bit)
{
	struct flash_place p;
	if (!flash_place_at(flash, address, &p))
		return FLASH_NOWHERE;
	if ((defect == FLASH_DEFECT_STUCK_BIT || defect == FLASH_DEFECT_FLIP) && bit >= p.area->page * 8)
		return FLASH_SEQUENCE;
	if (defect == FLASH_DEFECT_FLIP) {
		flip(flash, &p, bit);
		return FLASH_OK;
	}
	struct flash_flaw *flaw = (struct flash_flaw *)(uintptr_t)flash_flaw_find(flash, defect, address);
	if (!flaw && flash->n_flaws == FLASH_MAX_DEFECTS)
		return FLASH_SEQUENCE;
	if (!flaw)
		flaw = &flash->flaws[flash->n_flaws++];
	*flaw = (struct flash_flaw){.kind = defect, .address = seat(flash, defect, address), .bit = bit};
	return FLASH_OK;
}

void flash_defects_clear(struct flash *flash)
{
	flash->n_flaws = 0;
}
