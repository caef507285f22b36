/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_store_command.h"

#include <string.h>

#define PAGE         PORT_FLASH_DATA_PAGE
#define CHUNK        1024u
#define STEADY_READS 12u
#define STEADY_SIZE  256u

static bool stuck;

enum port_status ota_command_wait(uint32_t address)
{
	uint64_t limit_us = port_time_us() + (stuck ? 0 : OTA_COMMAND_LIMIT_US);

	for (;;) {
		enum port_status status = port_flash_result(address);

		if (status != PORT_WOULD_BLOCK) {
			stuck = false;
			return status == PORT_OK ? PORT_OK : PORT_FAILED;
		}
		if (port_time_us() >= limit_us) {
			stuck = true;
			return PORT_WOULD_BLOCK;
		}
		port_wait(limit_us);
	}
}

/* The result of the command before is nobody's business here, but its end is. */
static bool idle(uint32_t address)
{
	return ota_command_wait(address) != PORT_WOULD_BLOCK;
}

enum port_status ota_command_erase(uint32_t address)
{
	if (!idle(address))
		return PORT_WOULD_BLOCK;
	if (port_flash_erase(address, 1) != PORT_OK)
		return PORT_FAILED;
	return ota_command_wait(address);
}

enum port_status ota_command_program(uint32_t address, const uint8_t page[PORT_FLASH_DATA_PAGE])
{
	uint8_t check[PAGE];
	enum port_status status;

	if (!idle(address))
		return PORT_WOULD_BLOCK;
	if (port_flash_program(address, page, PAGE) != PORT_OK)
		return PORT_FAILED;
	status = ota_command_wait(address);
	if (status == PORT_OK && (port_flash_read(address, check, PAGE) != PORT_OK || memcmp(check, page, PAGE) != 0))
		status = PORT_FAILED;
	return status;
}

bool ota_command_steady(uint32_t address, const uint8_t *expected, size_t length)
{
	uint8_t check[STEADY_SIZE];

	for (unsigned i = 0; i < STEADY_READS; i++) {
		if (length > sizeof(check) || port_flash_read(address, check, length) != PORT_OK || memcmp(check, expected, length) != 0)
			return false;
	}
	return true;
}

static void read_pages(uint32_t address, uint8_t *buffer, size_t first, size_t count, uint8_t *bad)
{
	for (size_t n = first; n < first + count; n++) {
		if (port_flash_read(address + (uint32_t)(n * PAGE), buffer + n * PAGE, PAGE) == PORT_OK)
			continue;
		memset(buffer + n * PAGE, 0, PAGE);
		bad[n / 8] |= (uint8_t)(1u << n % 8);
	}
}

void ota_command_read(uint32_t address, uint8_t *buffer, size_t length, uint8_t *ret_bad)
{
	memset(ret_bad, 0, (length / PAGE + 7) / 8);
	(void)idle(address);
	for (size_t at = 0; at < length; at += CHUNK) {
		size_t part = length - at < CHUNK ? length - at : CHUNK;

		if (port_flash_read(address + (uint32_t)at, buffer + at, part) != PORT_OK)
			read_pages(address, buffer, at / PAGE, part / PAGE, ret_bad);
	}
}

bool ota_command_is(const uint8_t *bytes, size_t length, uint8_t value)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}
