/* SPDX-License-Identifier: Apache-2.0 */
#include "device_client.h"

#include <string.h>

#include "../core/console.h"
#include "../core/doip_backoff.h"
#include "../core/message.h"

#define MISSED_LIMIT 3u
#define TURN_LIMIT   64u
#define OUTBOX_SIZE  (4u * MESSAGE_SIZE_MAX)

static struct {
	struct device_client_config config;
	struct tls_config *tls;
	enum device_client_state state;
	bool link_up, failed, again;
	port_socket socket; /* while connecting; afterwards the stream owns it */
	struct stream stream;
	uint64_t now_us, retry_us, attempt_limit_us, heartbeat_us;
	uint32_t number, missed; /* of heartbeats: the last one's number, and how many wait for their acknowledgement */
	struct doip_backoff backoff;
	struct message_decoder decoder;
	uint8_t outbox[OUTBOX_SIZE];
	size_t outbox_length;
} client = {.socket = PORT_NO_SOCKET};

enum device_client_state device_client_state(void)
{
	return client.state;
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
	client.outbox_length = 0;
}

static void lose(const char *reason, bool orderly)
{
	struct console_line line;
	release(orderly);
	uint64_t wait_us = doip_backoff_failed(&client.backoff);
	client.retry_us = client.now_us + wait_us;
	client.state = DEVICE_CLIENT_BACKOFF;
	console_begin(&line);
	console_text(&line, "device: ");
	console_text(&line, reason);
	console_text(&line, ", next attempt in ");
	console_decimal(&line, wait_us / 1000);
	console_text(&line, " ms");
	console_end(&line);
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static bool room_for_one(void)
{
	return sizeof client.outbox - client.outbox_length >= MESSAGE_SIZE_MAX;
}

static void flush(void)
{
	size_t sent;
	while (client.outbox_length > 0 && !client.failed) {
		enum port_status status = stream_send(&client.stream, client.outbox, client.outbox_length, &sent);
		if (status == PORT_WOULD_BLOCK)
			return;
		if (status != PORT_OK) {
			client.failed = true;
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
	client.heartbeat_us = client.now_us + (uint64_t)client.config.heartbeat_ms * 1000;
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
	doip_backoff_succeeded(&client.backoff);
	client.state = DEVICE_CLIENT_UP;
	client.missed = 0;
	client.heartbeat_us = client.config.heartbeat_ms == 0 ? UINT64_MAX : client.now_us + (uint64_t)client.config.heartbeat_ms * 1000;
}

/* One that was never sent, or waits no more, says nothing about the gateway. */
static void receive_acknowledgement(const struct message *message)
{
	uint32_t number = message_get_number(message->payload + 1);
	if (message->payload[0] == MESSAGE_HELLO && client.state == DEVICE_CLIENT_GREETING)
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
	switch (stream_receive(&client.stream, space, size, &received)) {
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

static bool talking(void)
{
	return client.state == DEVICE_CLIENT_GREETING || client.state == DEVICE_CLIENT_UP;
}

static bool step(void)
{
	struct message message;
	flush();
	/* What is asked for is only read when its answer has a place: a gateway that does not read is not served. */
	if (!talking() || client.failed || !room_for_one())
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

/* ---- the way to a connection -------------------------------------------------------------------------------- */

static void connect_begin(void)
{
	client.attempt_limit_us = client.now_us + (uint64_t)client.config.connect_timeout_ms * 1000;
	client.failed = false;
	client.state = DEVICE_CLIENT_CONNECTING;
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
	client.state = DEVICE_CLIENT_HANDSHAKING;
}

static void secured(void)
{
	struct console_line line;
	console_begin_boot(&line, "tls");
	console_text(&line, " version=");
	console_text(&line, tls_version_name(&client.stream));
	console_text(&line, " verify=");
	console_text(&line, client.config.verify);
	console_end(&line);
}

static void handshaking_poll(void)
{
	enum port_status status = stream_establish(&client.stream);
	if (status == PORT_WOULD_BLOCK)
		return;
	if (status != PORT_OK) {
		lose("handshake failed", true); /* orderly: the alert has to arrive */
		return;
	}
	if (client.tls != NULL)
		secured();
	message_decoder_open(&client.decoder);
	client.missed = 0;
	client.state = DEVICE_CLIENT_GREETING;
	send(MESSAGE_HELLO, (const uint8_t *)client.config.serial, strlen(client.config.serial));
}

static void talk_poll(void)
{
	unsigned steps = 0;
	while (steps < TURN_LIMIT && step())
		steps++;
	client.again = steps == TURN_LIMIT;
	if (client.failed && talking())
		lose("connection broken", false);
}

/* ---- time --------------------------------------------------------------------------------------------------- */

static void timers_poll(void)
{
	switch (client.state) {
	case DEVICE_CLIENT_CONNECTING:
	case DEVICE_CLIENT_HANDSHAKING:
	case DEVICE_CLIENT_GREETING:
		if (client.now_us >= client.attempt_limit_us)
			lose("connect timeout", false);
		break;
	case DEVICE_CLIENT_UP:
		if (client.now_us < client.heartbeat_us)
			break;
		if (client.missed >= MISSED_LIMIT)
			lose("gateway silent", false);
		else
			send_heartbeat();
		break;
	default:
		break;
	}
}

static uint64_t deadline_us(void)
{
	switch (client.state) {
	case DEVICE_CLIENT_IDLE:
		return UINT64_MAX;
	case DEVICE_CLIENT_BACKOFF:
		return client.retry_us;
	case DEVICE_CLIENT_UP:
		return client.heartbeat_us;
	default:
		return client.attempt_limit_us;
	}
}

/* A link that comes back is tried at once: the wait was for the gateway, not for the cable. */
static void link_poll(void)
{
	bool up = port_link_up();
	if (up && !client.link_up && client.state == DEVICE_CLIENT_BACKOFF)
		client.retry_us = client.now_us;
	client.link_up = up;
}

void device_client_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	client.now_us = now_us;
	client.again = false;
	link_poll();
	if (client.state == DEVICE_CLIENT_BACKOFF && now_us >= client.retry_us)
		connect_begin();
	if (client.state == DEVICE_CLIENT_CONNECTING)
		connecting_poll();
	if (client.state == DEVICE_CLIENT_HANDSHAKING)
		handshaking_poll();
	if (talking())
		talk_poll();
	timers_poll();
	*ret_deadline_us = client.again ? now_us : deadline_us();
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
	if (client.state != DEVICE_CLIENT_IDLE || config->remote.port == 0 || serial == 0 || serial > MESSAGE_SERIAL_MAX)
		return PORT_INVALID;
	memset(&client, 0, sizeof client);
	client.config = *config;
	client.tls = tls;
	client.socket = PORT_NO_SOCKET;
	client.link_up = port_link_up();
	client.backoff = (struct doip_backoff){.first_ms = config->backoff_first_ms, .limit_ms = config->backoff_limit_ms};
	client.state = DEVICE_CLIENT_BACKOFF; /* retry_us is 0: the first poll connects */
	return PORT_OK;
}

void device_client_stop(void)
{
	if (client.state == DEVICE_CLIENT_IDLE)
		return;
	release(true);
	client.state = DEVICE_CLIENT_IDLE;
}
