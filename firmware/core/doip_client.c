/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_client.h"

#include <string.h>

#include "console.h"
#include "doip_backoff.h"
#include "doip_entity.h" /* diagnostic NACK codes */
#include "doip_inbox.h"
#include "doip_outbox.h"

#define MESSAGE_SIZE        (DOIP_DIAGNOSTIC_HEAD + DOIP_MAX_USER_DATA)
#define ANSWER_LIMIT_US     2000000u /* to an alive check request, and for an acknowledgement (A_DoIP_Diagnostic_Message) */
#define PENDING_REPEAT_US   500000u  /* an activation that waits for confirmation is asked for again */
#define TURN_LIMIT          64u
#define ACTIVATION_REQUEST  7u
#define ACTIVATION_ACCEPTED 0x10u
#define ACTIVATION_PENDING  0x11u

static struct {
	struct doip_client_config config;
	struct doip_client_handlers handlers;
	struct tls_config *tls;
	enum doip_client_state state;
	bool announced; /* the boot marker is out */
	bool link_up, handling, failed, again;
	bool probing;       /* an alive check request is on its way */
	port_socket socket; /* while connecting; afterwards the stream owns it */
	struct stream stream;
	uint64_t now_us, retry_us, attempt_limit_us, repeat_us, received_us, probe_limit_us, ack_limit_us;
	uint32_t unacknowledged;
	struct doip_backoff backoff;
	struct doip_pool pool;
	struct doip_inbox inbox;
	struct doip_outbox outbox;
	uint8_t message[MESSAGE_SIZE];
} client = {.socket = PORT_NO_SOCKET};

enum doip_client_state doip_client_state(void)
{
	return client.state;
}

static void enter(enum doip_client_state state)
{
	client.state = state;
	if (client.handlers.state_changed != NULL)
		client.handlers.state_changed(client.handlers.context, state);
}

/* ---- the end of a connection -------------------------------------------------------------------------------- */

static void release(bool orderly)
{
	if (client.socket != PORT_NO_SOCKET)
		port_tcp_abort(client.socket);
	client.socket = PORT_NO_SOCKET;
	if (orderly)
		stream_close(&client.stream);
	else
		stream_abort(&client.stream);
	doip_inbox_close(&client.inbox);
	doip_outbox_open(&client.outbox);
}

