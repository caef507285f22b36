/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transfer: blocks go into a buffer of three, from there (inflated, if need be) into bursts. A block is answered once the next
 * one would find room, so that the tester sends it while the flash works. What goes wrong after the answer is told with
 * the next request.
 */
#include "ota_update_private.h"

#include "../faults/fault.h"
#include "ota_inflate.h"

#include <string.h>

#define BUFFER_SIZE       (3u * 4096u)
#define MAX_BLOCK_MESSAGE (OTA_MAX_BLOCK + 2u) /* with SID and counter */
#define BOOKMARK_SECTORS  4u                   /* at least, between two bookmarks */
#define BOOKMARKS         16u                  /* of a download at most: each is a record, and time that the flash does not program */
#define FORMAT_PLAIN      0x00u
#define FORMAT_GZIP       0x10u

_Static_assert(BUFFER_SIZE >= 2 * OTA_MAX_BLOCK + PORT_FLASH_BURST, "one block waits while another is being programmed");

static struct {
	bool active;
	bool gzip;
	uint8_t failed;      /* NRC that the next request is told */
	uint32_t end;        /* of the package as it travels */
	uint32_t received;   /* bytes of the package, those before a resume included */
	uint32_t consumed;   /* likewise, taken out of the buffer */
	uint32_t inflated;   /* bytes of software */
	bool stream_ended;   /* the gzip stream did, as it should */
	uint32_t crc;        /* of what came since 34 */
	uint32_t head, used; /* of the buffer */
	uint8_t data[BUFFER_SIZE];
} transfer;

bool ota_update_transferring(void)
{
	return transfer.active;
}

void ota_update_transfer_stop(void)
{
	transfer.active = false;
}

/* ---- begin -------------------------------------------------------------------------------------------------------- */

static uint32_t sectors_of(uint32_t length)
{
	return (length + ota.flash->sector_size - 1) / ota.flash->sector_size;
}

static uint32_t bookmark_step(void)
{
	uint32_t step = (sectors_of(ota_update_bank_length(&ota.offer.header)) + BOOKMARKS - 1) / BOOKMARKS;

	return (step < BOOKMARK_SECTORS ? BOOKMARK_SECTORS : step) * ota.flash->sector_size;
}

/* Nothing was written past the next bookmark, so all that a cut can have touched lies before it. */
uint32_t ota_update_unsure_sectors(uint32_t bookmark)
{
	uint32_t left = sectors_of(ota_update_bank_length(&ota.offer.header)) - bookmark / ota.flash->sector_size;
	uint32_t step = bookmark_step() / ota.flash->sector_size;

	return left < step ? left : step;
}

static void start(uint32_t offset, bool trust)
{
	transfer.active = true;
	transfer.gzip = ota.offer.header.compression == SWPG_GZIP;
	transfer.failed = OTA_DONE;
	transfer.end = ota_update_travel_length(&ota.offer.header);
	transfer.received = transfer.consumed = offset;
	transfer.inflated = 0;
	transfer.stream_ended = false;
	transfer.crc = 0;
	transfer.head = transfer.used = 0;
	if (transfer.gzip)
		ota_inflate_begin();
	ota_update_writer_begin(offset, transfer.gzip ? 0 : bookmark_step(),
	                        trust ? offset + ota_update_unsure_sectors(offset) * ota.flash->sector_size : 0);
	ota.erased = false;
}

static bool can_resume_at(uint32_t offset, uint32_t size)
{
	const struct ota_record *record = ota_store_get();

	return !ota.erased && ota.offer.header.compression == SWPG_NONE && ota_update_record_is_candidate() &&
	       ota_update_record_state() == OTA_WRITING && ota_update_record_fits_offer() && record->bookmark != 0 &&
	       offset == record->bookmark && size == ota_update_travel_length(&ota.offer.header) - offset;
}

static uint8_t judge_begin(uint8_t format, uint32_t address, uint32_t size)
{
	uint8_t wanted = ota.offer.header.compression == SWPG_GZIP ? FORMAT_GZIP : FORMAT_PLAIN;

	if (!ota.offered || transfer.active)
		return OTA_SEQUENCE;
	if (address == ota_update_area() && !ota.erased)
		return OTA_SEQUENCE;
	if (format != wanted)
		return OTA_OUT_OF_RANGE;
	if (address == ota_update_area() ? size != ota_update_travel_length(&ota.offer.header)
	                                 : !can_resume_at(address - ota_update_area(), size))
		return OTA_OUT_OF_RANGE;
	if (ota_update_moving())
		return OTA_CONDITIONS;
	if (port_flash_result(ota_update_command_address(0)) == PORT_WOULD_BLOCK)
		return OTA_NOT_ACCEPTED;
	return ota_update_supply();
}

