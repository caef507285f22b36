/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint that a debugger leaves in the chip's RAM for a board without configuration of its own: the length as a 32-bit
 * little-endian word, right behind it the characters of "HOST:PORT" (docs/how-to/inject-an-endpoint.md). HOST is an IP
 * address. Whoever wrote it may have written anything: nothing of it is believed before it was looked at.
 */
#ifndef FIRMWARE_CORE_ENDPOINT_H
#define FIRMWARE_CORE_ENDPOINT_H

#include "../port.h"

#define ENDPOINT_ADDRESS   0x20001000u /* of the length, unless a parameter says otherwise */
#define ENDPOINT_SIZE      64u         /* bytes of the buffer, likewise: a length of 1..63 */
#define ENDPOINT_SIZE_MAX  128u
#define ENDPOINT_LENGTH_AT 4u /* the text begins so many bytes behind the address */

enum endpoint_status {
	ENDPOINT_OK,
	ENDPOINT_NO_MEMORY, /* no RAM there, or no sensible size */
	ENDPOINT_LENGTH,    /* 0, or not below the buffer's size */
	ENDPOINT_TEXT,      /* a byte that no address has: `at` */
	ENDPOINT_SYNTAX,    /* no HOST:PORT, or port 0 */
};

struct endpoint {
	uint32_t address, size;       /* where it was read */
	uint32_t length;              /* as it stands there */
	uint32_t at;                  /* of ENDPOINT_TEXT: index of the byte */
	char text[ENDPOINT_SIZE_MAX]; /* NUL terminated; valid with OK and SYNTAX */
	struct port_endpoint remote;  /* valid with OK */
};

/* Reads and checks it once. ret_endpoint is always filled as far as was read. size: 2..ENDPOINT_SIZE_MAX. */
enum endpoint_status endpoint_read(uint32_t address, uint32_t size, struct endpoint *ret_endpoint);

/* The console's line about what is wrong ("! endpoint: length 80 is not 1..63, …"); nothing for ENDPOINT_OK. */
void endpoint_report(enum endpoint_status status, const struct endpoint *endpoint);

#endif
