/* SPDX-License-Identifier: Apache-2.0 */
#include "vbus_cannelloni.h"

#include <string.h>

#define VERSION 2u
#define DATA    0u

/* can_id of SocketCAN. */
#define ID_EXTENDED 0x80000000u
#define ID_REMOTE   0x40000000u
#define ID_ERROR    0x20000000u
#define ID_MASK     0x1FFFFFFFu

#define LENGTH_FD 0x80u
#define FLAG_BRS  1u
#define FLAG_ESI  2u
#define FLAG_ANY  7u /* with FDF, which says nothing new */

static size_t data_bytes(const struct canbus_frame *frame)
{
	return frame->flags & CANBUS_REMOTE ? 0 : frame->length;
}

size_t cannelloni_frame_encode(uint8_t *bytes, const struct canbus_frame *frame)
{
	uint8_t *p = bytes;
	uint32_t id = frame->id;
	id |= frame->flags & CANBUS_EXTENDED ? ID_EXTENDED : 0;
	id |= frame->flags & CANBUS_REMOTE ? ID_REMOTE : 0;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(id >> shift);
	if (frame->flags & CANBUS_FD) {
		*p++ = (uint8_t)(frame->length | LENGTH_FD);
		*p++ = (uint8_t)((frame->flags & CANBUS_BRS ? FLAG_BRS : 0) | (frame->flags & CANBUS_ESI ? FLAG_ESI : 0));
	} else {
		*p++ = frame->length;
	}
	memcpy(p, frame->data, data_bytes(frame));
	return (size_t)(p - bytes) + data_bytes(frame);
}

/* Bytes before the data, 0 when they are not complete, -1 when they are wrong. */
static int decode_head(const uint8_t *p, size_t length, struct canbus_frame *frame, bool *ret_error_frame)
{
	if (length < 5)
		return 0;
	const uint32_t id = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	const bool fd = p[4] & LENGTH_FD;
	if (fd && length < 6)
		return 0;
	frame->id = id & ID_MASK;
	frame->flags = (uint8_t)((id & ID_EXTENDED ? CANBUS_EXTENDED : 0) | (id & ID_REMOTE ? CANBUS_REMOTE : 0));
	frame->length = p[4] & (uint8_t)~LENGTH_FD;
	*ret_error_frame = id & ID_ERROR;
	if (!(id & ID_EXTENDED) && !*ret_error_frame && frame->id > 0x7FF)
		return -1;
	if (!fd)
		return frame->length <= 8 ? 5 : -1;
	if (p[5] & (uint8_t)~FLAG_ANY || frame->flags & CANBUS_REMOTE || frame->length > sizeof frame->data)
		return -1;
	frame->flags |= (uint8_t)(CANBUS_FD | (p[5] & FLAG_BRS ? CANBUS_BRS : 0) | (p[5] & FLAG_ESI ? CANBUS_ESI : 0));
	return 6;
}

int cannelloni_frame_decode(const uint8_t *bytes, size_t length, struct canbus_frame *ret_frame, bool *ret_error_frame)
{
	struct canbus_frame frame = {0};
	bool error_frame = false;
	const int head = decode_head(bytes, length, &frame, &error_frame);
	if (head <= 0)
		return head;
	const size_t total = (size_t)head + data_bytes(&frame);
	if (length < total)
		return 0;
	memcpy(frame.data, bytes + head, data_bytes(&frame));
	*ret_frame = frame;
	*ret_error_frame = error_frame;
	return (int)total;
}

size_t cannelloni_packet_encode(uint8_t *bytes, uint8_t sequence, const struct canbus_frame *frame)
{
	const uint8_t head[] = {VERSION, DATA, sequence, 0, 1};
	memcpy(bytes, head, sizeof head);
	return sizeof head + cannelloni_frame_encode(bytes + sizeof head, frame);
}

int cannelloni_packet_decode(const uint8_t *bytes, size_t length, struct canbus_frame *ret_frames, size_t most)
{
	if (length < 5 || bytes[0] != VERSION || bytes[1] != DATA)
		return -1;
	size_t at = 5, kept = 0;
	for (unsigned left = (unsigned)bytes[3] << 8 | bytes[4]; left > 0; left--) {
		struct canbus_frame frame;
		bool error_frame;
		int n = cannelloni_frame_decode(bytes + at, length - at, &frame, &error_frame);
		if (n <= 0 || (!error_frame && kept == most))
			return -1;
		if (!error_frame)
			ret_frames[kept++] = frame;
		at += (size_t)n;
	}
	return at == length ? (int)kept : -1;
}
