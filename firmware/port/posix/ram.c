/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <sys/mman.h>

static const uint8_t *memory;

int port_posix_ram_open(int fd)
{
	static const uint8_t nothing[PORT_RAM_SIZE];
	memory = nothing; /* without a board there is no debugger that could write */
	if (fd < 0)
		return 0;
	void *map = mmap(NULL, PORT_RAM_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	memory = map;
	return 0;
}

const volatile uint8_t *port_ram(uint32_t address, size_t length)
{
	if (!memory || address < PORT_RAM_BEGIN || address - PORT_RAM_BEGIN > PORT_RAM_SIZE ||
	    length > PORT_RAM_SIZE - (address - PORT_RAM_BEGIN))
		return NULL;
	return memory + (address - PORT_RAM_BEGIN);
}