uint8_t ota_update_begin(uint8_t data_format, uint32_t address, uint32_t size, uint16_t *ret_max_block)
{
	uint32_t offset;
	uint8_t nrc;

	if (ota.flash == NULL)
		return OTA_CONDITIONS;
	if (ota.task != OTA_TASK_NONE)
		return OTA_NOT_ACCEPTED;
	nrc = judge_begin(data_format, address, size);
	if (nrc != OTA_DONE)
		return ota_update_finish(nrc);
	*ret_max_block = MAX_BLOCK_MESSAGE;
	offset = address - ota_update_area();
	start(offset, fault_active(FAULT_OTA_RESUME_UNSURE));
	if (offset == 0 || fault_active(FAULT_OTA_RESUME_UNSURE))
		return ota_update_finish(OTA_DONE);
	/* Never trust the sectors in which the cut may have been. */
	ota.task = OTA_TASK_RESUME;
	return ota_update_erase_begin(offset, ota_update_unsure_sectors(offset));
}

/* ---- out of the buffer -------------------------------------------------------------------------------------------- */

static size_t contiguous(size_t limit)
{
	size_t count = transfer.used < BUFFER_SIZE - transfer.head ? transfer.used : BUFFER_SIZE - transfer.head;

	return count < limit ? count : limit;
}

static void take(size_t length)
{
	transfer.head = (uint32_t)((transfer.head + length) % BUFFER_SIZE);
	transfer.used -= (uint32_t)length;
	transfer.consumed += (uint32_t)length;
}

static bool feed_raw(uint32_t end)
{
	size_t room, count = contiguous(end - transfer.consumed);
	uint8_t *to = ota_update_writer_room(&room);

	if (count > room)
		count = room;
	memcpy(to, transfer.data + transfer.head, count);
	ota_update_writer_filled(count);
	take(count);
	return count > 0;
}

/* The end of the payload is where the stream has to end, with exactly the software that was offered. */
static void judge_stream(enum ota_inflate_status status, uint32_t payload_end)
{
	bool all_in = transfer.consumed == payload_end;

	if (status == OTA_INFLATE_END && all_in && transfer.inflated == ota.offer.header.uncompressed_size)
		transfer.stream_ended = true;
	else if (status != OTA_INFLATE_MORE)
		transfer.failed = OTA_SUSPENDED;
}

static bool feed_gzip(uint32_t payload_end)
{
	uint32_t left = ota.offer.header.uncompressed_size - transfer.inflated;
	size_t room, taken, given;
	uint8_t *to = ota_update_writer_room(&room), beyond;
	bool full = left == 0; /* then a byte more is one too many */
	enum ota_inflate_status status;

	if (room == 0)
		return false;
	if (room > left)
		room = left;
	status = ota_inflate(transfer.data + transfer.head, contiguous(payload_end - transfer.consumed), &taken, full ? &beyond : to,
	                     full ? 1 : room, &given);
	take(taken);
	if (full && given > 0) {
		transfer.failed = OTA_SUSPENDED;
		return false;
	}
	ota_update_writer_filled(given);
	transfer.inflated += (uint32_t)given;
	judge_stream(status, payload_end);
	if (transfer.failed == OTA_DONE && !transfer.stream_ended && taken == 0 && given == 0 && transfer.consumed == payload_end)
		transfer.failed = OTA_SUSPENDED; /* all is in and the stream wants more */
	return taken > 0 || given > 0 || transfer.stream_ended;
}

/* From the buffer into the burst: false when nothing moved. */
static bool feed(void)
{
	uint32_t payload_end = SWPG_HEADER_SIZE + ota.offer.header.payload_size;

	if (!transfer.gzip || transfer.consumed < SWPG_HEADER_SIZE)
		return feed_raw(transfer.gzip ? SWPG_HEADER_SIZE : transfer.end);
	return transfer.stream_ended ? feed_raw(transfer.end) : feed_gzip(payload_end);
}

static bool drained(void)
{
	return transfer.consumed == transfer.end && (!transfer.gzip || transfer.stream_ended);
}

static uint8_t record_written(void)
{
	struct ota_record record = *ota_store_get();

	record.state = OTA_WRITTEN;
	if (!transfer.gzip)
		record.bookmark = transfer.end / ota.flash->sector_size * ota.flash->sector_size;
	return ota_update_put(&record);
}

