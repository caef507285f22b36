/* SPDX-License-Identifier: Apache-2.0 */
#include "can_python_frame.h"

#include <errno.h>
#include <string.h>

#include "../base/bytes.h"

/* msgpack, as far as such maps use it. */
#define FIXMAP   0x80
#define FIXARRAY 0x90
#define FIXSTR   0xa0
#define NIL      0xc0
#define FALSE    0xc2
#define TRUE     0xc3
#define BIN8     0xc4
#define FLOAT64  0xcb
#define UINT8    0xcc
#define UINT16   0xcd
#define UINT32   0xce

#define NESTING_MAX 8

/* ---- writing ---- */

struct writer {
	uint8_t *at;
};

static void put_u8(struct writer *writer, uint8_t value)
{
	*writer->at++ = value;
}

static void put_key(struct writer *writer, const char *key)
{
	size_t length = strlen(key);
	put_u8(writer, (uint8_t)(FIXSTR | length));
	memcpy(writer->at, key, length);
	writer->at += length;
}

static void put_unsigned(struct writer *writer, uint32_t value)
{
	if (value < 0x80) {
		put_u8(writer, (uint8_t)value);
	} else if (value < 0x100) {
		put_u8(writer, UINT8);
		put_u8(writer, (uint8_t)value);
	} else if (value < 0x10000) {
		put_u8(writer, UINT16);
		be16_write(writer->at, (uint16_t)value);
		writer->at += 2;
	} else {
		put_u8(writer, UINT32);
		be32_write(writer->at, value);
		writer->at += 4;
	}
}

static void put_flag(struct writer *writer, const char *key, bool value)
{
	put_key(writer, key);
	put_u8(writer, value ? TRUE : FALSE);
}

static void put_time(struct writer *writer, int64_t realtime_ns)
{
	double seconds = (double)realtime_ns / 1e9;
	uint64_t bits;
	memcpy(&bits, &seconds, sizeof(bits));
	put_key(writer, "timestamp");
	put_u8(writer, FLOAT64);
	be32_write(writer->at, (uint32_t)(bits >> 32));
	be32_write(writer->at + 4, (uint32_t)bits);
	writer->at += 8;
}

/* All eleven keys in python-can's own order. */
size_t python_frame_encode(const struct can_message *message, int64_t realtime_ns, uint8_t buffer[static PYTHON_FRAME_MAX])
{
	struct writer writer = {buffer};
	bool remote = message->flags & CAN_MESSAGE_REMOTE;
	uint8_t bytes = remote ? 0 : message->length;
	put_u8(&writer, FIXMAP | 11);
	put_time(&writer, realtime_ns);
	put_key(&writer, "arbitration_id");
	put_unsigned(&writer, message->id);
	put_flag(&writer, "is_extended_id", message->flags & CAN_MESSAGE_EXTENDED);
	put_flag(&writer, "is_remote_frame", remote);
	put_flag(&writer, "is_error_frame", false);
	put_key(&writer, "channel");
	put_u8(&writer, NIL);
	put_key(&writer, "dlc");
	put_unsigned(&writer, message->length);
	put_key(&writer, "data");
	put_u8(&writer, BIN8);
	put_u8(&writer, bytes);
	memcpy(writer.at, message->data, bytes);
	writer.at += bytes;
	put_flag(&writer, "is_fd", message->flags & CAN_MESSAGE_FD);
	put_flag(&writer, "bitrate_switch", message->flags & CAN_MESSAGE_BRS);
	put_flag(&writer, "error_state_indicator", message->flags & CAN_MESSAGE_ESI);
	return (size_t)(writer.at - buffer);
}

/* ---- reading ---- */

enum item_kind { ITEM_OTHER, ITEM_NIL, ITEM_FLAG, ITEM_NUMBER, ITEM_TEXT, ITEM_BYTES, ITEM_ARRAY, ITEM_MAP };
struct item {
	enum item_kind kind;
	uint64_t number; /* value of a flag or number; elements of an array, pairs of a map */
	const uint8_t *bytes;
	size_t length; /* of text and bytes */
};
struct reader {
	const uint8_t *at, *end;
};

