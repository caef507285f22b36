/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are: geometries, areas, and the place of a page in the image. */
#include "flash_private.h"

/* TC37x. Addresses, sizes and the sector of 16 KiB: user manual. Endurance: 1,000 cycles of PFLASH is the data sheet's;
 * 100 of a UCB and 125,000 of DFLASH are from memory. */
const struct flash_geometry flash_tc375 = {
        .name = "tc375",
        .bank_address = {0xA0000000u, 0xA0300000u},
        .bank_size = 0x300000u,
        .bank_sector = 0x4000u,
        .boot_size = 0x80000u,
        .data_address = 0xAF000000u,
        .data_size = 0x40000u,
        .data_sector = 0x1000u,
        .ucb_address = 0xAF400000u,
        .ucb_count = 48,
        .ucb_size = 0x200u,
        .bank_endurance = 1000,
        .data_endurance = 125000,
        .ucb_endurance = 100,
};

/* The same chip with less of it: what a sweep copies some hundred thousand times. */
const struct flash_geometry flash_sweep = {
        .name = "sweep",
        .bank_address = {0xA0000000u, 0xA0300000u},
        .bank_size = 0x50000u,
        .bank_sector = 0x4000u,
        .boot_size = 0x4000u,
        .data_address = 0xAF000000u,
        .data_size = 0x8000u,
        .data_sector = 0x1000u,
        .ucb_address = 0xAF400000u,
        .ucb_count = 48,
        .ucb_size = 0x200u,
        .bank_endurance = 1000,
        .data_endurance = 125000,
        .ucb_endurance = 100,
};

static bool area_possible(const struct flash_area *a)
{
	return a->sector >= FLASH_BURST && a->sector % FLASH_BURST == 0 && a->size > 0 && a->size % a->sector == 0 &&
	       a->address % FLASH_BURST == 0 && (uint64_t)a->address + a->size <= UINT32_MAX && a->protected_size <= a->size;
}

static bool areas_apart(const struct flash *flash)
{
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		for (unsigned k = i + 1; k < FLASH_AREAS; k++) {
			const struct flash_area *a = &flash->areas[i], *b = &flash->areas[k];
			if (a->address < b->address + b->size && b->address < a->address + a->size)
				return false;
		}
	}
	return true;
}

static void describe(struct flash *flash)
{
	const struct flash_geometry *g = &flash->geometry;
	for (unsigned i = 0; i < 2; i++) {
		flash->areas[i] = (struct flash_area){.address = g->bank_address[i],
		                                      .size = g->bank_size,
		                                      .sector = g->bank_sector,
		                                      .page = FLASH_PAGE,
		                                      .protected_size = g->boot_size,
		                                      .endurance = g->bank_endurance,
		                                      .bank = i};
	}
	flash->areas[FLASH_AREA_DATA] = (struct flash_area){.address = g->data_address,
	                                                    .size = g->data_size,
	                                                    .sector = g->data_sector,
	                                                    .page = FLASH_DATA_PAGE,
	                                                    .endurance = g->data_endurance,
	                                                    .bank = 2,
	                                                    .small = true};
	flash->areas[FLASH_AREA_UCB] = (struct flash_area){.address = g->ucb_address,
	                                                   .size = g->ucb_count * g->ucb_size,
	                                                   .sector = g->ucb_size,
	                                                   .page = FLASH_DATA_PAGE,
	                                                   .endurance = g->ucb_endurance,
	                                                   .bank = 2,
	                                                   .small = true};
}

static size_t round_up(size_t value, size_t unit)
{
	return (value + unit - 1) / unit * unit;
}

size_t flash_lay_out(struct flash *flash)
{
	describe(flash);
	flash->sectors = 0;
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		struct flash_area *a = &flash->areas[i];
		if (!area_possible(a))
			return 0;
		a->sectors = a->size / a->sector;
		a->pages = a->sector / a->page;
		a->first = flash->sectors;
		a->stride = (size_t)a->sector * (a->small ? 2 : 1) + (size_t)a->pages * (sizeof(struct flash_detail) + 1);
		a->stride = round_up(a->stride, 64);
		flash->sectors += a->sectors;
	}
	size_t offset = round_up(sizeof(struct flash_counters) + flash->sectors * sizeof(struct flash_sector), 4096);
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		flash->areas[i].offset = offset;
		offset += flash->areas[i].stride * flash->areas[i].sectors;
	}
	flash->image_size = round_up(offset, 4096);
	return areas_apart(flash) ? flash->image_size : 0;
}

void flash_set_image(struct flash *flash, uint8_t *image)
{
	flash->image = image;
	flash->counters = (struct flash_counters *)(void *)image;
	flash->table = (struct flash_sector *)(void *)(image + sizeof(struct flash_counters));
}

const struct flash_area *flash_area_at(const struct flash *flash, uint32_t address)
{
	for (unsigned i = 0; i < FLASH_AREAS; i++) {
		if (address - flash->areas[i].address < flash->areas[i].size)
			return &flash->areas[i];
	}
	return NULL;
}

bool flash_range_mapped(const struct flash *flash, uint32_t address, size_t length)
{
	while (length > 0) {
		const struct flash_area *area = flash_area_at(flash, address);
		if (!area)
			return false;
		const size_t rest = area->size - (address - area->address);
		if (length <= rest)
			return true;
		length -= rest;
		address += (uint32_t)rest;
	}
	return flash_area_at(flash, address) != NULL;
}

uint8_t *flash_sector_block(const struct flash *flash, const struct flash_area *area, uint32_t sector)
{
	return flash->image + area->offset + (sector - area->first) * area->stride;
}

bool flash_place_at(const struct flash *flash, uint32_t address, struct flash_place *ret_place)
{
	const struct flash_area *area = flash_area_at(flash, address);
	if (!area)
		return false;
	const uint32_t offset = address - area->address;
	ret_place->area = area;
	ret_place->sector = area->first + offset / area->sector;
	ret_place->page = offset % area->sector / area->page;
	ret_place->address = address - offset % area->page;
	ret_place->block = flash_sector_block(flash, area, ret_place->sector);
	return true;
}
