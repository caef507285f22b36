/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_did.h"

#include "ota_update.h"
#include "uds_communication.h"
#include "uds_dtc.h"
#include "uds_nvm.h"
#include "uds_services.h"

#include <string.h>

#define SCRATCH_SIZE 64u
#define LARGE_LENGTH 2000u
#define HUGE_LENGTH  3000u
#define TOKEN_LENGTH 4u

static struct {
	uint8_t vin[UDS_VIN_LENGTH];
	uint8_t scratch[SCRATCH_SIZE];
	size_t scratch_length;
	uint8_t token[TOKEN_LENGTH];
} data;

bool uds_did_stored_vin(uint8_t vin[UDS_VIN_LENGTH])
{
	size_t length;
	uint8_t stored[UDS_VIN_LENGTH];

	if (!uds_nvm_load(UDS_NVM_VIN, stored, sizeof(stored), &length) || length != sizeof(stored))
		return false;
	memcpy(vin, stored, sizeof(stored));
	return true;
}

void uds_did_start(uint64_t now_us)
{
	(void)now_us;
	memset(&data, 0, sizeof(data));
	memset(data.vin, 0xFF, sizeof(data.vin));
	if (uds_application.identity != NULL)
		memcpy(data.vin, uds_application.identity->vin, sizeof(data.vin));
	(void)uds_did_stored_vin(data.vin);
	if (!uds_nvm_load(UDS_NVM_SCRATCH, data.scratch, sizeof(data.scratch), &data.scratch_length))
		data.scratch_length = 1; /* one zero byte until it is written */
	port_random(data.token, sizeof(data.token));
}

static size_t copy(uint8_t *buffer, size_t size, const void *source, size_t length)
{
	size_t count = length < size ? length : size;

	memcpy(buffer, source, count);
	return count;
}

static size_t read_session(void *context, uint8_t *buffer, size_t size)
{
	uint8_t session = (uint8_t)uds_session_active();

	(void)context;
	return copy(buffer, size, &session, 1);
}

static size_t read_text(const char *text, uint8_t *buffer, size_t size)
{
	return copy(buffer, size, text, strlen(text));
}

static size_t read_part_number(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return read_text(uds_application.identity->part_number, buffer, size);
}

static size_t read_serial_number(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return read_text(uds_application.identity->serial_number, buffer, size);
}

static size_t read_version(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return read_text(uds_application.identity->software_version, buffer, size);
}

static size_t read_vin(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return copy(buffer, size, data.vin, sizeof(data.vin));
}

/* Capital letters and digits. That ISO 3779 leaves out I, O and Q is the matter of who issues VINs: benches use names. */
static bool vin_character(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static uint8_t write_vin(void *context, const uint8_t *value, size_t length)
{
	(void)context;
	for (size_t i = 0; i < length; i++) {
		if (!vin_character(value[i]))
			return UDS_OUT_OF_RANGE;
	}
	if (!uds_nvm_store(UDS_NVM_VIN, value, length))
		return UDS_PROGRAMMING_FAILURE;
	memcpy(data.vin, value, sizeof(data.vin));
	(void)uds_dtc_report(UDS_DTC_NO_VIN, false);
	return UDS_POSITIVE;
}

static size_t read_scratch(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return copy(buffer, size, data.scratch, data.scratch_length);
}

static uint8_t write_scratch(void *context, const uint8_t *value, size_t length)
{
	(void)context;
	if (length > sizeof(data.scratch))
		return UDS_INCORRECT_LENGTH;
	if (!uds_nvm_store(UDS_NVM_SCRATCH, value, length))
		return UDS_PROGRAMMING_FAILURE;
	memcpy(data.scratch, value, length);
	data.scratch_length = length;
	return UDS_POSITIVE;
}

static size_t read_pattern(uint8_t *buffer, size_t size, size_t length)
{
	size_t count = length < size ? length : size;

	for (size_t i = 0; i < count; i++)
		buffer[i] = (uint8_t)i;
	return count;
}

static size_t read_large(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return read_pattern(buffer, size, LARGE_LENGTH);
}

static size_t read_huge(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return read_pattern(buffer, size, HUGE_LENGTH);
}

static size_t read_state(void *context, uint8_t *buffer, size_t size)
{
	uint8_t state[4] = {uds_communication_state(UDS_NORMAL_COMMUNICATION), uds_communication_state(UDS_NETWORK_MANAGEMENT),
	                    uds_communication_subnode_state(), uds_dtc_frozen() ? 2 : 1};

	(void)context;
	return copy(buffer, size, state, sizeof(state));
}

static size_t read_token(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return copy(buffer, size, data.token, sizeof(data.token));
}

/* id, length, read and write sessions, level to write, read, write, context, level to read */
static const struct uds_did built_in[] = {
        {0xF186, 1, UDS_IN_ALL, 0, 0, read_session, NULL, NULL, 0},
        {0xF190, UDS_VIN_LENGTH, UDS_IN_ALL, UDS_IN_EXTENDED, 1, read_vin, write_vin, NULL, 0},
        {0xFD10, 0, UDS_IN_ALL, UDS_IN_EXTENDED, 0, read_scratch, write_scratch, NULL, 0},
        {0xFD11, LARGE_LENGTH, UDS_IN_ALL, 0, 0, read_large, NULL, NULL, 0},
        {0xFD12, HUGE_LENGTH, UDS_IN_ALL, 0, 0, read_huge, NULL, NULL, 0},
        {0xFD20, 4, UDS_IN_ALL, 0, 0, read_state, NULL, NULL, 0},
        {0xFD30, TOKEN_LENGTH, UDS_IN_ALL, 0, 0, read_token, NULL, NULL, 1},
};

static const struct uds_did identification[] = {
        {0xF187, 0, UDS_IN_ALL, 0, 0, read_part_number, NULL, NULL, 0},
        {0xF18C, 0, UDS_IN_ALL, 0, 0, read_serial_number, NULL, NULL, 0},
        {0xF195, 0, UDS_IN_ALL, 0, 0, read_version, NULL, NULL, 0},
};

static const struct uds_did update[] = {
        {0xFD50, OTA_STATE_LENGTH, UDS_IN_ALL, 0, 0, ota_update_state_read, NULL, NULL, 0},
        {0xFD51, SWPG_DIGEST_SIZE, UDS_IN_ALL, 0, 0, ota_update_digest_read, NULL, NULL, 0},
        {0xFD52, OTA_RESUME_LENGTH, UDS_IN_ALL, 0, 0, ota_update_resume_read, NULL, NULL, 0},
};

static const struct uds_did *find_in(const struct uds_did *dids, size_t count, uint16_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (dids[i].id == id)
			return &dids[i];
	}
	return NULL;
}

const struct uds_did *uds_did_find(uint16_t id)
{
	const struct uds_did *did = find_in(built_in, UDS_ARRAY_SIZE(built_in), id);

	if (did == NULL && uds_application.identity != NULL)
		did = find_in(identification, UDS_ARRAY_SIZE(identification), id);
	if (did == NULL && uds_programming_available())
		did = find_in(update, UDS_ARRAY_SIZE(update), id);
	if (did == NULL)
		did = find_in(uds_application.dids, uds_application.did_count, id);
	return did;
}
