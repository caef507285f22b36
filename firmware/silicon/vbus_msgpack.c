/* SPDX-License-Identifier: Apache-2.0 */
#include "vbus_msgpack.h"

#include <string.h>

#define DEPTH 4u /* of values that are skipped */

/* ---- writing ------------------------------------------------------------------------------------------------- */

static uint8_t *put_text(uint8_t *p, const char *text)
{
	const size_t length = strlen(text); /* all of them are shorter than 32 */
	*p++ = (uint8_t)(0xA0 | length);
	memcpy(p, text, length);
	return p + length;
}

static uint8_t *put_big(uint8_t *p, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		*p++ = (uint8_t)(value >> 8 * bytes);
	return p;
}

static uint8_t *put_number(uint8_t *p, uint32_t value)
{
	if (value < 0x80) {
		*p++ = (uint8_t)value;
		return p;
	}
	const unsigned code = value <= 0xFF ? 0 : value <= 0xFFFF ? 1 : 2;
	*p++ = (uint8_t)(0xCC + code);
	return put_big(p, value, 1u << code);
}

static uint8_t *put_flag(uint8_t *p, const char *key, bool value)
{
	p = put_text(p, key);
	*p++ = value ? 0xC3 : 0xC2;
	return p;
}

static uint8_t *put_data(uint8_t *p, const struct canbus_frame *frame)
{
	const uint8_t length = frame->flags & CANBUS_REMOTE ? 0 : frame->length;
	p = put_text(p, "data");
	*p++ = 0xC4;
	*p++ = length;
	memcpy(p, frame->data, length);
	return p + length;
}

