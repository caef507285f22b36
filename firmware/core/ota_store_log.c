/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_store_log.h"

#include "ota_store_command.h"

#include <string.h>

#define PAGE      PORT_FLASH_DATA_PAGE
#define MAX_PAGES (OTA_LOG_SECTOR_SIZE / PAGE)

static uint8_t content[OTA_LOG_SECTOR_SIZE], bad[MAX_PAGES / 8];

static bool blank(uint32_t page)
{
	return !(bad[page / 8] >> page % 8 & 1) && ota_command_is(content + (size_t)page * PAGE, PAGE, 0);
}

/* Short entries stand on a full one; the next of them may stand on it too, if that is certain. */
static void take_base(struct ota_log *log, const struct ota_sector *sector, uint32_t page, const struct ota_entry *entry)
{
	uint32_t at = entry->full ? page : entry->base;
	struct ota_entry full;

	log->base = OTA_LOG_NO_PAGE;
	if (!ota_entry_decode(sector, at, &full) || !full.full || !ota_entry_sealed(sector, at, &full, 1))
		return;
	log->base = at;
	log->base_crc = full.crc;
}

static void take_entry(struct ota_log *log, const struct ota_sector *sector, uint32_t number, uint32_t page, const struct ota_entry *entry)
{
	bool counts = ota_entry_sealed(sector, page, entry, 0);
	bool certain = counts && ota_entry_sealed(sector, page, entry, 1);
	bool newest = !log->found || entry->sequence > log->record_sequence;

	if (entry->sequence > log->sequence)
		log->sequence = entry->sequence;
	if (certain && entry->record.security_counter > log->counters[number])
		log->counters[number] = entry->record.security_counter;
	if (!counts || !newest)
		return;
	log->found = true;
	log->certain = certain;
	log->record = entry->record;
	log->record_sequence = entry->sequence;
	log->sector = number;
	take_base(log, sector, page, entry);
}

/* Every page may begin an entry: what was torn has no length that could be trusted. */
static void read_sector(struct ota_log *log, uint32_t number)
{
	const struct ota_sector sector = {.bytes = content, .pages = log->pages};
	uint32_t next = 0;

	ota_command_read(ota_log_address(number, 0), content, (size_t)log->pages * PAGE, bad);
	for (uint32_t page = 0; page < log->pages; page++) {
		if (!blank(page))
			next = page + 1;
	}
	log->used = log->used || next > 0;
	for (uint32_t page = 0; page < next;) {
		struct ota_entry entry;

		if (!ota_entry_decode(&sector, page, &entry)) {
			page++;
			continue;
		}
		take_entry(log, &sector, number, page, &entry);
		page += ota_entry_pages(&entry);
	}
	if (log->found && log->sector == number)
		log->next = next;
}

static void factory(struct ota_log *log)
{
	memset(log, 0, sizeof(*log));
	log->record.candidate = OTA_NO_BANK;
	log->base = OTA_LOG_NO_PAGE;
}

void ota_log_read(struct ota_log *log)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();

	factory(log);
	if (geometry == NULL)
		return;
	log->sectors = geometry->data_size / geometry->data_sector_size;
	if (log->sectors > OTA_LOG_SECTORS)
		log->sectors = OTA_LOG_SECTORS;
	log->pages = geometry->data_sector_size / PAGE < MAX_PAGES ? geometry->data_sector_size / PAGE : MAX_PAGES;
	for (uint32_t number = 0; number < log->sectors; number++)
		read_sector(log, number);
	/* Only an erase of ours could have been cut, and none precedes the first entry. */
	for (uint32_t number = 0; number < log->sectors; number++)
		log->fresh[number] = !log->used;
	/* A newer entry that lacks nothing but its seal may have a weak one, which is read the next time. */
	if (log->sequence > log->record_sequence)
		log->certain = false;
	/* The entry in force may be an older one, because the newest cannot be read any more: its counter must not fall with it. */
	for (uint32_t number = 0; log->found && number < log->sectors; number++) {
		if (log->counters[number] <= log->record.security_counter)
			continue;
		log->record.security_counter = log->counters[number];
		log->certain = false;
	}
}

uint32_t ota_log_address(uint32_t sector, uint32_t page)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();

	return geometry->data + sector * geometry->data_sector_size + page * PAGE;
}

uint32_t ota_log_elsewhere(const struct ota_log *log)
{
	uint32_t highest = 0;

	for (uint32_t number = 0; number < log->sectors; number++) {
		if (number != log->sector && log->counters[number] > highest)
			highest = log->counters[number];
	}
	return highest;
}
