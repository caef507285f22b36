/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic DoIP header and the payload types of ISO 13400-2:2019 (clause 7 and its tables), as the firmware
 * reads and writes them. All numbers are big endian on the wire.
 */
#ifndef FIRMWARE_CORE_DOIP_WIRE_H
#define FIRMWARE_CORE_DOIP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOIP_HEADER_SIZE     8u
#define DOIP_VERSION_2012    0x02u
#define DOIP_VERSION_2019    0x03u
#define DOIP_VERSION_OWN     DOIP_VERSION_2019
#define DOIP_VERSION_ANY     0xFFu /* only in vehicle identification requests */
#define DOIP_DIAGNOSTIC_HEAD 4u    /* source and target address before the user data */
#define DOIP_ACK_SIZE        5u    /* payload of 0x8002 and 0x8003 without the previous message */

enum doip_type {
	DOIP_HEADER_NACK = 0x0000,
	DOIP_IDENTIFICATION = 0x0001,
	DOIP_IDENTIFICATION_EID = 0x0002,
	DOIP_IDENTIFICATION_VIN = 0x0003,
	DOIP_ANNOUNCEMENT = 0x0004,
	DOIP_ACTIVATION_REQUEST = 0x0005,
	DOIP_ACTIVATION_RESPONSE = 0x0006,
	DOIP_ALIVE_REQUEST = 0x0007,
	DOIP_ALIVE_RESPONSE = 0x0008,
	DOIP_STATUS_REQUEST = 0x4001,
	DOIP_STATUS_RESPONSE = 0x4002,
	DOIP_POWER_REQUEST = 0x4003,
	DOIP_POWER_RESPONSE = 0x4004,
	DOIP_DIAGNOSTIC = 0x8001,
	DOIP_DIAGNOSTIC_ACK = 0x8002,
	DOIP_DIAGNOSTIC_NACK = 0x8003,
};

enum doip_header_nack { /* generic header negative acknowledge codes */
	                DOIP_NACK_PATTERN = 0x00,
	                DOIP_NACK_TYPE = 0x01,
	                DOIP_NACK_TOO_LARGE = 0x02,
	                DOIP_NACK_MEMORY = 0x03,
	                DOIP_NACK_LENGTH = 0x04,
	                DOIP_NACK_NONE = 0xFF, /* the header is in order */
};

struct doip_header {
	uint8_t version, inverse;
	uint16_t type;
	uint32_t length; /* payload bytes */
};

static inline uint16_t doip_get_u16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline void doip_put_u16(uint8_t *b, uint16_t value)
{
	b[0] = (uint8_t)(value >> 8);
	b[1] = (uint8_t)value;
}

static inline void doip_put_u32(uint8_t *b, uint32_t value)
{
	doip_put_u16(b, (uint16_t)(value >> 16));
	doip_put_u16(b + 2, (uint16_t)value);
}

/* b holds DOIP_HEADER_SIZE bytes. */
void doip_header_decode(const uint8_t *b, struct doip_header *ret_header);
void doip_header_encode(uint8_t *b, uint8_t version, uint16_t type, uint32_t length);

/* Who has received a message: each knows other payload types. */
enum doip_receiver { DOIP_AT_ENTITY_TCP = 1, DOIP_AT_ENTITY_UDP = 2, DOIP_AT_CLIENT = 4 };

/* The first three header checks in the order of 7.DoIP-037: pattern (041), payload type (042), maximum size (043). */
enum doip_header_nack doip_header_check(const struct doip_header *header, enum doip_receiver receiver, uint32_t max_data_size);
/* The last one (045): whether the payload type may have that length. */
bool doip_length_valid(const struct doip_header *header, enum doip_receiver receiver);

#endif
