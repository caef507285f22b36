/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_udp.h"

#include <string.h>

#include "../faults/fault.h"
#include "doip_wire.h"

#define REQUEST_SIZE        128u /* longer than any valid request: a longer datagram is invalid whatever follows */
#define ANNOUNCEMENT_LENGTH 33u
#define STATUS_LENGTH       7u
#define RECEIVE_LIMIT       32u
#define FAILURE_LIMIT       4u

struct request {
	struct doip_header header;
	const uint8_t *payload;
	size_t length; /* payload bytes in the datagram */
	struct port_endpoint from;
};

static bool is_group(const struct port_endpoint *e)
{
	return e->port != 0 && (e->family == 6 ? e->address[0] == 0xFF : (e->address[0] & 0xF0) == 0xE0);
}

/* 7.DoIP-031: an answer to such a source would go to everybody. */
static bool source_usable(const struct doip_entity_config *config, const struct port_endpoint *from)
{
	static const uint8_t limited_broadcast[4] = {0xFF, 0xFF, 0xFF, 0xFF};
	if (from->port == 0 || is_group(from))
		return false;
	if (from->family != 4)
		return true;
	if (memcmp(from->address, limited_broadcast, 4) == 0)
		return false;
	return config->udp_broadcast.port == 0 || config->udp_broadcast.family != 4 ||
	       memcmp(config->udp_broadcast.address, config->udp.address, 4) == 0 ||
	       memcmp(from->address, config->udp_broadcast.address, 4) != 0;
}

static uint64_t random_wait_us(uint32_t limit_ms)
{
	uint8_t bytes[4];
	port_random(bytes, sizeof bytes);
	uint32_t value = (uint32_t)doip_get_u16(bytes) << 16 | doip_get_u16(bytes + 2);
	return value % ((uint64_t)limit_ms * 1000 + 1);
}

static void announcements_begin(struct doip_udp *udp, uint64_t now_us)
{
	if (udp->config->announce_to.port == 0)
		return;
	udp->announcements_left = udp->config->announce_count;
	udp->announce_us = now_us + random_wait_us(udp->config->announce_wait_max_ms);
}

static enum port_status open_group(const struct port_endpoint *group, port_socket *ret_socket)
{
	port_socket socket;
	enum port_status status = port_udp_open(group, true, &socket);
	if (status == PORT_OK && is_group(group)) {
		status = port_udp_join(socket, group);
		if (status != PORT_OK)
			port_udp_close(socket);
	}
	if (status == PORT_OK)
		*ret_socket = socket;
	return status;
}

enum port_status doip_udp_start(struct doip_udp *udp, const struct doip_entity_config *config)
{
	enum port_status status = PORT_OK;
	memset(udp, 0, sizeof *udp);
	udp->config = config;
	udp->unicast = udp->broadcast = PORT_NO_SOCKET;
	if (config->udp.port != 0)
		status = port_udp_open(&config->udp, config->announce_to.port != 0, &udp->unicast);
	if (status == PORT_OK && config->udp_broadcast.port != 0)
		status = open_group(&config->udp_broadcast, &udp->broadcast);
	if (status != PORT_OK)
		doip_udp_stop(udp);
	return status;
}

void doip_udp_stop(struct doip_udp *udp)
{
	if (udp->unicast != PORT_NO_SOCKET)
		port_udp_close(udp->unicast);
	if (udp->broadcast != PORT_NO_SOCKET)
		port_udp_close(udp->broadcast);
	udp->unicast = udp->broadcast = PORT_NO_SOCKET;
}

static void send(const struct doip_udp *udp, const struct port_endpoint *to, const uint8_t *data, size_t length)
{
	port_socket from = udp->unicast != PORT_NO_SOCKET ? udp->unicast : udp->broadcast;
	if (from != PORT_NO_SOCKET)
		(void)port_udp_send(from, to, data, length); /* a datagram may get lost here as on the wire */
}