static bool take_number(struct reader *reader, size_t width, uint64_t *ret)
{
	if ((size_t)(reader->end - reader->at) < width)
		return false;
	*ret = 0;
	for (size_t i = 0; i < width; i++)
		*ret = *ret << 8 | *reader->at++;
	return true;
}

static bool take_bytes(struct reader *reader, struct item *item, enum item_kind kind, uint64_t length)
{
	if (length > (uint64_t)(reader->end - reader->at))
		return false;
	*item = (struct item){.kind = kind, .bytes = reader->at, .length = (size_t)length};
	reader->at += length;
	return true;
}

/* The types with a byte of their own, 0xc0 to 0xdf: what they are and how many bytes of length or value follow. */
static bool take_typed(struct reader *reader, uint8_t type, struct item *item)
{
	static const struct {
		enum item_kind kind;
		uint8_t width;
	} types[32] = {
	        [0x00] = {ITEM_NIL, 0},    [0x02] = {ITEM_FLAG, 0},   [0x03] = {ITEM_FLAG, 0},   [0x04] = {ITEM_BYTES, 1},
	        [0x05] = {ITEM_BYTES, 2},  [0x06] = {ITEM_BYTES, 4},  [0x0a] = {ITEM_OTHER, 4},  [0x0b] = {ITEM_OTHER, 8},
	        [0x0c] = {ITEM_NUMBER, 1}, [0x0d] = {ITEM_NUMBER, 2}, [0x0e] = {ITEM_NUMBER, 4}, [0x0f] = {ITEM_NUMBER, 8},
	        [0x10] = {ITEM_OTHER, 1},  [0x11] = {ITEM_OTHER, 2},  [0x12] = {ITEM_OTHER, 4},  [0x13] = {ITEM_OTHER, 8},
	        [0x14] = {ITEM_OTHER, 2},  [0x15] = {ITEM_OTHER, 3},  [0x16] = {ITEM_OTHER, 5},  [0x19] = {ITEM_TEXT, 1},
	        [0x1a] = {ITEM_TEXT, 2},   [0x1b] = {ITEM_TEXT, 4},   [0x1c] = {ITEM_ARRAY, 2},  [0x1d] = {ITEM_ARRAY, 4},
	        [0x1e] = {ITEM_MAP, 2},    [0x1f] = {ITEM_MAP, 4},
	};
	uint64_t number = 0;
	enum item_kind kind = types[type - NIL].kind;
	if (kind == ITEM_OTHER && types[type - NIL].width == 0)
		return false; /* never used, or an extension of a length of its own */
	if (kind == ITEM_OTHER)
		return take_bytes(reader, item, kind, types[type - NIL].width);
	if (!take_number(reader, types[type - NIL].width, &number))
		return false;
	if (kind == ITEM_TEXT || kind == ITEM_BYTES)
		return take_bytes(reader, item, kind, number);
	*item = (struct item){.kind = kind, .number = kind == ITEM_FLAG ? type == TRUE : number};
	return true;
}

static bool take_item(struct reader *reader, struct item *item)
{
	if (reader->at == reader->end)
		return false;
	uint8_t type = *reader->at++;
	if (type < FIXMAP || type >= 0xe0)
		*item = (struct item){.kind = type < FIXMAP ? ITEM_NUMBER : ITEM_OTHER, .number = type};
	else if (type < FIXARRAY)
		*item = (struct item){.kind = ITEM_MAP, .number = type & 15};
	else if (type < FIXSTR)
		*item = (struct item){.kind = ITEM_ARRAY, .number = type & 15};
	else if (type < NIL)
		return take_bytes(reader, item, ITEM_TEXT, type & 31);
	else
		return take_typed(reader, type, item);
	return true;
}

