/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_entity.h"

#include <string.h>

#include "../faults/fault.h"
#include "console.h"
#include "doip_activation.h"
#include "doip_alive.h"
#include "doip_diagnostic.h"
#include "doip_socket.h"
#include "doip_timers.h"
#include "doip_udp.h"

#define LISTEN_BACKLOG 8u
#define TURN_LIMIT     64u /* steps of one socket before the others have their turn */

static struct doip_context entity;
static struct doip_udp entity_udp;

/* ---- start and stop ----------------------------------------------------------------------------------------- */

static void marker_endpoint(struct console_line *line, const char *name, const struct port_endpoint *endpoint)
{
	if (endpoint->port == 0)
		return;
	console_text(line, name);
	console_endpoint(line, endpoint);
}

static void announce_boot_stage(void)
{
	struct console_line line;
	console_begin_boot(&line, "server");
	marker_endpoint(&line, " udp=", &entity.config.udp);
	marker_endpoint(&line, " plain=", &entity.config.tcp_plain);
	marker_endpoint(&line, " tls=", &entity.config.tcp_tls);
	console_end(&line);
}

static void close_listeners(void)
{
	if (entity.listener_plain != PORT_NO_SOCKET)
		port_tcp_close(entity.listener_plain);
	if (entity.listener_tls != PORT_NO_SOCKET)
		port_tcp_close(entity.listener_tls);
	entity.listener_plain = entity.listener_tls = PORT_NO_SOCKET;
}

static enum port_status open_listeners(void)
{
	enum port_status status = PORT_OK;
	if (entity.config.tcp_plain.port != 0)
		status = port_tcp_listen(&entity.config.tcp_plain, LISTEN_BACKLOG, &entity.listener_plain);
	if (status == PORT_OK && entity.config.tcp_tls.port != 0)
		status = port_tcp_listen(&entity.config.tcp_tls, LISTEN_BACKLOG, &entity.listener_tls);
	if (status != PORT_OK)
		close_listeners();
	return status;
}

static bool config_valid(const struct doip_entity_config *config, const struct tls_config *server_tls)
{
	return config->max_sockets >= 1 && config->max_sockets <= DOIP_MAX_SOCKETS && config->max_data_size <= DOIP_MAX_MESSAGE &&
	       config->tester_count <= DOIP_MAX_TESTERS && config->activation_count <= DOIP_MAX_ACTIVATIONS &&
	       (config->tcp_tls.port == 0 || server_tls != NULL);
}

enum port_status doip_entity_start(const struct doip_entity_config *config, const struct doip_entity_handlers *handlers,
                                   struct tls_config *server_tls)
{
	if (entity.running || !config_valid(config, server_tls))
		return PORT_INVALID;
	memset(&entity, 0, sizeof entity);
	entity.config = *config;
	entity.handlers = *handlers;
	entity.server_tls = server_tls;
	entity.listener_plain = entity.listener_tls = PORT_NO_SOCKET;
	entity.pool = (struct doip_pool){.storage = entity.pool_storage, .buffer_size = DOIP_MAX_MESSAGE, .count = DOIP_POOL_BUFFERS};
	enum port_status status = doip_udp_start(&entity_udp, &entity.config);
	if (status != PORT_OK)
		return status;
	status = open_listeners();
	if (status != PORT_OK) {
		doip_udp_stop(&entity_udp);
		return status;
	}
	entity.running = true;
	announce_boot_stage();
	return PORT_OK;
}

void doip_entity_stop(void)
{
	if (!entity.running)
		return;
	entity.running = false;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		struct doip_slot *slot = &entity.slots[i];
		if (slot->state == DOIP_SLOT_FREE)
			continue;
		slot->handling = false;
		doip_slot_flush(&entity, slot);
		doip_slot_close(&entity, slot);
	}
	close_listeners();
	doip_udp_stop(&entity_udp);
}

/* ---- messages of one socket --------------------------------------------------------------------------------- */

static void send_alive_response(struct doip_slot *slot)
{
	uint8_t *payload = doip_outbox_add(&slot->outbox, slot->version, DOIP_ALIVE_RESPONSE, 2);
	if (payload != NULL)
		doip_put_u16(payload, entity.config.logical_address);
}

static void handle_message(struct doip_slot *slot)
{
	const uint8_t *payload = doip_inbox_payload(&slot->inbox);
	uint32_t length = slot->inbox.header.length;
	slot->activity_us = entity.now_us;
	switch (slot->inbox.header.type) {
	case DOIP_ACTIVATION_REQUEST:
		doip_activation_receive(&entity, slot, payload, length);
		break;
	case DOIP_ALIVE_REQUEST:
		send_alive_response(slot);
		break;
	case DOIP_ALIVE_RESPONSE:
		doip_alive_receive(slot, doip_get_u16(payload));
		break;
	case DOIP_DIAGNOSTIC:
		doip_diagnostic_receive(&entity, slot, payload, length);
		break;
	default:
		break;
	}
	doip_inbox_release(&slot->inbox);
}

static bool type_ignored(uint16_t type)
{
	return type == DOIP_HEADER_NACK || type == DOIP_DIAGNOSTIC_ACK || type == DOIP_DIAGNOSTIC_NACK;
}

static void refuse_and_close(struct doip_slot *slot, uint8_t code)
{
	doip_slot_header_nack(slot, code);
	doip_slot_finish(&entity, slot);
}

static void refuse_and_go_on(struct doip_slot *slot, uint8_t code)
{
	if (code != DOIP_NACK_TYPE || !fault_active(FAULT_HEADER_NACK_MISSING))
		doip_slot_header_nack(slot, code);
	doip_inbox_discard(&slot->inbox);
}

