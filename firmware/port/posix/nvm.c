/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <string.h>
#include <sys/mman.h>

static uint8_t *memory;

int port_posix_nvm_open(int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *map = mmap(NULL, PORT_NVM_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	memory = map;
	return 0;
}

static bool within(uint32_t offset, size_t length)
{
	return memory && offset <= PORT_NVM_SIZE && length <= PORT_NVM_SIZE - offset;
}

enum port_status port_nvm_read(uint32_t offset, uint8_t *buffer, size_t length)
{
	if (!within(offset, length))
		return PORT_INVALID;
	memcpy(buffer, memory + offset, length);
	return PORT_OK;
}

enum port_status port_nvm_write(uint32_t offset, const uint8_t *data, size_t length)
{
	if (!within(offset, length))
		return PORT_INVALID;
	memcpy(memory + offset, data, length);
	return PORT_OK;
}
