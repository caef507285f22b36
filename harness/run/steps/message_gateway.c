/* SPDX-License-Identifier: Apache-2.0 */
#include "message_gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_hex.h"

#define FIRST_PORT    14500
#define PORTS         64
#define WAITING_LIMIT 64

/* ---- connections ------------------------------------------------------------------------------------------- */

static void connection_free(struct gateway_connection *connection)
{
	if (!connection)
		return;
	stream_free(connection->stream);
	bytes_free(&connection->inbound);
	bytes_free(&connection->answer);
	free(connection);
}

const char *gateway_connection_end(const struct gateway_connection *connection)
{
	return connection->malformed ? connection->why : stream_end_name(connection->end);
}

static void note_message(const struct gateway *gateway, const char *kind, struct instant at, uint8_t type, const void *payload,
                         size_t length)
{
	const struct message_frame frame = {.type = type, .payload = payload, .length = length};
	timeline_emit(gateway->timeline, at, gateway->channel, kind, message_frame_to_json(&frame));
}

int gateway_send(struct gateway_connection *connection, uint8_t type, const void *payload, size_t length, struct instant *ret_at,
                 struct error *err)
{
	struct bytes message = {0};
	int r = message_frame_encode(&message, type, payload, length);
	if (r < 0)
		return error_set(err, r == -ENOMEM ? ERROR_BENCH : ERROR_TESTCASE, -r, "a payload of %zu bytes: %s", length, strerror(-r));
	struct instant at = instant_now();
	r = stream_send(connection->stream, message.data, message.length, err);
	bytes_free(&message);
	if (r < 0)
		return r;
	note_message(connection->gateway, "message.tx", at, type, payload, length);
	if (ret_at)
		*ret_at = at;
	return 0;
}

int gateway_send_raw(struct gateway_connection *connection, const void *data, size_t length, struct error *err)
{
	struct instant at = instant_now();
	json_t *object = json_pack("{s:I,s:b}", "length", (json_int_t)length, "raw", 1);
	int r = stream_send(connection->stream, data, length, err);
	journal_put_hex(object, data, length);
	if (r == 0)
		timeline_emit(connection->gateway->timeline, at, connection->gateway->channel, "message.tx", object);
	else
		json_decref(object);
	return r;
}

static void acknowledge(struct gateway_connection *connection, uint8_t type, uint32_t number)
{
	uint8_t payload[5] = {type};
	struct error ignored;
	be32_write(payload + 1, number);
	/* A failure shows itself as the end of the connection. */
	if (!connection->gateway->mute)
		(void)!gateway_send(connection, MESSAGE_FRAME_ACKNOWLEDGEMENT, payload, sizeof(payload), NULL, &ignored);
}

static void take_message(struct gateway_connection *connection, const struct message_frame *frame, struct instant at)
{
	switch (frame->type) {
	case MESSAGE_FRAME_HELLO:
		connection->greeted = true;
		connection->hello_at = at;
		snprintf(connection->serial, sizeof(connection->serial), "%.*s", (int)frame->length, (const char *)frame->payload);
		acknowledge(connection, frame->type, 0);
		break;
	case MESSAGE_FRAME_HEARTBEAT:
		connection->heartbeats++;
		connection->number = be32_read(frame->payload);
		acknowledge(connection, frame->type, connection->number);
		break;
	case MESSAGE_FRAME_ECHO_ANSWER:
		bytes_clear(&connection->answer);
		connection->answer_at = at;
		connection->answers += frame->length == 0 || bytes_append(&connection->answer, frame->payload, frame->length) == 0;
		break;
	default:
		break;
	}
}

static void give_up(struct gateway_connection *connection, const char *why, struct instant at)
{
	json_t *data = json_pack("{s:s}", "malformed", why);
	connection->malformed = true;
	snprintf(connection->why, sizeof(connection->why), "malformed: %s", why);
	journal_put_hex(data, connection->inbound.data, connection->inbound.length < 64 ? connection->inbound.length : 64);
	timeline_emit(connection->gateway->timeline, at, connection->gateway->channel, "message.rx", data);
	stream_abort(connection->stream);
}

static void on_received(struct stream *stream, const uint8_t *data, size_t length, struct instant at, void *context)
{
	struct gateway_connection *connection = context;
	struct message_frame frame;
	const char *why = "out of memory";
	(void)stream;
	/* The kernel has the first record before its handshake is verified: no message was received until then. */
	if (at.ns < connection->opened_at.ns)
		at = connection->opened_at;
	ssize_t used = bytes_append(&connection->inbound, data, length);
	while (used >= 0 && !connection->ended) {
		used = message_frame_decode(connection->inbound.data, connection->inbound.length, &frame, &why);
		if (used <= 0)
			break;
		note_message(connection->gateway, "message.rx", at, frame.type, frame.payload, frame.length);
		take_message(connection, &frame, at);
		bytes_drop_front(&connection->inbound, (size_t)used);
	}
	if (used < 0 && !connection->ended)
		give_up(connection, why, at);
}

static void on_opened(struct stream *stream, void *context)
{
	struct gateway_connection *connection = context;
	(void)stream;
	connection->opened = connection->settled = true;
	connection->opened_at = instant_now();
}

