/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between a device and its gateway, the gateway's side (docs/reference/device-messages.md). Sans I/O. */
#ifndef HARNESS_RUN_STEPS_MESSAGE_FRAME_H
#define HARNESS_RUN_STEPS_MESSAGE_FRAME_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../base/bytes.h"

#define MESSAGE_FRAME_LENGTH_MAX 1024 /* type and payload */

enum message_frame_type {
	MESSAGE_FRAME_HELLO = 1,
	MESSAGE_FRAME_ACKNOWLEDGEMENT,
	MESSAGE_FRAME_HEARTBEAT,
	MESSAGE_FRAME_ECHO_REQUEST,
	MESSAGE_FRAME_ECHO_ANSWER
};

struct message_frame {
	uint8_t type;
	const uint8_t *payload; /* borrows from the bytes that were decoded */
	size_t length;          /* of the payload */
};

/* "hello", "acknowledgement", "heartbeat", "echo_request", "echo_answer"; "unknown". */
const char *message_frame_name(uint8_t type);
/* Bytes that the first message of data takes, 0: more are needed, -EBADMSG: it is none (*ret_why says what is wrong). */
ssize_t message_frame_decode(const uint8_t *data, size_t length, struct message_frame *ret, const char **ret_why);
/* Appends. 0, -EMSGSIZE or -ENOMEM. */
int message_frame_encode(struct bytes *to, uint8_t type, const void *payload, size_t length) WARN_UNUSED;
/* What the journal tells of a message: type, name, length, hex (its begin), serial, number, of. New reference. */
json_t *message_frame_to_json(const struct message_frame *);

#endif
