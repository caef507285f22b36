/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_store.h"

#include "ota_store_command.h"
#include "ota_store_log.h"

#include <string.h>

#define PAGE PORT_FLASH_DATA_PAGE

static struct ota_log store = {.record = {.candidate = OTA_NO_BANK}, .base = OTA_LOG_NO_PAGE};

/* Where an entry is being written; the log is changed when it counts. */
struct place {
	uint32_t sector, page;
};

static bool equal_long(const struct ota_record *a, const struct ota_record *b)
{
	return memcmp(a->digest, b->digest, sizeof(a->digest)) == 0 && memcmp(a->quarantine, b->quarantine, sizeof(a->quarantine)) == 0 &&
	       memcmp(a->header, b->header, sizeof(a->header)) == 0;
}

static bool equal(const struct ota_record *a, const struct ota_record *b)
{
	return a->state == b->state && a->candidate == b->candidate && a->trial_boots == b->trial_boots &&
	       a->quarantined == b->quarantined && a->security_counter == b->security_counter && a->bookmark == b->bookmark &&
	       a->boots == b->boots && a->sequence_number == b->sequence_number && equal_long(a, b);
}

/* Programs pages from *at on, which is moved: behind the last one, or behind the one that failed. */
static enum port_status program(struct place *at, const uint8_t *bytes, size_t length)
{
	enum port_status status = PORT_OK;

	for (size_t done = 0; done < length && status == PORT_OK; done += PAGE, at->page++)
		status = ota_command_program(ota_log_address(at->sector, at->page), bytes + done);
	return status;
}

/* What was programmed without an error may yet be weak, in a sector that is worn. */
static enum port_status steady(uint32_t sector, uint32_t page, const uint8_t *bytes, size_t length)
{
	return ota_command_steady(ota_log_address(sector, page), bytes, length) ? PORT_OK : PORT_FAILED;
}

static void commit(const struct place *at, const struct ota_entry *entry, uint32_t crc)
{
	store.used = store.found = true;
	store.certain = false;
	store.record = entry->record;
	store.sector = at->sector;
	store.next = at->page;
	if (!entry->full)
		return;
	store.base = OTA_LOG_NO_PAGE;
	store.base_crc = crc;
}

static void make_certain(const struct place *at, const struct ota_entry *entry, uint32_t begin)
{
	store.certain = true;
	store.next = at->page;
	if (entry->full)
		store.base = begin;
	if (entry->record.security_counter > store.counters[at->sector])
		store.counters[at->sector] = entry->record.security_counter;
}

/* A seal that failed to verify may yet be read as one some day. */
static void break_seal(uint32_t address)
{
	uint8_t ones[PAGE];

	memset(ones, 0xFF, sizeof(ones));
	(void)ota_command_program(address, ones);
}

static enum port_status write_data(struct place *at, const struct ota_entry *entry, uint32_t *ret_crc)
{
	uint8_t bytes[OTA_ENTRY_FULL];
	uint32_t begin = at->page;
	size_t length = ota_entry_encode(entry, store.base_crc, bytes, ret_crc);
	enum port_status status = program(at, bytes, length);

	return status == PORT_OK ? steady(at->sector, begin, bytes, length) : status;
}

/* One try. PORT_FAILED: a page is no good, *at is behind it. */
static enum port_status write_entry(struct place *at, const struct ota_entry *entry)
{
	uint8_t seals[OTA_ENTRY_SEALS * PAGE];
	uint32_t crc, begin = at->page;
	enum port_status status = write_data(at, entry, &crc);

	if (status != PORT_OK)
		return status;
	ota_entry_seal(0, crc, seals);
	ota_entry_seal(1, crc, seals + PAGE);
	status = program(at, seals, PAGE);
	if (status == PORT_FAILED)
		break_seal(ota_log_address(at->sector, at->page - 1));
	if (status != PORT_OK)
		return status;
	commit(at, entry, crc);
	status = program(at, seals + PAGE, PAGE);
	store.next = at->page;
	if (status == PORT_OK)
		status = steady(at->sector, at->page - OTA_ENTRY_SEALS, seals, sizeof(seals));
	if (status == PORT_OK)
		make_certain(at, entry, begin);
	return status;
}

/* Tries place after place to the end of the sector. PORT_FULL: there is none left. */
static enum port_status write_record(struct place *at, const struct ota_record *record)
{
	for (;;) {
		struct ota_entry entry = {.record = *record};
		bool same = store.found && store.sector == at->sector && store.base != OTA_LOG_NO_PAGE;
		enum port_status status;

		entry.full = !same || !equal_long(record, &store.record);
		entry.base = (uint16_t)(entry.full ? 0 : store.base);
		if (at->page + ota_entry_pages(&entry) + OTA_ENTRY_SEALS > store.pages)
			return PORT_FULL;
		entry.sequence = ++store.sequence;
		status = write_entry(at, &entry);
		if (status != PORT_FAILED)
			return status;
	}
}

/* Erased whatever it looks like, because what reads erased may be so by half; but not as it came from the factory. */
static enum port_status make_blank(uint32_t sector)
{
	bool fresh = store.fresh[sector];

	store.fresh[sector] = false;
	store.counters[sector] = 0;
	return fresh ? PORT_OK : ota_command_erase(ota_log_address(sector, 0));
}

/* Into another sector. */
static enum port_status write_elsewhere(const struct ota_record *record)
{
	uint32_t origin = store.found ? store.sector : store.sectors - 1;
	uint32_t others = store.found ? store.sectors - 1 : store.sectors;

	for (uint32_t i = 1; i <= others; i++) {
		struct place at = {.sector = (origin + i) % store.sectors};
		enum port_status status = make_blank(at.sector);

		if (status == PORT_OK)
			status = write_record(&at, record);
		if (status == PORT_OK || status == PORT_WOULD_BLOCK)
			return status;
	}
	return PORT_FAILED;
}

static enum port_status write_somewhere(const struct ota_record *record)
{
	struct place at = {.sector = store.sector, .page = store.next};
	enum port_status status = PORT_FULL;

	if (store.found) {
		status = write_record(&at, record);
		if (store.next < at.page)
			store.next = at.page;
	}
	return status == PORT_FULL ? write_elsewhere(record) : status;
}

/* The counter has to be in two sectors, so that it survives the loss of one. */
static bool counter_alone(void)
{
	return store.sectors > 1 && store.record.security_counter > ota_log_elsewhere(&store);
}

static enum port_status write_twice(const struct ota_record *record)
{
	const struct ota_record wanted = *record;
	enum port_status status = write_somewhere(&wanted);

	if (status != PORT_OK && !(store.found && equal(&store.record, &wanted)))
		return PORT_FAILED;
	if (status == PORT_OK && counter_alone())
		(void)write_elsewhere(&wanted);
	return PORT_OK;
}

enum port_status ota_store_start(struct ota_record *ret_record)
{
	ota_log_read(&store);
	*ret_record = store.record;
	return store.found || !store.used ? PORT_OK : PORT_FAILED;
}

enum port_status ota_store_settle(void)
{
	if (!store.found && store.sequence == 0)
		return PORT_OK;
	if (!store.certain)
		return write_twice(&store.record);
	if (counter_alone())
		return write_elsewhere(&store.record) == PORT_OK ? PORT_OK : PORT_FAILED;
	return PORT_OK;
}

const struct ota_record *ota_store_get(void)
{
	return &store.record;
}

enum port_status ota_store_put(const struct ota_record *record)
{
	if (store.sectors == 0)
		return PORT_FAILED;
	if (store.found && store.certain && equal(record, &store.record))
		return PORT_OK;
	return write_twice(record);
}
