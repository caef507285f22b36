/* SPDX-License-Identifier: Apache-2.0 */
/* What a board tells about its update: the state, DIDs FD50..FD52, and lines on the console. */
#include "ota_update_private.h"

#include "console.h"

#include <string.h>

#define TRIAL_BOOTS     3u
#define MAX_TRIAL_BOOTS 15u
#define NO_STATE        0xFFu
#define DIGEST_SHOWN    4u

static struct {
	uint8_t trial_limit;
	uint8_t told; /* the state on the console */
} status;

void ota_update_status_start(void)
{
	uint32_t limit = TRIAL_BOOTS;

	(void)port_param_u32("ota.trial_boots", &limit);
	status.trial_limit = limit >= 1 && limit <= MAX_TRIAL_BOOTS ? (uint8_t)limit : TRIAL_BOOTS;
	status.told = NO_STATE;
}

/* ---- state -------------------------------------------------------------------------------------------------------- */

static enum ota_state stored_state(void)
{
	enum ota_state state = ota_update_record_state();

	if (ota.trial)
		return OTA_TRIAL;
	if (state == OTA_ROLLED_BACK || ota_update_record_is_candidate() || (state == OTA_ACTIVATED && ota.swap_pending))
		return state;
	return OTA_IDLE;
}

enum ota_state ota_update_state(void)
{
	enum ota_state state = stored_state();

	if (ota_update_transferring() || ota.erased || ota.task == OTA_TASK_ERASE)
		return OTA_WRITING;
	if (ota.offered && (state < OTA_WRITTEN || state > OTA_ACTIVATED || !ota_update_record_fits_offer()))
		return OTA_OFFERED;
	if (ota.recovery && (state == OTA_IDLE || state == OTA_ROLLED_BACK))
		return OTA_RECOVERY;
	return state;
}

static uint8_t candidate(enum ota_state state)
{
	if (state == OTA_IDLE || state == OTA_RECOVERY || state == OTA_ROLLED_BACK)
		return OTA_NO_BANK;
	return state == OTA_OFFERED ? ota_update_other() : ota_store_get()->candidate;
}

/* ---- DIDs --------------------------------------------------------------------------------------------------------- */

static void put_u32(uint8_t *buffer, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		buffer[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t ota_update_state_read(void *context, uint8_t *buffer, size_t size)
{
	const struct ota_record *record = ota_store_get();
	enum ota_state state;

	(void)context;
	if (ota.flash == NULL || size < OTA_STATE_LENGTH)
		return size;
	state = ota_update_state();
	memset(buffer, 0, OTA_STATE_LENGTH);
	buffer[0] = (uint8_t)state;
	buffer[1] = port_flash_active();
	buffer[2] = candidate(state);
	buffer[3] = record->trial_boots;
	buffer[4] = status.trial_limit;
	buffer[5] = ota.last_result;
	put_u32(buffer + 8, record->security_counter);
	put_u32(buffer + 12, ota_update_record_is_candidate() ? record->bookmark : 0);
	put_u32(buffer + 16, record->boots);
	return OTA_STATE_LENGTH;
}

size_t ota_update_digest_read(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	if (size < SWPG_DIGEST_SIZE)
		return size;
	memset(buffer, 0, SWPG_DIGEST_SIZE);
	if (ota.has_running)
		memcpy(buffer, ota.running.digest, SWPG_DIGEST_SIZE);
	return SWPG_DIGEST_SIZE;
}

size_t ota_update_resume_read(void *context, uint8_t *buffer, size_t size)
{
	const struct ota_record *record = ota_store_get();

	(void)context;
	if (ota.flash == NULL || size < OTA_RESUME_LENGTH)
		return size;
	memset(buffer, 0, OTA_RESUME_LENGTH);
	if (!ota_update_record_is_candidate() || ota_update_record_state() != OTA_WRITING || record->bookmark == 0)
		return OTA_RESUME_LENGTH;
	put_u32(buffer, record->bookmark);
	memcpy(buffer + 4, record->digest, SWPG_DIGEST_SIZE);
	return OTA_RESUME_LENGTH;
}

/* ---- console ------------------------------------------------------------------------------------------------------ */

static void say_digest(struct console_line *line, const uint8_t *digest)
{
	for (unsigned i = 0; i < DIGEST_SHOWN; i++)
		console_hexadecimal(line, digest[i], 2);
}

void ota_update_report(void)
{
	static const char *const names[] = {"idle",      "offered", "writing",     "written", "verified",
	                                    "activated", "trial",   "rolled-back", "recovery"};
	enum ota_state state = ota_update_state();
	uint8_t bank = candidate(state);
	struct console_line line;

	if ((uint8_t)state == status.told)
		return;
	status.told = (uint8_t)state;
	console_begin(&line);
	console_text(&line, "@ota state=");
	console_text(&line, names[state]);
	console_text(&line, " t_us=");
	console_decimal(&line, port_time_us());
	console_text(&line, port_flash_active() == 0 ? " active=A" : " active=B");
	console_text(&line, bank == 0 ? " candidate=A" : bank == 1 ? " candidate=B" : " candidate=-");
	console_text(&line, " digest=");
	say_digest(&line, state == OTA_OFFERED ? ota.offer.digest : ota_store_get()->digest);
	console_text(&line, " counter=");
	console_decimal(&line, ota_store_get()->security_counter);
	console_end(&line);
}
