/* SPDX-License-Identifier: Apache-2.0 */
#include "vbus_message.h"

#include <string.h>

#define FRAME_HEAD 6u

static uint8_t *put_number(uint8_t *p, uint64_t value, unsigned bytes)
{
	for (; bytes-- > 0; value >>= 8)
		*p++ = (uint8_t)value;
	return p;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t data_bytes(const struct canbus_frame *frame)
{
	return frame->flags & CANBUS_REMOTE ? 0 : frame->length;
}

static uint8_t *put_frame(uint8_t *p, const struct canbus_frame *frame)
{
	p = put_number(p, frame->id, 4);
	*p++ = frame->flags;
	*p++ = frame->length;
	memcpy(p, frame->data, data_bytes(frame));
	return p + data_bytes(frame);
}

static bool get_frame(const uint8_t *p, size_t length, struct canbus_frame *ret_frame)
{
	struct canbus_frame frame = {0};
	if (length < FRAME_HEAD || p[5] > sizeof frame.data)
		return false;
	frame.id = get32(p);
	frame.flags = p[4];
	frame.length = p[5];
	if (length != FRAME_HEAD + data_bytes(&frame))
		return false;
	memcpy(frame.data, p + FRAME_HEAD, data_bytes(&frame));
	*ret_frame = frame;
	return true;
}

bool vbus_request_decode(const uint8_t *message, size_t length, struct vbus_request *ret_request)
{
	struct vbus_request request = {.kind = length ? (char)message[0] : '\0'};
	switch (request.kind) {
	case 'A':
		if (length < 2 || length - 2 > VBUS_NAME_MAX || message[1] > 7 || memchr(message + 2, 0, length - 2))
			return false;
		request.flags = message[1];
		memcpy(request.name, message + 2, length - 2);
		break;
	case 'T':
		if (length < 5 || !get_frame(message + 5, length - 5, &request.frame))
			return false;
		request.ticket = get32(message + 1);
		break;
	case 'X':
		if (length != 1 && length != 5)
			return false;
		request.one = length == 5;
		request.ticket = request.one ? get32(message + 1) : 0;
		break;
	case 'B':
		if (length != 1)
			return false;
		break;
	default:
		return false;
	}
	*ret_request = request;
	return true;
}

size_t vbus_put_received(uint8_t *message, const struct canbus_event *event)
{
	uint8_t *p = message;
	*p++ = 'R';
	p = put_number(p, event->begin_ns, 8);
	p = put_number(p, event->end_ns, 8);
	p = put_number(p, event->sender, 2);
	return (size_t)(put_frame(p, event->frame) - message);
}

size_t vbus_put_confirmed(uint8_t *message, const struct canbus_event *event)
{
	message[0] = 'C';
	return (size_t)(put_number(put_number(message + 1, event->ticket, 4), event->end_ns, 8) - message);
}

size_t vbus_put_not_sent(uint8_t *message, const struct canbus_event *event)
{
	message[0] = 'N';
	return (size_t)(put_number(put_number(message + 1, event->ticket, 4), (uint64_t)event->reason, 1) - message);
}

size_t vbus_put_failed(uint8_t *message, const struct canbus_event *event)
{
	uint8_t *p = message;
	*p++ = 'E';
	p = put_number(p, event->end_ns, 8);
	p = put_number(p, event->sender, 2);
	*p++ = (uint8_t)event->error;
	p = put_number(p, event->frame->id, 4);
	*p++ = event->frame->flags;
	return (size_t)(p - message);
}

size_t vbus_put_state(uint8_t *message, const struct canbus_event *event)
{
	uint8_t *p = message;
	*p++ = 'S';
	p = put_number(p, event->end_ns, 8);
	p = put_number(p, event->node, 2);
	*p++ = (uint8_t)event->state;
	p = put_number(p, event->tec, 2);
	p = put_number(p, event->rec, 2);
	return (size_t)(p - message);
}

size_t vbus_put_load(uint8_t *message, uint64_t at_ns, uint16_t load_permille, uint32_t frames, uint32_t errors)
{
	uint8_t *p = message;
	*p++ = 'L';
	p = put_number(p, at_ns, 8);
	p = put_number(p, load_permille, 2);
	p = put_number(p, frames, 4);
	p = put_number(p, errors, 4);
	return (size_t)(p - message);
}

size_t vbus_put_overflow(uint8_t *message, uint32_t lost)
{
	message[0] = 'O';
	return (size_t)(put_number(message + 1, lost, 4) - message);
}
