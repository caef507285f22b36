/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies and hashes that cost what changed. Every change of a sector gives it a version that no other contents in this
 * process ever had, so equal versions are equal contents and need not be looked at.
 */
#include "flash_private.h"

#include <stdatomic.h>
#include <string.h>

static _Atomic uint64_t last_version; /* 0: the factory's contents */

static uint64_t new_version(void)
{
	return atomic_fetch_add_explicit(&last_version, 1, memory_order_relaxed) + 1;
}

void flash_touch(struct flash *flash, uint32_t sector)
{
	flash->version[sector] = new_version();
	flash->hash[sector] = 0;
}

void flash_touch_reads(struct flash *flash, uint32_t sector)
{
	flash->version[sector] = new_version();
}

void flash_touch_all(struct flash *flash)
{
	for (uint32_t i = 0; i < flash->sectors; i++)
		flash_touch(flash, i);
}

static void copy_sector(struct flash *to, const struct flash *from, const struct flash_area *area, uint32_t sector)
{
	if (to->version[sector] != from->version[sector]) {
		memcpy(flash_sector_block(to, area, sector), flash_sector_block(from, area, sector), area->stride);
		to->table[sector] = from->table[sector];
		to->version[sector] = from->version[sector];
		to->hash[sector] = 0;
	}
	if (from->hash[sector] != 0)
		to->hash[sector] = from->hash[sector];
}

void flash_copy(struct flash *to, const struct flash *from)
{
	if (to == from)
		return;
	flash_commands_drop(to);
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		const struct flash_area *area = &from->areas[i];
		for (uint32_t k = area->first; k < area->first + area->sectors; k++)
			copy_sector(to, from, area, k);
	}
	*to->counters = *from->counters;
	for (unsigned i = 0; i < FLASH_BANKS; i++)
		to->commands[i].result = from->commands[i].result;
	to->powered = from->powered;
	to->unlocked = from->unlocked;
	to->locked_out = from->locked_out;
}

/* Seeds count for weak pages only: what is left of them elsewhere means nothing. */
static uint64_t weak_digest(const struct flash_area *area, uint8_t *block, uint64_t digest)
{
	const uint8_t *states = flash_block_states(area, block);
	for (struct flash_place p = {.area = area, .block = block}; p.page < area->pages; p.page++) {
		if (states[p.page] != FLASH_WEAK)
			continue;
		digest = flash_mix(digest ^ flash_detail_of(&p)->seed ^ (uint64_t)p.page << 32);
		if (area->small)
			digest = flash_digest(digest, flash_under(&p), area->page);
	}
	return digest;
}

static uint64_t sector_hash(const struct flash *flash, const struct flash_area *area, uint32_t sector)
{
	uint8_t *block = flash_sector_block(flash, area, sector);
	const struct flash_sector *s = &flash->table[sector];
	uint64_t digest = flash_digest(sector, block, area->sector);
	const uint8_t *states = flash_block_states(area, block);
	digest = flash_digest(digest, states, area->pages);
	if (memchr(states, FLASH_WEAK, area->pages))
		digest = weak_digest(area, block, digest);
	if (s->unreliable)
		digest = flash_mix(digest ^ s->seed);
	return digest ? digest : 1;
}

uint64_t flash_hash(const struct flash *flash)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		const struct flash_area *area = &flash->areas[i];
		for (uint32_t k = area->first; k < area->first + area->sectors; k++) {
			if (flash->hash[k] == 0)
				flash->hash[k] = sector_hash(flash, area, k);
			total += flash->hash[k]; /* each has its sector's number in it */
		}
	}
	return flash_mix(total);
}

static bool weak_equal(const struct flash_area *area, uint8_t *a, uint8_t *b)
{
	struct flash_place pa = {.area = area, .block = a}, pb = {.area = area, .block = b};
	for (; pa.page < area->pages; pa.page++, pb.page++) {
		if (*flash_state(&pa) != FLASH_WEAK)
			continue;
		if (flash_detail_of(&pa)->seed != flash_detail_of(&pb)->seed)
			return false;
		if (area->small && memcmp(flash_under(&pa), flash_under(&pb), area->page) != 0)
			return false;
	}
	return true;
}

static bool sector_equal(const struct flash *a, const struct flash *b, const struct flash_area *area, uint32_t sector)
{
	if (a->version[sector] == b->version[sector])
		return true;
	uint8_t *block_a = flash_sector_block(a, area, sector), *block_b = flash_sector_block(b, area, sector);
	const struct flash_sector *sa = &a->table[sector], *sb = &b->table[sector];
	return sa->unreliable == sb->unreliable && (!sa->unreliable || sa->seed == sb->seed) &&
	       memcmp(block_a, block_b, area->sector) == 0 &&
	       memcmp(flash_block_states(area, block_a), flash_block_states(area, block_b), area->pages) == 0 &&
	       weak_equal(area, block_a, block_b);
}

bool flash_equal(const struct flash *a, const struct flash *b)
{
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		const struct flash_area *area = &a->areas[i];
		for (uint32_t k = area->first; k < area->first + area->sectors; k++) {
			if (!sector_equal(a, b, area, k))
				return false;
		}
	}
	return true;
}
