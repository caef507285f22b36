/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_store_entry.h"

#include <string.h>

#define PAGE       PORT_FLASH_DATA_PAGE
#define KIND_FULL  0xF1u
#define KIND_SHORT 0x51u
#define VERSION    1u
#define SMALL      28u /* what both kinds have */

static const uint32_t seals[OTA_ENTRY_SEALS] = {0x5EA1ED01u, 0xC0DED02Eu};

static void put_u32(uint8_t *bytes, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

size_t ota_entry_encode(const struct ota_entry *entry, uint32_t base_crc, uint8_t bytes[OTA_ENTRY_FULL], uint32_t *ret_crc)
{
	const struct ota_record *r = &entry->record;
	const uint8_t first[4] = {entry->full ? KIND_FULL : KIND_SHORT, VERSION, entry->full ? 0 : (uint8_t)entry->base,
	                          entry->full ? 0 : (uint8_t)(entry->base >> 8)};
	const uint8_t states[4] = {r->state, r->candidate, r->trial_boots, r->quarantined};
	size_t length = SMALL;

	memcpy(bytes, first, sizeof(first));
	put_u32(bytes + 4, entry->sequence);
	memcpy(bytes + 8, states, sizeof(states));
	put_u32(bytes + 12, r->security_counter);
	put_u32(bytes + 16, r->bookmark);
	put_u32(bytes + 20, r->boots);
	put_u32(bytes + 24, r->sequence_number);
	if (entry->full) {
		memcpy(bytes + 28, r->digest, sizeof(r->digest));
		memcpy(bytes + 60, r->quarantine, sizeof(r->quarantine));
		memcpy(bytes + 92, r->header, sizeof(r->header));
		length = OTA_ENTRY_FULL - 4;
	}
	*ret_crc = swpg_crc32(entry->full ? 0 : base_crc, bytes, length);
	put_u32(bytes + length, *ret_crc);
	return length + 4;
}

void ota_entry_seal(unsigned which, uint32_t crc, uint8_t page[PORT_FLASH_DATA_PAGE])
{
	put_u32(page, seals[which]);
	put_u32(page + 4, crc ^ seals[which ^ 1u]);
}

static void decode_small(const uint8_t *bytes, struct ota_entry *entry)
{
	struct ota_record *r = &entry->record;

	entry->full = bytes[0] == KIND_FULL;
	entry->base = (uint16_t)(bytes[2] | bytes[3] << 8);
	entry->sequence = get_u32(bytes + 4);
	r->state = bytes[8];
	r->candidate = bytes[9];
	r->trial_boots = bytes[10];
	r->quarantined = bytes[11];
	r->security_counter = get_u32(bytes + 12);
	r->bookmark = get_u32(bytes + 16);
	r->boots = get_u32(bytes + 20);
	r->sequence_number = get_u32(bytes + 24);
}

static bool decode_full(const struct ota_sector *sector, uint32_t page, struct ota_entry *entry)
{
	const uint8_t *bytes = sector->bytes + (size_t)page * PAGE;

	if (page >= sector->pages || sector->pages - page < OTA_ENTRY_FULL / PAGE || bytes[0] != KIND_FULL || bytes[1] != VERSION)
		return false;
	decode_small(bytes, entry);
	memcpy(entry->record.digest, bytes + 28, sizeof(entry->record.digest));
	memcpy(entry->record.quarantine, bytes + 60, sizeof(entry->record.quarantine));
	memcpy(entry->record.header, bytes + 92, sizeof(entry->record.header));
	entry->crc = swpg_crc32(0, bytes, OTA_ENTRY_FULL - 4);
	return entry->crc == get_u32(bytes + OTA_ENTRY_FULL - 4);
}

static bool decode_short(const struct ota_sector *sector, uint32_t page, struct ota_entry *entry)
{
	const uint8_t *bytes = sector->bytes + (size_t)page * PAGE;
	uint32_t base = bytes[2] | (uint32_t)bytes[3] << 8;

	if (sector->pages - page < OTA_ENTRY_SHORT / PAGE || bytes[1] != VERSION || base >= page || !decode_full(sector, base, entry))
		return false;
	decode_small(bytes, entry);
	entry->crc = swpg_crc32(entry->crc, bytes, SMALL);
	return entry->crc == get_u32(bytes + SMALL);
}

bool ota_entry_decode(const struct ota_sector *sector, uint32_t page, struct ota_entry *ret_entry)
{
	struct ota_entry entry;
	bool whole = false;

	if (page >= sector->pages)
		return false;
	if (sector->bytes[(size_t)page * PAGE] == KIND_FULL)
		whole = decode_full(sector, page, &entry);
	else if (sector->bytes[(size_t)page * PAGE] == KIND_SHORT)
		whole = decode_short(sector, page, &entry);
	if (whole)
		*ret_entry = entry;
	return whole;
}

uint32_t ota_entry_pages(const struct ota_entry *entry)
{
	return (entry->full ? OTA_ENTRY_FULL : OTA_ENTRY_SHORT) / PAGE;
}

bool ota_entry_sealed(const struct ota_sector *sector, uint32_t page, const struct ota_entry *entry, unsigned which)
{
	uint32_t at = page + ota_entry_pages(entry) + which;
	uint8_t seal[PAGE];

	ota_entry_seal(which, entry->crc, seal);
	return at < sector->pages && memcmp(sector->bytes + (size_t)at * PAGE, seal, PAGE) == 0;
}
