/* SPDX-License-Identifier: Apache-2.0 */
/* The gzip streams of packages: right ones by zlib, and wrong ones on purpose. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "swpg_private.h"

#define GZIP_WINDOW    31 /* zlib: 32 KiB window, gzip's header and trailer */
#define RAW_WINDOW     (-15)
#define GZIP_TRAILER   8
#define GZIP_HEADER    10
#define EXTRA_BYTES    65535u
#define DICTIONARY_MAX 16384u /* well within the window: the first match reaches into it */
#define BOMB_MIN       (1u << 20)

static int deflate_all(z_stream *stream, const void *data, size_t length, size_t extra, struct bytes *out, struct error *err)
{
	size_t room = deflateBound(stream, (uLong)length) + extra;
	int status;

	if (swpg_reserve(out, room) < 0) {
		deflateEnd(stream);
		return swpg_no_memory(err);
	}
	stream->next_in = (z_const Bytef *)data;
	stream->avail_in = (uInt)length;
	stream->next_out = out->data + out->length;
	stream->avail_out = (uInt)room;
	status = deflate(stream, Z_FINISH);
	out->length += room - stream->avail_out;
	deflateEnd(stream);
	return status == Z_STREAM_END ? 0 : error_set(err, ERROR_BENCH, EIO, "zlib could not compress (%d)", status);
}

int swpg_gzip(const void *data, size_t length, int level, struct bytes *out, struct error *err)
{
	z_stream stream = {0};

	if (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return swpg_no_memory(err);
	return deflate_all(&stream, data, length, 0, out, err);
}

static int broken(struct error *err, const z_stream *stream, int status)
{
	return error_set(err, ERROR_USAGE, EBADMSG, "offset %lu, payload: gzip stream %s", SWPG_HEADER_BYTES + stream->total_in,
	                 stream->msg             ? stream->msg
	                 : status == Z_BUF_ERROR ? "ends too early"
	                 : status == Z_NEED_DICT ? "needs a preset dictionary"
	                                         : "is broken");
}

/* One byte more than the limit is asked for, so that "exactly the limit" and "more" differ. */
static int inflate_all(z_stream *stream, size_t limit, struct bytes *data, struct error *err)
{
	size_t room;
	int status;

	do {
		room = data->length ? data->length : stream->avail_in * (size_t)8 + 4096;
		if (room > limit + 1 - data->length)
			room = limit + 1 - data->length;
		if (swpg_reserve(data, room) < 0)
			return swpg_no_memory(err);
		room = data->capacity - data->length;
		stream->next_out = data->data + data->length;
		stream->avail_out = (uInt)room;
		status = inflate(stream, Z_NO_FLUSH);
		data->length += room - stream->avail_out;
		if (data->length > limit)
			return error_set(err, ERROR_USAGE, EFBIG, "offset %lu, payload: decompresses to more than %zu bytes",
			                 SWPG_HEADER_BYTES + stream->total_in, limit);
	} while (status == Z_OK && stream->avail_out == 0);
	if (status == Z_MEM_ERROR)
		return swpg_no_memory(err);
	if (status != Z_STREAM_END)
		return broken(err, stream, status == Z_OK ? Z_BUF_ERROR : status);
	if (stream->avail_in > 0)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %lu, payload: %u bytes behind the gzip stream%s",
		                 SWPG_HEADER_BYTES + stream->total_in, stream->avail_in,
		                 stream->avail_in > 1 && stream->next_in[0] == 0x1f && stream->next_in[1] == 0x8b ? ": another member"
		                                                                                                  : "");
	return 0;
}

int swpg_gunzip(const uint8_t *in, size_t length, size_t limit, struct bytes *ret_data, struct error *err)
{
	z_stream stream = {.next_in = (z_const Bytef *)in, .avail_in = (uInt)length};
	struct bytes data = {0};
	int r;

	if (limit > SWPG_SOFTWARE_MAX)
		limit = SWPG_SOFTWARE_MAX;
	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return swpg_no_memory(err);
	/* All at once when the stream can be as long as it is said to be (deflate shrinks to 1/1032 at best). */
	r = limit / 1032 <= length ? swpg_reserve(&data, limit + 1) : 0;
	r = r < 0 ? swpg_no_memory(err) : inflate_all(&stream, limit, &data, err);
	inflateEnd(&stream);
	if (r < 0) {
		bytes_free(&data);
		return r;
	}
	bytes_free(ret_data);
	*ret_data = data;
	return 0;
}

