/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_wire.h"

#define ANY_LENGTH UINT32_MAX

struct type_rule {
	uint16_t type;
	uint8_t receivers;
	uint32_t minimum, maximum; /* payload bytes; the two only lengths when `either` */
	bool either;
};

static const struct type_rule rules[] = {
        {DOIP_HEADER_NACK, DOIP_AT_ENTITY_TCP | DOIP_AT_ENTITY_UDP | DOIP_AT_CLIENT, 0, ANY_LENGTH, false},
        {DOIP_IDENTIFICATION, DOIP_AT_ENTITY_UDP, 0, 0, false},
        {DOIP_IDENTIFICATION_EID, DOIP_AT_ENTITY_UDP, 6, 6, false},
        {DOIP_IDENTIFICATION_VIN, DOIP_AT_ENTITY_UDP, 17, 17, false},
        {DOIP_STATUS_REQUEST, DOIP_AT_ENTITY_UDP, 0, 0, false},
        {DOIP_POWER_REQUEST, DOIP_AT_ENTITY_UDP, 0, 0, false},
        {DOIP_ACTIVATION_REQUEST, DOIP_AT_ENTITY_TCP, 7, 11, true},
        {DOIP_ACTIVATION_RESPONSE, DOIP_AT_CLIENT, 9, 13, true},
        {DOIP_ALIVE_REQUEST, DOIP_AT_ENTITY_TCP | DOIP_AT_CLIENT, 0, 0, false},
        {DOIP_ALIVE_RESPONSE, DOIP_AT_ENTITY_TCP | DOIP_AT_CLIENT, 2, 2, false},
        {DOIP_DIAGNOSTIC, DOIP_AT_ENTITY_TCP | DOIP_AT_CLIENT, DOIP_DIAGNOSTIC_HEAD + 1, ANY_LENGTH, false},
        /* Acknowledgements from a tester are ignored whatever they hold, so their length is not judged. */
        {DOIP_DIAGNOSTIC_ACK, DOIP_AT_ENTITY_TCP, 0, ANY_LENGTH, false},
        {DOIP_DIAGNOSTIC_NACK, DOIP_AT_ENTITY_TCP, 0, ANY_LENGTH, false},
        {DOIP_DIAGNOSTIC_ACK, DOIP_AT_CLIENT, DOIP_ACK_SIZE, ANY_LENGTH, false},
        {DOIP_DIAGNOSTIC_NACK, DOIP_AT_CLIENT, DOIP_ACK_SIZE, ANY_LENGTH, false},
};

void doip_header_decode(const uint8_t *b, struct doip_header *ret_header)
{
	ret_header->version = b[0];
	ret_header->inverse = b[1];
	ret_header->type = doip_get_u16(b + 2);
	ret_header->length = (uint32_t)doip_get_u16(b + 4) << 16 | doip_get_u16(b + 6);
}

void doip_header_encode(uint8_t *b, uint8_t version, uint16_t type, uint32_t length)
{
	b[0] = version;
	b[1] = (uint8_t)~version;
	doip_put_u16(b + 2, type);
	doip_put_u32(b + 4, length);
}

static const struct type_rule *rule_of(uint16_t type, enum doip_receiver receiver)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (rules[i].type == type && (rules[i].receivers & receiver) != 0)
			return &rules[i];
	return NULL;
}

static bool pattern_valid(const struct doip_header *header, enum doip_receiver receiver)
{
	if ((header->version ^ header->inverse) != 0xFF)
		return false;
	if (header->version == DOIP_VERSION_2012 || header->version == DOIP_VERSION_2019)
		return true;
	/* 7.DoIP-156: a tester that does not know the entity's version yet may leave it open. */
	return header->version == DOIP_VERSION_ANY && receiver == DOIP_AT_ENTITY_UDP && header->type >= DOIP_IDENTIFICATION &&
	       header->type <= DOIP_IDENTIFICATION_VIN;
}

enum doip_header_nack doip_header_check(const struct doip_header *header, enum doip_receiver receiver, uint32_t max_data_size)
{
	if (!pattern_valid(header, receiver))
		return DOIP_NACK_PATTERN;
	if (rule_of(header->type, receiver) == NULL)
		return DOIP_NACK_TYPE;
	/* 7.DoIP-039: a received header NACK is never answered, however long it is. */
	if (header->length > max_data_size && header->type != DOIP_HEADER_NACK)
		return DOIP_NACK_TOO_LARGE;
	return DOIP_NACK_NONE;
}

bool doip_length_valid(const struct doip_header *header, enum doip_receiver receiver)
{
	const struct type_rule *rule = rule_of(header->type, receiver);
	if (rule == NULL)
		return false;
	if (rule->either)
		return header->length == rule->minimum || header->length == rule->maximum;
	return header->length >= rule->minimum && header->length <= rule->maximum;
}
