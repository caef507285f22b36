/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routing activation and the alive check that decides between an old and a new socket (ISO 13400-2:2019,
 * 3.DoIP-059 ff. and 3.DoIP-089 ff.).
 */
#ifndef FIRMWARE_CORE_DOIP_ACTIVATION_H
#define FIRMWARE_CORE_DOIP_ACTIVATION_H

#include "doip_socket.h"

enum doip_activation_code {
	DOIP_ACTIVATION_UNKNOWN_SOURCE = 0x00,
	DOIP_ACTIVATION_NO_SOCKET = 0x01,
	DOIP_ACTIVATION_OTHER_SOURCE = 0x02,
	DOIP_ACTIVATION_SOURCE_IN_USE = 0x03,
	DOIP_ACTIVATION_NOT_AUTHENTICATED = 0x04,
	DOIP_ACTIVATION_REJECTED = 0x05,
	DOIP_ACTIVATION_TYPE_UNSUPPORTED = 0x06,
	DOIP_ACTIVATION_NEEDS_TLS = 0x07,
	DOIP_ACTIVATION_DONE = 0x10,
	DOIP_ACTIVATION_PENDING = 0x11,
};

/* A routing activation request (payload of 7 or 11 bytes) came on the slot. It is answered now, or the slot waits. */
void doip_activation_receive(struct doip_context *context, struct doip_slot *slot, const uint8_t *payload, uint32_t length);
/* Decides a newcomer that waited; false: it has to (go on to) wait for an alive check. */
bool doip_activation_decide(struct doip_context *context, struct doip_slot *slot);
/* Answers with a code and does to the socket what the code asks for. */
void doip_activation_answer(struct doip_context *context, struct doip_slot *slot, uint8_t code);

#endif
