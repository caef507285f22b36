/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes into bursts, one after the other into the flash, and the bookmark in the record whenever some sectors are whole. */
#include "ota_update_private.h"

#include "../faults/fault.h"

#include <string.h>

#define COMMAND_US 1000000u /* a burst takes half a millisecond; a flash that never ends one is broken */
#define RETRY_US   1000u

static struct {
	uint8_t burst[PORT_FLASH_BURST]; /* under construction; the port has its own copy of the one under way */
	size_t fill;
	uint32_t offset;   /* of the burst under way, else of the next one */
	uint32_t bookmark; /* the next one is due when offset gets there; 0 none */
	uint32_t step, trusted_end;
	bool busy, waiting;
	uint64_t limit_us; /* of the command under way, or of the wait until one can begin */
} writer;

void ota_update_writer_begin(uint32_t offset, uint32_t bookmark_step, uint32_t trusted_end)
{
	writer.fill = 0;
	writer.offset = offset;
	writer.step = bookmark_step;
	writer.bookmark = bookmark_step == 0 ? 0 : offset + bookmark_step;
	writer.trusted_end = trusted_end;
	writer.busy = false;
	writer.waiting = false;
}

uint8_t *ota_update_writer_room(size_t *ret_room)
{
	*ret_room = sizeof(writer.burst) - writer.fill;
	return writer.burst + writer.fill;
}

void ota_update_writer_filled(size_t length)
{
	writer.fill += length;
}

bool ota_update_writer_empty(void)
{
	return writer.fill == 0 && !writer.busy;
}

static uint8_t put_bookmark(void)
{
	struct ota_record record = *ota_store_get();

	if (writer.offset != writer.bookmark)
		return OTA_DONE;
	writer.bookmark += writer.step;
	record.bookmark = writer.offset;
	return ota_update_put(&record);
}

static uint8_t advance(void)
{
	writer.offset += PORT_FLASH_BURST;
	return put_bookmark();
}

static uint8_t wait(uint64_t now_us, uint64_t *deadline_us, uint64_t until_us)
{
	if (now_us >= writer.limit_us)
		return OTA_PROGRAMMING_FAILURE;
	ota_update_earlier(deadline_us, until_us);
	return OTA_PENDING;
}

/* A burst is ready but cannot begin: for a while that is no reason to give up the transfer. */
static uint8_t wait_to_begin(uint8_t reason, uint64_t now_us, uint64_t *deadline_us)
{
	if (!writer.waiting)
		writer.limit_us = now_us + COMMAND_US;
	writer.waiting = true;
	return wait(now_us, deadline_us, now_us + RETRY_US) == OTA_PENDING ? OTA_PENDING : reason;
}

/* The planted defect of a resume: what reads right is left as it is, however a cut left it there. */
static bool trusted(void)
{
	uint8_t found[PORT_FLASH_BURST];

	return writer.offset < writer.trusted_end && port_flash_read(ota_update_area() + writer.offset, found, sizeof(found)) == PORT_OK &&
	       memcmp(found, writer.burst, sizeof(found)) == 0;
}

static uint8_t begin_command(uint64_t now_us, uint64_t *deadline_us)
{
	uint8_t nrc = ota_update_supply();

	if (nrc != OTA_DONE)
		return wait_to_begin(nrc, now_us, deadline_us);
	if (fault_active(FAULT_OTA_RESUME_UNSURE) && trusted()) {
		writer.fill = 0;
		return advance();
	}
	switch (port_flash_program(ota_update_command_address(writer.offset), writer.burst, sizeof(writer.burst))) {
	case PORT_OK:
		break;
	case PORT_WOULD_BLOCK:
		return wait_to_begin(OTA_PROGRAMMING_FAILURE, now_us, deadline_us);
	default:
		return OTA_PROGRAMMING_FAILURE;
	}
	writer.fill = 0;
	writer.waiting = false;
	writer.busy = true;
	writer.limit_us = now_us + COMMAND_US;
	return wait(now_us, deadline_us, writer.limit_us);
}

static uint8_t end_command(uint64_t now_us, uint64_t *deadline_us)
{
	switch (port_flash_result(ota_update_command_address(writer.offset))) {
	case PORT_OK:
		writer.busy = false;
		return advance();
	case PORT_WOULD_BLOCK:
		return wait(now_us, deadline_us, writer.limit_us);
	default:
		return OTA_PROGRAMMING_FAILURE;
	}
}

uint8_t ota_update_writer_poll(bool flush, uint64_t now_us, uint64_t *ret_deadline_us)
{
	uint8_t nrc = writer.busy ? end_command(now_us, ret_deadline_us) : OTA_DONE;

	if (nrc != OTA_DONE)
		return nrc;
	if (flush && writer.fill > 0) {
		memset(writer.burst + writer.fill, 0, sizeof(writer.burst) - writer.fill);
		writer.fill = sizeof(writer.burst);
	}
	return writer.fill == sizeof(writer.burst) ? begin_command(now_us, ret_deadline_us) : OTA_DONE;
}
