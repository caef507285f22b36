/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_programming.h"

#include "../faults/fault.h"
#include "ota_update.h"
#include "swpg.h"
#include "uds_services.h"

#define LEVEL             3u
#define LEVEL_EXTENDED    1u
#define ROUTINE_OPTION    4u
#define ADDRESS_FORMAT    0x44u /* four bytes of size, four of address */
#define LENGTH_FORMAT     0x20u /* maxNumberOfBlockLength has two bytes */
#define DOWNLOAD_LENGTH   11u
#define TRANSFER_OVERHEAD 2u
#define EXIT_CRC_LENGTH   4u
#define ERASED            0x00u
#define INSTALLED_LENGTH  6u
#define LIMIT_US          180000000u /* no answer may be pending for ever; the flash's own limits are far below */

/* The blocks as the tester counts them: the session's owner, as the transfer ends with the session. */
static struct {
	bool active;
	uint16_t max_block; /* with SID and counter */
	uint8_t counter;    /* of the last block that was taken */
	bool any;           /* one was */
	uint32_t last_crc;
	size_t last_length;
} blocks;

static struct {
	uint64_t limit_us;
	enum { ANSWER_PLAIN, ANSWER_ERASED, ANSWER_DOWNLOAD, ANSWER_BLOCK, ANSWER_EXIT } kind;
	uint8_t counter; /* of the block under way */
	uint32_t crc;
	size_t length;
} pending;

bool uds_programming_available(void)
{
	return ota_update_possible();
}

