/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_outbox.h"

#include <string.h>

void doip_outbox_open(struct doip_outbox *outbox)
{
	outbox->filled = 0;
}

uint8_t *doip_outbox_add(struct doip_outbox *outbox, uint8_t version, uint16_t type, uint32_t length)
{
	uint32_t room = DOIP_OUTBOX_SIZE - outbox->filled;
	if (room < DOIP_HEADER_SIZE || length > room - DOIP_HEADER_SIZE)
		return NULL;
	uint8_t *head = outbox->bytes + outbox->filled;
	doip_header_encode(head, version, type, length);
	outbox->filled = (uint16_t)(outbox->filled + DOIP_HEADER_SIZE + length);
	return head + DOIP_HEADER_SIZE;
}

bool doip_outbox_add_diagnostic(struct doip_outbox *outbox, uint8_t version, uint16_t source, uint16_t target, const uint8_t *data,
                                size_t length)
{
	if (length > DOIP_MAX_USER_DATA)
		return false;
	uint8_t *payload = doip_outbox_add(outbox, version, DOIP_DIAGNOSTIC, DOIP_DIAGNOSTIC_HEAD + (uint32_t)length);
	if (payload == NULL)
		return false;
	doip_put_u16(payload, source);
	doip_put_u16(payload + 2, target);
	memcpy(payload + DOIP_DIAGNOSTIC_HEAD, data, length);
	return true;
}

uint8_t *doip_outbox_add_ack(struct doip_outbox *outbox, uint8_t version, uint16_t source, uint16_t target)
{
	uint8_t *payload = doip_outbox_add(outbox, version, DOIP_DIAGNOSTIC_ACK, DOIP_ACK_SIZE);
	if (payload == NULL)
		return NULL;
	doip_put_u16(payload, target); /* the addresses change places */
	doip_put_u16(payload + 2, source);
	payload[4] = 0;
	return payload;
}

void doip_outbox_settle(uint8_t *place, uint8_t code)
{
	uint8_t *head = place - DOIP_HEADER_SIZE;
	place[4] = code;
	doip_header_encode(head, head[0], code == 0 ? DOIP_DIAGNOSTIC_ACK : DOIP_DIAGNOSTIC_NACK, DOIP_ACK_SIZE);
}

enum port_status doip_outbox_flush(struct doip_outbox *outbox, struct stream *stream, bool *ret_progress)
{
	enum port_status status = PORT_OK;
	size_t done = 0;
	while (status == PORT_OK && done < outbox->filled) {
		size_t sent;
		status = stream_send(stream, outbox->bytes + done, outbox->filled - done, &sent);
		if (status == PORT_OK)
			done += sent;
	}
	outbox->filled = (uint16_t)(outbox->filled - done);
	memmove(outbox->bytes, outbox->bytes + done, outbox->filled);
	*ret_progress = done > 0;
	return status;
}
