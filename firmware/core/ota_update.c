/* SPDX-License-Identifier: Apache-2.0 */
/* The update server's state, what all its calls ask first, and the turn that carries tasks on. */
#include "ota_update_private.h"

#include "../faults/fault.h"
#include "ota_swap.h"

#include <string.h>

#define DEFER_US       2000u
#define SUPPLY_HIGH_MV 16000u
#define SUPPLY_LOW_MV  9000u

struct ota_update ota;

uint8_t ota_update_other(void)
{
	return port_flash_active() == 0 ? 1 : 0;
}

uint32_t ota_update_area(void)
{
	return ota.flash->bank[1] + ota.flash->boot_size;
}

uint32_t ota_update_area_size(void)
{
	return ota.flash->bank_size - ota.flash->boot_size;
}

uint32_t ota_update_command_address(uint32_t offset)
{
	uint8_t bank = fault_active(FAULT_OTA_MAPPED_ERASE) ? 1 : ota_update_other();

	return ota.flash->bank[bank] + ota.flash->boot_size + offset;
}

uint32_t ota_update_bank_length(const struct swpg_header *header)
{
	return SWPG_HEADER_SIZE + header->uncompressed_size + header->trailer_length;
}

uint32_t ota_update_travel_length(const struct swpg_header *header)
{
	return SWPG_HEADER_SIZE + header->payload_size + header->trailer_length;
}

bool ota_update_moving(void)
{
	uint32_t speed = 0;

	(void)port_param_u32("vehicle.speed", &speed);
	return speed != 0;
}

uint8_t ota_update_supply(void)
{
	uint32_t mv = port_supply_mv();

	if (mv > SUPPLY_HIGH_MV)
		return OTA_VOLTAGE_HIGH;
	return mv < SUPPLY_LOW_MV ? OTA_VOLTAGE_LOW : OTA_DONE;
}

enum ota_state ota_update_record_state(void)
{
	const struct ota_record *record = ota_store_get();

	/* A cut between the record and the swap: the boot made the swap blocks say again what runs. */
	if (record->state == OTA_ACTIVATED && record->candidate == ota_update_other() && !ota.swap_pending)
		return OTA_VERIFIED;
	return (enum ota_state)record->state;
}

bool ota_update_record_is_candidate(void)
{
	enum ota_state state = ota_update_record_state();

	return ota_store_get()->candidate == ota_update_other() && state >= OTA_WRITING && state <= OTA_VERIFIED;
}

bool ota_update_record_fits_offer(void)
{
	const struct ota_record *record = ota_store_get();

	return !ota.offered || (memcmp(record->digest, ota.offer.digest, sizeof(record->digest)) == 0 &&
	                        memcmp(record->header, ota.header, sizeof(record->header)) == 0);
}

uint8_t ota_update_put(const struct ota_record *record)
{
	return ota_store_put(record) == PORT_OK ? OTA_DONE : OTA_PROGRAMMING_FAILURE;
}

uint8_t ota_update_finish(uint8_t nrc)
{
	if (nrc != OTA_PENDING) {
		ota.task = OTA_TASK_NONE;
		ota.result = nrc;
		ota.last_result = nrc;
	}
	return nrc;
}

uint8_t ota_update_defer(uint8_t (*run)(void))
{
	ota.task = OTA_TASK_DEFERRED;
	ota.deferred = run;
	ota.not_before_us = port_time_us() + DEFER_US;
	return OTA_PENDING;
}

uint8_t ota_update_result(void)
{
	return ota.task != OTA_TASK_NONE ? OTA_PENDING : ota.result;
}

bool ota_update_possible(void)
{
	return port_flash_geometry() != NULL;
}

void ota_update_refuse_confirm(void)
{
	ota.never_confirms = true;
}

/* A new record for a board whose log is lost: the counter must not fall below that of what runs. */
static void rescue_counter(void)
{
	struct ota_record record = *ota_store_get();

	if (!ota.has_running || record.security_counter >= ota.running.header.security_counter)
		return;
	record.security_counter = ota.running.header.security_counter;
	(void)ota_store_put(&record);
}

static bool swap_names_other(void)
{
	struct ota_swap_state swap;
	int8_t bank;

	ota_swap_read(&swap);
	bank = swap.bank[0] >= 0 ? swap.bank[0] : swap.bank[1];
	return bank == (int8_t)ota_update_other();
}

void ota_update_start(uint16_t address, bool recovery)
{
	struct ota_record record;
	bool lost;

	memset(&ota, 0, sizeof(ota));
	ota.flash = port_flash_geometry();
	ota.recovery = recovery;
	ota_update_transfer_stop();
	ota_update_installed_clear();
	if (ota.flash == NULL)
		return;
	ota_image_start(address);
	lost = ota_store_start(&record) == PORT_FAILED;
	ota.has_running = !recovery && ota_image_peek(ota.flash->bank[0] + ota.flash->boot_size, &ota.running);
	ota.swap_pending = swap_names_other();
	ota.trial = !recovery && record.candidate == port_flash_active() && (record.state == OTA_TRIAL || record.state == OTA_ACTIVATED);
	if (lost)
		rescue_counter();
	ota_update_self_confirm_start();
	ota_update_status_start();
}

static void poll_deferred(uint64_t now_us, uint64_t *deadline_us)
{
	if (now_us < ota.not_before_us) {
		ota_update_earlier(deadline_us, ota.not_before_us);
		return;
	}
	/* It may go on as another task. */
	if (ota_update_finish(ota.deferred()) == OTA_PENDING)
		ota_update_earlier(deadline_us, now_us);
}

static void poll_erase(uint64_t now_us, uint64_t *deadline_us)
{
	uint8_t nrc = ota_update_erase_poll(now_us, deadline_us);

	if (nrc == OTA_PENDING)
		return;
	if (nrc != OTA_DONE)
		ota_update_transfer_stop();
	else if (ota.task == OTA_TASK_ERASE)
		ota.erased = true;
	(void)ota_update_finish(nrc);
}

void ota_update_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	*ret_deadline_us = UINT64_MAX;
	if (ota.flash == NULL)
		return;
	if (ota.task == OTA_TASK_DEFERRED)
		poll_deferred(now_us, ret_deadline_us);
	else if (ota.task == OTA_TASK_ERASE || ota.task == OTA_TASK_RESUME)
		poll_erase(now_us, ret_deadline_us);
	else if (ota_update_transferring())
		ota_update_transfer_poll(now_us, ret_deadline_us);
	else if (ota.task == OTA_TASK_CHECK)
		ota_update_check_poll(ret_deadline_us);
	ota_update_self_confirm_poll(now_us, ret_deadline_us);
	ota_update_report();
}

void ota_update_session_ended(void)
{
	ota_update_transfer_stop();
	ota_update_installed_clear();
	ota.offered = false;
	ota.erased = false;
	if (ota.task != OTA_TASK_NONE)
		(void)ota_update_finish(OTA_CONDITIONS);
}
