/* SPDX-License-Identifier: Apache-2.0 */
/* What a read gives: right data, data that a weak page lost bits of, or an ECC error. */
#include "flash_private.h"

#include <string.h>

enum weak_read { WEAK_RIGHT, WEAK_MISSING, WEAK_ECC };

static uint64_t weak_chance(const struct flash_place *p)
{
	const struct flash_detail *detail = flash_detail_of(p);
	return flash_mix((uint64_t)detail->seed << 32 | detail->reads);
}

/* Half of the reads are right. */
static enum weak_read weak_outcome(const struct flash_place *p)
{
	static const enum weak_read outcomes[] = {WEAK_RIGHT, WEAK_RIGHT, WEAK_MISSING, WEAK_ECC};
	return outcomes[weak_chance(p) % 4];
}

/* One bit of four is lost, those that were there before the weak program are not. */
static void weak_bits(const struct flash_place *p, uint8_t *page)
{
	uint64_t chance = weak_chance(p);
	for (uint32_t i = 0; i < p->area->page; i++) {
		page[i] &= (uint8_t)(flash_random(&chance) | flash_random(&chance));
		if (p->area->small)
			page[i] |= flash_under(p)[i];
	}
}

/* What the cells and the ECC of a page give before defects: FLASH_OK or FLASH_ECC. */
static enum flash_status cells_status(const struct flash_place *p)
{
	switch ((enum flash_page_state) * flash_state(p)) {
	case FLASH_ERASED:
		return p->area->small ? FLASH_OK : FLASH_ECC;
	case FLASH_GOOD:
	case FLASH_TORN:
		return FLASH_OK;
	case FLASH_WEAK:
		return weak_outcome(p) == WEAK_ECC ? FLASH_ECC : FLASH_OK;
	case FLASH_BAD:
		break;
	}
	return FLASH_ECC;
}

/* What a look at the page gives: FLASH_OK or FLASH_ECC. */
static enum flash_status judge(const struct flash *flash, const struct flash_place *p)
{
	const enum flash_status status = cells_status(p);
	if (flash->n_flaws == 0 || status != FLASH_OK)
		return status;
	if (flash_flaw_find(flash, FLASH_DEFECT_DOUBLE_BIT, p->address))
		return FLASH_ECC;
	const struct flash_flaw *stuck = flash_flaw_find(flash, FLASH_DEFECT_STUCK_BIT, p->address);
	const bool wrong = stuck && !(flash_cells(p)[stuck->bit / 8] >> stuck->bit % 8 & 1);
	return wrong ? FLASH_ECC : FLASH_OK;
}

/* The look has happened: a weak page may give something else next time. */
static void count_look(struct flash *flash, const struct flash_place *p)
{
	if (*flash_state(p) == FLASH_WEAK) {
		flash_detail_of(p)->reads++;
		flash_touch_reads(flash, p->sector);
	}
	if (flash->n_flaws > 0 && flash_flaw_find(flash, FLASH_DEFECT_SINGLE_BIT, p->address))
		flash->counters->corrected++;
}

static void copy_part(const struct flash_place *p, uint8_t *out, uint32_t offset, size_t length)
{
	uint8_t page[FLASH_PAGE];
	memcpy(page, flash_cells(p), p->area->page);
	if (*flash_state(p) == FLASH_WEAK && weak_outcome(p) == WEAK_MISSING)
		weak_bits(p, page);
	memcpy(out, page + offset, length);
}

#define EACH UINT64_C(0x0101010101010101)

/* Does every page from the place to the end of the range (in its sector) read what its cells hold? Good ones do, and small ones
 * that are erased. Eight states at a time. */
