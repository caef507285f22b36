/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes from a gateway, in pieces as the first byte says: what the decoder gives out is sound, and once it is broken it
 * stays so. */
#include <stdlib.h>
#include <string.h>

#include "../../core/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct message *message)
{
	uint8_t again[MESSAGE_SIZE_MAX];
	if (message->type < MESSAGE_HELLO || message->type > MESSAGE_ECHO_ANSWER || message->length > MESSAGE_PAYLOAD_MAX)
		abort();
	size_t length = message_encode(message->type, message->payload, message->length, again);
	/* What was decoded is what encoding gives. */
	if (length != MESSAGE_HEAD + 1 + message->length || memcmp(again, message->payload - 1 - MESSAGE_HEAD, length) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message_decoder decoder;
	struct message message;
	size_t piece = size > 0 && data[0] > 0 ? data[0] : 1, at = 1, room;
	bool broken = false;
	message_decoder_open(&decoder);
	while (at < size) {
		uint8_t *space = message_decoder_space(&decoder, &room);
		if (room == 0) {
			if (!broken)
				abort(); /* a decoder that waits has room */
			break;
		}
		size_t part = size - at < piece ? size - at : piece;
		part = part < room ? part : room;
		memcpy(space, data + at, part);
		message_decoder_added(&decoder, part);
		at += part;
		enum message_status status;
		while ((status = message_decoder_next(&decoder, &message)) == MESSAGE_READY)
			check(&message);
		if (broken && status != MESSAGE_BROKEN)
			abort();
		broken = status == MESSAGE_BROKEN;
	}
	return 0;
}
