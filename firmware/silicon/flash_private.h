/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the flash model. All that survives a power off is one image of plain bytes, the same in memory, in a board's
 * file and in a snapshot: counters, a table of sectors, and for each sector a block with its cells and page states.
 * Zero bytes are the factory's state: everything erased.
 */
#ifndef FIRMWARE_SILICON_FLASH_PRIVATE_H
#define FIRMWARE_SILICON_FLASH_PRIVATE_H

#include "flash.h"

#define FLASH_AREAS       4u
#define FLASH_BANKS       3u /* DFLASH and UCB share the last one */
#define FLASH_MAX_DEFECTS 256u

enum { FLASH_AREA_A, FLASH_AREA_B, FLASH_AREA_DATA, FLASH_AREA_UCB };

struct flash_area {
	uint32_t address, size, sector, page; /* bytes */
	uint32_t sectors, first;              /* count, and index of the first one in the tables */
	uint32_t pages;                       /* of a sector */
	uint32_t protected_size;              /* from the begin */
	uint32_t endurance;
	unsigned bank;
	size_t offset, stride; /* of the blocks in the image */
	bool small;            /* pages of DFLASH and UCB: erased reads 0, all ones may be programmed over anything */
};

/* In the image. */
struct flash_counters {
	uint64_t operations, corrected, reserved[6];
};
struct flash_sector {
	uint32_t erases, unreliable;
	uint64_t seed; /* of an unreliable sector */
};
struct flash_detail {
	uint32_t seed, reads; /* of a weak page */
};

/* A page. A block: cells, then (small pages) what surely lies under a weak page, then details, then states. */
struct flash_place {
	const struct flash_area *area;
	uint32_t sector; /* in the tables */
	uint32_t page;   /* in the sector */
	uint32_t address;
	uint8_t *block;
};

struct flash_command {
	bool active, endless;
	enum flash_kind kind;
	uint32_t address, length; /* of the operation under way */
	uint32_t sectors_left;    /* after it */
	uint64_t operation, begin_ns, end_ns, cut_ns;
	enum flash_status result; /* of the last one that ended */
	uint8_t data[FLASH_BURST];
};

struct flash_flaw {
	enum flash_defect kind;
	uint32_t address; /* of the page, the sector or the bank's begin */
	unsigned bit;
};

struct flash {
	struct flash_geometry geometry;
	struct flash_cost cost;
	struct flash_area areas[FLASH_AREAS];
	uint32_t sectors;

	uint8_t *mapping;
	size_t mapping_size;
	int fd; /* -1: in memory */
	uint8_t *image;
	size_t image_size;
	struct flash_counters *counters;
	struct flash_sector *table;

	/* Of each sector: a number that no other contents ever had (0: the factory's), and the hash, 0 when not known. */
	uint64_t *version, *hash;

	struct flash_command commands[FLASH_BANKS];
	bool powered, unlocked, locked_out;

	bool armed;
	struct flash_cut cut;
	flash_cut_handler cut_handler;
	void *cut_context;
	flash_watch watch, watch_end;
	void *watch_context, *watch_end_context;

	struct flash_flaw flaws[FLASH_MAX_DEFECTS];
	size_t n_flaws;
};

/* flash_area.c */
size_t flash_lay_out(struct flash *flash); /* size of the image; 0: the geometry cannot be */
void flash_set_image(struct flash *flash, uint8_t *image);
const struct flash_area *flash_area_at(const struct flash *flash, uint32_t address);
bool flash_range_mapped(const struct flash *flash, uint32_t address, size_t length);
bool flash_place_at(const struct flash *flash, uint32_t address, struct flash_place *ret_place);
uint8_t *flash_sector_block(const struct flash *flash, const struct flash_area *area, uint32_t sector);

static inline uint8_t *flash_cells(const struct flash_place *p)
{
	return p->block + (size_t)p->page * p->area->page;
}
static inline uint8_t *flash_under(const struct flash_place *p)
{
	return flash_cells(p) + p->area->sector;
}
static inline uint8_t *flash_block_details(const struct flash_area *area, uint8_t *block)
{
	return block + (size_t)area->sector * (area->small ? 2 : 1);
}
static inline uint8_t *flash_block_states(const struct flash_area *area, uint8_t *block)
{
	return flash_block_details(area, block) + (size_t)area->pages * sizeof(struct flash_detail);
}
static inline struct flash_detail *flash_detail_of(const struct flash_place *p)
{
	return (struct flash_detail *)(void *)flash_block_details(p->area, p->block) + p->page;
}
static inline uint8_t *flash_state(const struct flash_place *p)
{
	return flash_block_states(p->area, p->block) + p->page;
}

/* flash_cell.c: what programs and erases do to the cells. torn: a class, or FLASH_WHOLE. */
#define FLASH_WHOLE UINT32_MAX
enum flash_status flash_cells_program(struct flash *flash, uint32_t address, const uint8_t *data, uint32_t length, unsigned torn,
                                      uint64_t seed);
enum flash_status flash_cells_erase(struct flash *flash, uint32_t address, unsigned torn, uint64_t seed);
enum flash_status flash_cells_predict(const struct flash *flash, const struct flash_command *command);

/* flash_defect.c */
const struct flash_flaw *flash_flaw_find(const struct flash *flash, enum flash_defect kind, uint32_t address);
bool flash_flaw_take(struct flash *flash, enum flash_defect kind, uint32_t address);

/* flash_command.c */
void flash_commands_drop(struct flash *flash);

/* flash_snapshot.c */
void flash_touch(struct flash *flash, uint32_t sector);       /* contents changed */
void flash_touch_reads(struct flash *flash, uint32_t sector); /* only a read counter did */
void flash_touch_all(struct flash *flash);

/* flash_random.c: no state but what is given. */
uint64_t flash_mix(uint64_t value);
uint64_t flash_random(uint64_t *state);
uint64_t flash_digest(uint64_t seed, const void *bytes, size_t length);

/* flash_file.c */
void flash_file_close(struct flash *flash);

/* flash.c */
struct flash *flash_prepare(const struct flash_geometry *geometry, const struct flash_cost *cost);

#endif
