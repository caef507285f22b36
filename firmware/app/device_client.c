/* SPDX-License-Identifier: Apache-2.0 */
#include "device_client.h"

#include <string.h>

#include "../core/console.h"
#include "../core/message.h"

#define MISSED_LIMIT 3u
#define OUTBOX_SIZE  (4u * MESSAGE_SIZE_MAX)

static struct {
	struct device_client_config config;
	struct connection connection;
	uint64_t heartbeat_us;
	uint32_t number, missed; /* of heartbeats: the last one's number, and how many wait for their acknowledgement */
	struct message_decoder decoder;
	uint8_t outbox[OUTBOX_SIZE];
	size_t outbox_length;
} client;

enum device_client_state device_client_state(void)
{
	return (enum device_client_state)client.connection.state;
}

static void lose(const char *reason, bool orderly)
{
	connection_lose(&client.connection, reason, orderly);
	client.outbox_length = 0;
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static bool room_for_one(void)
{
	return sizeof client.outbox - client.outbox_length >= MESSAGE_SIZE_MAX;
}

static void flush(void)
{
	size_t sent;
	while (client.outbox_length > 0 && !client.connection.broken) {
		enum port_status status = stream_send(&client.connection.stream, client.outbox, client.outbox_length, &sent);
		if (status == PORT_WOULD_BLOCK)
			return;
		if (status != PORT_OK) {
			client.connection.broken = true;
			return;
		}
		client.outbox_length -= sent;
		memmove(client.outbox, client.outbox + sent, client.outbox_length);
	}
}

static void send(enum message_type type, const uint8_t *payload, size_t length)
{
	if (room_for_one())
		client.outbox_length += message_encode(type, payload, length, client.outbox + client.outbox_length);
	flush();
}

static void send_heartbeat(void)
{
	uint8_t number[MESSAGE_NUMBER];
	client.heartbeat_us = client.connection.now_us + (uint64_t)client.config.heartbeat_ms * 1000;
	client.missed++;
	message_put_number(number, ++client.number);
	send(MESSAGE_HEARTBEAT, number, sizeof number);
}

/* ---- receiving ---------------------------------------------------------------------------------------------- */

static void greeted(void)
{
	struct console_line line;
	console_begin_boot(&line, "message");
	console_text(&line, " verify=");
	console_text(&line, client.config.verify);
	console_end(&line);
	connection_agreed(&client.connection);
	client.missed = 0;
	client.heartbeat_us =
	        client.config.heartbeat_ms == 0 ? UINT64_MAX : client.connection.now_us + (uint64_t)client.config.heartbeat_ms * 1000;
}

/* One that was never sent, or waits no more, says nothing about the gateway. */
static void receive_acknowledgement(const struct message *message)
{
	uint32_t number = message_get_number(message->payload + 1);
	if (message->payload[0] == MESSAGE_HELLO && device_client_state() == DEVICE_CLIENT_GREETING)
		greeted();
	else if (message->payload[0] == MESSAGE_HEARTBEAT && client.number - number < client.missed)
		client.missed = client.number - number;
}

static void receive(const struct message *message)
{
	switch (message->type) {
	case MESSAGE_ACKNOWLEDGEMENT:
		receive_acknowledgement(message);
		break;
	case MESSAGE_ECHO_REQUEST:
		send(MESSAGE_ECHO_ANSWER, message->payload, message->length);
		break;
	case MESSAGE_ECHO_ANSWER: /* to nothing that was asked: no harm */
		break;
	default: /* hello and heartbeat are ours alone to send */
		lose("malformed message", false);
		break;
	}
}

static bool fill(void)
{
	size_t size, received = 0;
	uint8_t *space = message_decoder_space(&client.decoder, &size);
	switch (stream_receive(&client.connection.stream, space, size, &received)) {
	case PORT_OK:
		message_decoder_added(&client.decoder, received);
		return true;
	case PORT_WOULD_BLOCK:
		return false;
	case PORT_CLOSED:
		lose("closed by the gateway", true);
		return false;
	default:
		lose("connection broken", false);
		return false;
	}
}

static bool step(void)
{
	struct message message;
	flush();
	/* What is asked for is only read when its answer has a place: a gateway that does not read is not served. */
	if (!connection_talks(&client.connection) || client.connection.broken || !room_for_one())
		return false;
	switch (message_decoder_next(&client.decoder, &message)) {
	case MESSAGE_READY:
		receive(&message);
		return true;
	case MESSAGE_BROKEN:
		lose("malformed message", false);
		return false;
	default:
		return fill();
	}
}

/* ---- turns -------------------------------------------------------------------------------------------------- */

static void entered(void)
{
	if (device_client_state() != DEVICE_CLIENT_GREETING)
		return;
	message_decoder_open(&client.decoder);
	client.outbox_length = 0;
	client.missed = 0;
	send(MESSAGE_HELLO, (const uint8_t *)client.config.serial, strlen(client.config.serial));
}

static void heartbeat_poll(void)
{
	if (device_client_state() != DEVICE_CLIENT_UP || client.connection.now_us < client.heartbeat_us)
		return;
	if (client.missed >= MISSED_LIMIT)
		lose("gateway silent", false);
	else
		send_heartbeat();
}

void device_client_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	struct connection *connection = &client.connection;
	connection_turn(connection, now_us);
	while (connection_advance(connection))
		entered();
	while (connection_goes_on(connection) && step())
		;
	if (connection->broken && connection_talks(connection))
		lose("connection broken", false);
	heartbeat_poll();
	if (connection_is_late(connection))
		lose("connect timeout", false);
	*ret_deadline_us = connection_deadline_us(connection, device_client_state() == DEVICE_CLIENT_UP ? client.heartbeat_us : UINT64_MAX);
}

/* ---- begin and end ------------------------------------------------------------------------------------------ */

void device_client_config_load(struct device_client_config *config)
{
	config->connect_timeout_ms = 2000;
	config->backoff_first_ms = 100;
	config->backoff_limit_ms = 3200;
	config->heartbeat_ms = 1000;
	(void)port_param_u32("client.connect_timeout_ms", &config->connect_timeout_ms);
	(void)port_param_u32("client.backoff_first_ms", &config->backoff_first_ms);
	(void)port_param_u32("client.backoff_limit_ms", &config->backoff_limit_ms);
	(void)port_param_u32("device.heartbeat_ms", &config->heartbeat_ms);
}

enum port_status device_client_start(const struct device_client_config *config, struct tls_config *tls)
{
	size_t serial = config->serial == NULL ? 0 : strlen(config->serial);
	if (device_client_state() != DEVICE_CLIENT_IDLE || serial == 0 || serial > MESSAGE_SERIAL_MAX)
		return PORT_INVALID;
	memset(&client, 0, sizeof client);
	client.config = *config;
	return connection_start(&client.connection, &(struct connection_config){.owner = "device",
	                                                                        .verify = config->verify,
	                                                                        .tls = tls,
	                                                                        .remote = config->remote,
	                                                                        .attempt_ms = config->connect_timeout_ms,
	                                                                        .backoff_first_ms = config->backoff_first_ms,
	                                                                        .backoff_limit_ms = config->backoff_limit_ms});
}

void device_client_stop(void)
{
	connection_stop(&client.connection);
}