/* ---- wrong ones, and unusual ones ------------------------------------------------------------------------------------ */

typedef int variant(const struct bytes *software, struct bytes *out, struct error *err);

static int right(const struct bytes *software, struct bytes *out, struct error *err)
{
	return swpg_gzip(software->data, software->length, 9, out, err);
}

static int truncated(const struct bytes *software, struct bytes *out, struct error *err)
{
	int r = right(software, out, err);

	out->length /= 2;
	return r;
}

static int trailer_crc(const struct bytes *software, struct bytes *out, struct error *err)
{
	int r = right(software, out, err);

	if (r == 0)
		out->data[out->length - 8] ^= 1;
	return r;
}

static int trailer_size(const struct bytes *software, struct bytes *out, struct error *err)
{
	int r = right(software, out, err);

	if (r == 0)
		le32_write(out->data + out->length - 4, (uint32_t)software->length + 1);
	return r;
}

static int multi_member(const struct bytes *software, struct bytes *out, struct error *err)
{
	size_t half = software->length / 2;
	int r = swpg_gzip(software->data, half, 9, out, err);

	return r < 0 ? r : swpg_gzip(software->data + half, software->length - half, 9, out, err);
}

/* Header and trailer of gzip around raw deflate data that is appended by `body`. */
static int wrap(const struct bytes *software, variant *body, struct bytes *out, struct error *err)
{
	static const uint8_t header[GZIP_HEADER] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3};
	uint8_t trailer[GZIP_TRAILER];
	int r = bytes_append(out, header, sizeof(header)) < 0 ? swpg_no_memory(err) : body(software, out, err);

	if (r < 0)
		return r;
	le32_write(trailer, (uint32_t)crc32_z(0, software->data, software->length));
	le32_write(trailer + 4, (uint32_t)software->length);
	return bytes_append(out, trailer, sizeof(trailer)) < 0 ? swpg_no_memory(err) : 0;
}

/* gzip has no field for a preset dictionary (zlib's format has): a stream that was made with one refers to bytes before its
 * begin. The dictionary is the software's own begin, so the very first match does. */
