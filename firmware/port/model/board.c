/* SPDX-License-Identifier: Apache-2.0 */
/* What else a board has: memory, console, entropy, supply, reset. */
#include "port_model_private.h"

#include <stdlib.h>
#include <string.h>

enum port_status port_nvm_read(uint32_t offset, uint8_t *buffer, size_t length)
{
	if (offset > PORT_NVM_SIZE || length > PORT_NVM_SIZE - offset)
		return PORT_INVALID;
	memcpy(buffer, port_model->nvm + offset, length);
	return PORT_OK;
}

enum port_status port_nvm_write(uint32_t offset, const uint8_t *data, size_t length)
{
	if (offset > PORT_NVM_SIZE || length > PORT_NVM_SIZE - offset)
		return PORT_INVALID;
	memcpy(port_model->nvm + offset, data, length);
	return PORT_OK;
}

const volatile uint8_t *port_ram(uint32_t address, size_t length)
{
	(void)address;
	(void)length;
	return NULL; /* nobody debugs it */
}

void port_console_write(const char *text, size_t length)
{
	if (port_model->console)
		port_model->console(port_model->context, text, length);
}

size_t port_console_read(char *buffer, size_t size)
{
	(void)buffer;
	(void)size;
	return 0; /* nobody types */
}

/* Not secret at all: the same seed gives the same run, which is the point (splitmix64). */
void port_random(uint8_t *buffer, size_t length)
{
	static uint64_t drawn;

	while (length-- > 0) {
		uint64_t x = port_model->seed + ++drawn * 0x9E3779B97F4A7C15u;
		x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
		x = (x ^ x >> 27) * 0x94D049BB133111EBu;
		*buffer++ = (uint8_t)(x ^ x >> 31);
	}
}

uint32_t port_supply_mv(void)
{
	return port_model->supply_mv;
}

_Noreturn void port_reset(enum port_reset kind)
{
	port_model->reset(port_model->context, kind);
	abort(); /* the caller's promise was broken */
}

enum port_reset_reason port_reset_reason(void)
{
	return port_model->reason;
}
