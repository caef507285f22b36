/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_nvm.h"

#include <string.h>

#define HEADER_SIZE 6u /* record number + 1, length, CRC-32 */
#define SLOT_SIZE   (HEADER_SIZE + UDS_NVM_MAX_LENGTH)

_Static_assert(SLOT_SIZE *UDS_NVM_RECORDS <= UDS_NVM_SIZE, "the records fit into their part of the memory");
_Static_assert(UDS_NVM_BASE + UDS_NVM_SIZE <= PORT_NVM_SIZE, "the part lies inside the memory");

/* CRC-32 (reflected 0xEDB88320); bitwise, as records are few and small. */
static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t length)
{
	crc = ~crc;
	while (length-- > 0) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
	}
	return ~crc;
}

static uint32_t slot_offset(enum uds_nvm_record record)
{
	return UDS_NVM_BASE + (uint32_t)record * SLOT_SIZE;
}

static void make_header(enum uds_nvm_record record, const uint8_t *data, size_t length, uint8_t header[HEADER_SIZE])
{
	uint32_t crc;

	header[0] = (uint8_t)(record + 1);
	header[1] = (uint8_t)length;
	crc = crc32(crc32(0, header, 2), data, length);
	for (int i = 0; i < 4; i++)
		header[2 + i] = (uint8_t)(crc >> (24 - 8 * i));
}

bool uds_nvm_load(enum uds_nvm_record record, uint8_t *buffer, size_t size, size_t *ret_length)
{
	uint8_t slot[SLOT_SIZE], header[HEADER_SIZE];

	if (port_nvm_read(slot_offset(record), slot, sizeof(slot)) != PORT_OK)
		return false;
	if (slot[0] != record + 1 || slot[1] == 0 || slot[1] > UDS_NVM_MAX_LENGTH || slot[1] > size)
		return false;
	make_header(record, slot + HEADER_SIZE, slot[1], header);
	if (memcmp(header, slot, HEADER_SIZE) != 0)
		return false;
	memcpy(buffer, slot + HEADER_SIZE, slot[1]);
	*ret_length = slot[1];
	return true;
}

bool uds_nvm_store(enum uds_nvm_record record, const uint8_t *data, size_t length)
{
	uint8_t slot[SLOT_SIZE] = {0}, check[SLOT_SIZE];

	if (length == 0 || length > UDS_NVM_MAX_LENGTH)
		return false;
	make_header(record, data, length, slot);
	memcpy(slot + HEADER_SIZE, data, length);
	return port_nvm_write(slot_offset(record), slot, HEADER_SIZE + length) == PORT_OK &&
	       port_nvm_read(slot_offset(record), check, HEADER_SIZE + length) == PORT_OK && memcmp(slot, check, HEADER_SIZE + length) == 0;
}
