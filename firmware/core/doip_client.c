/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_client.h"

#include <string.h>

#include "console.h"
#include "doip_entity.h" /* diagnostic NACK codes */
#include "doip_inbox.h"
#include "doip_outbox.h"

#define MESSAGE_SIZE        (DOIP_DIAGNOSTIC_HEAD + DOIP_MAX_USER_DATA)
#define ANSWER_LIMIT_US     2000000u /* to an alive check request, and for an acknowledgement (A_DoIP_Diagnostic_Message) */
#define PENDING_REPEAT_US   500000u  /* an activation that waits for confirmation is asked for again */
#define ACTIVATION_REQUEST  7u
#define ACTIVATION_ACCEPTED 0x10u
#define ACTIVATION_PENDING  0x11u

static struct {
	struct doip_client_config config;
	struct doip_client_handlers handlers;
	struct connection connection;
	bool announced; /* the boot marker is out */
	bool handling;
	bool probing; /* an alive check request is on its way */
	uint64_t repeat_us, received_us, probe_limit_us, ack_limit_us;
	uint32_t unacknowledged;
	struct doip_pool pool;
	struct doip_inbox inbox;
	struct doip_outbox outbox;
	uint8_t message[MESSAGE_SIZE];
} client;

enum doip_client_state doip_client_state(void)
{
	return (enum doip_client_state)client.connection.state;
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static void flush(void)
{
	bool progress;
	if (client.handling || client.connection.broken || doip_outbox_empty(&client.outbox))
		return;
	enum port_status status = doip_outbox_flush(&client.outbox, &client.connection.stream, &progress);
	if (status != PORT_OK && status != PORT_WOULD_BLOCK)
		client.connection.broken = true;
}

static void send_activation(void)
{
	uint8_t *payload = doip_outbox_add(&client.outbox, DOIP_VERSION_OWN, DOIP_ACTIVATION_REQUEST, ACTIVATION_REQUEST);
	client.repeat_us = UINT64_MAX;
	if (payload == NULL)
		return;
	memset(payload, 0, ACTIVATION_REQUEST);
	doip_put_u16(payload, client.config.source_address);
	payload[2] = client.config.activation_type;
	flush();
}

static void send_alive_response(void)
{
	uint8_t *payload = doip_outbox_add(&client.outbox, DOIP_VERSION_OWN, DOIP_ALIVE_RESPONSE, 2);
	if (payload != NULL)
		doip_put_u16(payload, client.config.source_address);
}

static void send_header_nack(uint8_t code)
{
	uint8_t *payload = doip_outbox_add(&client.outbox, DOIP_VERSION_OWN, DOIP_HEADER_NACK, 1);
	if (payload != NULL)
		payload[0] = code;
}

enum port_status doip_client_send(uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	if (length == 0 || length > DOIP_MAX_USER_DATA)
		return PORT_INVALID;
	if (doip_client_state() != DOIP_CLIENT_ACTIVE || client.connection.broken)
		return PORT_FAILED;
	if (!doip_outbox_add_diagnostic(&client.outbox, DOIP_VERSION_OWN, source, target, data, length))
		return PORT_FULL;
	if (client.unacknowledged++ == 0)
		client.ack_limit_us = port_time_us() + ANSWER_LIMIT_US;
	flush();
	return PORT_OK;
}

/* ---- states ------------------------------------------------------------------------------------------------- */

static void announce(void)
{
	struct console_line line;
	if (client.announced)
		return;
	console_begin_boot(&line, "client");
	console_text(&line, " remote=");
	console_endpoint(&line, &client.config.remote);
	console_end(&line);
	client.announced = true;
}

static void entered(void)
{
	enum doip_client_state state = doip_client_state();
	switch (state) {
	case DOIP_CLIENT_IDLE:
	case DOIP_CLIENT_BACKOFF:
		doip_inbox_close(&client.inbox);
		doip_outbox_open(&client.outbox);
		break;
	case DOIP_CLIENT_CONNECTING:
		announce();
		break;
	case DOIP_CLIENT_ACTIVATING:
		doip_inbox_open(&client.inbox, &client.pool);
		doip_outbox_open(&client.outbox);
		client.received_us = client.connection.now_us;
		break;
	default:
		break;
	}
	if (client.handlers.state_changed != NULL)
		client.handlers.state_changed(client.handlers.context, state);
	if (state == DOIP_CLIENT_ACTIVATING)
		send_activation();
}

static void lose(const char *reason, bool orderly)
{
	connection_lose(&client.connection, reason, orderly);
	entered();
}

/* ---- receiving ---------------------------------------------------------------------------------------------- */

static void activated(uint16_t entity)
{
	struct console_line line;
	console_begin_boot(&line, "activated");
	console_text(&line, " entity=0x");
	console_hexadecimal(&line, entity, 4);
	console_end(&line);
	client.unacknowledged = 0;
	client.probing = false;
	connection_agreed(&client.connection);
	entered();
}

static void receive_activation(const uint8_t *payload)
{
	uint8_t code = payload[4];
	if (doip_client_state() != DOIP_CLIENT_ACTIVATING || doip_get_u16(payload) != client.config.source_address)
		return;
	if (code == ACTIVATION_ACCEPTED) {
		activated(doip_get_u16(payload + 2));
		return;
	}
	if (code == ACTIVATION_PENDING) {
		client.repeat_us = client.connection.now_us + PENDING_REPEAT_US;
		return;
	}
	char reason[] = "activation refused code=0x00";
	reason[sizeof reason - 3] = "0123456789abcdef"[code >> 4];
	reason[sizeof reason - 2] = "0123456789abcdef"[code & 0xF];
	lose(reason, true);
}

static void receive_diagnostic(const uint8_t *payload, uint32_t length)
{
	uint16_t source = doip_get_u16(payload), target = doip_get_u16(payload + 2);
	if (doip_client_state() != DOIP_CLIENT_ACTIVE)
		return;
	/* The place of the ACK is kept first, so that no response can stand before it. */
	uint8_t *place = doip_outbox_add_ack(&client.outbox, DOIP_VERSION_OWN, source, target);
	uint8_t code = DOIP_DIAG_UNKNOWN_TARGET;
	if (client.handlers.diagnostic != NULL) {
		client.handling = true;
		code = client.handlers.diagnostic(client.handlers.context, source, target, payload + DOIP_DIAGNOSTIC_HEAD,
		                                  length - DOIP_DIAGNOSTIC_HEAD);
		client.handling = false;
	}
	if (doip_client_state() == DOIP_CLIENT_ACTIVE && place != NULL)
		doip_outbox_settle(place, code);
	flush();
}

static void receive_acknowledgement(uint16_t type, const uint8_t *payload)
{
	struct console_line line;
	if (client.unacknowledged > 0)
		client.unacknowledged--;
	client.ack_limit_us = client.connection.now_us + ANSWER_LIMIT_US;
	if (type == DOIP_DIAGNOSTIC_ACK)
		return;
	console_begin(&line);
	console_text(&line, "client: diagnostic message refused code=0x");
	console_hexadecimal(&line, payload[4], 2);
	console_end(&line);
}

static void handle_message(void)
{
	const uint8_t *payload = doip_inbox_payload(&client.inbox);
	uint16_t type = client.inbox.header.type;
	client.received_us = client.connection.now_us;
	client.probing = false; /* whatever the server says, it lives */
	switch (type) {
	case DOIP_ACTIVATION_RESPONSE:
		receive_activation(payload);
		break;
	case DOIP_ALIVE_REQUEST:
		send_alive_response();
		break;
	case DOIP_DIAGNOSTIC:
		receive_diagnostic(payload, client.inbox.header.length);
		break;
	case DOIP_DIAGNOSTIC_ACK:
	case DOIP_DIAGNOSTIC_NACK:
		receive_acknowledgement(type, payload);
		break;
	default:
		break;
	}
	doip_inbox_release(&client.inbox);
}

static void handle_header(void)
{
	const struct doip_header *header = &client.inbox.header;
	enum doip_header_nack nack = doip_header_check(header, DOIP_AT_CLIENT, MESSAGE_SIZE);
	client.received_us = client.connection.now_us;
	client.probing = false;
	if (nack == DOIP_NACK_PATTERN || (nack == DOIP_NACK_NONE && !doip_length_valid(header, DOIP_AT_CLIENT))) {
		lose("malformed message", false);
	} else if (nack != DOIP_NACK_NONE) {
		send_header_nack((uint8_t)nack);
		doip_inbox_discard(&client.inbox);
	} else if (header->type == DOIP_HEADER_NACK && doip_client_state() == DOIP_CLIENT_ACTIVATING) {
		lose("activation refused by a header NACK", true);
	} else if (header->type == DOIP_HEADER_NACK || !doip_inbox_accept(&client.inbox)) {
		doip_inbox_discard(&client.inbox);
	}
}

static bool fill(void)
{
	switch (doip_inbox_fill(&client.inbox, &client.connection.stream)) {
	case PORT_OK:
		return true;
	case PORT_WOULD_BLOCK:
	case PORT_FULL:
		return false;
	case PORT_CLOSED:
		lose("closed by the server", true);
		return false;
	default:
		lose("connection broken", false);
		return false;
	}
}

static bool step(void)
{
	if (!connection_talks(&client.connection))
		return false;
	flush();
	if (client.connection.broken || !doip_outbox_empty(&client.outbox))
		return false;
	switch (doip_inbox_next(&client.inbox)) {
	case DOIP_INBOX_HEADER:
		handle_header();
		return true;
	case DOIP_INBOX_MESSAGE:
		handle_message();
		return true;
	default:
		return fill();
	}
}

/* ---- time --------------------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void probe(void)
{
	client.probing = true;
	client.probe_limit_us = client.connection.now_us + ANSWER_LIMIT_US;
	(void)doip_outbox_add(&client.outbox, DOIP_VERSION_OWN, DOIP_ALIVE_REQUEST, 0);
	flush();
}

static uint64_t probe_due_us(void)
{
	if (client.config.keep_alive_ms == 0)
		return UINT64_MAX;
	return client.probing ? client.probe_limit_us : client.received_us + (uint64_t)client.config.keep_alive_ms * 1000;
}

static void timers_poll(void)
{
	uint64_t now_us = client.connection.now_us;
	if (doip_client_state() == DOIP_CLIENT_ACTIVATING && now_us >= client.repeat_us)
		send_activation();
	if (doip_client_state() != DOIP_CLIENT_ACTIVE)
		return;
	if (client.unacknowledged > 0 && now_us >= client.ack_limit_us)
		lose("no acknowledgement", false);
	else if (now_us >= probe_due_us() && client.probing)
		lose("server silent", false);
	else if (now_us >= probe_due_us())
		probe();
}

/* While the client talks. */
static uint64_t deadline_us(void)
{
	if (doip_client_state() == DOIP_CLIENT_ACTIVATING)
		return client.repeat_us;
	return client.unacknowledged > 0 ? earlier(client.ack_limit_us, probe_due_us()) : probe_due_us();
}

/* ---- the client --------------------------------------------------------------------------------------------- */

enum port_status doip_client_start(const struct doip_client_config *config, const struct doip_client_handlers *handlers,
                                   struct tls_config *client_tls)
{
	if (doip_client_state() != DOIP_CLIENT_IDLE)
		return PORT_INVALID;
	memset(&client, 0, sizeof client);
	client.config = *config;
	client.handlers = *handlers;
	client.pool = (struct doip_pool){.storage = client.message, .buffer_size = MESSAGE_SIZE, .count = 1};
	return connection_start(&client.connection, &(struct connection_config){.owner = "client",
	                                                                        .tls = client_tls,
	                                                                        .remote = config->remote,
	                                                                        .attempt_ms = config->connect_timeout_ms,
	                                                                        .backoff_first_ms = config->backoff_first_ms,
	                                                                        .backoff_limit_ms = config->backoff_limit_ms});
}

void doip_client_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	struct connection *connection = &client.connection;
	connection_turn(connection, now_us);
	while (connection_advance(connection))
		entered();
	while (connection_goes_on(connection) && step())
		;
	if (connection->broken && connection_talks(connection))
		lose("connection broken", false);
	timers_poll();
	if (connection_is_late(connection))
		lose("connect timeout", false);
	*ret_deadline_us = connection_deadline_us(connection, deadline_us());
}

void doip_client_stop(void)
{
	if (doip_client_state() == DOIP_CLIENT_IDLE)
		return;
	if (doip_client_state() == DOIP_CLIENT_ACTIVE) {
		client.handling = false;
		flush();
	}
	connection_stop(&client.connection);
	entered();
}
