/* SPDX-License-Identifier: Apache-2.0 */
#include "pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum block_type { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6, BLOCK_SECRETS = 10 };
enum option_code {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_TSRESOL = 9,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5
};

#define BYTE_ORDER_MAGIC   0x1a2b3c4dU
#define SECRETS_TLS_KEYLOG 0x544c534bU
#define BLOCK_OVERHEAD     12 /* type, length, length again */

static size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static size_t option_size(size_t length)
{
	return 4 + padded(length);
}

/* Reserves a whole block, zeroed, with its frame; returns its body or NULL. Nothing may fail after this. */
static uint8_t *block_begin(struct bytes *out, uint32_t type, size_t body)
{
	static const uint8_t zero[256];
	uint32_t total = (uint32_t)(body + BLOCK_OVERHEAD);
	size_t start = out->length, left = total;
	uint8_t *grown;

	if (body > INT32_MAX || out->length > SIZE_MAX / 4)
		return NULL;
	if (out->capacity < out->length + total) {
		grown = realloc(out->data, out->length * 2 + total);
		if (!grown)
			return NULL;
		out->data = grown;
		out->capacity = out->length * 2 + total;
	}
	for (size_t n; left > 0; left -= n) {
		n = left < sizeof(zero) ? left : sizeof(zero);
		memcpy(out->data + out->length, zero, n);
		out->length += n;
	}
	memcpy(out->data + start, &type, 4);
	memcpy(out->data + start + 4, &total, 4);
	memcpy(out->data + start + 8 + body, &total, 4);
	return out->data + start + 8;
}

static uint8_t *put_u16(uint8_t *p, uint16_t value)
{
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static uint8_t *put_u32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

/* A 64 bit time stamp goes as two halves, the high one first, whatever the byte order. */
static uint8_t *put_stamp(uint8_t *p, int64_t realtime_ns)
{
	p = put_u32(p, (uint32_t)((uint64_t)realtime_ns >> 32));
	return put_u32(p, (uint32_t)realtime_ns);
}

static uint8_t *put_option(uint8_t *p, uint16_t code, const void *data, size_t length)
{
	p = put_u16(p, code);
	p = put_u16(p, (uint16_t)length);
	if (length > 0)
		memcpy(p, data, length);
	return p + padded(length);
}

int pcapng_section(struct bytes *out, const char *application, const char *comment)
{
	size_t options = option_size(strlen(application)) + option_size(strlen(comment)) + 4;
	uint8_t *p = block_begin(out, BLOCK_SECTION, 16 + options);

	if (!p)
		return -ENOMEM;
	p = put_u32(p, BYTE_ORDER_MAGIC);
	p = put_u16(p, 1); /* version 1.0 */
	p = put_u16(p, 0);
	memset(p, 0xff, 8); /* length of the section is not told */
	p = put_option(p + 8, SECTION_APPLICATION, application, strlen(application));
	p = put_option(p, OPTION_COMMENT, comment, strlen(comment));
	(void)put_option(p, OPTION_END, NULL, 0);
	return 0;
}

int pcapng_interface(struct bytes *out, uint16_t linktype, const char *name, const char *description)
{
	const uint8_t nanoseconds = 9;
	size_t options = option_size(strlen(name)) + option_size(strlen(description)) + option_size(1) + 4;
	uint8_t *p = block_begin(out, BLOCK_INTERFACE, 8 + options);

	if (!p)
		return -ENOMEM;
	p = put_u16(p, linktype);
	p = put_u16(p, 0);
	p = put_u32(p, 0); /* no snap length */
	p = put_option(p, INTERFACE_NAME, name, strlen(name));
	p = put_option(p, INTERFACE_DESCRIPTION, description, strlen(description));
	p = put_option(p, INTERFACE_TSRESOL, &nanoseconds, 1);
	(void)put_option(p, OPTION_END, NULL, 0);
	return 0;
}

int pcapng_packet(struct bytes *out, uint32_t interface, int64_t realtime_ns, const void *data, size_t length, size_t original)
{
	uint8_t *p = block_begin(out, BLOCK_PACKET, 20 + padded(length));

	if (!p)
		return -ENOMEM;
	p = put_u32(p, interface);
	p = put_stamp(p, realtime_ns);
	p = put_u32(p, (uint32_t)length);
	p = put_u32(p, (uint32_t)original);
	if (length > 0)
		memcpy(p, data, length);
	return 0;
}

int pcapng_statistics(struct bytes *out, uint32_t interface, int64_t realtime_ns, uint64_t received, uint64_t dropped)
{
	uint8_t *p = block_begin(out, BLOCK_STATISTICS, 12 + 2 * option_size(8) + 4);

	if (!p)
		return -ENOMEM;
	p = put_u32(p, interface);
	p = put_stamp(p, realtime_ns);
	p = put_option(p, STATISTICS_RECEIVED, &received, 8);
	p = put_option(p, STATISTICS_DROPPED, &dropped, 8);
	(void)put_option(p, OPTION_END, NULL, 0);
	return 0;
}

int pcapng_tls_secrets(struct bytes *out, const void *lines, size_t length)
{
	uint8_t *p = block_begin(out, BLOCK_SECRETS, 8 + padded(length));

	if (!p)
		return -ENOMEM;
	p = put_u32(p, SECRETS_TLS_KEYLOG);
	p = put_u32(p, (uint32_t)length);
	memcpy(p, lines, length);
	return 0;
}
