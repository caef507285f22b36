/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <string.h>

uint32_t message_get_number(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void message_put_number(uint8_t *bytes, uint32_t number)
{
	bytes[0] = (uint8_t)(number >> 24);
	bytes[1] = (uint8_t)(number >> 16);
	bytes[2] = (uint8_t)(number >> 8);
	bytes[3] = (uint8_t)number;
}

void message_decoder_open(struct message_decoder *decoder)
{
	decoder->filled = decoder->taken = 0;
	decoder->broken = false;
}

/* The message that was given out makes room for what came behind it. */
static void drop_taken(struct message_decoder *decoder)
{
	if (decoder->taken == 0)
		return;
	decoder->filled -= decoder->taken;
	memmove(decoder->data, decoder->data + decoder->taken, decoder->filled);
	decoder->taken = 0;
}

uint8_t *message_decoder_space(struct message_decoder *decoder, size_t *ret_size)
{
	drop_taken(decoder);
	*ret_size = decoder->broken ? 0 : sizeof decoder->data - decoder->filled;
	return decoder->data + decoder->filled;
}

void message_decoder_added(struct message_decoder *decoder, size_t length)
{
	decoder->filled += length;
}

static bool printable(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return true;
}

static bool payload_sound(uint8_t type, const uint8_t *payload, size_t length)
{
	switch (type) {
	case MESSAGE_HELLO:
		return length > 0 && length <= MESSAGE_SERIAL_MAX && printable(payload, length);
	case MESSAGE_ACKNOWLEDGEMENT:
		return length == 1 + MESSAGE_NUMBER;
	case MESSAGE_HEARTBEAT:
		return length == MESSAGE_NUMBER;
	case MESSAGE_ECHO_REQUEST:
	case MESSAGE_ECHO_ANSWER:
		return true;
	default:
		return false;
	}
}

static enum message_status broken(struct message_decoder *decoder)
{
	decoder->broken = true;
	return MESSAGE_BROKEN;
}

enum message_status message_decoder_next(struct message_decoder *decoder, struct message *ret_message)
{
	drop_taken(decoder);
	if (decoder->broken)
		return MESSAGE_BROKEN;
	if (decoder->filled < MESSAGE_HEAD)
		return MESSAGE_NONE;
	uint32_t length = message_get_number(decoder->data);
	if (length == 0 || length > MESSAGE_LENGTH_MAX) /* before anything is waited for: it would never come */
		return broken(decoder);
	if (decoder->filled - MESSAGE_HEAD < length)
		return MESSAGE_NONE;
	uint8_t type = decoder->data[MESSAGE_HEAD];
	const uint8_t *payload = decoder->data + MESSAGE_HEAD + 1;
	if (!payload_sound(type, payload, length - 1))
		return broken(decoder);
	*ret_message = (struct message){.type = (enum message_type)type, .payload = payload, .length = length - 1};
	decoder->taken = MESSAGE_HEAD + length;
	return MESSAGE_READY;
}

size_t message_encode(enum message_type type, const uint8_t *payload, size_t length, uint8_t *buffer)
{
	if (length > MESSAGE_PAYLOAD_MAX)
		return 0;
	message_put_number(buffer, (uint32_t)length + 1);
	buffer[MESSAGE_HEAD] = (uint8_t)type;
	if (length > 0)
		memcpy(buffer + MESSAGE_HEAD + 1, payload, length);
	return MESSAGE_HEAD + 1 + length;
}