static void send_identity(const struct doip_udp *udp, const struct port_endpoint *to, uint8_t version)
{
	const struct doip_entity_config *config = udp->config;
	uint8_t message[DOIP_HEADER_SIZE + ANNOUNCEMENT_LENGTH] = {0};
	uint8_t *payload = message + DOIP_HEADER_SIZE;
	doip_header_encode(message, version, DOIP_ANNOUNCEMENT, ANNOUNCEMENT_LENGTH);
	if (config->vin_programmed)
		memcpy(payload, config->vin, sizeof config->vin);
	doip_put_u16(payload + 17, config->logical_address);
	memcpy(payload + 19, config->eid, sizeof config->eid);
	memcpy(payload + 25, config->gid, sizeof config->gid);
	payload[31] = config->further_action;
	payload[32] = config->sync_status;
	send(udp, to, message, sizeof message);
}

static void send_nack(const struct doip_udp *udp, const struct request *request, uint8_t code)
{
	uint8_t message[DOIP_HEADER_SIZE + 1];
	bool trusted = code != DOIP_NACK_PATTERN && request->header.version != DOIP_VERSION_ANY;
	doip_header_encode(message, trusted ? request->header.version : DOIP_VERSION_OWN, DOIP_HEADER_NACK, 1);
	message[DOIP_HEADER_SIZE] = code;
	send(udp, &request->from, message, sizeof message);
}

static void send_status(const struct doip_udp *udp, const struct request *request, uint8_t open_sockets)
{
	uint8_t message[DOIP_HEADER_SIZE + STATUS_LENGTH];
	uint8_t *payload = message + DOIP_HEADER_SIZE;
	doip_header_encode(message, request->header.version, DOIP_STATUS_RESPONSE, STATUS_LENGTH);
	payload[0] = udp->config->node_type;
	payload[1] = udp->config->max_sockets;
	payload[2] = open_sockets;
	doip_put_u32(payload + 3, udp->config->max_data_size);
	send(udp, &request->from, message, sizeof message);
}

static void send_power_mode(const struct doip_udp *udp, const struct request *request)
{
	uint8_t message[DOIP_HEADER_SIZE + 1];
	doip_header_encode(message, request->header.version, DOIP_POWER_RESPONSE, 1);
	message[DOIP_HEADER_SIZE] = udp->config->power_mode;
	send(udp, &request->from, message, sizeof message);
}

/* Every answer waits its own random time, so that the entities of a vehicle do not all speak at once. */
static void identity_requested(struct doip_udp *udp, const struct request *request, uint64_t now_us)
{
	uint8_t version = request->header.version == DOIP_VERSION_ANY ? DOIP_VERSION_OWN : request->header.version;
	for (unsigned i = 0; i < DOIP_UDP_ANSWERS; i++) {
		struct doip_udp_answer *answer = &udp->answers[i];
		if (answer->used)
			continue;
		answer->used = true;
		answer->version = version;
		answer->to = request->from;
		answer->due_us = now_us + random_wait_us(udp->config->announce_wait_max_ms);
		return;
	}
	send_identity(udp, &request->from, version); /* no place to wait in */
}

static bool vin_is(const struct doip_entity_config *config, const uint8_t *vin)
{
	return config->vin_programmed && memcmp(config->vin, vin, sizeof config->vin) == 0;
}

static void handle(struct doip_udp *udp, const struct request *request, uint64_t now_us, uint8_t open_sockets)
{
	switch (request->header.type) {
	case DOIP_IDENTIFICATION_EID:
		if (memcmp(udp->config->eid, request->payload, sizeof udp->config->eid) != 0)
			return;
		break;
	case DOIP_IDENTIFICATION_VIN:
		if (!vin_is(udp->config, request->payload))
			return;
		break;
	case DOIP_IDENTIFICATION:
		break;
	case DOIP_STATUS_REQUEST:
		send_status(udp, request, open_sockets);
		return;
	case DOIP_POWER_REQUEST:
		send_power_mode(udp, request);
		return;
	default:
		return;
	}
	identity_requested(udp, request, now_us);
}

