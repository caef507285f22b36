/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_record.h"

#include "../core/uds_nvm.h"

#define COUNT_LENGTH 4u

static uint32_t boot_count;

static void put_u32(uint8_t *buffer, uint32_t value)
{
	for (unsigned i = 0; i < COUNT_LENGTH; i++)
		buffer[i] = (uint8_t)(value >> (24 - 8 * i));
}

void boot_record_begin(void)
{
	uint8_t record[COUNT_LENGTH];
	size_t length;

	boot_count = 0;
	if (uds_nvm_load(UDS_NVM_BOOT, record, sizeof(record), &length) && length == sizeof(record))
		boot_count = (uint32_t)record[0] << 24 | (uint32_t)record[1] << 16 | (uint32_t)record[2] << 8 | record[3];
	boot_count++;
	put_u32(record, boot_count);
	(void)uds_nvm_store(UDS_NVM_BOOT, record, sizeof(record)); /* a worn-out memory must not keep the node from starting */
}

size_t boot_record_read(void *context, uint8_t *buffer, size_t size)
{
	(void)context;
	if (size < BOOT_RECORD_LENGTH)
		return size;
	put_u32(buffer, boot_count);
	buffer[COUNT_LENGTH] = (uint8_t)port_reset_reason();
	return BOOT_RECORD_LENGTH;
}