static uint32_t get_u32(const uint8_t *data)
{
	return (uint32_t)uds_get_u16(data) << 16 | uds_get_u16(data + 2);
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

static void take_block(void)
{
	blocks.any = true;
	blocks.counter = pending.counter;
	blocks.last_crc = pending.crc;
	blocks.last_length = pending.length;
}

/* After these the update server has no transfer any more; other refusals leave it as it is. */
static bool ends_transfer(uint8_t nrc)
{
	return nrc == UDS_TRANSFER_SUSPENDED || nrc == UDS_PROGRAMMING_FAILURE || (nrc == UDS_OUT_OF_RANGE && pending.kind == ANSWER_BLOCK);
}

/* The end of a call, at once or late. */
static uint8_t finish(struct uds_call *call, uint8_t nrc)
{
	if (nrc != UDS_POSITIVE) {
		blocks.active = blocks.active && !ends_transfer(nrc);
		return nrc;
	}
	switch (pending.kind) {
	case ANSWER_PLAIN:
		break;
	case ANSWER_ERASED:
		(void)uds_put_u8(call, ERASED);
		break;
	case ANSWER_DOWNLOAD:
		(void)uds_put_u8(call, LENGTH_FORMAT);
		(void)uds_put_u16(call, blocks.max_block);
		break;
	case ANSWER_BLOCK:
		take_block();
		(void)uds_put_u8(call, blocks.counter);
		break;
	case ANSWER_EXIT:
		blocks.active = false;
		break;
	}
	return UDS_POSITIVE;
}

static uint8_t begin(struct uds_call *call, uint8_t nrc)
{
	/* All but a block and a download wait for the record. */
	call->slow = pending.kind != ANSWER_BLOCK && pending.kind != ANSWER_DOWNLOAD;
	pending.limit_us = call->now_us + LIMIT_US;
	return finish(call, nrc);
}

static void end_transfer(void)
{
	blocks.active = false;
	ota_update_session_ended();
}

uint8_t uds_programming_resume(struct uds_call *call, uint64_t *ret_deadline_us)
{
	uint8_t nrc = ota_update_result();

	if (nrc == OTA_PENDING && call->now_us >= pending.limit_us) {
		end_transfer();
		return UDS_PROGRAMMING_FAILURE;
	}
	*ret_deadline_us = pending.limit_us;
	/* A resume whose sectors could not be erased has not begun. */
	if (nrc != UDS_POSITIVE && nrc != UDS_RESPONSE_PENDING && pending.kind == ANSWER_DOWNLOAD)
		blocks.active = false;
	return finish(call, nrc);
}

/* Whoever loses the access loses what it began. */
static bool unlocked(void)
{
	if (uds_security_unlocked(LEVEL))
		return true;
	end_transfer();
	return false;
}

/* ---- 34, 36, 37 --------------------------------------------------------------------------------------------------- */

uint8_t uds_programming_download_run(struct uds_call *call)
{
	uint16_t longest = 0;
	uint8_t nrc;

	if (!unlocked())
		return UDS_ACCESS_DENIED;
	if (call->length < 3)
		return UDS_INCORRECT_LENGTH;
	if (call->data[2] != ADDRESS_FORMAT)
		return UDS_OUT_OF_RANGE;
	if (call->length != DOWNLOAD_LENGTH)
		return UDS_INCORRECT_LENGTH;
	pending.kind = ANSWER_DOWNLOAD;
	nrc = ota_update_begin(call->data[1], get_u32(call->data + 3), get_u32(call->data + 7), &longest);
	if (nrc != UDS_POSITIVE && nrc != UDS_RESPONSE_PENDING)
		return nrc;
	blocks.active = true;
	blocks.any = false;
	blocks.counter = 0;
	/* What the tester sends in one message comes over the channel that takes our longest answer. */
	blocks.max_block = longest < uds_application.max_response ? longest : uds_application.max_response;
	return begin(call, nrc);
}

static uint8_t next_counter(void)
{
	if (blocks.counter == UINT8_MAX && fault_active(FAULT_OTA_WRAP))
		return 1;
	return (uint8_t)(blocks.counter + 1);
}

static uint8_t repeat(struct uds_call *call)
{
	if (pending.length != blocks.last_length || pending.crc != blocks.last_crc)
		return UDS_OUT_OF_RANGE;
	(void)uds_put_u8(call, blocks.counter);
	return UDS_POSITIVE;
}

uint8_t uds_programming_transfer_run(struct uds_call *call)
{
	const uint8_t *data = call->data + TRANSFER_OVERHEAD;

	if (!unlocked())
		return UDS_ACCESS_DENIED;
	if (call->length <= TRANSFER_OVERHEAD)
		return UDS_INCORRECT_LENGTH;
	if (!blocks.active)
		return UDS_SEQUENCE_ERROR;
	if (call->length > blocks.max_block)
		return UDS_INCORRECT_LENGTH;
	pending.kind = ANSWER_BLOCK;
	pending.counter = call->data[1];
	pending.length = call->length - TRANSFER_OVERHEAD;
	pending.crc = swpg_crc32(0, data, pending.length);
	if (blocks.any && pending.counter == blocks.counter)
		return repeat(call);
	if (pending.counter != next_counter())
		return UDS_WRONG_BLOCK_COUNTER;
	return begin(call, ota_update_data(data, pending.length));
}

uint8_t uds_programming_exit_run(struct uds_call *call)
{
	bool has_crc = call->length == 1 + EXIT_CRC_LENGTH;

	if (!unlocked())
		return UDS_ACCESS_DENIED;
	if (call->length != 1 && !has_crc)
		return UDS_INCORRECT_LENGTH;
	if (!blocks.active)
		return UDS_SEQUENCE_ERROR;
	pending.kind = ANSWER_EXIT;
	return begin(call, ota_update_end(has_crc, has_crc ? get_u32(call->data + 1) : 0));
}

/* ---- routines ----------------------------------------------------------------------------------------------------- */

static uint8_t run_plain(struct uds_call *call, uint8_t (*run)(void))
{
	if (call->length != ROUTINE_OPTION)
		return UDS_INCORRECT_LENGTH;
	pending.kind = ANSWER_PLAIN;
	return begin(call, run());
}

uint8_t uds_programming_offer(struct uds_call *call)
{
	if (!unlocked())
		return UDS_ACCESS_DENIED;
	pending.kind = ANSWER_PLAIN;
	return begin(call, ota_update_offer(call->data + ROUTINE_OPTION, call->length - ROUTINE_OPTION));
}

uint8_t uds_programming_erase(struct uds_call *call)
{
	const uint8_t *option = call->data + ROUTINE_OPTION;

	if (!unlocked())
		return UDS_ACCESS_DENIED;
	if (call->length == ROUTINE_OPTION)
		return UDS_INCORRECT_LENGTH;
	if (option[0] != ADDRESS_FORMAT)
		return UDS_OUT_OF_RANGE;
	if (call->length != ROUTINE_OPTION + 9u)
		return UDS_INCORRECT_LENGTH;
	pending.kind = ANSWER_ERASED;
	return begin(call, ota_update_erase(get_u32(option + 1), get_u32(option + 5)));
}

/* With what the vehicle's other boards run, each target and version, for the dependency. */
uint8_t uds_programming_check(struct uds_call *call)
{
	size_t length = call->length - ROUTINE_OPTION;
	const uint8_t *option = call->data + ROUTINE_OPTION;
	uint8_t nrc = UDS_POSITIVE;

	if (!unlocked())
		return UDS_ACCESS_DENIED;
	if (length % INSTALLED_LENGTH != 0)
		return UDS_INCORRECT_LENGTH;
	for (; length > 0 && nrc == UDS_POSITIVE; length -= INSTALLED_LENGTH, option += INSTALLED_LENGTH)
		nrc = ota_update_installed(uds_get_u16(option), option + 2);
	if (nrc != UDS_POSITIVE)
		return nrc;
	pending.kind = ANSWER_PLAIN;
	return begin(call, ota_update_check());
}

uint8_t uds_programming_activate(struct uds_call *call)
{
	return unlocked() ? run_plain(call, ota_update_activate) : UDS_ACCESS_DENIED;
}

uint8_t uds_programming_confirm(struct uds_call *call)
{
	if (!uds_security_unlocked(uds_session_active() == UDS_EXTENDED ? LEVEL_EXTENDED : LEVEL))
		return UDS_ACCESS_DENIED;
	return run_plain(call, ota_update_confirm);
}

uint8_t uds_programming_cancel(struct uds_call *call)
{
	if (!unlocked())
		return UDS_ACCESS_DENIED;
	if (call->length == ROUTINE_OPTION)
		blocks.active = false;
	return run_plain(call, ota_update_cancel);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

void uds_programming_start(uint64_t now_us)
{
	(void)now_us;
	blocks.active = false;
}

void uds_programming_session_changed(enum uds_session from, enum uds_session to)
{
	(void)from;
	(void)to;
	end_transfer();
}
