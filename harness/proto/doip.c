/* SPDX-License-Identifier: Apache-2.0 */
#include "doip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JOURNAL_HEX_LIMIT          4096 /* docs/reference/journal.md: longest byte string */
#define ACTIVATION_REQUEST_LENGTH  7
#define ACTIVATION_RESPONSE_LENGTH 9
#define OEM_LENGTH                 4
#define DIAGNOSTIC_OVERHEAD        4 /* source and target address */

static const struct type_info {
	uint16_t type;
	const char *word, *name;
	uint32_t shortest, longest, other; /* allowed payload lengths: shortest..longest, or exactly `other` when not 0 */
} types[] = {
        {DOIP_HEADER_NACK, "header_nack", "header negative acknowledge", 1, 1, 0},
        {DOIP_IDENTIFICATION_REQUEST, "identification_request", "vehicle identification request", 0, 0, 0},
        {DOIP_IDENTIFICATION_REQUEST_EID, "identification_request_eid", "vehicle identification request with EID", 6, 6, 0},
        {DOIP_IDENTIFICATION_REQUEST_VIN, "identification_request_vin", "vehicle identification request with VIN", 17, 17, 0},
        {DOIP_ANNOUNCEMENT, "announcement", "vehicle announcement", 32, 33, 0},
        {DOIP_ACTIVATION_REQUEST, "activation_request", "routing activation request", 7, 7, 11},
        {DOIP_ACTIVATION_RESPONSE, "activation_response", "routing activation response", 9, 9, 13},
        {DOIP_ALIVE_REQUEST, "alive_request", "alive check request", 0, 0, 0},
        {DOIP_ALIVE_RESPONSE, "alive_response", "alive check response", 2, 2, 0},
        {DOIP_STATUS_REQUEST, "status_request", "entity status request", 0, 0, 0},
        {DOIP_STATUS_RESPONSE, "status_response", "entity status response", 3, 3, 7},
        {DOIP_POWER_MODE_REQUEST, "power_mode_request", "power mode request", 0, 0, 0},
        {DOIP_POWER_MODE_RESPONSE, "power_mode_response", "power mode response", 1, 1, 0},
        {DOIP_DIAGNOSTIC, "diagnostic", "diagnostic message", 5, UINT32_MAX, 0},
        {DOIP_DIAGNOSTIC_ACK, "diagnostic_ack", "diagnostic message positive acknowledge", 5, UINT32_MAX, 0},
        {DOIP_DIAGNOSTIC_NACK, "diagnostic_nack", "diagnostic message negative acknowledge", 5, UINT32_MAX, 0},
};

static const struct type_info *type_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

const char *doip_type_name(uint16_t type)
{
	const struct type_info *info = type_find(type);
	return info ? info->name : NULL;
}