static bool plain(const struct flash *flash, const struct flash_place *p, uint32_t offset, size_t length)
{
	const uint8_t *states = flash_state(p);
	const size_t pages = (offset + length + p->area->page - 1) / p->area->page;
	const uint8_t wanted = p->area->small ? (uint8_t)~(FLASH_ERASED ^ FLASH_GOOD) : 0xFF; /* the bits that tell */
	uint64_t eight, differing = 0;
	size_t i = 0;
	for (; i + sizeof eight <= pages; i += sizeof eight) {
		memcpy(&eight, states + i, sizeof eight);
		differing |= (eight ^ FLASH_GOOD * EACH) & wanted * EACH;
	}
	for (; i < pages; i++)
		differing |= (states[i] ^ FLASH_GOOD) & wanted;
	return flash->n_flaws == 0 && differing == 0;
}

enum walk { WALK_JUDGE, WALK_COUNT, WALK_COPY };

/* Within a sector, page by page. WALK_JUDGE: how many bytes can be read from the begin. */
static size_t walk_pages(struct flash *flash, enum walk walk, uint32_t address, uint8_t *out, size_t length)
{
	struct flash_place p;
	size_t done = 0;
	flash_place_at(flash, address, &p);
	uint32_t offset = address - p.address;
	if (plain(flash, &p, offset, length)) {
		if (walk == WALK_COPY)
			memcpy(out, flash_cells(&p) + offset, length);
		return length;
	}
	while (done < length) {
		const size_t rest = p.area->page - offset, part = length - done < rest ? length - done : rest;
		if (walk == WALK_JUDGE && judge(flash, &p) != FLASH_OK)
			return done;
		if (walk == WALK_COPY)
			copy_part(&p, out + done, offset, part);
		if (walk != WALK_JUDGE)
			count_look(flash, &p);
		done += part;
		offset = 0;
		p.page++;
		p.address += p.area->page;
	}
	return length;
}

static size_t walk_range(struct flash *flash, enum walk walk, uint32_t address, uint8_t *out, size_t length)
{
	size_t done = 0;
	while (done < length) {
		const uint32_t at = address + (uint32_t)done;
		const struct flash_area *area = flash_area_at(flash, at);
		const uint32_t rest = area->sector - (at - area->address) % area->sector;
		const size_t part = length - done < rest ? length - done : rest;
		const size_t good = walk_pages(flash, walk, at, out ? out + done : NULL, part);
		done += good;
		if (good < part)
			break;
	}
	return done;
}

static bool bank_busy(const struct flash *flash, uint32_t address, size_t length)
{
	const uint64_t end = (uint64_t)address + length;
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		const struct flash_area *a = &flash->areas[i];
		if (flash->commands[a->bank].active && address < (uint64_t)a->address + a->size && end > a->address)
			return true;
	}
	return false;
}

enum flash_status flash_read(struct flash *flash, uint32_t address, uint8_t *buffer, size_t length)
{
	if (!flash_range_mapped(flash, address, length))
		return FLASH_NOWHERE;
	if (bank_busy(flash, address, length))
		return FLASH_BUSY;
	const size_t readable = walk_range(flash, WALK_JUDGE, address, NULL, length);
	if (readable < length) {
		walk_range(flash, WALK_COUNT, address, NULL, readable + 1); /* with the page that failed */
		return FLASH_ECC;
	}
	walk_range(flash, WALK_COPY, address, buffer, length);
	return FLASH_OK;
}

enum flash_status flash_peek(const struct flash *flash, uint32_t address, uint8_t *buffer, size_t length)
{
	struct flash_place p;
	if (!flash_range_mapped(flash, address, length))
		return FLASH_NOWHERE;
	for (size_t done = 0, part; done < length; done += part) {
		flash_place_at(flash, address + (uint32_t)done, &p);
		const uint32_t offset = address + (uint32_t)done - p.address;
		const size_t rest = p.area->sector - (size_t)p.page * p.area->page - offset;
		part = length - done < rest ? length - done : rest;
		memcpy(buffer + done, flash_cells(&p) + offset, part);
	}
	return FLASH_OK;
}
