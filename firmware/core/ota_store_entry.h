/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a record is written in the log. A full entry holds all of it; a short one what changes often, and names the full entry
 * of the same sector that has the rest (its CRC is continued from that one's, so it fits to no other). Pages of 8 bytes:
 *
 *   0 kind, version 1, page of the full entry u16 (short only) · 4 sequence u32 · 8 state, candidate, trial boots, quarantined ·
 *   12 counter · 16 bookmark · 20 boots · 24 sequence number · short: 28 CRC-32 ·
 *   full: 28 digest · 60 quarantine · 92 header · 156 CRC-32
 *
 * Behind it two seals. The first makes it count. The second is programmed when the first is done, so where it is, the first
 * cannot be weak: the entry is certain.
 */
#ifndef FIRMWARE_CORE_OTA_STORE_ENTRY_H
#define FIRMWARE_CORE_OTA_STORE_ENTRY_H

#include "ota_store.h"

#define OTA_ENTRY_SHORT 32u
#define OTA_ENTRY_FULL  160u
#define OTA_ENTRY_SEALS 2u

struct ota_entry {
	bool full;
	uint16_t base; /* of a short one: page number in the sector */
	uint32_t sequence;
	uint32_t crc;
	struct ota_record record;
};

/* Encodes; a short one needs the CRC of its base. Returns the length, *ret_crc is its CRC. */
size_t ota_entry_encode(const struct ota_entry *entry, uint32_t base_crc, uint8_t bytes[OTA_ENTRY_FULL], uint32_t *ret_crc);
void ota_entry_seal(unsigned which, uint32_t crc, uint8_t page[PORT_FLASH_DATA_PAGE]);

/* A sector's content (unreadable pages as 0). */
struct ota_sector {
	const uint8_t *bytes;
	uint32_t pages;
};
/* The entry that begins at a page: false when there is none that is whole. Seals are not looked at. */
bool ota_entry_decode(const struct ota_sector *sector, uint32_t page, struct ota_entry *ret_entry);
uint32_t ota_entry_pages(const struct ota_entry *entry); /* without seals */
/* Whether seal 0 or 1 of the entry is there. */
bool ota_entry_sealed(const struct ota_sector *sector, uint32_t page, const struct ota_entry *entry, unsigned which);

#endif
