/* SPDX-License-Identifier: Apache-2.0 */
#include "gzip_maker.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static size_t put_header(const struct gzip_options *options, uint8_t *to)
{
	size_t at = 10;
	uint16_t crc;

	memset(to, 0, at);
	to[0] = 0x1F;
	to[1] = 0x8B;
	to[2] = options->method == 0 ? 8 : options->method;
	to[3] = options->flags;
	to[9] = 3;
	if (options->flags & GZIP_EXTRA) {
		to[at++] = (uint8_t)options->extra;
		to[at++] = (uint8_t)(options->extra >> 8);
		memset(to + at, 'x', options->extra);
		at += options->extra;
	}
	if (options->flags & GZIP_NAME) {
		memset(to + at, 'n', options->name);
		at += options->name;
		to[at++] = '\0';
	}
	if (options->flags & GZIP_COMMENT) {
		memset(to + at, 'c', options->comment);
		at += options->comment;
		to[at++] = '\0';
	}
	if ((options->flags & GZIP_HEADER_CRC) == 0)
		return at;
	crc = (uint16_t)(crc32_z(0, to, at) ^ (options->wrong_header_crc ? 1 : 0));
	to[at++] = (uint8_t)crc;
	to[at++] = (uint8_t)(crc >> 8);
	return at;
}

size_t gzip_wrap(const struct gzip_options *options, const uint8_t *deflated, size_t length, const uint8_t *data, size_t size,
                 uint8_t *ret_member)
{
	size_t at = put_header(options, ret_member);
	uint32_t words[2] = {(uint32_t)crc32_z(0, data, size), (uint32_t)size};

	memcpy(ret_member + at, deflated, length);
	at += length;
	for (unsigned i = 0; i < 8; i++)
		ret_member[at++] = (uint8_t)(words[i / 4] >> i % 4 * 8);
	return at;
}

size_t gzip_make(const struct gzip_options *options, const uint8_t *data, size_t size, uint8_t *ret_member)
{
	uint8_t *deflated = malloc(size + 1000);
	z_stream stream = {
	        .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size, .next_out = deflated, .avail_out = (uInt)size + 1000};
	size_t length;

	if (deflated == NULL || deflateInit2(&stream, options->level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	length = stream.total_out;
	deflateEnd(&stream);
	length = gzip_wrap(options, deflated, length, data, size, ret_member);
	free(deflated);
	return length;
}