static int dictionary_body(const struct bytes *software, struct bytes *out, struct error *err)
{
	z_stream stream = {0};
	uInt length = software->length < DICTIONARY_MAX ? (uInt)software->length : DICTIONARY_MAX;

	if (length < 16)
		return error_set(err, ERROR_USAGE, EINVAL, "the software is too short for a dictionary");
	if (deflateInit2(&stream, 9, Z_DEFLATED, RAW_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return swpg_no_memory(err);
	if (deflateSetDictionary(&stream, software->data, length) != Z_OK) {
		deflateEnd(&stream);
		return error_set(err, ERROR_BENCH, EIO, "zlib does not take the dictionary");
	}
	return deflate_all(&stream, software->data, software->length, 0, out, err);
}

static int dictionary(const struct bytes *software, struct bytes *out, struct error *err)
{
	return wrap(software, dictionary_body, out, err);
}

struct bits {
	uint8_t bytes[16];
	unsigned count;
};

/* Least significant bit first, as RFC 1951 packs everything but Huffman codes. */
static void put(struct bits *bits, unsigned value, unsigned count)
{
	for (unsigned i = 0; i < count; i++, bits->count++)
		bits->bytes[bits->count / 8] |= (uint8_t)((value >> i & 1) << bits->count % 8);
}

/* Huffman codes begin with their most significant bit. */
static void put_code(struct bits *bits, unsigned code, unsigned count)
{
	while (count-- > 0)
		put(bits, code >> count & 1, 1);
}

/* RFC 1951, 3.2.6: one literal, then three bytes from 32768 bytes back, of which only one is there. */
static int far_body(const struct bytes *software, struct bytes *out, struct error *err)
{
	struct bits bits = {0};

	put(&bits, 1, 1);         /* BFINAL */
	put(&bits, 1, 2);         /* fixed codes */
	put_code(&bits, 0x71, 8); /* literal 'A' */
	put_code(&bits, 1, 7);    /* 257: length 3 */
	put_code(&bits, 29, 5);   /* distance 24577 + */
	put(&bits, 0x1fff, 13);   /* 8191 */
	put_code(&bits, 0, 7);    /* end of block */
	return bytes_append(out, bits.bytes, (bits.count + 7) / 8) < 0 ? swpg_no_memory(err) : 0;
}

static int far_distance(const struct bytes *software, struct bytes *out, struct error *err)
{
	return wrap(software, far_body, out, err);
}

static int reserved_flags(const struct bytes *software, struct bytes *out, struct error *err)
{
	int r = right(software, out, err);

	if (r == 0)
		out->data[3] |= 0xe0;
	return r;
}

/* Every optional part of RFC 1952, the extra field as long as it can be: legal. */
static int extra(const struct bytes *software, struct bytes *out, struct error *err)
{
	Bytef name[] = "software", comment[] = "with all that a header may have";
	Bytef *field = calloc(1, EXTRA_BYTES);
	gz_header header = {.extra = field, .extra_len = EXTRA_BYTES, .name = name, .comment = comment, .hcrc = 1, .os = 3};
	z_stream stream = {0};
	int r;

	if (!field || deflateInit2(&stream, 9, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(field);
		return swpg_no_memory(err);
	}
	(void)deflateSetHeader(&stream, &header);
	r = deflate_all(&stream, software->data, software->length, EXTRA_BYTES + 256, out, err);
	free(field);
	return r;
}

/* Zeros shrink to about a thousandth; the stream itself is right, only far longer than the header says. */
static int bomb(const struct bytes *software, struct bytes *out, struct error *err)
{
	size_t length = software->length * 16 < BOMB_MIN ? BOMB_MIN : software->length * 16;
	void *zeros;
	int r;

	if (length > SWPG_SOFTWARE_MAX * 2ul)
		length = SWPG_SOFTWARE_MAX * 2ul;
	zeros = calloc(1, length);
	r = zeros ? swpg_gzip(zeros, length, 9, out, err) : swpg_no_memory(err);
	free(zeros);
	return r;
}

static int stored(const struct bytes *software, struct bytes *out, struct error *err)
{
	return swpg_gzip(software->data, software->length, 0, out, err);
}

static int empty(const struct bytes *software, struct bytes *out, struct error *err)
{
	return swpg_gzip("", 0, 9, out, err);
}

static int raw(const struct bytes *software, struct bytes *out, struct error *err)
{
	return bytes_append(out, software->data, software->length) < 0 ? swpg_no_memory(err) : 0;
}

int swpg_gzip_variant(const char *name, const struct bytes *software, struct bytes *ret_stream, struct error *err)
{
	static const struct {
		const char *name;
		variant *make;
	} variants[] = {
	        {"truncated", truncated},
	        {"trailer-crc", trailer_crc},
	        {"trailer-size", trailer_size},
	        {"multi-member", multi_member},
	        {"dictionary", dictionary},
	        {"flags", reserved_flags},
	        {"extra", extra},
	        {"bomb", bomb},
	        {"stored", stored},
	        {"far-distance", far_distance},
	        {"empty", empty},
	        {"raw", raw},
	};
	struct bytes stream = {0};
	int r = 1;

	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants) && r == 1; i++)
		if (!strcmp(variants[i].name, name))
			r = software ? variants[i].make(software, &stream, err) : 0;
	if (r == 1)
		r = error_set(
		        err, ERROR_USAGE, EINVAL,
		        "gzip=%s: there are truncated, trailer-crc, trailer-size, multi-member, dictionary, flags, extra, bomb, stored, "
		        "far-distance, empty, raw",
		        name);
	if (r < 0) {
		bytes_free(&stream);
		return r;
	}
	if (software) {
		bytes_free(ret_stream);
		*ret_stream = stream;
	}
	return 0;
}