static uint8_t finish_end(void)
{
	uint8_t nrc = record_written();

	transfer.active = false;
	if (nrc == OTA_DONE && fault_active(FAULT_OTA_CONFIRM_EARLY))
		nrc = ota_update_make_bootable();
	return ota_update_finish(nrc);
}

/* Whoever waits is told; nobody: whoever asks next. */
static void fail(uint8_t nrc)
{
	transfer.failed = nrc;
	if (ota.task == OTA_TASK_NONE)
		return;
	transfer.active = false;
	(void)ota_update_finish(nrc);
}

static void pump(uint64_t now_us, uint64_t *deadline_us)
{
	bool moved;

	do {
		uint8_t nrc;

		moved = feed();
		if (transfer.failed != OTA_DONE)
			return;
		nrc = ota_update_writer_poll(drained(), now_us, deadline_us);
		if (nrc != OTA_DONE && nrc != OTA_PENDING) {
			transfer.failed = nrc;
			return;
		}
	} while (moved);
}

void ota_update_transfer_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	if (transfer.failed == OTA_DONE)
		pump(now_us, ret_deadline_us);
	if (transfer.failed != OTA_DONE)
		fail(transfer.failed);
	else if (ota.task == OTA_TASK_ROOM && BUFFER_SIZE - transfer.used >= OTA_MAX_BLOCK)
		(void)ota_update_finish(OTA_DONE);
	else if (ota.task == OTA_TASK_END && drained() && ota_update_writer_empty())
		(void)finish_end();
}

/* ---- into the buffer ---------------------------------------------------------------------------------------------- */

static bool header_agrees(const uint8_t *data, size_t length)
{
	size_t left = transfer.received < SWPG_HEADER_SIZE ? SWPG_HEADER_SIZE - transfer.received : 0;

	return memcmp(data, ota.header + (left > 0 ? transfer.received : 0), length < left ? length : left) == 0;
}

static uint8_t judge_data(const uint8_t *data, size_t length)
{
	if (transfer.failed != OTA_DONE)
		return transfer.failed;
	if (length > transfer.end - transfer.received || length > BUFFER_SIZE - transfer.used)
		return OTA_SUSPENDED;
	return header_agrees(data, length) ? OTA_DONE : OTA_OUT_OF_RANGE;
}

static void keep(const uint8_t *data, size_t length)
{
	uint32_t at = (transfer.head + transfer.used) % BUFFER_SIZE;
	size_t first = length < BUFFER_SIZE - at ? length : BUFFER_SIZE - at;

	memcpy(transfer.data + at, data, first);
	memcpy(transfer.data, data + first, length - first);
	transfer.used += (uint32_t)length;
	transfer.received += (uint32_t)length;
	transfer.crc = swpg_crc32(transfer.crc, data, length);
}

uint8_t ota_update_data(const uint8_t *data, size_t length)
{
	uint64_t ignored = UINT64_MAX;
	uint8_t nrc;

	if (ota.flash == NULL || !transfer.active)
		return OTA_SEQUENCE;
	if (ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	nrc = ota_update_supply();
	if (nrc != OTA_DONE) /* the block was not taken: the tester may send it again */
		return ota_update_finish(nrc);
	nrc = judge_data(data, length);
	if (nrc == OTA_DONE) {
		keep(data, length);
		pump(port_time_us(), &ignored);
		nrc = transfer.failed;
	}
	if (nrc != OTA_DONE) {
		transfer.active = false;
		return ota_update_finish(nrc);
	}
	if (transfer.received == transfer.end || BUFFER_SIZE - transfer.used >= OTA_MAX_BLOCK)
		return ota_update_finish(OTA_DONE);
	ota.task = OTA_TASK_ROOM;
	return OTA_PENDING;
}

uint8_t ota_update_end(bool has_crc, uint32_t crc32)
{
	if (ota.flash == NULL || !transfer.active)
		return OTA_SEQUENCE;
	if (ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	if (transfer.failed != OTA_DONE) {
		transfer.active = false;
		return ota_update_finish(transfer.failed);
	}
	if (transfer.received != transfer.end)
		return ota_update_finish(OTA_SEQUENCE);
	if (has_crc && crc32 != transfer.crc)
		return ota_update_finish(OTA_OUT_OF_RANGE);
	ota.task = OTA_TASK_END;
	return OTA_PENDING;
}
