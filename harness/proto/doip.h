/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DoIP as a tester speaks it (ISO 13400-2:2019), sans-I/O: messages to bytes, bytes to messages. The encoder makes
 * malformed messages when asked; the decoder takes any bytes and never fails on more than the header.
 */
#ifndef HARNESS_PROTO_DOIP_H
#define HARNESS_PROTO_DOIP_H

#include <jansson.h>
#include <stdbool.h>

#include "../base/bytes.h"

#define DOIP_HEADER_LENGTH 8

enum doip_type { /* ISO 13400-2:2019 Table 17 */
	         DOIP_HEADER_NACK = 0x0000,
	         DOIP_IDENTIFICATION_REQUEST = 0x0001,
	         DOIP_IDENTIFICATION_REQUEST_EID = 0x0002,
	         DOIP_IDENTIFICATION_REQUEST_VIN = 0x0003,
	         DOIP_ANNOUNCEMENT = 0x0004,
	         DOIP_ACTIVATION_REQUEST = 0x0005,
	         DOIP_ACTIVATION_RESPONSE = 0x0006,
	         DOIP_ALIVE_REQUEST = 0x0007,
	         DOIP_ALIVE_RESPONSE = 0x0008,
	         DOIP_STATUS_REQUEST = 0x4001,
	         DOIP_STATUS_RESPONSE = 0x4002,
	         DOIP_POWER_MODE_REQUEST = 0x4003,
	         DOIP_POWER_MODE_RESPONSE = 0x4004,
	         DOIP_DIAGNOSTIC = 0x8001,
	         DOIP_DIAGNOSTIC_ACK = 0x8002,
	         DOIP_DIAGNOSTIC_NACK = 0x8003,
};
/* "routing activation request", …; "reserved 0x0009" style names are not made: NULL for unknown types. */
const char *doip_type_name(uint16_t type);
/* Names as used in test cases: "header_nack", "activation_request", "diagnostic", …; 0 or -EINVAL. */
int doip_type_parse(const char *name, uint16_t *ret_type);
/* What a code means (ISO 13400-2:2019 Tables 19, 49 and 30); NULL when it is reserved. */
const char *doip_activation_code_name(uint8_t code);
const char *doip_header_nack_name(uint8_t code);
const char *doip_diagnostic_nack_name(uint8_t code);

/* Header fields a malformed message may override; zero-initialised = a right one in version 0x03. */
struct doip_header_options {
	bool has_version, has_inverse, has_length;
	uint8_t version, inverse;
	uint32_t length;
};
int doip_encode(struct bytes *out, uint16_t type, const void *payload, size_t length,
                const struct doip_header_options *) WARN_UNUSED; /* 0 or -ENOMEM */
int doip_encode_activation(struct bytes *payload, uint16_t source, uint8_t type, const uint8_t *oem,
                           size_t oem_length) WARN_UNUSED; /* payload only */
int doip_encode_diagnostic(struct bytes *payload, uint16_t source, uint16_t target, const void *data, size_t length) WARN_UNUSED;

/* One decoded message; pointers borrow from the bytes given. */
struct doip_message {
	uint8_t version, inverse;
	uint16_t type;
	uint32_t length;
	const uint8_t *payload;
	bool malformed;          /* payload does not fit its type */
	uint16_t source, target; /* diagnostic*, alive response, activation (source = tester, target = entity) */
	uint8_t code;            /* NACK, ACK, activation response or request type, power mode */
	struct {
		char vin[18];
		uint8_t eid[6], gid[6];
		uint8_t further_action, sync_status;
		bool has_sync;
		uint16_t address;
	} identity;
	struct {
		uint8_t node_type, max_sockets, open_sockets;
		bool has_max_data;
		uint32_t max_data;
	} status;
	const uint8_t *data;
	size_t data_length; /* diagnostic user data; previous message of an ACK; OEM field of an activation */
};
/* Returns the bytes of one whole message at the front (> 0, *ret filled), 0 when more are needed, -EBADMSG when the
 * version pattern is wrong or the length is over limit (ret->version…length are filled all the same). */
ssize_t doip_decode(const uint8_t *data, size_t length, uint32_t limit, struct doip_message *ret);
/* The fields of docs/reference/journal.md for kinds doip, doip.tx, doip.rx. New reference, NULL when out of memory.
 * `hex` is the payload alone, absent when there is none; `name` is absent for unknown types; `inverse` is there only when
 * it is wrong, `malformed` only when true. Codes come as `code` and, when known, `code_name`. The caller adds what it
 * knows of the connection (`conn`, `side`, `transport`, `peer`). */
json_t *doip_to_json(const struct doip_message *);

#endif