static void on_closed(struct stream *stream, enum stream_end end, void *context)
{
	struct gateway_connection *connection = context;
	(void)stream;
	connection->ended = connection->settled = true;
	connection->end = end;
	connection->ended_at = instant_now();
}

/* ---- the gateway ------------------------------------------------------------------------------------------- */

/* A device that tries again and again must not fill our memory: whoever has ended and was not asked for goes first. */
static void make_room(struct gateway *gateway)
{
	if (gateway->waiting_count < WAITING_LIMIT)
		return;
	connection_free(gateway->waiting[0]);
	gateway->waiting_count--;
	memmove(gateway->waiting, gateway->waiting + 1, gateway->waiting_count * sizeof(*gateway->waiting));
}

static void on_accepted(struct stream *stream, void *context)
{
	struct gateway *gateway = context;
	struct gateway_connection *connection = calloc(1, sizeof(*connection));
	if (!connection) {
		stream_abort(stream);
		stream_free(stream);
		return;
	}
	const struct stream_handlers handlers = {.context = connection, .opened = on_opened, .received = on_received, .closed = on_closed};
	connection->gateway = gateway;
	connection->stream = stream;
	connection->begin_mark = timeline_mark(gateway->timeline);
	stream_set_handlers(stream, &handlers);
	/* A plain stream is open as soon as it is accepted. */
	if (stream_state(stream) == STREAM_OPEN)
		on_opened(stream, connection);
	make_room(gateway);
	gateway->waiting[gateway->waiting_count++] = connection;
}

static int start_listening(struct gateway *gateway, struct step_context *context, const struct gateway_options *options, struct error *err)
{
	const struct stream_environment environment = {context->loop, context->timeline, rig_capture(context->rig), gateway->channel, NULL,
	                                               NULL};
	unsigned first = options->port ? options->port : FIRST_PORT, end = options->port ? first + 1 : first + PORTS;
	int r = -EADDRINUSE;
	for (unsigned port = first; port < end && r == -EADDRINUSE; port++) {
		snprintf(gateway->address, sizeof(gateway->address), "%s:%u", options->host, port);
		r = stream_listen(&gateway->listener, &environment, gateway->address, options->identity, on_accepted, gateway, err);
	}
	return r;
}

int gateway_new(struct gateway **ret, struct step_context *context, const struct gateway_options *options, struct error *err)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));
	if (!gateway || !(gateway->waiting = calloc(WAITING_LIMIT, sizeof(*gateway->waiting)))) {
		gateway_free(gateway);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	gateway->loop = context->loop;
	gateway->timeline = context->timeline;
	gateway->tls = options->identity != NULL;
	snprintf(gateway->channel, sizeof(gateway->channel), "tester:%s", options->name);
	int r = start_listening(gateway, context, options, err);
	if (r < 0) {
		gateway_free(gateway);
		return r;
	}
	*ret = gateway;
	return 0;
}

void gateway_die(struct gateway *gateway, bool reset)
{
	stream_listener_free(gateway->listener);
	gateway->listener = NULL;
	if (gateway->current && reset)
		stream_abort(gateway->current->stream);
	connection_free(gateway->current);
	gateway->current = NULL;
	for (unsigned i = 0; i < gateway->waiting_count; i++) {
		if (reset)
			stream_abort(gateway->waiting[i]->stream);
		connection_free(gateway->waiting[i]);
	}
	gateway->waiting_count = 0;
}

void gateway_free(void *object)
{
	struct gateway *gateway = object;
	if (!gateway)
		return;
	gateway_die(gateway, false);
	free(gateway->waiting);
	free(gateway);
}

struct gateway_connection *gateway_take(struct gateway *gateway)
{
	if (gateway->waiting_count == 0)
		return NULL;
	connection_free(gateway->current);
	gateway->current = gateway->waiting[0];
	gateway->waiting_count--;
	memmove(gateway->waiting, gateway->waiting + 1, gateway->waiting_count * sizeof(*gateway->waiting));
	return gateway->current;
}

/* ---- what a step names ------------------------------------------------------------------------------------- */

int gateway_of_call(struct step_context *context, const struct step_call *call, struct gateway **ret, struct error *err)
{
	const char *name;
	int r = step_arg_text(context, call, "gateway", &name, err);
	if (r < 0)
		return r;
	*ret = step_object_find(context, GATEWAY_KIND, name);
	return *ret ? 0
	            : error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "there is no gateway \"%s\": start it with gateway.start",
	                              name);
}

int gateway_connection_of_call(struct step_context *context, const struct step_call *call, struct gateway_connection **ret,
                               struct error *err)
{
	struct gateway *gateway;
	int r = gateway_of_call(context, call, &gateway, err);
	if (r < 0)
		return r;
	if (!gateway->current && !gateway_take(gateway))
		return step_check_failed(context, err, "a connection", "none", "no device has connected to %s", gateway->address);
	*ret = gateway->current;
	if (!(*ret)->opened || (*ret)->ended)
		return step_check_failed(context, err, "an open connection", gateway_connection_end(*ret),
		                         "the device's connection has ended (%s)", gateway_connection_end(*ret));
	return 0;
}
