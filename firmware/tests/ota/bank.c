/* SPDX-License-Identifier: Apache-2.0 */
#include "bank.h"

#include <string.h>

#define PAGES (BANK_SIZE / BANK_PAGE)

static const struct port_flash_geometry geometry = {
        .bank = {0xA0000000u, 0xA0300000u},
        .bank_size = BANK_SIZE,
        .sector_size = 0x4000,
        .boot_size = BANK_BOOT,
};

static struct {
	uint8_t data[2][BANK_SIZE];
	bool bad[2][PAGES];
	bool absent;
	uint32_t busy, busy_every, reads;
	uint64_t read_bytes;
} banks;

void bank_clear(void)
{
	memset(&banks, 0, sizeof(banks));
	memset(banks.bad, true, sizeof(banks.bad));
}

static bool find(uint32_t address, size_t length, unsigned *ret_bank, uint32_t *ret_offset)
{
	for (unsigned bank = 0; bank < 2; bank++) {
		uint32_t offset = address - geometry.bank[bank];

		if (offset >= BANK_SIZE || length > BANK_SIZE - offset)
			continue;
		*ret_bank = bank;
		*ret_offset = offset;
		return true;
	}
	return false;
}

uint8_t *bank_bytes(uint32_t address)
{
	uint32_t offset;
	unsigned bank;

	if (!find(address, 1, &bank, &offset))
		__builtin_trap();
	return banks.data[bank] + offset;
}

void bank_put(uint32_t address, const void *data, size_t length)
{
	uint32_t offset;
	unsigned bank;

	if (!find(address, length, &bank, &offset))
		__builtin_trap();
	if (length == 0)
		return;
	memset(banks.data[bank] + offset / BANK_PAGE * BANK_PAGE, 0, BANK_PAGE_UP(offset % BANK_PAGE + length));
	memcpy(banks.data[bank] + offset, data, length);
	memset(banks.bad[bank] + offset / BANK_PAGE, false, BANK_PAGE_UP(offset % BANK_PAGE + length) / BANK_PAGE);
}

void bank_ecc(uint32_t address, bool bad)
{
	uint32_t offset;
	unsigned bank;

	if (!find(address, 1, &bank, &offset))
		__builtin_trap();
	banks.bad[bank][offset / BANK_PAGE] = bad;
}

void bank_busy(uint32_t reads)
{
	banks.busy = reads;
}
void bank_busy_every(uint32_t n)
{
	banks.busy_every = n;
}
void bank_absent(void)
{
	banks.absent = true;
}
uint64_t bank_read_bytes(void)
{
	return banks.read_bytes;
}

const struct port_flash_geometry *port_flash_geometry(void)
{
	return banks.absent ? NULL : &geometry;
}

uint8_t port_flash_active(void)
{
	return 0;
}

enum port_status port_flash_read(uint32_t address, uint8_t *buffer, size_t length)
{
	uint32_t offset;
	unsigned bank;

	if (length == 0 || !find(address, length, &bank, &offset))
		return PORT_INVALID;
	if (banks.busy > 0) {
		banks.busy -= banks.busy != UINT32_MAX;
		return PORT_WOULD_BLOCK;
	}
	if (banks.busy_every != 0 && ++banks.reads % banks.busy_every == 0)
		return PORT_WOULD_BLOCK;
	if (memchr(banks.bad[bank] + offset / BANK_PAGE, true, BANK_PAGE_UP(offset % BANK_PAGE + length) / BANK_PAGE) != NULL)
		return PORT_FAILED;
	memcpy(buffer, banks.data[bank] + offset, length);
	banks.read_bytes += length;
	return PORT_OK;
}