/* What entities send is never answered, not even when it is malformed: two entities could keep each other busy. */
static bool from_an_entity(uint16_t type)
{
	return type == DOIP_HEADER_NACK || type == DOIP_ANNOUNCEMENT || type == DOIP_STATUS_RESPONSE || type == DOIP_POWER_RESPONSE;
}

static void judge(struct doip_udp *udp, const struct request *request, uint64_t now_us, uint8_t open_sockets)
{
	if (from_an_entity(request->header.type))
		return;
	enum doip_header_nack nack = doip_header_check(&request->header, DOIP_AT_ENTITY_UDP, udp->config->max_data_size);
	if (nack == DOIP_NACK_NONE &&
	    (!doip_length_valid(&request->header, DOIP_AT_ENTITY_UDP) || request->header.length != request->length))
		nack = DOIP_NACK_LENGTH;
	if (nack == DOIP_NACK_NONE)
		handle(udp, request, now_us, open_sockets);
	else if (nack != DOIP_NACK_TYPE || !fault_active(FAULT_HEADER_NACK_MISSING))
		send_nack(udp, request, (uint8_t)nack);
}

/* False when the socket may have more. A port that reports nothing but errors gets no second look before the next
 * event: some report an earlier datagram's fate in this way, and a broken one must not keep the CPU busy. */
static bool receive_all(struct doip_udp *udp, port_socket socket, uint64_t now_us, uint8_t open_sockets)
{
	if (socket == PORT_NO_SOCKET)
		return true;
	unsigned failures = 0;
	for (unsigned i = 0; i < RECEIVE_LIMIT; i++) {
		uint8_t data[REQUEST_SIZE];
		size_t length;
		struct request request;
		enum port_status status = port_udp_receive(socket, data, sizeof data, &length, &request.from);
		if (status == PORT_WOULD_BLOCK || failures == FAILURE_LIMIT)
			return true;
		failures += status != PORT_OK;
		if (status != PORT_OK || length < DOIP_HEADER_SIZE || !source_usable(udp->config, &request.from))
			continue;
		doip_header_decode(data, &request.header);
		request.payload = data + DOIP_HEADER_SIZE;
		request.length = length - DOIP_HEADER_SIZE;
		judge(udp, &request, now_us, open_sockets);
	}
	return false;
}

static uint64_t answers_poll(struct doip_udp *udp, uint64_t now_us)
{
	uint64_t deadline = UINT64_MAX;
	for (unsigned i = 0; i < DOIP_UDP_ANSWERS; i++) {
		struct doip_udp_answer *answer = &udp->answers[i];
		if (answer->used && now_us >= answer->due_us) {
			send_identity(udp, &answer->to, answer->version);
			answer->used = false;
		}
		if (answer->used && answer->due_us < deadline)
			deadline = answer->due_us;
	}
	return deadline;
}

static uint64_t announcements_poll(struct doip_udp *udp, uint64_t now_us)
{
	bool up = port_link_up();
	if (up && !udp->link_up)
		announcements_begin(udp, now_us);
	udp->link_up = up;
	if (!up || udp->announcements_left == 0)
		return UINT64_MAX;
	if (now_us >= udp->announce_us) {
		send_identity(udp, &udp->config->announce_to, DOIP_VERSION_OWN);
		udp->announcements_left--;
		udp->announce_us += (uint64_t)udp->config->announce_interval_ms * 1000;
	}
	return udp->announcements_left > 0 ? udp->announce_us : UINT64_MAX;
}

uint64_t doip_udp_poll(struct doip_udp *udp, uint64_t now_us, uint8_t open_sockets)
{
	bool done = receive_all(udp, udp->unicast, now_us, open_sockets);
	done = receive_all(udp, udp->broadcast, now_us, open_sockets) && done;
	uint64_t announce_us = announcements_poll(udp, now_us);
	uint64_t answer_us = answers_poll(udp, now_us);
	if (!done)
		return now_us;
	return announce_us < answer_us ? announce_us : answer_us;
}
