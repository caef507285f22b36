/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE   64u
#define ENTRY_SIZE    16u
#define BOOT_SIZE     0x4000u
#define SECTOR_SIZE   0x4000u
#define OFFSET_SIZE   12u
#define OFFSET_SERIAL 16u
#define OFFSET_COUNT  52u

const uint32_t setup_password[8] = {0x00112233, 0x44556677, 0x8899AABB, 0xCCDDEEFF, 0x01234567, 0x89ABCDEF, 0xFEDCBA98, 0x76543210};

static uint32_t little_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t image_software_size(const struct image *image)
{
	return little_u32(image->bytes + OFFSET_SIZE);
}

uint32_t image_counter(const struct image *image)
{
	return little_u32(image->bytes + OFFSET_COUNT);
}

const uint8_t *image_digest(const struct image *image)
{
	return image->bytes + HEADER_SIZE + image_software_size(image);
}

const uint8_t *image_version(const struct image *image)
{
	return image->bytes + OFFSET_SERIAL;
}

/* ---- points --------------------------------------------------------------------------------------------------- */

const char *scenario_name(enum scenario scenario)
{
	static const char *const names[] = {"update", "rollback", "confirm", "resume"};

	return names[scenario];
}

static void cut_format(const struct cut *cut, char *buffer, size_t size)
{
	int length = snprintf(buffer, size, "%s%u%c", cut->reset ? "r" : "", cut->operation, "bda"[cut->phase]);

	if (cut->phase == FLASH_DURING && !cut->reset)
		snprintf(buffer + length, size - (size_t)length, "%c%ux%u", cut->erase ? 'E' : 'T', cut->torn, cut->sample);
}

void point_format(const struct point *point, char *buffer, size_t size)
{
	char part[40];
	size_t used = 0;

	if (point->count == 0)
		snprintf(buffer, size, "base");
	for (unsigned i = 0; i < point->count && used < size; i++) {
		cut_format(&point->cuts[i], part, sizeof(part));
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", i > 0 ? "+" : "", part);
	}
}

static bool number_parse(const char **at, uint32_t *ret_value)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	unsigned long value = strtoul(*at, &end, 10);
	if (end - *at > 9)
		return false;
	*at = end;
	*ret_value = (uint32_t)value;
	return true;
}

static bool torn_parse(const char **at, struct cut *cut)
{
	uint32_t torn, sample;

	if (**at != 'T' && **at != 'E')
		return false;
	cut->erase = *(*at)++ == 'E';
	if (!number_parse(at, &torn) || torn > (cut->erase ? FLASH_E3 : FLASH_T4) || *(*at)++ != 'x' || !number_parse(at, &sample))
		return false;
	cut->torn = torn;
	cut->sample = sample;
	return true;
}

static bool cut_parse(const char **at, struct cut *cut)
{
	const char *letter;

	*cut = (struct cut){.reset = **at == 'r'};
	*at += cut->reset;
	if (!number_parse(at, &cut->operation) || **at == '\0')
		return false;
	letter = strchr("bda", **at);
	if (!letter)
		return false;
	(*at)++;
	cut->phase = (enum flash_phase)(letter - strchr("bda", 'b') == 0 ? FLASH_BEFORE : *letter == 'd' ? FLASH_DURING : FLASH_AFTER);
	return cut->phase != FLASH_DURING || cut->reset || torn_parse(at, cut);
}

bool point_parse(const char *text, struct point *ret_point)
{
	struct point point = {0};

	if (strcmp(text, "base") != 0) {
		do {
			if (point.count == SWEEP_MAX_CUTS || !cut_parse(&text, &point.cuts[point.count++]))
				return false;
		} while (*text == '+' && *++text != '\0');
		if (*text != '\0')
			return false;
	}
	*ret_point = point;
	return true;
}

void point_id(const struct setup *setup, const struct point *point, char buffer[SWEEP_ID_SIZE])
{
	static const char *const policies[] = {"orig", "copy", "stop"};
	char cuts[64];

	point_format(point, cuts, sizeof(cuts));
	snprintf(buffer, SWEEP_ID_SIZE, "%s.%s.%uk.s%llu.%c%u.%s.%s.%s", setup->target_name, scenario_name(setup->scenario),
	         image_software_size(&setup->new) / 1024u, (unsigned long long)setup->seed, "ab"[setup->bank], setup -> entry,
	         policies[setup->policy], *setup -> fault ? setup -> fault : "none", cuts);
}

