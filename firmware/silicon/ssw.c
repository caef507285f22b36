/* SPDX-License-Identifier: Apache-2.0 */
#include "ssw.h"

#include <stdio.h>
#include <string.h>

#define INTERNAL_START 0xEu /* BMI: HWCFG 111b, start from internal flash */

static uint32_t word_of(const uint8_t *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void put_word(uint8_t *b, uint32_t word)
{
	for (unsigned i = 0; i < 4; i++)
		b[i] = (uint8_t)(word >> 8 * i);
}

/* A page of a UCB as two words. False: it cannot be read. */
static bool read_page(struct flash *flash, uint32_t address, uint32_t words[2])
{
	uint8_t page[FLASH_DATA_PAGE];
	if (flash_read(flash, address, page, sizeof page) != FLASH_OK)
		return false;
	words[0] = word_of(page);
	words[1] = word_of(page + 4);
	return true;
}

/* ---- the map ---------------------------------------------------------------------------------------------------- */

/* The marker of a valid entry, else 0. */
static uint32_t entry_marker(struct flash *flash, uint32_t address)
{
	uint32_t marker[2], confirmation[2];
	if (!read_page(flash, address, marker) || !read_page(flash, address + FLASH_DATA_PAGE, confirmation))
		return 0;
	if (marker[1] != address || confirmation[0] != SSW_CONFIRMATION || confirmation[1] != address + FLASH_DATA_PAGE)
		return 0;
	return marker[0] == SSW_MARKER_A || marker[0] == SSW_MARKER_B ? marker[0] : 0;
}

static int last_entry(struct flash *flash, uint32_t block, uint32_t *ret_marker)
{
	int last = -1;
	*ret_marker = 0;
	for (unsigned i = 0; i < SSW_SWAP_ENTRIES; i++) {
		const uint32_t marker = entry_marker(flash, block + i * SSW_SWAP_ENTRY_SIZE);
		if (marker == 0)
			continue;
		last = (int)i;
		*ret_marker = marker;
	}
	return last;
}

static bool swap_enabled(struct flash *flash)
{
	uint32_t words[2];
	if (!read_page(flash, SSW_PROCONTP, words) && !read_page(flash, SSW_PROCONTP_COPY, words))
		return false;
	return (words[0] & SSW_SWAPEN_MASK) == SSW_SWAPEN;
}

/* False: stopped by the policy. */
static bool choose_map(struct flash *flash, enum ssw_policy policy, struct ssw_result *result)
{
	uint32_t orig, copy;
	result->orig_entry = last_entry(flash, FLASH_UCB_SWAP_ORIG, &orig);
	result->copy_entry = last_entry(flash, FLASH_UCB_SWAP_COPY, &copy);
	result->contradiction = orig != 0 && copy != 0 && orig != copy;
	result->swap_enabled = swap_enabled(flash);
	if (!result->swap_enabled)
		return true;
	if (result->contradiction && policy == SSW_STOP) {
		snprintf(result->reason, sizeof result->reason, "UCB_SWAP ORIG and COPY contradict each other");
		return false;
	}
	const bool copy_counts = orig == 0 || (result->contradiction && policy == SSW_COPY_WINS);
	result->active = (copy_counts ? copy : orig) == SSW_MARKER_B;
	return true;
}

/* ---- the boot mode header ------------------------------------------------------------------------------------------ */

/* The CRC takes each word with its most significant byte first. */
static uint32_t crc_word(uint32_t crc, uint32_t word)
{
	for (int byte = 3; byte >= 0; byte--) {
		crc ^= word >> 8 * byte & 0xFF;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return crc;
}

uint32_t ssw_header_crc(uint32_t id_word, uint32_t stad)
{
	return ~crc_word(crc_word(UINT32_MAX, id_word), stad);
}

static bool in_a_bank(const struct flash_geometry *g, uint32_t address)
{
	return address - g->bank_address[0] < g->bank_size || address - g->bank_address[1] < g->bank_size;
}

/* "" when the header is valid, else why not. */
static const char *header_problem(struct flash *flash, uint32_t address, uint32_t *ret_start)
{
	uint32_t head[2], crc[2], confirmation[2];
	if (!read_page(flash, address, head) || !read_page(flash, address + SSW_BMHD_CRC, crc) ||
	    !read_page(flash, address + SSW_BMHD_CONFIRMATION, confirmation))
		return "cannot be read";
	if (head[0] >> 16 != SSW_BMHD_ID)
		return "has no BMHDID";
	if (confirmation[0] != SSW_CONFIRMATION)
		return "is not confirmed";
	if (crc[0] != ssw_header_crc(head[0], head[1]) || crc[1] != ~crc[0])
		return "has a wrong CRC";
	if ((head[0] & INTERNAL_START) != INTERNAL_START)
		return "does not start from internal flash";
	if (!in_a_bank(flash_geometry(flash), head[1]) || head[1] % 4 != 0)
		return "has a STAD outside the banks";
	*ret_start = head[1];
	return "";
}

static void choose_header(struct flash *flash, struct ssw_result *result)
{
	const char *first = NULL;
	for (unsigned i = 0; i < 8 && !result->bootable; i++) {
		const uint32_t address = i % 2 ? FLASH_UCB_BMHD_COPY(i / 2) : FLASH_UCB_BMHD_ORIG(i / 2);
		const char *problem = header_problem(flash, address, &result->start);
		result->bootable = problem[0] == '\0';
		result->header = (uint8_t)(i / 2);
		result->header_copy = i % 2;
		if (!first)
			first = problem;
	}
	if (result->bootable)
		return;
	result->header = 0;
	result->header_copy = false;
	snprintf(result->reason, sizeof result->reason, "no boot header: BMHD0 %s", first);
}

void ssw_evaluate(struct flash *flash, enum ssw_policy policy, struct ssw_result *ret_result)
{
	*ret_result = (struct ssw_result){.orig_entry = -1, .copy_entry = -1};
	if (choose_map(flash, policy, ret_result))
		choose_header(flash, ret_result);
}

uint32_t ssw_physical(const struct flash_geometry *geometry, uint8_t active, uint32_t mapped)
{
	for (unsigned i = 0; active && i < 2; i++) {
		const uint32_t offset = mapped - geometry->bank_address[i];
		if (offset < geometry->bank_size)
			return geometry->bank_address[1 - i] + offset;
	}
	return mapped;
}

/* ---- the factory ---------------------------------------------------------------------------------------------------- */

static void write_words(struct flash *flash, uint32_t address, const uint32_t *words, size_t n)
{
	uint8_t bytes[32];
	for (size_t i = 0; i < n; i++)
		put_word(bytes + 4 * i, words[i]);
	flash_factory_write(flash, address, bytes, 4 * n);
}

static void write_header(struct flash *flash, uint32_t ucb, uint32_t stad, const uint32_t password[8])
{
	const uint32_t id_word = (uint32_t)SSW_BMHD_ID << 16 | INTERNAL_START, crc = ssw_header_crc(id_word, stad);
	flash_factory_erase(flash, ucb, flash_geometry(flash)->ucb_size);
	write_words(flash, ucb, (const uint32_t[]){id_word, stad, crc, ~crc}, 4);
	write_words(flash, ucb + SSW_BMHD_PASSWORD, password, 8);
	write_words(flash, ucb + SSW_BMHD_CONFIRMATION, (const uint32_t[]){SSW_CONFIRMATION, 0}, 2);
}

static void write_swap(struct flash *flash, uint32_t ucb)
{
	flash_factory_erase(flash, ucb, flash_geometry(flash)->ucb_size);
	write_words(flash, ucb, (const uint32_t[]){SSW_MARKER_A, ucb, SSW_CONFIRMATION, ucb + FLASH_DATA_PAGE}, 4);
}

void ssw_factory(struct flash *flash, const uint32_t password[8])
{
	const struct flash_geometry *g = flash_geometry(flash);
	write_header(flash, FLASH_UCB_BMHD_ORIG(0), g->bank_address[0], password);
	write_header(flash, FLASH_UCB_BMHD_COPY(0), g->bank_address[0], password);
	write_swap(flash, FLASH_UCB_SWAP_ORIG);
	write_swap(flash, FLASH_UCB_SWAP_COPY);
	write_words(flash, FLASH_PASSWORD, password, 8);
	write_words(flash, FLASH_PASSWORD_COPY, password, 8);
	write_words(flash, SSW_PROCONTP, (const uint32_t[]){SSW_SWAPEN, 0}, 2);
	write_words(flash, SSW_PROCONTP_COPY, (const uint32_t[]){SSW_SWAPEN, 0}, 2);
}
