/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between a device and its gateway (docs/reference/device-messages.md): a length of four bytes, most significant
 * first, which counts the type and the payload (1..1024), the type, the payload.
 */
#ifndef FIRMWARE_CORE_MESSAGE_H
#define FIRMWARE_CORE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEAD        4u
#define MESSAGE_LENGTH_MAX  1024u /* type and payload */
#define MESSAGE_PAYLOAD_MAX (MESSAGE_LENGTH_MAX - 1)
#define MESSAGE_SIZE_MAX    (MESSAGE_HEAD + MESSAGE_LENGTH_MAX)
#define MESSAGE_SERIAL_MAX  32u /* characters of a hello */
#define MESSAGE_NUMBER      4u  /* bytes of a heartbeat: its number */

enum message_type {
	MESSAGE_HELLO = 1,       /* the device's serial number, 1..32 printable characters */
	MESSAGE_ACKNOWLEDGEMENT, /* type (1 byte) and number (4 bytes; 0 of a hello) of what is acknowledged */
	MESSAGE_HEARTBEAT,       /* number, 4 bytes */
	MESSAGE_ECHO_REQUEST,    /* anything */
	MESSAGE_ECHO_ANSWER,     /* the payload of the request */
};

struct message {
	enum message_type type;
	const uint8_t *payload; /* borrowed from the decoder until its next call */
	size_t length;
};

struct message_decoder {
	uint8_t data[MESSAGE_SIZE_MAX];
	size_t filled, taken; /* taken: of the message that was given out last */
	bool broken;
};

enum message_status {
	MESSAGE_NONE, /* more bytes are needed */
	MESSAGE_READY,
	MESSAGE_BROKEN, /* what came is no message, nor is anything after it */
};

void message_decoder_open(struct message_decoder *decoder);
/* Where the next bytes go and how many; never 0 unless a message waits or the stream is broken. */
uint8_t *message_decoder_space(struct message_decoder *decoder, size_t *ret_size);
/* So many bytes were written there. */
void message_decoder_added(struct message_decoder *decoder, size_t length);
enum message_status message_decoder_next(struct message_decoder *decoder, struct message *ret_message);

/* Writes a message to buffer[MESSAGE_SIZE_MAX]; its length in bytes, 0 when the payload is too long. */
size_t message_encode(enum message_type type, const uint8_t *payload, size_t length, uint8_t *buffer);

uint32_t message_get_number(const uint8_t *bytes);
void message_put_number(uint8_t *bytes, uint32_t number);

#endif
