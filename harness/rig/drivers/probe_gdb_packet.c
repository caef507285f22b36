/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_gdb_packet.h"

#include <errno.h>
#include <string.h>

#define RUN_BASE  29 /* a run length is written as a printable character: 29 above the number of repetitions */
#define RUN_LEAST 3

ssize_t gdb_hex_bytes(const char *text, size_t length, uint8_t *ret, size_t limit)
{
	if (length % 2 || length / 2 > limit)
		return -EINVAL;
	for (size_t i = 0; i < length / 2; i++) {
		int high = bytes_hex_digit(text[2 * i]), low = bytes_hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return (ssize_t)(length / 2);
}

int gdb_append_hex(struct bytes *out, const void *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	for (size_t i = 0; i < length; i++) {
		const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
		if (bytes_append(out, pair, sizeof(pair)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- to bytes ---- */

static bool needs_escape(uint8_t byte)
{
	return byte == '#' || byte == '$' || byte == '}' || byte == '*';
}

size_t gdb_escaped_length(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	size_t result = length;
	for (size_t i = 0; i < length; i++)
		result += needs_escape(bytes[i]);
	return result;
}

int gdb_encode(struct bytes *out, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;
	int r = bytes_append(out, "$", 1);
	for (size_t i = 0; r == 0 && i < length; i++) {
		const uint8_t pair[2] = {'}', bytes[i] ^ 0x20};
		bool escaped = needs_escape(bytes[i]);
		r = escaped ? bytes_append(out, pair, sizeof(pair)) : bytes_append(out, &bytes[i], 1);
		sum = (uint8_t)(sum + (escaped ? pair[0] + pair[1] : bytes[i]));
	}
	if (r == 0)
		r = bytes_append(out, "#", 1);
	return r == 0 ? gdb_append_hex(out, &sum, 1) : r;
}

/* ---- from bytes ---- */

/* Appends one byte several times. */
static enum gdb_item put(struct gdb_decoder *decoder, uint8_t byte, size_t times)
{
	if (times > GDB_PACKET_MAX - decoder->length)
		return GDB_TOO_LONG;
	memset(decoder->data + decoder->length, byte, times);
	decoder->length += times;
	return GDB_PACKET;
}

static enum gdb_item unpack(struct gdb_decoder *decoder)
{
	enum gdb_item item = GDB_PACKET;
	decoder->length = 0;
	for (size_t i = 0; item == GDB_PACKET && i < decoder->raw_length; i++) {
		uint8_t byte = decoder->raw[i];
		bool last = i + 1 == decoder->raw_length;
		if (byte != '}' && byte != '*')
			item = put(decoder, byte, 1);
		else if (last)
			item = GDB_MALFORMED;
		else if (byte == '}')
			item = put(decoder, decoder->raw[++i] ^ 0x20, 1);
		else if (decoder->length == 0 || decoder->raw[i + 1] < RUN_BASE + RUN_LEAST || decoder->raw[i + 1] > '~')
			item = GDB_MALFORMED;
		else
			item = put(decoder, (uint8_t)decoder->data[decoder->length - 1], (size_t)decoder->raw[++i] - RUN_BASE);
	}
	decoder->data[decoder->length] = '\0';
	return item;
}

static enum gdb_item whole(struct gdb_decoder *decoder)
{
	decoder->place = GDB_OUTSIDE;
	if (decoder->too_long)
		return GDB_TOO_LONG;
	if (decoder->strange || decoder->sum != decoder->told)
		return GDB_BAD_SUM;
	enum gdb_item item = unpack(decoder);
	return item == GDB_PACKET && decoder->begin == '%' ? GDB_NOTIFICATION : item;
}

static void begin(struct gdb_decoder *decoder, char with)
{
	decoder->place = GDB_INSIDE;
	decoder->begin = with;
	decoder->sum = decoder->told = 0;
	decoder->too_long = decoder->strange = false;
	decoder->raw_length = decoder->noise = 0;
}

static enum gdb_item outside(struct gdb_decoder *decoder, uint8_t byte)
{
	if (byte == '$' || byte == '%') {
		begin(decoder, (char)byte);
		return GDB_MORE;
	}
	if (byte == '+' || byte == '-')
		return byte == '+' ? GDB_ACK : GDB_NAK;
	if (++decoder->noise <= GDB_NOISE_MAX)
		return GDB_MORE;
	decoder->noise = 0;
	return GDB_NOISE;
}

/* A packet that breaks off is followed by the begin of another one: $ stands nowhere within. */
static void inside(struct gdb_decoder *decoder, uint8_t byte)
{
	if (byte == '#') {
		decoder->place = GDB_SUM_HIGH;
	} else if (byte == '$') {
		begin(decoder, '$');
	} else {
		decoder->sum = (uint8_t)(decoder->sum + byte);
		if (decoder->raw_length < GDB_PACKET_MAX)
			decoder->raw[decoder->raw_length++] = byte;
		else
			decoder->too_long = true;
	}
}

static void take_sum(struct gdb_decoder *decoder, uint8_t byte)
{
	int digit = bytes_hex_digit((char)byte);
	decoder->strange = decoder->strange || digit < 0;
	decoder->told = (uint8_t)(decoder->told << 4 | (digit & 15));
}

enum gdb_item gdb_decode(struct gdb_decoder *decoder, const uint8_t **data, size_t *length)
{
	while (*length > 0) {
		enum gdb_item item = GDB_MORE;
		uint8_t byte = *(*data)++;
		(*length)--;
		switch (decoder->place) {
		case GDB_OUTSIDE:
			item = outside(decoder, byte);
			break;
		case GDB_INSIDE:
			inside(decoder, byte);
			/* Without an end there is no reason to wait for one. */
			if (decoder->too_long) {
				decoder->place = GDB_OUTSIDE;
				item = GDB_TOO_LONG;
			}
			break;
		case GDB_SUM_HIGH:
			take_sum(decoder, byte);
			decoder->place = GDB_SUM_LOW;
			break;
		case GDB_SUM_LOW:
			take_sum(decoder, byte);
			item = whole(decoder);
			break;
		}
		if (item != GDB_MORE)
			return item;
	}
	return GDB_MORE;
}