static void handle_header(struct doip_slot *slot)
{
	const struct doip_header *header = &slot->inbox.header;
	enum doip_header_nack nack = doip_header_check(header, DOIP_AT_ENTITY_TCP, entity.config.max_data_size);
	slot->activity_us = entity.now_us;
	if (nack == DOIP_NACK_PATTERN) {
		refuse_and_close(slot, DOIP_NACK_PATTERN);
		return;
	}
	slot->version = header->version;
	if (nack != DOIP_NACK_NONE)
		refuse_and_go_on(slot, (uint8_t)nack);
	else if (type_ignored(header->type))
		doip_inbox_discard(&slot->inbox);
	else if (!doip_inbox_accept(&slot->inbox))
		refuse_and_go_on(slot, DOIP_NACK_MEMORY);
	else if (!doip_length_valid(header, DOIP_AT_ENTITY_TCP))
		refuse_and_close(slot, DOIP_NACK_LENGTH);
}

/* False: there is nothing more to be had now, or the socket is gone. */
static bool fill(struct doip_slot *slot)
{
	switch (doip_inbox_fill(&slot->inbox, &slot->stream)) {
	case PORT_OK:
		return true;
	case PORT_WOULD_BLOCK:
	case PORT_FULL:
		return false;
	case PORT_CLOSED:
		doip_slot_close(&entity, slot);
		return false;
	default:
		doip_slot_abort(&entity, slot);
		return false;
	}
}

/* A handshake takes as long as a timer's tolerance: what begins behind one in the same turn must not begin earlier. */
static void clock_read(void)
{
	uint64_t now_us = port_time_us();
	if (now_us > entity.now_us)
		entity.now_us = now_us;
}

/* One step; false: the slot's turn is over. */
static bool step(struct doip_slot *slot)
{
	clock_read();
	if (slot->state == DOIP_SLOT_WAITING) /* what came behind the request waits for its answer; a FIN is seen */
		return fill(slot);
	if (slot->state != DOIP_SLOT_OPEN && !doip_slot_registered(slot))
		return false;
	doip_slot_flush(&entity, slot);
	if (slot->failed || !doip_outbox_empty(&slot->outbox))
		return false; /* answers leave in order, and a peer that does not read gets no more of them */
	switch (doip_inbox_next(&slot->inbox)) {
	case DOIP_INBOX_HEADER:
		handle_header(slot);
		return true;
	case DOIP_INBOX_MESSAGE:
		handle_message(slot);
		return true;
	default:
		return fill(slot);
	}
}

static void establish(struct doip_slot *slot)
{
	switch (stream_establish(&slot->stream)) {
	case PORT_OK:
		slot->state = DOIP_SLOT_OPEN;
		break;
	case PORT_WOULD_BLOCK:
		break;
	default: /* the alert has to reach the peer: no RST */
		doip_slot_finish(&entity, slot);
		break;
	}
}

static void slot_poll(struct doip_slot *slot)
{
	if (slot->state == DOIP_SLOT_ESTABLISHING)
		establish(slot);
	if (slot->state == DOIP_SLOT_CLOSING) {
		doip_slot_finish_poll(&entity, slot);
		return;
	}
	unsigned steps = 0;
	while (entity.running && steps < TURN_LIMIT && step(slot))
		steps++;
	if (steps == TURN_LIMIT)
		entity.again = true;
	if (slot->state != DOIP_SLOT_FREE && slot->failed)
		doip_slot_abort(&entity, slot);
}

/* ---- the entity --------------------------------------------------------------------------------------------- */

static void slots_poll(void)
{
	for (unsigned i = 0; i < DOIP_SLOT_COUNT && entity.running; i++)
		if (entity.slots[i].state != DOIP_SLOT_FREE)
			slot_poll(&entity.slots[i]);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void doip_entity_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	*ret_deadline_us = UINT64_MAX;
	if (!entity.running)
		return;
	entity.turn_us = entity.now_us = now_us;
	entity.again = false;
	/* Known sockets first: one that has just ended makes room for one that waits at the listener. */
	slots_poll();
	clock_read();
	doip_alive_poll(&entity);
	doip_timers_poll(&entity);
	doip_sockets_accept(&entity);
	slots_poll();
	clock_read();
	doip_alive_poll(&entity);
	if (!entity.running)
		return;
	uint64_t deadline = doip_udp_poll(&entity_udp, now_us, doip_sockets_open(&entity));
	deadline = earlier(deadline, earlier(doip_timers_deadline(&entity), doip_alive_deadline(&entity)));
	*ret_deadline_us = entity.again ? now_us : deadline;
}

enum port_status doip_entity_send_via(uint16_t node, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	struct doip_slot *slot = entity.running ? doip_slot_by_address(&entity, node) : NULL;
	if (length == 0 || length > DOIP_MAX_USER_DATA)
		return PORT_INVALID;
	if (slot == NULL || slot->state != DOIP_SLOT_REGISTERED || slot->failed)
		return PORT_ABSENT;
	if (!doip_outbox_add_diagnostic(&slot->outbox, slot->version, source, target, data, length))
		return PORT_FULL;
	clock_read();
	doip_slot_flush(&entity, slot);
	return PORT_OK;
}

enum port_status doip_entity_send(uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	return doip_entity_send_via(target, source, target, data, length);
}

uint8_t doip_entity_nodes(uint16_t *addresses, uint8_t limit)
{
	uint8_t count = 0;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT && count < limit; i++)
		if (entity.running && entity.slots[i].state == DOIP_SLOT_REGISTERED)
			addresses[count++] = entity.slots[i].address;
	return count;
}
