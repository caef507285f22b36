/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_update.h"

#include <string.h>

struct fake_update fake_update;

void fake_update_clear(void)
{
	memset(&fake_update, 0, sizeof(fake_update));
}

static uint8_t called(char letter)
{
	size_t length = strlen(fake_update.calls);

	if (length + 1 < sizeof(fake_update.calls))
		fake_update.calls[length] = letter;
	return fake_update.answer;
}

static uint8_t called_with(char letter, const uint8_t *data, size_t length)
{
	fake_update.length = length;
	fake_update.first = length > 0 ? data[0] : 0;
	return called(letter);
}

bool ota_update_possible(void)
{
	return fake_update.possible;
}

uint8_t ota_update_result(void)
{
	return fake_update.result;
}

uint8_t ota_update_offer(const uint8_t *data, size_t length)
{
	return called_with('o', data, length);
}

uint8_t ota_update_erase(uint32_t address, uint32_t size)
{
	fake_update.address = address;
	fake_update.size = size;
	return called('e');
}

uint8_t ota_update_begin(uint8_t data_format, uint32_t address, uint32_t size, uint16_t *ret_max_block)
{
	fake_update.format = data_format;
	fake_update.address = address;
	fake_update.size = size;
	*ret_max_block = OTA_MAX_BLOCK + 2;
	return called('b');
}

uint8_t ota_update_data(const uint8_t *data, size_t length)
{
	return called_with('d', data, length);
}

uint8_t ota_update_end(bool has_crc, uint32_t crc32)
{
	fake_update.has_crc = has_crc;
	fake_update.crc32 = crc32;
	return called('x');
}

uint8_t ota_update_installed(uint16_t target, const uint8_t version[4])
{
	(void)version;
	fake_update.target = target;
	(void)called('i');
	return 0;
}

uint8_t ota_update_check(void)
{
	return called('c');
}

uint8_t ota_update_activate(void)
{
	return called('a');
}

uint8_t ota_update_confirm(void)
{
	return called('f');
}

uint8_t ota_update_cancel(void)
{
	return called('n');
}

void ota_update_session_ended(void)
{
	(void)called('s');
}

static size_t fill(uint8_t *buffer, size_t size, size_t length, uint8_t value)
{
	if (size < length)
		return size;
	memset(buffer, value, length);
	return length;
}

size_t ota_update_state_read(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return fill(buffer, size, OTA_STATE_LENGTH, 0x50);
}

size_t ota_update_digest_read(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return fill(buffer, size, SWPG_DIGEST_SIZE, 0x51);
}

size_t ota_update_resume_read(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	return fill(buffer, size, OTA_RESUME_LENGTH, 0x52);
}
