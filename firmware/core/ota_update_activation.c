/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a bank the one that runs, for good or back again: activate, confirm, cancel. */
#include "ota_update_private.h"

#include "../faults/fault.h"
#include "ota_swap.h"

#include <string.h>

#define US_PER_MS 1000u
#define NEVER     UINT64_MAX
#define RETRY_US  1000000u /* of a self confirmation that the supply did not allow */

static struct {
	uint32_t after_ms; /* ota.self_confirm_ms */
	uint64_t at_us;
} self_confirm;

/* ---- activate ----------------------------------------------------------------------------------------------------- */

/* The swap blocks could not be written whole: they shall name what runs, and the record shall say so. */
static uint8_t undo(void)
{
	struct ota_record record = *ota_store_get();

	(void)ota_swap_settle();
	record.state = OTA_VERIFIED;
	(void)ota_update_put(&record);
	return OTA_PROGRAMMING_FAILURE;
}

uint8_t ota_update_make_bootable(void)
{
	struct ota_record record = *ota_store_get();

	record.state = OTA_ACTIVATED;
	record.trial_boots = 0;
	if (fault_active(FAULT_OTA_COUNTER_EARLY)) {
		struct swpg_header header;
		uint32_t magic;

		swpg_decode(record.header, &header, &magic);
		record.security_counter = header.security_counter;
	}
	/* The record first: a swap without it would run an image that nobody knows to be on trial. */
	if (ota_update_put(&record) != OTA_DONE)
		return OTA_PROGRAMMING_FAILURE;
	if (ota_swap_write(ota_update_other()) != PORT_OK)
		return undo();
	ota.swap_pending = true;
	return OTA_DONE;
}

static uint8_t judge_activate(void)
{
	if (fault_active(FAULT_OTA_CONFIRM_EARLY) && ota.swap_pending && !ota.trial)
		return OTA_DONE;
	if (ota_update_transferring() || ota.erased || !ota_update_record_is_candidate() || ota_update_record_state() != OTA_VERIFIED ||
	    !ota_update_record_fits_offer())
		return OTA_SEQUENCE;
	return ota.swap_pending || ota_update_moving() ? OTA_CONDITIONS : ota_update_supply();
}

uint8_t ota_update_activate(void)
{
	uint8_t nrc;

	if (ota.flash == NULL || ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	nrc = judge_activate();
	if (nrc == OTA_DONE && !ota.swap_pending)
		return ota_update_defer(ota_update_make_bootable);
	return ota_update_finish(nrc);
}

/* ---- confirm ------------------------------------------------------------------------------------------------------ */

/* One record: a cut leaves the trial or its end, never an end without the counter or a counter without the end. */
static uint8_t put_confirmed(void)
{
	struct ota_record record = *ota_store_get();

	record.state = OTA_IDLE;
	record.candidate = OTA_NO_BANK;
	record.trial_boots = 0;
	record.bookmark = 0;
	record.boots = 0;
	record.sequence_number = ota.running.header.sequence;
	if (ota.running.header.security_counter > record.security_counter)
		record.security_counter = ota.running.header.security_counter;
	record.quarantined = 0;
	ota.trial = ota_update_put(&record) != OTA_DONE;
	return ota.trial ? OTA_PROGRAMMING_FAILURE : OTA_DONE;
}

static uint8_t judge_confirm(void)
{
	if (!ota.trial || !ota.has_running || ota.swap_pending)
		return OTA_CONDITIONS;
	if (ota.never_confirms || fault_active(FAULT_OTA_MUTE))
		return OTA_CONDITIONS;
	return ota_update_supply();
}

uint8_t ota_update_confirm(void)
{
	uint8_t nrc;

	if (ota.flash == NULL || ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	nrc = judge_confirm();
	return nrc == OTA_DONE ? ota_update_defer(put_confirmed) : ota_update_finish(nrc);
}

void ota_update_self_confirm_start(void)
{
	self_confirm.after_ms = 0;
	self_confirm.at_us = NEVER;
	(void)port_param_u32("ota.self_confirm_ms", &self_confirm.after_ms);
}

void ota_update_ready(uint64_t now_us)
{
	if (ota.flash != NULL && ota.trial && self_confirm.after_ms != 0)
		self_confirm.at_us = now_us + (uint64_t)self_confirm.after_ms * US_PER_MS;
}

void ota_update_self_confirm_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	if (!ota.trial)
		self_confirm.at_us = NEVER;
	if (now_us >= self_confirm.at_us) {
		self_confirm.at_us = NEVER;
		if (ota.task != OTA_TASK_NONE || ota_update_supply() != OTA_DONE)
			self_confirm.at_us = now_us + RETRY_US;
		else
			(void)ota_update_confirm();
	}
	ota_update_earlier(ret_deadline_us, self_confirm.at_us);
}

/* ---- cancel ------------------------------------------------------------------------------------------------------- */

static uint8_t forget_download(void)
{
	struct ota_record record = *ota_store_get();

	ota_update_transfer_stop();
	ota.offered = false;
	ota.erased = false;
	if (record.state == OTA_IDLE)
		return OTA_DONE;
	record.state = OTA_IDLE;
	record.candidate = OTA_NO_BANK;
	record.trial_boots = 0;
	record.bookmark = 0;
	return ota_update_put(&record);
}

static uint8_t take_back_activation(void)
{
	if (ota_swap_write(port_flash_active()) != PORT_OK)
		return OTA_PROGRAMMING_FAILURE;
	ota.swap_pending = false;
	return forget_download();
}

/* The old software is what the next system reset brings; this image is not wanted here again. */
static uint8_t end_trial(void)
{
	struct ota_record record = *ota_store_get();
	uint8_t nrc;

	if (ota_swap_write(ota_update_other()) != PORT_OK)
		return OTA_PROGRAMMING_FAILURE;
	ota.swap_pending = true;
	record.state = OTA_ROLLED_BACK;
	record.quarantined = 1;
	memcpy(record.quarantine, record.digest, sizeof(record.quarantine));
	nrc = ota_update_put(&record);
	ota.trial = nrc != OTA_DONE;
	return nrc;
}

static uint8_t judge_cancel(void)
{
	/* A trial that is cancelled already: only the reset is missing. */
	if (!ota.trial && ota.swap_pending && ota_store_get()->candidate != ota_update_other())
		return OTA_CONDITIONS;
	return ota_update_supply();
}

uint8_t ota_update_cancel(void)
{
	uint8_t nrc;

	if (ota.flash == NULL || ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	nrc = judge_cancel();
	if (nrc != OTA_DONE)
		return ota_update_finish(nrc);
	if (ota.trial)
		return ota_update_defer(end_trial);
	return ota_update_defer(ota.swap_pending ? take_back_activation : forget_download);
}
