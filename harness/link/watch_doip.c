/* SPDX-License-Identifier: Apache-2.0 */
/* DoIP messages in a byte stream: ISO 13400-2 generic header (clause 7.3): version, inverse, type, length. */
#include <stdlib.h>
#include <string.h>

#include "watch_private.h"

#define HEADER_SIZE 8
#define KEPT_MAX    (64U * 1024) /* of a message; the rest is counted */
#define HEX_MAX     4096U        /* docs/reference/journal.md */

static char *to_hex(const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * length + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	text[2 * length] = '\0';
	return text;
}

static json_t *message_data(struct watch *watch, const struct watch_doip_reader *reader, uint64_t received)
{
	const struct bytes *message = &reader->message;
	size_t shown = message->length < HEX_MAX ? message->length : HEX_MAX;
	char *hex = to_hex(message->data, shown);
	json_t *data = json_pack("{s:s}", "hex", hex ? hex : ""), *described = NULL;

	free(hex);
	if (!data)
		return NULL;
	if (message->length >= HEADER_SIZE) {
		(void)json_object_set_new(data, "type", json_integer(be16_read(message->data + 2)));
		(void)json_object_set_new(data, "length", json_integer(be32_read(message->data + 4)));
	}
	if (received > shown)
		(void)json_object_set_new(data, "truncated", json_integer((json_int_t)(received - shown)));
	if (watch->describe && message->length >= HEADER_SIZE && reader->missing == 0 && !reader->lost)
		described = watch->describe(message->data, message->length, watch->describe_context);
	if (described)
		(void)json_object_update_missing(data, described);
	json_decref(described);
	return data;
}

static uint64_t message_size(const struct watch_doip_reader *reader)
{
	return HEADER_SIZE + (uint64_t)be32_read(reader->message.data + 4);
}

static void message_complete(struct watch *watch, bool from_client, struct watch_doip_reader *reader, struct instant at)
{
	watch_emit(watch, from_client, at, "doip", message_data(watch, reader, message_size(reader)));
	bytes_clear(&reader->message);
	/* One large message must not hold its memory for the rest of the connection. */
	if (reader->message.capacity > HEX_MAX)
		bytes_free(&reader->message);
}

static void lose(struct watch *watch, bool from_client, struct watch_doip_reader *reader, struct instant at, const char *why)
{
	json_t *data;

	reader->lost = true;
	data = message_data(watch, reader, reader->message.length);
	if (data)
		(void)json_object_set_new(data, "malformed", json_string(why));
	watch_emit(watch, from_client, at, "doip", data);
	bytes_free(&reader->message);
}

/* Bytes of a message; returns how many were taken. */
static size_t take(struct watch *watch, bool from_client, struct watch_doip_reader *reader, const uint8_t *data, size_t length,
                   struct instant at)
{
	struct bytes *message = &reader->message;
	bool header = message->length < HEADER_SIZE;
	uint64_t want = header ? HEADER_SIZE - message->length : reader->missing;
	size_t n = length < want ? length : (size_t)want, room = KEPT_MAX - message->length;

	if (bytes_append(message, data, n < room ? n : room) < 0) {
		lose(watch, from_client, reader, at, "out of memory");
		return length;
	}
	if (header) {
		if (message->length < HEADER_SIZE)
			return n;
		if ((message->data[0] ^ message->data[1]) != 0xff) {
			lose(watch, from_client, reader, at, "header: version and its inverse do not match");
			return length;
		}
		reader->missing = be32_read(message->data + 4);
	} else {
		reader->missing -= n;
	}
	if (reader->missing == 0)
		message_complete(watch, from_client, reader, at);
	return n;
}

void watch_doip_bytes(struct watch *watch, bool from_client, const uint8_t *data, size_t length, struct instant at)
{
	struct watch_doip_reader *reader = &watch->sides[from_client ? 0 : 1].doip;

	while (length > 0 && !reader->lost) {
		size_t n = take(watch, from_client, reader, data, length, at);

		data += n;
		length -= n;
	}
}

void watch_doip_end(struct watch *watch, bool from_client, struct instant at)
{
	struct watch_doip_reader *reader = &watch->sides[from_client ? 0 : 1].doip;

	if (reader->message.length > 0 && !reader->lost)
		lose(watch, from_client, reader, at, "the connection ended inside the message");
}
