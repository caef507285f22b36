/* SPDX-License-Identifier: Apache-2.0 */
#include "can_cannelloni_frame.h"

#include <errno.h>
#include <linux/can.h>
#include <string.h>

#include "../base/bytes.h"

#define LENGTH_FD  0x80
#define HEAD_BYTES 5

size_t cannelloni_frame_encode(const struct can_message *message, uint8_t buffer[static CANNELLONI_FRAME_MAX])
{
	bool fd = message->flags & CAN_MESSAGE_FD, remote = message->flags & CAN_MESSAGE_REMOTE;
	uint32_t id = message->id | (message->flags & CAN_MESSAGE_EXTENDED ? CAN_EFF_FLAG : 0) | (remote ? CAN_RTR_FLAG : 0);
	size_t at = HEAD_BYTES;
	be32_write(buffer, id);
	buffer[4] = (uint8_t)(message->length | (fd ? LENGTH_FD : 0));
	if (fd)
		buffer[at++] =
		        (uint8_t)((message->flags & CAN_MESSAGE_BRS ? CANFD_BRS : 0) | (message->flags & CAN_MESSAGE_ESI ? CANFD_ESI : 0));
	if (remote)
		return at;
	memcpy(buffer + at, message->data, message->length);
	return at + message->length;
}

int cannelloni_frame_decode(const uint8_t *data, size_t length, struct can_message *ret, bool *ret_error)
{
	struct can_message message = {.flags = 0};
	if (length < HEAD_BYTES)
		return 0;
	uint32_t id = be32_read(data);
	size_t at = HEAD_BYTES;
	message.length = data[4] & (uint8_t)~LENGTH_FD;
	if (data[4] & LENGTH_FD) {
		if (length < HEAD_BYTES + 1)
			return 0;
		uint8_t flags = data[at++];
		message.flags =
		        (uint8_t)(CAN_MESSAGE_FD | (flags & CANFD_BRS ? CAN_MESSAGE_BRS : 0) | (flags & CANFD_ESI ? CAN_MESSAGE_ESI : 0));
	}
	if (message.length > (data[4] & LENGTH_FD ? CAN_MESSAGE_MAX : 8))
		return -EINVAL;
	if (id & CAN_EFF_FLAG)
		message.flags |= CAN_MESSAGE_EXTENDED;
	if (id & CAN_RTR_FLAG)
		message.flags |= CAN_MESSAGE_REMOTE;
	message.id = id & CAN_EFF_MASK;
	size_t bytes = id & CAN_RTR_FLAG ? 0 : message.length;
	if (length < at + bytes)
		return 0;
	memcpy(message.data, data + at, bytes);
	*ret = message;
	*ret_error = id & CAN_ERR_FLAG;
	return (int)(at + bytes);
}
