/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_inbox.h"

#include <string.h>

#define NO_BUFFER ((int8_t)-1)

void doip_inbox_open(struct doip_inbox *inbox, struct doip_pool *pool)
{
	memset(inbox, 0, sizeof *inbox);
	inbox->pool = pool;
	inbox->buffer = NO_BUFFER;
}

static uint8_t *buffer_at(const struct doip_inbox *inbox)
{
	return inbox->pool->storage + (size_t)inbox->buffer * inbox->pool->buffer_size;
}

static void buffer_return(struct doip_inbox *inbox)
{
	if (inbox->buffer != NO_BUFFER)
		inbox->pool->used &= (uint8_t)~(1u << inbox->buffer);
	inbox->buffer = NO_BUFFER;
}

static bool buffer_borrow(struct doip_inbox *inbox, uint32_t length)
{
	if (length > inbox->pool->buffer_size)
		return false;
	for (int8_t i = 0; i < (int8_t)inbox->pool->count; i++) {
		if (inbox->pool->used & 1u << i)
			continue;
		inbox->pool->used |= (uint8_t)(1u << i);
		inbox->buffer = i;
		return true;
	}
	return false;
}

void doip_inbox_close(struct doip_inbox *inbox)
{
	if (inbox->pool != NULL)
		buffer_return(inbox);
	inbox->filled = 0;
	inbox->header_known = false;
	inbox->to_discard = 0;
}

static void front_remove(struct doip_inbox *inbox, uint16_t count)
{
	inbox->filled = (uint16_t)(inbox->filled - count);
	memmove(inbox->bytes, inbox->bytes + count, inbox->filled);
}

enum port_status doip_inbox_fill(struct doip_inbox *inbox, struct stream *stream)
{
	size_t received;
	enum port_status status;
	if (inbox->buffer != NO_BUFFER) {
		size_t missing = inbox->header.length - inbox->collected;
		if (missing == 0)
			return PORT_FULL;
		status = stream_receive(stream, buffer_at(inbox) + inbox->collected, missing, &received);
		if (status == PORT_OK)
			inbox->collected += (uint32_t)received;
		return status;
	}
	if (inbox->filled == DOIP_INBOX_SIZE)
		return PORT_FULL;
	status = stream_receive(stream, inbox->bytes + inbox->filled, DOIP_INBOX_SIZE - inbox->filled, &received);
	if (status == PORT_OK)
		inbox->filled = (uint16_t)(inbox->filled + received);
	return status;
}

static bool discard_done(struct doip_inbox *inbox)
{
	uint16_t count = inbox->to_discard < inbox->filled ? (uint16_t)inbox->to_discard : inbox->filled;
	front_remove(inbox, count);
	inbox->to_discard -= count;
	return inbox->to_discard == 0;
}

enum doip_inbox_event doip_inbox_next(struct doip_inbox *inbox)
{
	if (!discard_done(inbox))
		return DOIP_INBOX_MORE;
	if (!inbox->header_known) {
		if (inbox->filled < DOIP_HEADER_SIZE)
			return DOIP_INBOX_MORE;
		doip_header_decode(inbox->bytes, &inbox->header);
		inbox->header_known = true;
		return DOIP_INBOX_HEADER;
	}
	if (inbox->buffer != NO_BUFFER)
		return inbox->collected == inbox->header.length ? DOIP_INBOX_MESSAGE : DOIP_INBOX_MORE;
	return inbox->filled - DOIP_HEADER_SIZE >= inbox->header.length ? DOIP_INBOX_MESSAGE : DOIP_INBOX_MORE;
}

bool doip_inbox_accept(struct doip_inbox *inbox)
{
	if (inbox->header.length <= DOIP_INBOX_SIZE - DOIP_HEADER_SIZE)
		return true;
	if (!buffer_borrow(inbox, inbox->header.length))
		return false;
	/* The message is longer than the inbox, so all that is there belongs to it. */
	inbox->collected = inbox->filled - DOIP_HEADER_SIZE;
	memcpy(buffer_at(inbox), inbox->bytes + DOIP_HEADER_SIZE, inbox->collected);
	inbox->filled = 0;
	return true;
}

void doip_inbox_discard(struct doip_inbox *inbox)
{
	front_remove(inbox, DOIP_HEADER_SIZE);
	inbox->to_discard = inbox->header.length;
	inbox->header_known = false;
}

const uint8_t *doip_inbox_payload(const struct doip_inbox *inbox)
{
	return inbox->buffer != NO_BUFFER ? buffer_at(inbox) : inbox->bytes + DOIP_HEADER_SIZE;
}

void doip_inbox_release(struct doip_inbox *inbox)
{
	if (!inbox->header_known)
		return; /* closed while it was handled */
	inbox->header_known = false;
	if (inbox->buffer != NO_BUFFER)
		buffer_return(inbox);
	else
		front_remove(inbox, (uint16_t)(DOIP_HEADER_SIZE + inbox->header.length));
}