static void lose(const char *reason, bool orderly)
{
	struct console_line line;
	release(orderly);
	uint64_t wait_us = doip_backoff_failed(&client.backoff);
	client.retry_us = client.now_us + wait_us;
	console_begin(&line);
	console_text(&line, "client: ");
	console_text(&line, reason);
	console_text(&line, ", next attempt in ");
	console_decimal(&line, wait_us / 1000);
	console_text(&line, " ms");
	console_end(&line);
	enter(DOIP_CLIENT_BACKOFF);
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static void flush(void)
{
	bool progress;
	if (client.handling || client.failed || doip_outbox_empty(&client.outbox))
		return;
	enum port_status status = doip_outbox_flush(&client.outbox, &client.stream, &progress);
	if (status != PORT_OK && status != PORT_WOULD_BLOCK)
		client.failed = true;
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
	if (client.state != DOIP_CLIENT_ACTIVE || client.failed)
		return PORT_FAILED;
	if (!doip_outbox_add_diagnostic(&client.outbox, DOIP_VERSION_OWN, source, target, data, length))
		return PORT_FULL;
	if (client.unacknowledged++ == 0)
		client.ack_limit_us = port_time_us() + ANSWER_LIMIT_US;
	flush();
	return PORT_OK;
}

/* ---- receiving ---------------------------------------------------------------------------------------------- */

static void activated(uint16_t entity)
{
	struct console_line line;
	console_begin_boot(&line, "activated");
	console_text(&line, " entity=0x");
	console_hexadecimal(&line, entity, 4);
	console_end(&line);
	doip_backoff_succeeded(&client.backoff);
	client.unacknowledged = 0;
	client.probing = false;
	enter(DOIP_CLIENT_ACTIVE);
}

static void receive_activation(const uint8_t *payload)
{
	uint8_t code = payload[4];
	if (client.state != DOIP_CLIENT_ACTIVATING || doip_get_u16(payload) != client.config.source_address)
		return;
	if (code == ACTIVATION_ACCEPTED) {
		activated(doip_get_u16(payload + 2));
		return;
	}
	if (code == ACTIVATION_PENDING) {
		client.repeat_us = client.now_us + PENDING_REPEAT_US;
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
	if (client.state != DOIP_CLIENT_ACTIVE)
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
	if (client.state == DOIP_CLIENT_ACTIVE && place != NULL)
		doip_outbox_settle(place, code);
	flush();
}

static void receive_acknowledgement(uint16_t type, const uint8_t *payload)
{
	struct console_line line;
	if (client.unacknowledged > 0)
		client.unacknowledged--;
	client.ack_limit_us = client.now_us + ANSWER_LIMIT_US;
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
	client.received_us = client.now_us;
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
	client.received_us = client.now_us;
	client.probing = false;
	if (nack == DOIP_NACK_PATTERN || (nack == DOIP_NACK_NONE && !doip_length_valid(header, DOIP_AT_CLIENT))) {
		lose("malformed message", false);
	} else if (nack != DOIP_NACK_NONE) {
		send_header_nack((uint8_t)nack);
		doip_inbox_discard(&client.inbox);
	} else if (header->type == DOIP_HEADER_NACK && client.state == DOIP_CLIENT_ACTIVATING) {
		lose("activation refused by a header NACK", true);
	} else if (header->type == DOIP_HEADER_NACK || !doip_inbox_accept(&client.inbox)) {
		doip_inbox_discard(&client.inbox);
	}
}

static bool fill(void)
{
	switch (doip_inbox_fill(&client.inbox, &client.stream)) {
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
	if (client.state != DOIP_CLIENT_ACTIVATING && client.state != DOIP_CLIENT_ACTIVE)
		return false;
	flush();
	if (client.failed || !doip_outbox_empty(&client.outbox))
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

/* ---- the way to a connection -------------------------------------------------------------------------------- */

static void connect_begin(void)
{
	struct console_line line;
	if (!client.announced) {
		console_begin_boot(&line, "client");
		console_text(&line, " remote=");
		console_endpoint(&line, &client.config.remote);
		console_end(&line);
		client.announced = true;
	}
	client.attempt_limit_us = client.now_us + (uint64_t)client.config.connect_timeout_ms * 1000;
	client.failed = false;
	enter(DOIP_CLIENT_CONNECTING);
	if (port_tcp_connect(NULL, &client.config.remote, &client.socket) != PORT_OK)
		lose("cannot connect", false);
}

static void connecting_poll(void)
{
	struct console_line line;
	enum port_status status = port_tcp_connected(client.socket);
	if (status == PORT_WOULD_BLOCK)
		return;
	if (status != PORT_OK) {
		lose("connection refused", false);
		return;
	}
	console_begin_boot(&line, "connected");
	console_end(&line);
	if (client.tls == NULL) {
		stream_plain(&client.stream, client.socket);
	} else if (tls_stream(&client.stream, client.tls, client.socket) != PORT_OK) {
		lose("no TLS session free", false);
		return;
	}
	client.socket = PORT_NO_SOCKET;
	enter(DOIP_CLIENT_HANDSHAKING);
}

static void handshaking_poll(void)
{
	struct console_line line;
	enum port_status status = stream_establish(&client.stream);
	if (status == PORT_WOULD_BLOCK)
		return;
	if (status != PORT_OK) {
		lose("handshake failed", true); /* orderly: the alert has to arrive */
		return;
	}
	if (client.tls != NULL) {
		console_begin_boot(&line, "tls");
		console_text(&line, " version=");
		console_text(&line, tls_version_name(&client.stream));
		console_end(&line);
	}
	doip_inbox_open(&client.inbox, &client.pool);
	doip_outbox_open(&client.outbox);
	client.received_us = client.now_us;
	enter(DOIP_CLIENT_ACTIVATING);
	send_activation();
}

static void talk_poll(void)
{
	unsigned steps = 0;
	while (steps < TURN_LIMIT && step())
		steps++;
	client.again = steps == TURN_LIMIT;
	if (client.failed && (client.state == DOIP_CLIENT_ACTIVATING || client.state == DOIP_CLIENT_ACTIVE))
		lose("connection broken", false);
}

/* ---- time --------------------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void probe(void)
{
	client.probing = true;
	client.probe_limit_us = client.now_us + ANSWER_LIMIT_US;
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
	switch (client.state) {
	case DOIP_CLIENT_ACTIVATING:
		if (client.now_us >= client.repeat_us)
			send_activation();
		/* fall through */
	case DOIP_CLIENT_CONNECTING:
	case DOIP_CLIENT_HANDSHAKING:
		if (client.now_us >= client.attempt_limit_us)
			lose("connect timeout", false);
		break;
	case DOIP_CLIENT_ACTIVE:
		if (client.unacknowledged > 0 && client.now_us >= client.ack_limit_us)
			lose("no acknowledgement", false);
		else if (client.now_us >= probe_due_us() && client.probing)
			lose("server silent", false);
		else if (client.now_us >= probe_due_us())
			probe();
		break;
	default:
		break;
	}
}

static uint64_t deadline_us(void)
{
	switch (client.state) {
	case DOIP_CLIENT_BACKOFF:
		return client.retry_us;
	case DOIP_CLIENT_CONNECTING:
	case DOIP_CLIENT_HANDSHAKING:
		return client.attempt_limit_us;
	case DOIP_CLIENT_ACTIVATING:
		return earlier(client.attempt_limit_us, client.repeat_us);
	case DOIP_CLIENT_ACTIVE:
		return client.unacknowledged > 0 ? earlier(client.ack_limit_us, probe_due_us()) : probe_due_us();
	default:
		return UINT64_MAX;
	}
}

/* A link that comes back is tried at once: the wait was for the server, not for the cable. */
static void link_poll(void)
{
	bool up = port_link_up();
	if (up && !client.link_up && client.state == DOIP_CLIENT_BACKOFF)
		client.retry_us = client.now_us;
	client.link_up = up;
}

/* ---- the client --------------------------------------------------------------------------------------------- */

enum port_status doip_client_start(const struct doip_client_config *config, const struct doip_client_handlers *handlers,
                                   struct tls_config *client_tls)
{
	if (client.state != DOIP_CLIENT_IDLE || config->remote.port == 0)
		return PORT_INVALID;
	memset(&client, 0, sizeof client);
	client.config = *config;
	client.handlers = *handlers;
	client.tls = client_tls;
	client.socket = PORT_NO_SOCKET;
	client.link_up = port_link_up();
	client.backoff = (struct doip_backoff){.first_ms = config->backoff_first_ms, .limit_ms = config->backoff_limit_ms};
	client.pool = (struct doip_pool){.storage = client.message, .buffer_size = MESSAGE_SIZE, .count = 1};
	client.state = DOIP_CLIENT_BACKOFF; /* retry_us is 0: the first poll connects */
	return PORT_OK;
}

void doip_client_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	client.now_us = now_us;
	client.again = false;
	link_poll();
	if (client.state == DOIP_CLIENT_BACKOFF && now_us >= client.retry_us)
		connect_begin();
	if (client.state == DOIP_CLIENT_CONNECTING)
		connecting_poll();
	if (client.state == DOIP_CLIENT_HANDSHAKING)
		handshaking_poll();
	if (client.state == DOIP_CLIENT_ACTIVATING || client.state == DOIP_CLIENT_ACTIVE)
		talk_poll();
	timers_poll();
	*ret_deadline_us = client.again ? now_us : deadline_us();
}

void doip_client_stop(void)
{
	if (client.state == DOIP_CLIENT_IDLE)
		return;
	if (client.state == DOIP_CLIENT_ACTIVE) {
		client.handling = false;
		flush();
	}
	release(true);
	enter(DOIP_CLIENT_IDLE);
}
