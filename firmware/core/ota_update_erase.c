/* SPDX-License-Identifier: Apache-2.0 */
/* Erasing the other bank, as many sectors a command as the flash takes. */
#include "ota_update_private.h"

#include <string.h>

#define SECTORS_A_COMMAND 32u
#define COMMAND_US        10000000u /* a command takes at most half a second; a flash that never ends one is broken */
#define RETRY_US          1000u

static struct {
	uint32_t offset, left; /* sectors that no command was given for */
	bool busy;
	uint64_t limit_us; /* of the command under way, or of the wait for the bank */
} eraser;

uint8_t ota_update_erase_begin(uint32_t offset, uint32_t sectors)
{
	eraser.offset = offset;
	eraser.left = sectors;
	eraser.busy = false;
	eraser.limit_us = port_time_us() + COMMAND_US;
	return OTA_PENDING;
}

static uint8_t wait(uint64_t now_us, uint64_t *deadline_us, uint64_t until_us)
{
	if (now_us >= eraser.limit_us)
		return OTA_PROGRAMMING_FAILURE;
	ota_update_earlier(deadline_us, until_us);
	return OTA_PENDING;
}

static uint8_t begin_command(uint64_t now_us, uint64_t *deadline_us)
{
	uint32_t count = eraser.left < SECTORS_A_COMMAND ? eraser.left : SECTORS_A_COMMAND;
	uint8_t nrc = ota_update_supply();

	if (nrc != OTA_DONE)
		return nrc;
	switch (port_flash_erase(ota_update_command_address(eraser.offset), count)) {
	case PORT_OK:
		break;
	case PORT_WOULD_BLOCK: /* what a transfer left under way */
		return wait(now_us, deadline_us, now_us + RETRY_US);
	default:
		return OTA_PROGRAMMING_FAILURE;
	}
	eraser.busy = true;
	eraser.offset += count * ota.flash->sector_size;
	eraser.left -= count;
	eraser.limit_us = now_us + COMMAND_US;
	return wait(now_us, deadline_us, eraser.limit_us);
}

uint8_t ota_update_erase_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	if (eraser.busy) {
		switch (port_flash_result(ota_update_command_address(eraser.offset - ota.flash->sector_size))) {
		case PORT_OK:
			eraser.busy = false;
			break;
		case PORT_WOULD_BLOCK:
			return wait(now_us, ret_deadline_us, eraser.limit_us);
		default:
			return OTA_PROGRAMMING_FAILURE;
		}
	}
	return eraser.left == 0 ? OTA_DONE : begin_command(now_us, ret_deadline_us);
}

/* What is recorded before the first sector goes: from then on there is nothing in that bank that could be activated. */
static uint8_t record_begin(void)
{
	struct ota_record record = *ota_store_get();

	record.state = OTA_WRITING;
	record.candidate = ota_update_other();
	record.trial_boots = 0;
	record.bookmark = 0;
	memcpy(record.digest, ota.offer.digest, sizeof(record.digest));
	memcpy(record.header, ota.header, sizeof(record.header));
	return ota_update_put(&record);
}

static uint8_t judge(uint32_t address, uint32_t size)
{
	if (!ota.offered || ota_update_transferring())
		return OTA_SEQUENCE;
	if (address != ota_update_area() || size > ota_update_area_size() || size < ota_update_bank_length(&ota.offer.header))
		return OTA_OUT_OF_RANGE;
	if (ota.trial || ota.swap_pending || ota_update_moving())
		return OTA_CONDITIONS;
	return ota_update_supply();
}

static uint8_t begin(void)
{
	uint8_t nrc = record_begin();

	if (nrc != OTA_DONE)
		return nrc;
	ota.task = OTA_TASK_ERASE;
	eraser.limit_us = port_time_us() + COMMAND_US;
	return OTA_PENDING;
}

uint8_t ota_update_erase(uint32_t address, uint32_t size)
{
	uint8_t nrc;

	if (ota.flash == NULL || ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	nrc = judge(address, size);
	if (nrc != OTA_DONE)
		return ota_update_finish(nrc);
	ota.erased = false;
	(void)ota_update_erase_begin(0, (size + ota.flash->sector_size - 1) / ota.flash->sector_size);
	return ota_update_defer(begin);
}
