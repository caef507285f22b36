/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_swap_block.h"

#include "../faults/fault.h"
#include "ota_store_command.h"

#include <string.h>

#define PAGE         PORT_FLASH_DATA_PAGE
#define ENTRY_SIZE   (2 * PAGE)
#define BLOCK_SIZE   (OTA_SWAP_ENTRIES * ENTRY_SIZE)
#define MARKER_A     0x00000055u
#define MARKER_B     0x000000AAu
#define CONFIRMATION 0x57B5327Fu
#define WRONG_COPY   0xAF406E00u /* where a driver that is known to be wrong writes COPY */
#define ERASE_TRIES  2u
#define READS        24u

static uint32_t address_of(enum ota_swap_which which)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();

	return which == OTA_SWAP_COPY ? geometry->swap_copy : geometry->swap_orig;
}

static void words_put(uint8_t page[PAGE], uint32_t low, uint32_t high)
{
	for (unsigned i = 0; i < 4; i++) {
		page[i] = (uint8_t)(low >> 8 * i);
		page[4 + i] = (uint8_t)(high >> 8 * i);
	}
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static bool page_is(const struct ota_swap_page *page, uint32_t low, uint32_t high)
{
	uint8_t bytes[PAGE];

	words_put(bytes, low, high);
	return page->readable && memcmp(page->bytes, bytes, PAGE) == 0;
}

static bool page_blank(const struct ota_swap_page *page)
{
	return page_is(page, 0, 0);
}

static bool page_ones(const struct ota_swap_page *page)
{
	return page_is(page, UINT32_MAX, UINT32_MAX);
}

/* The bank that entry i says, -1 when it is not valid. */
static int8_t entry_bank(const struct ota_swap_block *block, unsigned i)
{
	uint32_t address = address_of(block->which) + i * ENTRY_SIZE;

	if (!page_is(&block->confirmation[i], CONFIRMATION, address + PAGE) && !fault_active(FAULT_OTA_TORN_MARKER))
		return -1;
	if (page_is(&block->marker[i], MARKER_A, address))
		return 0;
	return page_is(&block->marker[i], MARKER_B, address) ? 1 : -1;
}

static bool invalidated(const struct ota_swap_block *block, unsigned i)
{
	return block->marker[i].readable && page_ones(&block->confirmation[i]);
}

static bool entry_blank(const struct ota_swap_block *block, unsigned i)
{
	return page_blank(&block->marker[i]) && page_blank(&block->confirmation[i]);
}

/* While an entry is being written its predecessor that counts is not invalidated yet: if all are, it was whole. */
static bool proven(const struct ota_swap_block *block, int entry)
{
	for (int i = 0; i < entry; i++) {
		if (!page_ones(&block->confirmation[i]))
			return false;
	}
	return entry > 0;
}

static void judge(struct ota_swap_block *block)
{
	block->bank = block->last = -1;
	block->next = 0;
	for (unsigned i = 0; i < OTA_SWAP_ENTRIES; i++) {
		int8_t bank = entry_bank(block, i);

		if (!entry_blank(block, i))
			block->next = (uint8_t)(i + 1);
		if (bank < 0)
			continue;
		block->bank = bank;
		block->last = (int8_t)i;
	}
	block->clean = block->last >= 0;
	block->certain = proven(block, block->last);
	for (int i = 0; i < (int)OTA_SWAP_ENTRIES; i++) {
		bool in_order = invalidated(block, (unsigned)i) || (i > block->last && entry_blank(block, (unsigned)i));

		if (i != block->last && !in_order)
			block->clean = false;
	}
	/* Who trusts markers alone misses neither the confirmation nor the invalidation before it. */
	if (fault_active(FAULT_OTA_TORN_MARKER))
		block->clean = block->certain = block->last >= 0;
}

static void take(struct ota_swap_block *block, const uint8_t *bytes, const uint8_t *bad, bool first)
{
	for (unsigned i = 0; i < 2 * OTA_SWAP_ENTRIES; i++) {
		struct ota_swap_page *page = i % 2 ? &block->confirmation[i / 2] : &block->marker[i / 2];
		bool same = first || memcmp(page->bytes, bytes + (size_t)i * PAGE, PAGE) == 0;

		page->readable = (first || page->readable) && same && !(bad[i / 8] >> i % 8 & 1);
		if (first)
			memcpy(page->bytes, bytes + (size_t)i * PAGE, PAGE);
	}
}

/* A page that does not read the same every time is weak: as good as unreadable. */
void ota_swap_block_read(struct ota_swap_block *block, enum ota_swap_which which)
{
	uint8_t bytes[BLOCK_SIZE], bad[BLOCK_SIZE / PAGE / 8];

	block->which = which;
	for (unsigned i = 0; i < READS; i++) {
		ota_command_read(address_of(which), bytes, sizeof(bytes), bad);
		take(block, bytes, bad, i == 0);
	}
	judge(block);
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static uint32_t written_address(enum ota_swap_which which)
{
	return which == OTA_SWAP_COPY && fault_active(FAULT_OTA_COPY_ADDRESS) ? WRONG_COPY : address_of(which);
}

static enum port_status page_write(const struct ota_swap_block *block, unsigned i, bool confirmation, uint32_t low, uint32_t high)
{
	uint32_t base = written_address(block->which);
	uint8_t bytes[PAGE];
	enum port_status status;

	words_put(bytes, low, high);
	status = ota_command_program(base + i * ENTRY_SIZE + (confirmation ? PAGE : 0), bytes);
	return base == WRONG_COPY ? PORT_OK : status;
}

static enum port_status again(struct ota_swap_block *block, uint8_t bank)
{
	ota_swap_block_read(block, block->which);
	return block->clean && block->certain && block->bank == (int8_t)bank ? PORT_OK : PORT_FULL;
}

/* All ones also heal a page that cannot be read every time. */
static enum port_status invalidate(struct ota_swap_block *block, unsigned i)
{
	enum port_status status = PORT_OK;

	if (!page_ones(&block->confirmation[i]))
		status = page_write(block, i, true, UINT32_MAX, UINT32_MAX);
	if (status != PORT_WOULD_BLOCK && !block->marker[i].readable)
		status = page_write(block, i, false, UINT32_MAX, UINT32_MAX);
	return status;
}

static enum port_status invalidate_before(struct ota_swap_block *block, unsigned entry)
{
	for (unsigned i = entry; i-- > 0;) {
		if (invalidate(block, i) == PORT_WOULD_BLOCK)
			return PORT_WOULD_BLOCK;
	}
	return PORT_OK;
}

/* Before its predecessor goes. */
static enum port_status entry_steady(const struct ota_swap_block *block, unsigned i, uint8_t bank)
{
	uint32_t address = address_of(block->which) + i * ENTRY_SIZE;
	uint8_t bytes[ENTRY_SIZE];

	if (written_address(block->which) == WRONG_COPY)
		return PORT_OK;
	words_put(bytes, bank == 0 ? MARKER_A : MARKER_B, address);
	words_put(bytes + PAGE, CONFIRMATION, address + PAGE);
	return ota_command_steady(address, bytes, sizeof(bytes)) ? PORT_OK : PORT_FAILED;
}

static enum port_status entry_write(struct ota_swap_block *block, unsigned i, uint8_t bank)
{
	uint32_t address = address_of(block->which) + i * ENTRY_SIZE;
	enum port_status status;

	if (fault_active(FAULT_OTA_OLD_FIRST) && invalidate_before(block, i) == PORT_WOULD_BLOCK)
		return PORT_WOULD_BLOCK;
	status = page_write(block, i, false, bank == 0 ? MARKER_A : MARKER_B, address);
	if (status == PORT_OK)
		status = page_write(block, i, true, CONFIRMATION, address + PAGE);
	return status == PORT_OK ? entry_steady(block, i, bank) : status;
}

/* A page that fails is a leftover of a cut that read as erased: the next entry is tried. */
enum port_status ota_swap_block_append(struct ota_swap_block *block, uint8_t bank)
{
	for (unsigned i = block->next; i < OTA_SWAP_ENTRIES; i++) {
		enum port_status status = entry_write(block, i, bank);

		if (status == PORT_FAILED)
			continue;
		if (status == PORT_OK)
			status = invalidate_before(block, i);
		return status == PORT_OK ? again(block, bank) : status;
	}
	ota_swap_block_read(block, block->which);
	return PORT_FULL;
}

/* Torn entries that were begun behind the last valid one, and those before it that were not yet invalidated. */
static enum port_status tidy(struct ota_swap_block *block, uint8_t bank)
{
	enum port_status status = invalidate_before(block, (unsigned)block->last);

	for (unsigned i = (unsigned)block->last + 1; i < block->next && status != PORT_WOULD_BLOCK; i++) {
		if (!invalidated(block, i))
			status = invalidate(block, i);
	}
	return status == PORT_WOULD_BLOCK ? status : again(block, bank);
}

enum port_status ota_swap_block_ensure(struct ota_swap_block *block, uint8_t bank)
{
	if (block->last < 0)
		return PORT_FULL;
	if (block->certain && block->bank == (int8_t)bank) {
		enum port_status status = block->clean ? PORT_OK : tidy(block, bank);

		if (status != PORT_FULL)
			return status;
	}
	return ota_swap_block_append(block, bank);
}

enum port_status ota_swap_block_trim(struct ota_swap_block *block, uint8_t bank)
{
	int last = (int)OTA_SWAP_ENTRIES - 1;

	while (last > 0 && entry_bank(block, (unsigned)last) != (int8_t)bank)
		last--;
	if (!proven(block, last))
		return PORT_FULL;
	for (unsigned i = (unsigned)last + 1; i < OTA_SWAP_ENTRIES; i++) {
		if (!invalidated(block, i) && invalidate(block, i) == PORT_WOULD_BLOCK)
			return PORT_WOULD_BLOCK;
	}
	return again(block, bank);
}

static enum port_status erase(struct ota_swap_block *block)
{
	enum port_status status = PORT_FAILED;

	for (unsigned i = 0; i < OTA_SWAP_ENTRIES; i++) {
		if (entry_bank(block, i) >= 0 && invalidate(block, i) == PORT_WOULD_BLOCK)
			return PORT_WOULD_BLOCK;
	}
	for (unsigned tries = 0; tries < ERASE_TRIES && status == PORT_FAILED; tries++)
		status = ota_command_erase(written_address(block->which));
	ota_swap_block_read(block, block->which);
	return status;
}

enum port_status ota_swap_block_restart(struct ota_swap_block *block, uint8_t bank)
{
	enum port_status status = erase(block);

	if (status != PORT_OK)
		return status;
	status = ota_swap_block_append(block, bank);
	return status == PORT_FULL ? ota_swap_block_append(block, bank) : status;
}