uint64_t cut_seed(const struct setup *setup, const struct cut *cut)
{
	return (setup->seed * 1000003u + cut->operation) * 1000003u + cut->torn * 131u + cut->sample;
}

/* ---- the board -------------------------------------------------------------------------------------------------- */

void setup_geometry(const struct setup *setup, struct flash_geometry *ret_geometry)
{
	uint32_t area = (setup->new.length + SECTOR_SIZE - 1u) / SECTOR_SIZE * SECTOR_SIZE;

	*ret_geometry = flash_sweep;
	snprintf(ret_geometry->name, sizeof(ret_geometry->name), "sweep-%uk", (BOOT_SIZE + area) / 1024u);
	ret_geometry->boot_size = BOOT_SIZE;
	ret_geometry->bank_sector = SECTOR_SIZE;
	ret_geometry->bank_size = BOOT_SIZE + area;
}

/* Entries before the one in use are what a life of updates leaves: confirmed once, then invalidated. */
static void factory_swap_block(const struct setup *setup, struct flash *flash, uint32_t block)
{
	uint8_t first[ENTRY_SIZE], entry[ENTRY_SIZE];

	if (flash_read(flash, block, first, sizeof(first)) != FLASH_OK)
		abort();
	for (unsigned i = 0; i <= setup->entry; i++) {
		memcpy(entry, first, sizeof(entry));
		uint8_t bank = (uint8_t)(setup->bank ^ ((setup->entry - i) & 1u));
		entry[0] = bank ? SSW_MARKER_B : SSW_MARKER_A;
		for (unsigned word = 4; word < ENTRY_SIZE; word += 8) {
			uint32_t own = little_u32(first + word) + i * ENTRY_SIZE;
			memcpy(entry + word, &own, sizeof(own)); /* little-endian, as the only hosts are */
		}
		if (i < setup->entry)
			memset(entry + ENTRY_SIZE / 2, 0xFF, ENTRY_SIZE / 2);
		if (flash_factory_write(flash, block + i * ENTRY_SIZE, entry, sizeof(entry)) != FLASH_OK)
			abort();
	}
}

void setup_factory(const struct setup *setup, struct flash *flash)
{
	const struct flash_geometry *geometry = flash_geometry(flash);
	uint8_t boot[FLASH_BURST];

	memset(boot, 0xB0, sizeof(boot));
	for (unsigned bank = 0; bank < 2; bank++) {
		const struct image *image = bank == setup->bank ? &setup->old : &setup->older;
		uint32_t address = geometry->bank_address[bank];
		if (flash_factory_write(flash, address, boot, sizeof(boot)) != FLASH_OK ||
		    flash_factory_write(flash, address + geometry->boot_size, image->bytes, image->length) != FLASH_OK)
			abort();
	}
	ssw_factory(flash, setup_password);
	if (setup->bank != 0 || setup->entry != 0) {
		factory_swap_block(setup, flash, FLASH_UCB_SWAP_ORIG);
		factory_swap_block(setup, flash, FLASH_UCB_SWAP_COPY);
	}
}

const struct port_model_parameter *setup_parameters(const struct setup *setup)
{
	static char target[8];
	static struct port_model_parameter table[8];
	unsigned count = 0;

	snprintf(target, sizeof(target), "0x%04x", setup->target);
	table[count++] = (struct port_model_parameter){"doip.logical_address", target};
	table[count++] = (struct port_model_parameter){"uds.security_key", SETUP_SECRET};
	table[count++] = (struct port_model_parameter){"flash.password", SETUP_PASSWORD_TEXT};
	table[count++] = (struct port_model_parameter){"ota.trial_boots", "3"};
	if (*setup->fault)
		table[count++] = (struct port_model_parameter){"fault", setup->fault};
	table[count] = (struct port_model_parameter){0};
	return table;
}

const struct port_model_object *setup_objects(const struct setup *setup)
{
	static struct port_model_object table[2];

	table[0] = (struct port_model_object){"ota.key.1", setup->key, setup->key_length};
	return table;
}
