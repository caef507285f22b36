/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits to be sent on one connection. Room for one acknowledgement and the longest response behind it:
 * a message is taken from a peer only when its outbox is empty, so a peer that does not read slows only itself.
 */
#ifndef FIRMWARE_CORE_DOIP_OUTBOX_H
#define FIRMWARE_CORE_DOIP_OUTBOX_H

#include "doip_wire.h"
#include "stream.h"

#define DOIP_MAX_USER_DATA 4095u
#define DOIP_OUTBOX_SIZE   4160u /* ACK 13 + header 8 + addresses 4 + user data 4095, rounded up */

struct doip_outbox {
	uint16_t filled;
	uint8_t bytes[DOIP_OUTBOX_SIZE];
};

void doip_outbox_open(struct doip_outbox *outbox);
static inline bool doip_outbox_empty(const struct doip_outbox *outbox)
{
	return outbox->filled == 0;
}
/* Appends a message head and gives the place of its payload, to be written by the caller; NULL: no room. */
uint8_t *doip_outbox_add(struct doip_outbox *outbox, uint8_t version, uint16_t type, uint32_t length);
/* Appends a diagnostic message (0x8001). */
bool doip_outbox_add_diagnostic(struct doip_outbox *outbox, uint8_t version, uint16_t source, uint16_t target, const uint8_t *data,
                                size_t length);
/* Appends the acknowledgement of a message from `source` to `target`; its code is settled later, so that it stands
 * before whatever the message's handler adds. Give the returned place to doip_outbox_settle(). NULL: no room. */
uint8_t *doip_outbox_add_ack(struct doip_outbox *outbox, uint8_t version, uint16_t source, uint16_t target);
void doip_outbox_settle(uint8_t *place, uint8_t code);
/* Sends what can be sent. PORT_OK: the outbox is empty; *ret_progress: at least one byte went out. */
enum port_status doip_outbox_flush(struct doip_outbox *outbox, struct stream *stream, bool *ret_progress);

#endif
