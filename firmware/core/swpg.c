/* SPDX-License-Identifier: Apache-2.0 */
#include "swpg.h"

#include <string.h>

enum offset {
	AT_MAGIC = 0,
	AT_TARGET = 4,
	AT_TYPE = 6,
	AT_COMPRESSION = 7,
	AT_PAYLOAD_SIZE = 8,
	AT_UNCOMPRESSED_SIZE = 12,
	AT_VERSION = 16,
	AT_TIMESTAMP = 20,
	AT_SERIAL = 24,
	AT_CRC32 = 28,
	AT_KIND = 32,
	AT_TRAILER_LENGTH = 36,
	AT_KEY_ID = 40,
	AT_SOURCE = 44,
	AT_HOP_COUNT = 46,
	AT_SEQUENCE = 48,
	AT_SECURITY_COUNTER = 52,
	AT_RESERVED = 56
};

#define NO_TARGET  0x0000u
#define ALL_TARGET 0xFFFFu

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void swpg_decode(const uint8_t bytes[SWPG_HEADER_SIZE], struct swpg_header *ret_header, uint32_t *ret_magic)
{
	*ret_magic = get_u32(bytes + AT_MAGIC);
	ret_header->target = get_u16(bytes + AT_TARGET);
	ret_header->type = bytes[AT_TYPE];
	ret_header->compression = bytes[AT_COMPRESSION];
	ret_header->payload_size = get_u32(bytes + AT_PAYLOAD_SIZE);
	ret_header->uncompressed_size = get_u32(bytes + AT_UNCOMPRESSED_SIZE);
	memcpy(ret_header->version, bytes + AT_VERSION, sizeof(ret_header->version));
	ret_header->timestamp = get_u32(bytes + AT_TIMESTAMP);
	ret_header->serial = get_u32(bytes + AT_SERIAL);
	ret_header->crc32 = get_u32(bytes + AT_CRC32);
	ret_header->kind = get_u32(bytes + AT_KIND);
	ret_header->trailer_length = get_u32(bytes + AT_TRAILER_LENGTH);
	ret_header->key_id = get_u32(bytes + AT_KEY_ID);
	ret_header->source = get_u16(bytes + AT_SOURCE);
	ret_header->hop_count = get_u16(bytes + AT_HOP_COUNT);
	ret_header->sequence = get_u32(bytes + AT_SEQUENCE);
	ret_header->security_counter = get_u32(bytes + AT_SECURITY_COUNTER);
	memcpy(ret_header->reserved, bytes + AT_RESERVED, sizeof(ret_header->reserved));
}

/* In 64 bits: no size that a header can name wraps. */
static bool sizes_fit(const struct swpg_header *header, uint32_t area_size)
{
	uint64_t software = header->uncompressed_size, payload = header->payload_size;

	if (software == 0 || SWPG_HEADER_SIZE + software + header->trailer_length > area_size)
		return false;
	if (header->compression == SWPG_NONE)
		return payload == software;
	return payload >= SWPG_MIN_GZIP && payload <= software + software / 1024 + SWPG_MAX_GROWTH;
}

static bool version_agrees(const struct swpg_header *header)
{
	const uint8_t *version = header->version;

	return header->serial == ((uint32_t)version[0] << 24 | (uint32_t)version[1] << 16 | (uint32_t)version[2] << 8 | version[3]);
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
	uint8_t any = 0;

	for (size_t i = 0; i < length; i++)
		any |= bytes[i];
	return any == 0;
}

enum swpg_status swpg_check(uint32_t magic, const struct swpg_header *header, uint32_t area_size)
{
	if (magic != SWPG_MAGIC)
		return SWPG_BAD_MAGIC;
	if (header->target == NO_TARGET || header->target == ALL_TARGET)
		return SWPG_BAD_TARGET;
	if (header->type < SWPG_APPLICATION || header->type > SWPG_CALIBRATION)
		return SWPG_BAD_TYPE;
	if (header->compression > SWPG_GZIP)
		return SWPG_BAD_COMPRESSION;
	/* The length of an unknown kind is 0: it never agrees with a trailer. */
	if (header->trailer_length == 0 || header->trailer_length != swpg_trailer_length(header->kind))
		return SWPG_BAD_KIND;
	if (!sizes_fit(header, area_size))
		return SWPG_BAD_SIZE;
	if (!version_agrees(header))
		return SWPG_BAD_VERSION;
	if (header->timestamp < SWPG_EARLIEST)
		return SWPG_BAD_TIME;
	if (header->security_counter == 0)
		return SWPG_BAD_COUNTER;
	if (header->sequence == 0)
		return SWPG_BAD_SEQUENCE;
	if (header->hop_count > SWPG_MAX_HOPS)
		return SWPG_BAD_HOPS;
	return is_zero(header->reserved, sizeof(header->reserved)) ? SWPG_OK : SWPG_BAD_RESERVED;
}

uint32_t swpg_trailer_length(uint32_t kind)
{
#define KIND_LENGTH(symbol, length, name)                                                                                                  \
	_Static_assert((length) > SWPG_DIGEST_SIZE && (length) <= SWPG_MAX_TRAILER, #symbol);                                              \
	if (kind == symbol)                                                                                                                \
		return length;
	SWPG_KIND_LIST(KIND_LENGTH)
#undef KIND_LENGTH
	return 0;
}

void swpg_canonical(const uint8_t bytes[SWPG_HEADER_SIZE], bool for_crc, uint8_t ret_bytes[SWPG_HEADER_SIZE])
{
	memmove(ret_bytes, bytes, SWPG_HEADER_SIZE);
	memset(ret_bytes + AT_HOP_COUNT, 0, 2);
	if (for_crc)
		memset(ret_bytes + AT_CRC32, 0, 4);
}

int swpg_compare_versions(const uint8_t a[4], const uint8_t b[4])
{
	int difference = memcmp(a, b, 4);

	return (difference > 0) - (difference < 0);
}
