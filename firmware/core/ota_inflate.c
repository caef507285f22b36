/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_inflate.h"

#include <stdalign.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define GZIP_ONLY  (16 + MAX_WBITS) /* no zlib or raw stream is taken for a gzip one */
#define ALIGNMENT  alignof(max_align_t)
#define WINDOW     32768u
#define STATE      8192u /* zlib's state: 7 KiB with 64-bit pointers */
#define MAX_HEADER (66u * 1024u)
#define MAX_CALL   0x40000000u /* zlib counts in unsigned int */

static alignas(max_align_t) uint8_t arena[WINDOW + STATE];
static size_t used, peak;

static z_stream stream;
static gz_header header;
static uint32_t header_taken;
static enum ota_inflate_status state = OTA_INFLATE_BROKEN; /* until it is begun */

/* Nothing is given back before the next stream: zlib asks for its state and its window, once each. */
static voidpf take(voidpf opaque, uInt items, uInt size)
{
	size_t length = ((size_t)items * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *place = arena + used;

	if (length > sizeof(arena) - used)
		return Z_NULL;
	used += length;
	if (used > peak)
		peak = used;
	return place;
}

static void give(voidpf opaque, voidpf address) {}

void ota_inflate_begin(void)
{
	used = 0;
	header_taken = 0;
	memset(&stream, 0, sizeof(stream));
	memset(&header, 0, sizeof(header));
	stream.zalloc = take;
	stream.zfree = give;
	state = inflateInit2(&stream, GZIP_ONLY) == Z_OK && inflateGetHeader(&stream, &header) == Z_OK ? OTA_INFLATE_MORE
	                                                                                               : OTA_INFLATE_BROKEN;
}

/* Name and comment have no length of their own: without a bound a header could go on for ever. What a call may take of it is
 * bounded too, so that the verdict does not depend on how the stream is cut into calls. */
static size_t input_bound(void)
{
	return header.done != 0 ? MAX_CALL : MAX_HEADER - header_taken;
}

static bool header_endless(size_t taken)
{
	header_taken += header.done != 0 ? 0 : (uint32_t)taken;
	return header_taken == MAX_HEADER;
}

static enum ota_inflate_status judge(int result, size_t taken)
{
	if (result == Z_STREAM_END)
		return OTA_INFLATE_END;
	if ((result != Z_OK && result != Z_BUF_ERROR) || header_endless(taken))
		return OTA_INFLATE_BROKEN;
	return OTA_INFLATE_MORE;
}

enum ota_inflate_status ota_inflate(const uint8_t *input, size_t length, size_t *ret_taken, uint8_t *out, size_t out_size,
                                    size_t *ret_given)
{
	static uint8_t nowhere; /* zlib refuses NULL even for no room */
	uInt in = (uInt)(length < input_bound() ? length : input_bound());
	uInt room = (uInt)(out_size < MAX_CALL ? out_size : MAX_CALL);
	int result;

	*ret_taken = *ret_given = 0;
	if (state != OTA_INFLATE_MORE)
		return state;
	stream.next_in = input;
	stream.avail_in = in;
	stream.next_out = out_size > 0 ? out : &nowhere;
	stream.avail_out = room;
	result = inflate(&stream, Z_NO_FLUSH);
	*ret_taken = in - stream.avail_in;
	*ret_given = room - stream.avail_out;
	state = judge(result, *ret_taken);
	return state;
}

size_t ota_inflate_peak(void)
{
	return peak;
}

size_t ota_inflate_arena(void)
{
	return sizeof(arena);
}
