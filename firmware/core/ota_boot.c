/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of things is what makes the decision safe: the swap blocks are settled first, then the record, then images are
 * looked at. A trial boot is counted before the image runs. A rollback writes the swap first and the record after it, so
 * that a record of a trial whose candidate does not run tells of a rollback that was cut.
 */
#include "ota_boot.h"

#include "../faults/fault.h"
#include "ota_store_command.h"
#include "ota_swap.h"

#include <string.h>

#define TRIAL_BOOTS     3u
#define TRIAL_BOOTS_MAX 15u

static struct {
	struct ota_record record;
	struct ota_boot_result *result;
	struct ota_image image, other_image;
	uint8_t active, other;
	bool lost;    /* the record could not be read */
	bool pending; /* the swap blocks ask for the other bank, which takes a system reset */
	bool futile;  /* they did before this reset, and the chip did not follow */
} boot;

static uint32_t image_address(unsigned mapped)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();

	return geometry->bank[mapped] + geometry->boot_size;
}

static uint32_t trial_limit(void)
{
	uint32_t limit = TRIAL_BOOTS;

	(void)port_param_u32("ota.trial_boots", &limit);
	return limit >= 1 && limit <= TRIAL_BOOTS_MAX ? limit : TRIAL_BOOTS;
}

static bool put(void)
{
	return ota_store_put(&boot.record) == PORT_OK;
}

/* ---- before anything is decided --------------------------------------------------------------------------------------- */

/* A reset does not end a command: what was begun before it may still be under way. */
static void wait_for_flash(void)
{
	const struct port_flash_geometry *geometry = port_flash_geometry();

	(void)ota_command_wait(geometry->bank[0]);
	(void)ota_command_wait(geometry->bank[1]);
	(void)ota_command_wait(geometry->data);
}

static void read_swap(void)
{
	enum port_reset_reason reason = port_reset_reason();
	struct ota_swap_state swap;

	ota_swap_read(&swap);
	boot.pending = swap.clean[0] && swap.clean[1] && swap.bank[0] == (int8_t)boot.other && swap.bank[1] == (int8_t)boot.other;
	boot.futile = boot.pending && reason != PORT_REASON_APPLICATION && reason != PORT_REASON_WATCHDOG;
}

static void settle(void)
{
	wait_for_flash();
	boot.active = port_flash_active();
	boot.other = boot.active ^ 1u;
	(void)ota_swap_settle();
	read_swap();
	boot.lost = ota_store_start(&boot.record) != PORT_OK;
	(void)ota_store_settle();
	boot.record = *ota_store_get();
}

/* ---- images ------------------------------------------------------------------------------------------------------------- */

static bool verify_active(void)
{
	boot.result->active = ota_image_verify(image_address(0), boot.lost ? 0 : boot.record.security_counter, &boot.image);
	return boot.result->active == OTA_IMAGE_OK;
}

static bool verify_other(void)
{
	boot.result->other = ota_image_verify(image_address(1), boot.record.security_counter, &boot.other_image);
	return boot.result->other == OTA_IMAGE_OK;
}

static bool is_candidate(const struct ota_image *image)
{
	return memcmp(image->digest, boot.record.digest, SWPG_DIGEST_SIZE) == 0;
}

static bool is_quarantined(const struct ota_image *image)
{
	return boot.record.quarantined == 1 && memcmp(image->digest, boot.record.quarantine, SWPG_DIGEST_SIZE) == 0;
}

/* ---- what a cut left ------------------------------------------------------------------------------------------------------ */

static void forget_candidate(void)
{
	boot.record.state = OTA_IDLE;
	boot.record.candidate = OTA_NO_BANK;
	boot.record.trial_boots = 0;
	boot.record.bookmark = 0;
}

static void quarantine_candidate(void)
{
	boot.record.state = OTA_ROLLED_BACK;
	boot.record.quarantined = 1;
	memcpy(boot.record.quarantine, boot.record.digest, SWPG_DIGEST_SIZE);
	boot.result->rolled_back = true;
}

/* The activation did not change the map: the update is where it was before it, if the image is still what it was. */
static void undo_activation(void)
{
	if (boot.pending && !boot.futile)
		return;
	boot.record.trial_boots = 0;
	if (verify_other() && is_candidate(&boot.other_image))
		boot.record.state = OTA_VERIFIED;
	else
		forget_candidate();
}

static void reconcile(void)
{
	if (boot.record.candidate != boot.other)
		return;
	if (boot.record.state == OTA_ACTIVATED)
		undo_activation();
	else if (boot.record.state == OTA_TRIAL)
		quarantine_candidate();
}

/* ---- the decision ----------------------------------------------------------------------------------------------------------- */

static void recover(void)
{
	boot.result->decision = OTA_BOOT_RECOVERY;
}

/* False: the other bank cannot be made the running one. */
static bool swap_to_other(void)
{
	if (boot.futile || ota_swap_write(boot.other) != PORT_OK)
		return false;
	boot.result->decision = OTA_BOOT_SWAPPED;
	return true;
}

static void roll_back(void)
{
	if (!verify_other() || !swap_to_other()) {
		recover();
		return;
	}
	quarantine_candidate();
	(void)put(); /* the next boot does it, when this does not */
}

static void run(void)
{
	boot.result->decision = OTA_BOOT_RUN;
	boot.result->address = boot.image.software;
	boot.result->length = boot.image.header.uncompressed_size;
	boot.result->image = boot.image;
}

static void run_trial(void)
{
	bool for_ever = fault_active(FAULT_OTA_NO_ROLLBACK);

	if (boot.record.trial_boots >= trial_limit() && !for_ever) {
		roll_back();
		return;
	}
	boot.record.state = OTA_TRIAL;
	if (boot.record.trial_boots < UINT8_MAX)
		boot.record.trial_boots++;
	boot.record.boots++;
	if (!put() && !for_ever) {
		roll_back(); /* what cannot be counted would never end */
		return;
	}
	boot.result->trial = true;
	run();
}

/* The factory's image has never been confirmed and need not be: its counter holds. */
static void run_confirmed(void)
{
	if (boot.record.security_counter < boot.image.header.security_counter)
		boot.record.security_counter = boot.image.header.security_counter;
	boot.record.boots++;
	(void)put();
	run();
}

/* The running bank is the candidate's and nobody has confirmed it. */
static bool on_trial(void)
{
	return boot.record.candidate == boot.active && boot.record.state != OTA_IDLE && boot.record.state != OTA_ROLLED_BACK;
}

static void decide_good(void)
{
	if (on_trial() && is_candidate(&boot.image)) {
		run_trial();
		return;
	}
	if (on_trial())
		forget_candidate(); /* something else was put there */
	if (boot.record.candidate == boot.active && boot.record.state == OTA_ROLLED_BACK && is_quarantined(&boot.image))
		roll_back();
	else
		run_confirmed();
}

static void decide_bad(void)
{
	if (on_trial()) {
		roll_back();
		return;
	}
	if (!verify_other() || is_quarantined(&boot.other_image) || !swap_to_other())
		recover();
}

void ota_boot(struct ota_boot_result *ret_result)
{
	memset(ret_result, 0, sizeof(*ret_result));
	memset(&boot, 0, sizeof(boot));
	boot.result = ret_result;
	ret_result->other = OTA_IMAGE_ABSENT;
	if (port_flash_geometry() == NULL) {
		ret_result->decision = OTA_BOOT_RUN;
		return;
	}
	settle();
	reconcile();
	if (verify_active())
		decide_good();
	else
		decide_bad();
}
