/* SPDX-License-Identifier: Apache-2.0 */
#include "message_frame.h"

#include <errno.h>

#include "journal_hex.h"

#define HEAD         4
#define SERIAL_MAX   32
#define ACK_LENGTH   5 /* type and number */
#define NUMBER_BYTES 4
#define SHOWN        64 /* bytes of a payload in the journal: thousands of echoes would fill it */

const char *message_frame_name(uint8_t type)
{
	static const char *const names[] = {"unknown", "hello", "acknowledgement", "heartbeat", "echo_request", "echo_answer"};
	return type < sizeof(names) / sizeof(*names) ? names[type] : names[0];
}

static const char *payload_fault(const struct message_frame *frame)
{
	switch (frame->type) {
	case MESSAGE_FRAME_HELLO:
		for (size_t i = 0; i < frame->length; i++)
			if (frame->payload[i] < 0x21 || frame->payload[i] > 0x7e)
				return "a hello whose serial number does not print";
		return frame->length == 0 || frame->length > SERIAL_MAX ? "a hello without 1 to 32 characters" : NULL;
	case MESSAGE_FRAME_ACKNOWLEDGEMENT:
		return frame->length == ACK_LENGTH ? NULL : "an acknowledgement that is not of 5 bytes";
	case MESSAGE_FRAME_HEARTBEAT:
		return frame->length == NUMBER_BYTES ? NULL : "a heartbeat that is not of 4 bytes";
	case MESSAGE_FRAME_ECHO_REQUEST:
	case MESSAGE_FRAME_ECHO_ANSWER:
		return NULL;
	default:
		return "an unknown type";
	}
}

ssize_t message_frame_decode(const uint8_t *data, size_t length, struct message_frame *ret, const char **ret_why)
{
	if (length < HEAD)
		return 0;
	uint32_t counted = be32_read(data);
	if (counted == 0 || counted > MESSAGE_FRAME_LENGTH_MAX) {
		*ret_why = "a length that is not 1..1024";
		return -EBADMSG;
	}
	if (length - HEAD < counted)
		return 0;
	struct message_frame frame = {.type = data[HEAD], .payload = data + HEAD + 1, .length = counted - 1};
	const char *why = payload_fault(&frame);
	if (why) {
		*ret_why = why;
		return -EBADMSG;
	}
	*ret = frame;
	return HEAD + (ssize_t)counted;
}

int message_frame_encode(struct bytes *to, uint8_t type, const void *payload, size_t length)
{
	if (length >= MESSAGE_FRAME_LENGTH_MAX)
		return -EMSGSIZE;
	int r = bytes_append_be32(to, (uint32_t)length + 1);
	if (r == 0)
		r = bytes_append_u8(to, type);
	return r < 0 || length == 0 ? r : bytes_append(to, payload, length);
}

json_t *message_frame_to_json(const struct message_frame *frame)
{
	size_t shown = frame->length < SHOWN ? frame->length : SHOWN;
	json_t *data = json_pack("{s:i,s:s,s:I}", "type", frame->type, "name", message_frame_name(frame->type), "length",
	                         (json_int_t)frame->length);
	if (!data)
		return NULL;
	if (frame->type == MESSAGE_FRAME_HELLO)
		json_object_set_new(data, "serial", json_stringn((const char *)frame->payload, frame->length));
	if (frame->type == MESSAGE_FRAME_HEARTBEAT)
		json_object_set_new(data, "number", json_integer(be32_read(frame->payload)));
	if (frame->type == MESSAGE_FRAME_ACKNOWLEDGEMENT) {
		json_object_set_new(data, "of", json_string(message_frame_name(frame->payload[0])));
		json_object_set_new(data, "number", json_integer(be32_read(frame->payload + 1)));
	}
	journal_put_hex(data, frame->payload, shown);
	if (shown < frame->length)
		json_object_set_new(data, "truncated", json_integer((json_int_t)(frame->length - shown)));
	return data;
}
