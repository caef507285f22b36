/* SPDX-License-Identifier: Apache-2.0 */
/* The check: what is in the other bank is read back and has to be what was offered, whole, allowed, and with all that it needs. */
#include "ota_update_private.h"

#include "../faults/fault.h"
#include "console.h"

#include <string.h>

#define MAX_INSTALLED 8u
#define REQUIRES_SIZE 48u

static struct {
	uint16_t target;
	uint8_t version[4];
} installed[MAX_INSTALLED];
static uint8_t installed_count;

uint8_t ota_update_installed(uint16_t target, const uint8_t version[4])
{
	uint8_t at = 0;

	while (at < installed_count && installed[at].target != target)
		at++;
	if (at == MAX_INSTALLED)
		return OTA_OUT_OF_RANGE;
	if (at == installed_count)
		installed_count++;
	installed[at].target = target;
	memcpy(installed[at].version, version, sizeof(installed[at].version));
	return OTA_DONE;
}

void ota_update_installed_clear(void)
{
	installed_count = 0;
}

/* ---- the dependency ----------------------------------------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static const char *read_number(const char *text, int base, uint32_t limit, uint32_t *ret_value)
{
	uint32_t value = 0;
	const char *begin = text;

	for (; digit(*text) < base && value <= limit; text++)
		value = value * (uint32_t)base + (uint32_t)digit(*text);
	*ret_value = value;
	return text == begin || value > limit ? NULL : text;
}

static bool read_version(const char *text, uint8_t version[4])
{
	memset(version, 0, 4);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t value;

		text = read_number(text, 10, UINT8_MAX, &value);
		if (text == NULL)
			return false;
		version[i] = (uint8_t)value;
		if (*text == '\0')
			return true;
		if (*text++ != '.')
			return false;
	}
	return false;
}

/* "0x0091>=1.2.0", up to four numbers. */
static bool read_requirement(const char *text, uint16_t *ret_target, uint8_t version[4])
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint32_t target;

	text = read_number(text + (hexadecimal ? 2 : 0), hexadecimal ? 16 : 10, UINT16_MAX, &target);
	if (text == NULL || text[0] != '>' || text[1] != '=')
		return false;
	*ret_target = (uint16_t)target;
	return read_version(text + 2, version);
}

static const uint8_t *version_of(uint16_t target)
{
	if (ota.has_running && target == ota.running.header.target)
		return ota.running.header.version;
	for (uint8_t i = installed_count; i-- > 0;)
		if (installed[i].target == target)
			return installed[i].version;
	return NULL;
}

/* What nobody knows is not there. */
static bool dependency_met(void)
{
	char text[REQUIRES_SIZE];
	uint16_t target;
	uint8_t version[4];
	const uint8_t *found;
	struct console_line line;
	enum port_status status = port_param_text("ota.requires", text, sizeof(text));

	if (status == PORT_ABSENT)
		return true;
	if (status != PORT_OK || !read_requirement(text, &target, version)) {
		console_begin(&line);
		console_text(&line, "! ota.requires: wants TARGET>=VERSION, like 0x0091>=1.2.0");
		console_end(&line);
		return false;
	}
	found = version_of(target);
	return found != NULL && swpg_compare_versions(found, version) >= 0;
}

/* ---- the check ---------------------------------------------------------------------------------------------------- */

static uint8_t judge(enum ota_image_status status, const struct ota_image *image)
{
	switch (status) {
	case OTA_IMAGE_OK:
		break;
	case OTA_IMAGE_OLD:
		return OTA_CONDITIONS;
	case OTA_IMAGE_MALFORMED:
	case OTA_IMAGE_FOREIGN:
		return OTA_OUT_OF_RANGE;
	default:
		return OTA_PROGRAMMING_FAILURE;
	}
	if (memcmp(image->digest, ota_store_get()->digest, sizeof(image->digest)) != 0)
		return OTA_PROGRAMMING_FAILURE;
	if (ota.has_running && swpg_compare_versions(image->header.version, ota.running.header.version) < 0)
		return OTA_CONDITIONS;
	return dependency_met() ? OTA_DONE : OTA_CONDITIONS;
}

static uint8_t put_verdict(uint8_t nrc)
{
	struct ota_record record = *ota_store_get();
	uint8_t state = nrc == OTA_DONE ? OTA_VERIFIED : OTA_WRITTEN;

	if (record.state == state || (record.state == OTA_ACTIVATED && ota.swap_pending))
		return nrc;
	record.state = state;
	return nrc == OTA_DONE ? ota_update_put(&record) : (ota_update_put(&record), nrc);
}

void ota_update_check_poll(uint64_t *ret_deadline_us)
{
	enum ota_image_status status = OTA_IMAGE_UNREADABLE;
	struct ota_image image;
	enum port_status step = ota_image_verify_step(&status, &image);

	if (step == PORT_WOULD_BLOCK) {
		*ret_deadline_us = 0;
		return;
	}
	(void)ota_update_finish(put_verdict(step == PORT_OK ? judge(status, &image) : OTA_PROGRAMMING_FAILURE));
}

static bool has_candidate(void)
{
	if (fault_active(FAULT_OTA_CONFIRM_EARLY) && ota.swap_pending)
		return true;
	return ota_update_record_is_candidate() && ota_update_record_state() >= OTA_WRITTEN;
}

uint8_t ota_update_check(void)
{
	const struct ota_record *record = ota_store_get();
	uint32_t running = ota.has_running ? ota.running.header.security_counter : 0;

	if (ota.flash == NULL || ota.task != OTA_TASK_NONE)
		return OTA_CONDITIONS;
	if (ota_update_transferring() || ota.erased || !has_candidate() || !ota_update_record_fits_offer())
		return ota_update_finish(OTA_SEQUENCE);
	ota.task = OTA_TASK_CHECK;
	ota_image_verify_begin(ota_update_area(), running > record->security_counter ? running : record->security_counter);
	return OTA_PENDING;
}
