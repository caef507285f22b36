/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint.h"

#include <string.h>

#include "../faults/fault.h"
#include "console.h"

static uint32_t little_endian(const volatile uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* What IPv4 and IPv6 addresses, their brackets, scope and port are written with. */
static bool may_stand_in_address(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '.' || byte == ':' ||
	       byte == '[' || byte == ']' || byte == '%' || byte == '-' || byte == '_';
}

/* How many bytes are taken as text. The planted defect takes what the length says as far as its own memory goes, and stops
 * at a NUL as string functions would. */
static uint32_t taken_length(const volatile uint8_t *text, const struct endpoint *endpoint)
{
	uint32_t length = 0;
	if (!fault_active(FAULT_ENDPOINT_NO_BOUND))
		return endpoint->length;
	while (length < endpoint->length && length < endpoint->size - 1 && text[length] != 0)
		length++;
	return length;
}

enum endpoint_status endpoint_read(uint32_t address, uint32_t size, struct endpoint *ret_endpoint)
{
	memset(ret_endpoint, 0, sizeof *ret_endpoint);
	ret_endpoint->address = address;
	ret_endpoint->size = size;
	if (size < 2 || size > ENDPOINT_SIZE_MAX)
		return ENDPOINT_NO_MEMORY;
	const volatile uint8_t *ram = port_ram(address, ENDPOINT_LENGTH_AT + size);
	if (ram == NULL)
		return ENDPOINT_NO_MEMORY;
	ret_endpoint->length = little_endian(ram);
	if ((ret_endpoint->length == 0 || ret_endpoint->length >= size) && !fault_active(FAULT_ENDPOINT_NO_BOUND))
		return ENDPOINT_LENGTH;
	uint32_t length = taken_length(ram + ENDPOINT_LENGTH_AT, ret_endpoint);
	for (uint32_t i = 0; i < length; i++) {
		uint8_t byte = ram[ENDPOINT_LENGTH_AT + i]; /* read once: a debugger may write meanwhile */
		ret_endpoint->text[i] = (char)byte;
		if (may_stand_in_address(byte))
			continue;
		ret_endpoint->at = i;
		return ENDPOINT_TEXT;
	}
	if (port_endpoint_parse(ret_endpoint->text, &ret_endpoint->remote) != PORT_OK || ret_endpoint->remote.port == 0)
		return ENDPOINT_SYNTAX;
	return ENDPOINT_OK;
}

static void put_what(struct console_line *line, enum endpoint_status status, const struct endpoint *endpoint)
{
	switch (status) {
	case ENDPOINT_NO_MEMORY:
		console_text(line, "no RAM for ");
		console_decimal(line, endpoint->size);
		console_text(line, " bytes");
		break;
	case ENDPOINT_LENGTH:
		console_text(line, "length ");
		console_decimal(line, endpoint->length);
		console_text(line, " is not 1..");
		console_decimal(line, endpoint->size - 1);
		break;
	case ENDPOINT_TEXT:
		console_text(line, "byte 0x");
		console_hexadecimal(line, (uint8_t)endpoint->text[endpoint->at], 2);
		console_text(line, " at ");
		console_decimal(line, endpoint->at);
		console_text(line, " is no character of an address");
		break;
	default:
		console_text(line, "\"");
		console_text(line, endpoint->text);
		console_text(line, "\" is no HOST:PORT");
		break;
	}
}

void endpoint_report(enum endpoint_status status, const struct endpoint *endpoint)
{
	struct console_line line;
	if (status == ENDPOINT_OK)
		return;
	console_begin(&line);
	console_text(&line, "! endpoint: ");
	put_what(&line, status, endpoint);
	console_text(&line, ", read at 0x");
	console_hexadecimal(&line, endpoint->address, 8);
	console_end(&line);
}
