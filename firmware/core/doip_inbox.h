/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts DoIP messages together from a byte stream. Small messages stay in the inbox itself; a longer one borrows a
 * buffer from a pool shared by several inboxes, so that not every socket needs room for the largest message.
 * That the pool may be empty is the "out of memory" of 7.DoIP-044.
 */
#ifndef FIRMWARE_CORE_DOIP_INBOX_H
#define FIRMWARE_CORE_DOIP_INBOX_H

#include "doip_wire.h"
#include "stream.h"

#define DOIP_INBOX_SIZE 128u /* header and payload of a small message */
#define DOIP_POOL_LIMIT 8u

struct doip_pool {
	uint8_t *storage; /* count * buffer_size bytes, the owner's */
	uint32_t buffer_size;
	uint8_t count; /* <= DOIP_POOL_LIMIT */
	uint8_t used;  /* bit n: buffer n is lent */
};

struct doip_inbox {
	struct doip_pool *pool;
	uint8_t bytes[DOIP_INBOX_SIZE];
	uint16_t filled;
	int8_t buffer;     /* index in the pool, -1 none */
	bool header_known; /* `header` belongs to the message at the front */
	struct doip_header header;
	uint32_t collected;  /* payload bytes in the pool's buffer */
	uint32_t to_discard; /* payload bytes to throw away before the next header */
};

enum doip_inbox_event {
	DOIP_INBOX_MORE,    /* needs doip_inbox_fill() */
	DOIP_INBOX_HEADER,  /* a header came: decide with doip_inbox_accept() or doip_inbox_discard() */
	DOIP_INBOX_MESSAGE, /* the accepted message is whole; end it with doip_inbox_release() */
};

void doip_inbox_open(struct doip_inbox *inbox, struct doip_pool *pool);
/* Gives a borrowed buffer back. May be called in any state after doip_inbox_open(). */
void doip_inbox_close(struct doip_inbox *inbox);
/* One read from the stream. PORT_FULL: nothing can be taken before the message at the front is released. */
enum port_status doip_inbox_fill(struct doip_inbox *inbox, struct stream *stream);
enum doip_inbox_event doip_inbox_next(struct doip_inbox *inbox);
/* Wants the message whole; false when it needs a buffer of the pool and none is free (or none is large enough). */
bool doip_inbox_accept(struct doip_inbox *inbox);
/* Throws away exactly the payload that the header announced. */
void doip_inbox_discard(struct doip_inbox *inbox);
/* The payload of a whole message, valid until doip_inbox_release(); inbox->header describes it. */
const uint8_t *doip_inbox_payload(const struct doip_inbox *inbox);
void doip_inbox_release(struct doip_inbox *inbox);

#endif