size_t vbus_msgpack_encode(uint8_t *bytes, const struct canbus_frame *frame, double timestamp_s)
{
	uint8_t *p = bytes;
	uint64_t raw;
	memcpy(&raw, &timestamp_s, sizeof raw);
	*p++ = 0x80 | 11;
	p = put_text(p, "timestamp");
	*p++ = 0xCB;
	p = put_big(p, raw, 8);
	p = put_number(put_text(p, "arbitration_id"), frame->id);
	p = put_flag(p, "is_extended_id", frame->flags & CANBUS_EXTENDED);
	p = put_flag(p, "is_remote_frame", frame->flags & CANBUS_REMOTE);
	p = put_flag(p, "is_error_frame", false);
	p = put_text(put_text(p, "channel"), "");
	p = put_number(put_text(p, "dlc"), frame->length);
	p = put_data(p, frame);
	p = put_flag(p, "is_fd", frame->flags & CANBUS_FD);
	p = put_flag(p, "bitrate_switch", frame->flags & CANBUS_BRS);
	p = put_flag(p, "error_state_indicator", frame->flags & CANBUS_ESI);
	return (size_t)(p - bytes);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

enum type { TYPE_OTHER, TYPE_BOOL, TYPE_NUMBER, TYPE_TEXT, TYPE_BYTES, TYPE_LIST, TYPE_MAP };

struct value {
	enum type type;
	uint64_t number;      /* bool, number; list and map: how many values follow */
	const uint8_t *bytes; /* text, bytes */
	size_t length;
};

static uint64_t get_big(struct reader *r, unsigned bytes)
{
	uint64_t value = 0;
	if ((size_t)(r->end - r->at) < bytes) {
		r->bad = true;
		return 0;
	}
	while (bytes-- > 0)
		value = value << 8 | *r->at++;
	return value;
}

static void get_bytes(struct reader *r, struct value *v, enum type type, uint64_t length)
{
	if (r->bad || length > (uint64_t)(r->end - r->at)) {
		r->bad = true;
		return;
	}
	v->type = type;
	v->bytes = r->at;
	v->length = (size_t)length;
	r->at += length;
}

/* The short forms, which hold their value or length in the first byte. */
static bool get_short(struct reader *r, struct value *v, uint8_t code)
{
	if (code < 0x80)
		*v = (struct value){.type = TYPE_NUMBER, .number = code};
	else if (code < 0x90)
		*v = (struct value){.type = TYPE_MAP, .number = 2u * (code & 15u)};
	else if (code < 0xA0)
		*v = (struct value){.type = TYPE_LIST, .number = code & 15u};
	else if (code < 0xC0)
		get_bytes(r, v, TYPE_TEXT, code & 31u);
	else if (code == 0xC2 || code == 0xC3)
		*v = (struct value){.type = TYPE_BOOL, .number = code & 1u};
	else
		return code == 0xC0 || code >= 0xE0; /* nil; negative numbers, of which nothing here has any */
	return true;
}

static void get_long(struct reader *r, struct value *v, uint8_t code)
{
	struct value skipped;
	if (code >= 0xC4 && code <= 0xC6)
		get_bytes(r, v, TYPE_BYTES, get_big(r, 1u << (code - 0xC4)));
	else if (code >= 0xD9 && code <= 0xDB)
		get_bytes(r, v, TYPE_TEXT, get_big(r, 1u << (code - 0xD9)));
	else if (code >= 0xCC && code <= 0xCF)
		*v = (struct value){.type = TYPE_NUMBER, .number = get_big(r, 1u << (code - 0xCC))};
	else if (code == 0xDC || code == 0xDD)
		*v = (struct value){.type = TYPE_LIST, .number = get_big(r, code == 0xDC ? 2 : 4)};
	else if (code == 0xDE || code == 0xDF)
		*v = (struct value){.type = TYPE_MAP, .number = 2 * get_big(r, code == 0xDE ? 2 : 4)};
	else if (code == 0xCA || code == 0xCB)
		get_big(r, code == 0xCA ? 4 : 8); /* floats */
	else if (code >= 0xD0 && code <= 0xD3)
		get_big(r, 1u << (code - 0xD0)); /* signed numbers */
	else if (code >= 0xC7 && code <= 0xC9)
		get_bytes(r, &skipped, TYPE_OTHER, get_big(r, 1u << (code - 0xC7)) + 1);
	else if (code >= 0xD4 && code <= 0xD8)
		get_bytes(r, &skipped, TYPE_OTHER, (UINT64_C(1) << (code - 0xD4)) + 1);
	else
		r->bad = true;
}

static struct value get_value(struct reader *r)
{
	struct value v = {.type = TYPE_OTHER};
	const uint8_t code = (uint8_t)get_big(r, 1);
	if (!r->bad && !get_short(r, &v, code))
		get_long(r, &v, code);
	return v;
}

/* The values inside a list or map that nobody wants. */
static void skip_inside(struct reader *r, const struct value *v)
{
	uint64_t left[DEPTH];
	unsigned depth = 0;
	if (v->type != TYPE_LIST && v->type != TYPE_MAP)
		return;
	left[0] = v->number;
	for (;;) {
		if (r->bad)
			return;
		if (left[depth] == 0) {
			if (depth-- == 0)
				return;
			continue;
		}
		left[depth]--;
		const struct value inner = get_value(r);
		if (inner.type != TYPE_LIST && inner.type != TYPE_MAP)
			continue;
		if (++depth == DEPTH) {
			r->bad = true;
			return;
		}
		left[depth] = inner.number;
	}
}

struct fields {
	struct value id, extended, remote, error, dlc, data, fd, brs, esi;
};

static struct value *field_of(struct fields *fields, const struct value *key)
{
	const struct {
		const char *name;
		struct value *value;
	} known[] = {{"arbitration_id", &fields->id},
	             {"is_extended_id", &fields->extended},
	             {"is_remote_frame", &fields->remote},
	             {"is_error_frame", &fields->error},
	             {"dlc", &fields->dlc},
	             {"data", &fields->data},
	             {"is_fd", &fields->fd},
	             {"bitrate_switch", &fields->brs},
	             {"error_state_indicator", &fields->esi}};
	for (size_t i = 0; i < sizeof known / sizeof *known && key->type == TYPE_TEXT; i++) {
		if (key->length == strlen(known[i].name) && memcmp(key->bytes, known[i].name, key->length) == 0)
			return known[i].value;
	}
	return NULL;
}

static bool read_fields(const uint8_t *bytes, size_t length, struct fields *fields)
{
	struct reader r = {.at = bytes, .end = bytes + length};
	const struct value map = get_value(&r);
	if (map.type != TYPE_MAP)
		return false;
	for (uint64_t i = 0; i < map.number / 2 && !r.bad; i++) {
		const struct value key = get_value(&r);
		skip_inside(&r, &key);
		const struct value value = get_value(&r);
		skip_inside(&r, &value);
		struct value *field = field_of(fields, &key);
		if (field)
			*field = value;
	}
	return !r.bad && r.at == r.end;
}

static bool set(const struct value *flag, bool standard)
{
	return flag->type == TYPE_BOOL ? flag->number != 0 : standard;
}

bool vbus_msgpack_decode(const uint8_t *bytes, size_t length, struct canbus_frame *ret_frame, bool *ret_error_frame)
{
	struct fields f = {0};
	struct canbus_frame frame = {0};
	if (!read_fields(bytes, length, &f) || f.id.type != TYPE_NUMBER || f.id.number > 0x1FFFFFFF)
		return false;
	const bool remote = set(&f.remote, false);
	const bool error_frame = set(&f.error, false);
	const size_t data = f.data.type == TYPE_BYTES ? f.data.length : 0;
	const uint64_t dlc = f.dlc.type == TYPE_NUMBER ? f.dlc.number : data;
	if (f.dlc.type == TYPE_OTHER && f.data.type != TYPE_BYTES)
		return false;
	if (dlc > sizeof frame.data || (remote ? data != 0 : data != dlc))
		return false;
	frame.id = (uint32_t)f.id.number;
	frame.length = (uint8_t)dlc;
	frame.flags = (uint8_t)((set(&f.extended, true) ? CANBUS_EXTENDED : 0) | (remote ? CANBUS_REMOTE : 0) |
	                        (set(&f.fd, false) ? CANBUS_FD : 0) | (set(&f.brs, false) ? CANBUS_BRS : 0) |
	                        (set(&f.esi, false) ? CANBUS_ESI : 0));
	/* python-can sets these two on classic frames as well, where they mean nothing. */
	if (!(frame.flags & CANBUS_FD))
		frame.flags &= (uint8_t)~(CANBUS_BRS | CANBUS_ESI);
	if (data > 0)
		memcpy(frame.data, f.data.bytes, data);
	*ret_frame = frame;
	*ret_error_frame = error_frame;
	return true;
}