int doip_type_parse(const char *name, uint16_t *ret_type)
{
	if (!name)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].word, name) == 0) {
			*ret_type = types[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

const char *doip_activation_code_name(uint8_t code)
{
	switch (code) { /* ISO 13400-2:2019 Table 49 */
	case 0x00:
		return "unknown source address";
	case 0x01:
		return "all sockets registered and active";
	case 0x02:
		return "source address differs from the one of the socket";
	case 0x03:
		return "source address active on another socket";
	case 0x04:
		return "authentication missing";
	case 0x05:
		return "confirmation rejected";
	case 0x06:
		return "unsupported activation type";
	case 0x07:
		return "TLS required";
	case 0x10:
		return "activated";
	case 0x11:
		return "confirmation pending";
	default:
		return NULL;
	}
}

const char *doip_header_nack_name(uint8_t code)
{
	static const char *const names[] = {"incorrect pattern", "unknown payload type", "message too large", "out of memory",
	                                    "invalid payload length"};
	return code < sizeof(names) / sizeof(names[0]) ? names[code] : NULL;
}

const char *doip_diagnostic_nack_name(uint8_t code)
{
	static const char *const names[] = {
	        [0x02] = "invalid source address",  [0x03] = "unknown target address", [0x04] = "diagnostic message too large",
	        [0x05] = "out of memory",           [0x06] = "target unreachable",     [0x07] = "unknown network",
	        [0x08] = "transport protocol error"};
	return code < sizeof(names) / sizeof(names[0]) ? names[code] : NULL;
}

int doip_encode(struct bytes *out, uint16_t type, const void *payload, size_t length, const struct doip_header_options *options)
{
	static const struct doip_header_options right;
	if (!options)
		options = &right;
	uint8_t header[DOIP_HEADER_LENGTH];
	header[0] = options->has_version ? options->version : 0x03;
	header[1] = options->has_inverse ? options->inverse : (uint8_t)~header[0];
	be16_write(header + 2, type);
	be32_write(header + 4, options->has_length ? options->length : (uint32_t)length);
	size_t before = out->length;
	int r = bytes_append(out, header, sizeof(header));
	if (r == 0 && length > 0)
		r = bytes_append(out, payload, length);
	if (r < 0)
		out->length = before; /* half a message must not stay behind */
	return r;
}

int doip_encode_activation(struct bytes *payload, uint16_t source, uint8_t type, const uint8_t *oem, size_t oem_length)
{
	uint8_t fixed[ACTIVATION_REQUEST_LENGTH] = {0};
	be16_write(fixed, source);
	fixed[2] = type;
	size_t before = payload->length;
	int r = bytes_append(payload, fixed, sizeof(fixed));
	if (r == 0 && oem_length > 0)
		r = bytes_append(payload, oem, oem_length);
	if (r < 0)
		payload->length = before;
	return r;
}

int doip_encode_diagnostic(struct bytes *payload, uint16_t source, uint16_t target, const void *data, size_t length)
{
	uint8_t addresses[DIAGNOSTIC_OVERHEAD];
	be16_write(addresses, source);
	be16_write(addresses + 2, target);
	size_t before = payload->length;
	int r = bytes_append(payload, addresses, sizeof(addresses));
	if (r == 0 && length > 0)
		r = bytes_append(payload, data, length);
	if (r < 0)
		payload->length = before;
	return r;
}

static void rest_set(struct doip_message *m, uint32_t offset)
{
	if (m->length > offset) {
		m->data = m->payload + offset;
		m->data_length = m->length - offset;
	}
}

static void announcement_decode(struct doip_message *m)
{
	const uint8_t *p = m->payload;
	memcpy(m->identity.vin, p, 17);
	m->identity.address = be16_read(p + 17);
	m->source = m->identity.address;
	memcpy(m->identity.eid, p + 19, 6);
	memcpy(m->identity.gid, p + 25, 6);
	m->identity.further_action = p[31];
	m->identity.has_sync = m->length == 33;
	if (m->identity.has_sync)
		m->identity.sync_status = p[32];
}

static void status_decode(struct doip_message *m)
{
	m->status.node_type = m->payload[0];
	m->status.max_sockets = m->payload[1];
	m->status.open_sockets = m->payload[2];
	m->status.has_max_data = m->length == 7;
	if (m->status.has_max_data)
		m->status.max_data = be32_read(m->payload + 3);
}

static void activation_decode(struct doip_message *m)
{
	bool response = m->type == DOIP_ACTIVATION_RESPONSE;
	m->source = be16_read(m->payload);
	if (response)
		m->target = be16_read(m->payload + 2);
	m->code = m->payload[response ? 4 : 2];
	rest_set(m, response ? ACTIVATION_RESPONSE_LENGTH : ACTIVATION_REQUEST_LENGTH);
}

static void addressed_decode(struct doip_message *m)
{
	m->source = be16_read(m->payload);
	m->target = be16_read(m->payload + 2);
	bool acknowledge = m->type != DOIP_DIAGNOSTIC;
	if (acknowledge)
		m->code = m->payload[4];
	rest_set(m, acknowledge ? DIAGNOSTIC_OVERHEAD + 1 : DIAGNOSTIC_OVERHEAD);
}

/* Only called with a payload whose length fits the type. */
static void payload_decode(struct doip_message *m)
{
	switch (m->type) {
	case DOIP_HEADER_NACK:
	case DOIP_POWER_MODE_RESPONSE:
		m->code = m->payload[0];
		return;
	case DOIP_IDENTIFICATION_REQUEST_EID:
		memcpy(m->identity.eid, m->payload, 6);
		return;
	case DOIP_IDENTIFICATION_REQUEST_VIN:
		memcpy(m->identity.vin, m->payload, 17);
		return;
	case DOIP_ANNOUNCEMENT:
		announcement_decode(m);
		return;
	case DOIP_ACTIVATION_REQUEST:
	case DOIP_ACTIVATION_RESPONSE:
		activation_decode(m);
		return;
	case DOIP_ALIVE_RESPONSE:
		m->source = be16_read(m->payload);
		return;
	case DOIP_STATUS_RESPONSE:
		status_decode(m);
		return;
	case DOIP_DIAGNOSTIC:
	case DOIP_DIAGNOSTIC_ACK:
	case DOIP_DIAGNOSTIC_NACK:
		addressed_decode(m);
		return;
	default:
		return;
	}
}

static bool length_fits(const struct type_info *info, uint32_t length)
{
	return (length >= info->shortest && length <= info->longest) || (info->other != 0 && length == info->other);
}

ssize_t doip_decode(const uint8_t *data, size_t length, uint32_t limit, struct doip_message *ret)
{
	if (length < DOIP_HEADER_LENGTH)
		return 0;
	struct doip_message m = {.version = data[0], .inverse = data[1], .type = be16_read(data + 2), .length = be32_read(data + 4)};
	if (m.inverse != (uint8_t)~m.version || m.length > limit) {
		*ret = m;
		return -EBADMSG;
	}
	if (length - DOIP_HEADER_LENGTH < m.length)
		return 0;
	m.payload = data + DOIP_HEADER_LENGTH;
	const struct type_info *info = type_find(m.type);
	if (info && length_fits(info, m.length))
		payload_decode(&m);
	else
		m.malformed = info != NULL; /* what an unknown type should look like is not known */
	*ret = m;
	return (ssize_t)DOIP_HEADER_LENGTH + (ssize_t)m.length;
}

static void hex_put(json_t *object, const char *key, const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * JOURNAL_HEX_LIMIT + 1];
	size_t shown = length < JOURNAL_HEX_LIMIT ? length : JOURNAL_HEX_LIMIT;
	for (size_t i = 0; i < shown; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	json_object_set_new_nocheck(object, key, json_stringn_nocheck(text, 2 * shown));
	if (shown < length)
		json_object_set_new_nocheck(object, "truncated", json_integer((json_int_t)(length - shown)));
}

static void integer_put(json_t *object, const char *key, json_int_t value)
{
	json_object_set_new_nocheck(object, key, json_integer(value));
}

/* A VIN comes from the wire: bytes that are not printable ASCII become \xHH. */
static void vin_put(json_t *object, const char *vin)
{
	char text[17 * 4 + 1];
	size_t used = 0;
	for (size_t i = 0; i < 17; i++) {
		unsigned char c = (unsigned char)vin[i];
		if (c >= 0x20 && c < 0x7f)
			text[used++] = (char)c;
		else
			used += (size_t)snprintf(text + used, sizeof(text) - used, "\\x%02x", c);
	}
	json_object_set_new_nocheck(object, "vin", json_stringn_nocheck(text, used));
}

static void code_put(json_t *object, const struct doip_message *m, const char *name)
{
	integer_put(object, "code", m->code);
	if (name)
		json_object_set_new_nocheck(object, "code_name", json_string_nocheck(name));
}

static void identity_put(json_t *object, const struct doip_message *m)
{
	vin_put(object, m->identity.vin);
	integer_put(object, "address", m->identity.address);
	hex_put(object, "eid", m->identity.eid, 6);
	hex_put(object, "gid", m->identity.gid, 6);
	integer_put(object, "further_action", m->identity.further_action);
	if (m->identity.has_sync)
		integer_put(object, "sync_status", m->identity.sync_status);
}

static void status_put(json_t *object, const struct doip_message *m)
{
	integer_put(object, "node_type", m->status.node_type);
	integer_put(object, "max_sockets", m->status.max_sockets);
	integer_put(object, "open_sockets", m->status.open_sockets);
	if (m->status.has_max_data)
		integer_put(object, "max_data", m->status.max_data);
}

static const char *diagnostic_code_name(const struct doip_message *m)
{
	if (m->type == DOIP_DIAGNOSTIC_NACK)
		return doip_diagnostic_nack_name(m->code);
	return m->code == 0 ? "accepted" : NULL;
}

static void addresses_put(json_t *object, const struct doip_message *m)
{
	integer_put(object, "source", m->source);
	integer_put(object, "target", m->target);
}

static void payload_put(json_t *object, const struct doip_message *m)
{
	switch (m->type) {
	case DOIP_HEADER_NACK:
		code_put(object, m, doip_header_nack_name(m->code));
		return;
	case DOIP_POWER_MODE_RESPONSE:
		code_put(object, m, NULL);
		return;
	case DOIP_IDENTIFICATION_REQUEST_EID:
		hex_put(object, "eid", m->identity.eid, 6);
		return;
	case DOIP_IDENTIFICATION_REQUEST_VIN:
		vin_put(object, m->identity.vin);
		return;
	case DOIP_ANNOUNCEMENT:
		identity_put(object, m);
		return;
	case DOIP_ACTIVATION_REQUEST:
		integer_put(object, "source", m->source);
		code_put(object, m, NULL);
		return;
	case DOIP_ACTIVATION_RESPONSE:
		addresses_put(object, m);
		code_put(object, m, doip_activation_code_name(m->code));
		return;
	case DOIP_ALIVE_RESPONSE:
		integer_put(object, "source", m->source);
		return;
	case DOIP_STATUS_RESPONSE:
		status_put(object, m);
		return;
	case DOIP_DIAGNOSTIC:
		addresses_put(object, m);
		return;
	case DOIP_DIAGNOSTIC_ACK:
	case DOIP_DIAGNOSTIC_NACK:
		addresses_put(object, m);
		code_put(object, m, diagnostic_code_name(m));
		return;
	default:
		return;
	}
}

json_t *doip_to_json(const struct doip_message *m)
{
	json_t *object = json_object();
	if (!object)
		return NULL;
	integer_put(object, "type", m->type);
	const char *name = doip_type_name(m->type);
	if (name)
		json_object_set_new_nocheck(object, "name", json_string_nocheck(name));
	integer_put(object, "version", m->version);
	integer_put(object, "length", m->length);
	if (m->inverse != (uint8_t)~m->version)
		integer_put(object, "inverse", m->inverse);
	if (m->malformed)
		json_object_set_new_nocheck(object, "malformed", json_true());
	else if (m->payload)
		payload_put(object, m);
	if (m->payload && m->length > 0)
		hex_put(object, "hex", m->payload, m->length);
	return object;
}