/* Passes over what a container holds. */
static bool skip_inside(struct reader *reader, const struct item *container, unsigned depth)
{
	uint64_t count = container->kind == ITEM_ARRAY ? container->number : container->kind == ITEM_MAP ? 2 * container->number : 0;
	if (depth > NESTING_MAX)
		return false;
	for (; count > 0; count--) {
		struct item item;
		if (!take_item(reader, &item) || !skip_inside(reader, &item, depth + 1))
			return false;
	}
	return true;
}

struct fields {
	struct item id, extended, remote, error, dlc, data, fd, brs, esi;
};

static struct item *field(struct fields *fields, const struct item *key)
{
	const struct {
		const char *name;
		struct item *item;
	} table[] = {
	        {"arbitration_id", &fields->id},
	        {"is_extended_id", &fields->extended},
	        {"is_remote_frame", &fields->remote},
	        {"is_error_frame", &fields->error},
	        {"dlc", &fields->dlc},
	        {"data", &fields->data},
	        {"is_fd", &fields->fd},
	        {"bitrate_switch", &fields->brs},
	        {"error_state_indicator", &fields->esi},
	};
	for (size_t i = 0; key->kind == ITEM_TEXT && i < sizeof(table) / sizeof(*table); i++)
		if (key->length == strlen(table[i].name) && memcmp(key->bytes, table[i].name, key->length) == 0)
			return table[i].item;
	return NULL;
}

static bool take_fields(struct reader *reader, struct fields *fields)
{
	struct item map;
	if (!take_item(reader, &map) || map.kind != ITEM_MAP)
		return false;
	for (uint64_t i = 0; i < map.number; i++) {
		struct item key, item, *wanted;
		if (!take_item(reader, &key) || !skip_inside(reader, &key, 0) || !take_item(reader, &item) ||
		    !skip_inside(reader, &item, 0))
			return false;
		wanted = field(fields, &key);
		if (wanted)
			*wanted = item;
	}
	return reader->at == reader->end;
}

/* python-can takes an identifier for extended when nothing is said. */
static bool is_set(const struct item *item, bool fallback)
{
	return item->kind == ITEM_FLAG || item->kind == ITEM_NUMBER ? item->number != 0 : fallback;
}

int python_frame_decode(const uint8_t *data, size_t length, struct can_message *ret, bool *ret_error)
{
	struct reader reader = {data, data + length};
	struct fields fields = {0};
	struct can_message message = {0};
	if (!take_fields(&reader, &fields) || fields.id.kind != ITEM_NUMBER || fields.id.number > UINT32_MAX)
		return -EINVAL;
	if (fields.data.length > CAN_MESSAGE_MAX || fields.dlc.number > CAN_MESSAGE_MAX)
		return -EINVAL;
	message.id = (uint32_t)fields.id.number;
	message.flags =
	        (uint8_t)((is_set(&fields.extended, true) ? CAN_MESSAGE_EXTENDED : 0) |
	                  (is_set(&fields.remote, false) ? CAN_MESSAGE_REMOTE : 0) | (is_set(&fields.fd, false) ? CAN_MESSAGE_FD : 0));
	if (message.flags & CAN_MESSAGE_FD)
		message.flags |=
		        (uint8_t)((is_set(&fields.brs, false) ? CAN_MESSAGE_BRS : 0) | (is_set(&fields.esi, false) ? CAN_MESSAGE_ESI : 0));
	if (message.flags & CAN_MESSAGE_REMOTE) {
		message.length = (uint8_t)fields.dlc.number;
	} else {
		if (fields.dlc.kind == ITEM_NUMBER && fields.dlc.number != fields.data.length)
			return -EINVAL;
		message.length = (uint8_t)fields.data.length;
		if (fields.data.length)
			memcpy(message.data, fields.data.bytes, fields.data.length);
	}
	*ret = message;
	*ret_error = is_set(&fields.error, false);
	return 0;
}
