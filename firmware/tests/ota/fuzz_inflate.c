/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a gzip member in calls of a size that the input chooses, beside zlib's own inflate in one call. Input: two
 * bytes of call sizes (0 means all), then the member. Both have to give the same bytes and the same end.
 */
#include "../../core/ota_inflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ROOM       262144u
#define MAX_HEADER 67584u /* a longer header is this module's own refusal */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[ROOM], expected[ROOM];

/* Z_STREAM_END, Z_OK (input or room is used up) or an error. */
static int reference(const uint8_t *data, size_t size, size_t *ret_given, size_t *ret_taken)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size, .next_out = expected, .avail_out = ROOM};
	int result;

	if (inflateInit2(&stream, 31) != Z_OK)
		abort();
	result = inflate(&stream, Z_NO_FLUSH);
	*ret_given = stream.total_out;
	*ret_taken = stream.total_in;
	inflateEnd(&stream);
	return result == Z_BUF_ERROR ? Z_OK : result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t in, room, taken = 0, given = 0, wanted, used, t, g;
	enum ota_inflate_status status = OTA_INFLATE_MORE;
	int result;

	if (size < 2 || size > MAX_HEADER)
		return 0;
	in = data[0] == 0 ? SIZE_MAX : data[0];
	room = data[1] == 0 ? SIZE_MAX : (size_t)data[1] * 16;
	data += 2;
	size -= 2;
	ota_inflate_begin();
	do {
		status = ota_inflate(data + taken, size - taken < in ? size - taken : in, &t, out + given,
		                     ROOM - given < room ? ROOM - given : room, &g);
		taken += t;
		given += g;
		if (taken > size || given > ROOM)
			abort();
	} while (status == OTA_INFLATE_MORE && t + g > 0);
	result = reference(data, size, &wanted, &used);
	if ((status == OTA_INFLATE_END) != (result == Z_STREAM_END) || (status == OTA_INFLATE_MORE) != (result == Z_OK))
		abort();
	/* How much came out before an error depends on the calls; what came out does not. */
	if (memcmp(out, expected, given < wanted ? given : wanted) != 0 || (result == Z_STREAM_END && (given != wanted || taken != used)))
		abort();
	if (ota_inflate_peak() > ota_inflate_arena())
		abort();
	return 0;
}
