/* SPDX-License-Identifier: Apache-2.0 */
#include "tester.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_hex.h"
#include "steps.h"

/* A peer that sends without end must not fill our memory: what no step has asked for is bounded. */
#define QUEUE_LIMIT   4096
#define MESSAGE_LIMIT (16u << 20)
#define BULK_LIMIT    64u /* bytes of a message that is shown whole all the same */
#define BULK_SHOWN    24u

static const char *const type_words[] = {
        "header_nack",
        "identification_request",
        "identification_request_eid",
        "identification_request_vin",
        "announcement",
        "activation_request",
        "activation_response",
        "alive_request",
        "alive_response",
        "status_request",
        "status_response",
        "power_mode_request",
        "power_mode_response",
        "diagnostic",
        "diagnostic_ack",
        "diagnostic_nack",
};

const char *doip_type_word(uint16_t type, char buffer[8])
{
	for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++) {
		uint16_t known;

		if (doip_type_parse(type_words[i], &known) == 0 && known == type)
			return type_words[i];
	}
	snprintf(buffer, 8, "0x%04x", type);
	return buffer;
}

/* ---- timeline ---------------------------------------------------------------------------------------------- */

/* Thousands of blocks of an image would fill the journal with what lies in a package file already. */
void tester_put_hex(const struct tester *t, json_t *object, const void *data, size_t length)
{
	size_t shown = t->bulk && length > BULK_LIMIT ? BULK_SHOWN : length;

	journal_put_hex(object, data, shown);
	if (shown < length)
		json_object_set_new(object, "truncated", json_integer((json_int_t)(length - shown)));
}

static void note_message(struct tester *t, const char *kind, struct instant at, const struct doip_message *message, const void *raw,
                         size_t length)
{
	json_t *data = doip_to_json(message);

	json_object_set_new(data, "transport", json_string(t->transport));
	tester_put_hex(t, data, raw, length);
	timeline_emit(t->timeline, at, t->channel, kind, data);
}

void tester_note_raw(struct tester *t, const void *data, size_t length)
{
	json_t *object = json_pack("{s:s, s:I, s:b}", "transport", t->transport, "length", (json_int_t)length, "raw", 1);

	t->sent_at = instant_now();
	journal_put_hex(object, data, length);
	timeline_emit(t->timeline, t->sent_at, t->channel, "doip.tx", object);
}

/* ---- receiving --------------------------------------------------------------------------------------------- */

static int queue_push(struct tester *t, const uint8_t *raw, size_t length, struct instant at)
{
	struct tester_message *entry;

	if (t->queued == QUEUE_LIMIT)
		return -ENOBUFS;
	if (t->queued == t->capacity) {
		unsigned capacity = t->capacity ? t->capacity * 2 : 16;
		struct tester_message *grown = realloc(t->queue, capacity * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		t->queue = grown;
		t->capacity = capacity;
	}
	entry = &t->queue[t->queued];
	memset(entry, 0, sizeof *entry);
	entry->at = at;
	if (bytes_append(&entry->raw, raw, length) < 0)
		return -ENOMEM;
	/* Decoded again so that its pointers borrow from the copy. */
	(void)doip_decode(entry->raw.data, entry->raw.length, MESSAGE_LIMIT, &entry->decoded);
	t->queued++;
	return 0;
}

static void answer_alive_request(struct tester *t)
{
	uint8_t payload[2];
	struct error ignored;

	be16_write(payload, t->source);
	/* A failure shows itself as the end of the connection. */
	(void)!tester_send(t, DOIP_ALIVE_RESPONSE, payload, sizeof payload, NULL, &ignored);
}

static void take_message(struct tester *t, const struct doip_message *message, size_t length, struct instant at)
{
	note_message(t, "doip.rx", at, message, t->inbound.data, length);
	if (message->type == DOIP_ALIVE_REQUEST && t->answer_alive) {
		answer_alive_request(t);
		return;
	}
	if (queue_push(t, t->inbound.data, length, at) < 0)
		timeline_emit(t->timeline, at, t->channel, "note", json_pack("{s:s}", "text", "receive queue full: message dropped"));
}

static void on_received(struct stream *stream, const uint8_t *data, size_t length, struct instant at, void *context)
{
	struct tester *t = context;

	t->received_bytes += length;
	if (t->framing_lost || bytes_append(&t->inbound, data, length) < 0)
		return;
	for (;;) {
		struct doip_message message;
		ssize_t used = doip_decode(t->inbound.data, t->inbound.length, MESSAGE_LIMIT, &message);

		if (used == 0)
			return;
		if (used < 0) {
			json_t *note = json_pack("{s:s}", "text", "received bytes that are no DoIP message");

			t->framing_lost = true;
			journal_put_hex(note, t->inbound.data, t->inbound.length < 64 ? t->inbound.length : 64);
			timeline_emit(t->timeline, at, t->channel, "note", note);
			return;
		}
		take_message(t, &message, (size_t)used, at);
		bytes_drop_front(&t->inbound, (size_t)used);
	}
}

static void on_opened(struct stream *stream, void *context)
{
	struct tester *t = context;

	t->opened = t->settled = true;
	t->opened_at = t->sent_at = instant_now();
}

static void on_closed(struct stream *stream, enum stream_end end, void *context)
{
	struct tester *t = context;

	t->ended = t->settled = true;
	t->end = end;
	t->ended_at = instant_now();
}

struct stream_handlers tester_handlers(struct tester *t)
{
	return (struct stream_handlers){.context = t, .opened = on_opened, .received = on_received, .closed = on_closed};
}

/* ---- life -------------------------------------------------------------------------------------------------- */

struct tester *tester_new(struct step_context *context, const char *name)
{
	struct tester *t = calloc(1, sizeof *t);
	const struct value *source;

	if (!t)
		return NULL;
	t->loop = context->loop;
	t->timeline = context->timeline;
	t->transport = "tcp";
	t->version = 0x03;
	t->answer_alive = true;
	t->started_ns = loop_now_ns();
	t->sent_at = instant_now();
	source = rig_value(context->rig, "tester", "logical_address");
	t->source = source && source->type == VALUE_INTEGER ? (uint16_t)source->integer : 0x0e80;
	snprintf(t->channel, sizeof t->channel, "tester:%s", name);
	return t;
}

void tester_free(void *object)
{
	struct tester *t = object;

	if (!t)
		return;
	stream_free(t->stream);
	for (unsigned i = 0; i < t->queued; i++)
		bytes_free(&t->queue[i].raw);
	free(t->queue);
	bytes_free(&t->inbound);
	free(t);
}

void tester_message_free(struct tester_message *message)
{
	bytes_free(&message->raw);
}

int tester_of_call(struct step_context *context, const struct step_call *call, struct tester **ret, struct error *err)
{
	const char *name;
	int r = step_arg_text(context, call, "connection", &name, err);

	if (r < 0)
		return r;
	*ret = step_object_find(context, TESTER_KIND, name);
	if (!*ret)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place,
		                       "there is no connection \"%s\": open it with tester.connect or server.accept", name);
	return 0;
}

int tester_check_open(struct step_context *context, const struct tester *t, struct error *err)
{
	if (!t->ended)
		return 0;
	return step_check_failed(context, err, "an open connection", stream_end_name(t->end),
	                         "the connection was closed (%s) before anything was sent on it", stream_end_name(t->end));
}

/* ---- sending and waiting ----------------------------------------------------------------------------------- */

int tester_send(struct tester *t, uint16_t type, const void *payload, size_t length, const struct doip_header_options *options,
                struct error *err)
{
	struct doip_header_options header = options ? *options : (struct doip_header_options){0};
	struct doip_message decoded;
	struct bytes message = {0};
	int r;

	if (!header.has_version) {
		header.has_version = true;
		header.version = t->version;
	}
	if (doip_encode(&message, type, payload, length, &header) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	(void)doip_decode(message.data, message.length, UINT32_MAX, &decoded);
	t->sent_at = instant_now();
	note_message(t, "doip.tx", t->sent_at, &decoded, message.data, message.length);
	r = stream_send(t->stream, message.data, message.length, err);
	bytes_free(&message);
	return r;
}

static bool message_or_end(void *context)
{
	const struct tester *t = context;

	return t->queued > 0 || t->ended || t->framing_lost || (t->board && !rig_board_powered(t->board));
}

int tester_receive(struct step_context *context, struct tester *t, int64_t within_ns, struct tester_message *ret, struct error *err)
{
	int r = step_wait(context, message_or_end, t, within_ns, err);

	if (r < 0)
		return r;
	if (t->queued == 0)
		return -EPIPE;
	*ret = t->queue[0];
	t->queued--;
	memmove(t->queue, t->queue + 1, t->queued * sizeof *t->queue);
	return 0;
}

void tester_describe_absence(const struct tester *t, int result, int64_t within_ns, char *buffer, size_t size)
{
	if (result == -ETIMEDOUT)
		snprintf(buffer, size, "nothing within %lld ms", (long long)(within_ns / 1000000));
	else if (!t->ended && t->board && !rig_board_powered(t->board))
		snprintf(buffer, size, "the board's power is gone");
	else if (t->framing_lost && !t->ended)
		snprintf(buffer, size, "bytes that are no DoIP message");
	else
		snprintf(buffer, size, "the connection was closed (%s)", stream_end_name(t->end));
}

int doip_results_set(struct step_context *context, const struct tester_message *message, struct instant reference)
{
	const struct doip_message *m = &message->decoded;
	char buffer[8];

	if (step_result_text(context, "type", doip_type_word(m->type, buffer)) < 0 ||
	    step_result_integer(context, "version", m->version) < 0 || step_result_integer(context, "length", m->length) < 0 ||
	    step_result_bytes(context, "payload", m->payload, m->length) < 0 || step_result_integer(context, "code", m->code) < 0 ||
	    step_result_integer(context, "source", m->source) < 0 || step_result_integer(context, "target", m->target) < 0 ||
	    step_result_bytes(context, "data", m->data, m->data_length) < 0)
		return -ENOMEM;
	return step_result_duration(context, "after", message->at.ns - reference.ns);
}

/* ---- tester.connect ---------------------------------------------------------------------------------------- */

static const char *const transports[] = {"plain", "tls", NULL};

static const struct arg_def connect_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The entity to connect to."},
        ARG_CONNECTION,
        {"transport", VALUE_TEXT, 0, "plain", transports, 0, 0, "Plain TCP_DATA or TLS."},
        {"identity", VALUE_TEXT, ARG_IDENTITY, "tester", NULL, 0, 0,
         "TLS: which of the rig's identities to show; \"none\" shows no certificate."},
        {"maximum_version", VALUE_TEXT, 0, NULL, (const char *const[]){"1.2", "1.3", NULL}, 0, 0, "TLS: highest version offered."},
        {"minimum_version", VALUE_TEXT, 0, NULL, (const char *const[]){"1.2", "1.3", NULL}, 0, 0, "TLS: lowest version offered."},
        {"port", VALUE_INTEGER, 0, NULL, NULL, 1, 65535, "Another TCP port than the role's own for this transport."},
        {"source", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffff, "Our logical address (default: the rig's tester)."},
        {"protocol_version", VALUE_INTEGER, 0, "3", NULL, 0, 255, "DoIP protocol version of what is sent."},
        {"answer_alive", VALUE_BOOL, 0, "true", NULL, 0, 0, "Answer alive check requests at once."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait for TCP and TLS."},
        {NULL},
};
static const struct result_def connect_results[] = {
        {"state", VALUE_TEXT, "\"open\", or how it ended: fin, reset, refused, tls, truncated, timeout."},
        {"tls_version", VALUE_TEXT, "Negotiated TLS version."},
        {"cipher", VALUE_TEXT, "Negotiated cipher suite."},
        {"alert", VALUE_TEXT, "TLS alert that was received or sent, by name."},
        {"reason", VALUE_TEXT, "Why TLS failed, in OpenSSL's words."},
        {"duration", VALUE_DURATION, "From the call to open or failed."},
        {NULL},
};

int tls_results_set(struct step_context *context, const struct stream *stream)
{
	static const struct {
		const char *from, *to;
	} fields[] = {{"version", "tls_version"}, {"cipher", "cipher"}, {"alert", "alert"}, {"reason", "reason"}};
	json_t *info = stream_tls_info(stream);
	int r = 0;

	for (size_t i = 0; i < sizeof fields / sizeof fields[0] && r == 0; i++) {
		const char *text = json_string_value(json_object_get(info, fields[i].from));

		r = step_result_text(context, fields[i].to, text ? text : "");
	}
	json_decref(info);
	return r;
}

static uint16_t tls_version_of(const char *text, uint16_t fallback)
{
	if (!text)
		return fallback;
	return strcmp(text, "1.2") == 0 ? 0x0303 : 0x0304;
}

/* Fills identity from the call; *ret_identity is NULL for a plain connection. */
static int identity_of_call(struct step_context *context, const struct step_call *call, struct tls_identity *storage,
                            const struct tls_identity **ret_identity, struct error *err)
{
	const char *transport, *name, *minimum, *maximum, *role = NULL;
	const struct value *peer;
	int r;

	if ((r = step_arg_text(context, call, "transport", &transport, err)) < 0 ||
	    (r = step_arg_text(context, call, "identity", &name, err)) < 0 ||
	    (r = step_arg_text(context, call, "minimum_version", &minimum, err)) < 0 ||
	    (r = step_arg_text(context, call, "maximum_version", &maximum, err)) < 0 ||
	    (r = step_arg_text(context, call, "role", &role, err)) < 0)
		return r;
	*ret_identity = NULL;
	if (strcmp(transport, "tls") != 0)
		return 0;
	r = rig_identity(context->rig, name, storage, err);
	if (r < 0)
		return r;
	storage->minimum_version = tls_version_of(minimum, storage->minimum_version ? storage->minimum_version : 0x0303);
	storage->maximum_version = tls_version_of(maximum, storage->maximum_version ? storage->maximum_version : 0x0304);
	peer = rig_value(context->rig, role, "tls_name");
	storage->peer_name = peer && peer->type == VALUE_TEXT ? peer->text : NULL;
	storage->verify_peer = true;
	*ret_identity = storage;
	return 0;
}

static int address_of_call(struct step_context *context, const struct step_call *call, bool tls, char *buffer, size_t size,
                           struct error *err)
{
	const struct value *address;
	const char *role, *colon;
	int64_t port;
	int r;

	if ((r = step_arg_text(context, call, "role", &role, err)) < 0 || (r = step_arg_integer(context, call, "port", 0, &port, err)) < 0)
		return r;
	address = rig_value(context->rig, role, tls ? "tls" : "plain");
	if (!address || address->type != VALUE_TEXT)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "the rig gives role \"%s\" no %s address", role,
		                       tls ? "TLS" : "plain");
	if (port == 0) {
		snprintf(buffer, size, "%s", address->text);
		return 0;
	}
	colon = strrchr(address->text, ':');
	snprintf(buffer, size, "%.*s:%lld", (int)(colon ? colon - address->text : (ptrdiff_t)strlen(address->text)), address->text,
	         (long long)port);
	return 0;
}

static bool connection_settled(void *context)
{
	return ((struct tester *)context)->settled;
}

static int connect_results_set(struct step_context *context, const struct tester *t, bool timed_out)
{
	const char *state = timed_out ? "timeout" : t->ended ? stream_end_name(t->end) : "open";
	int64_t until = t->opened ? t->opened_at.ns : t->ended ? t->ended_at.ns : loop_now_ns();

	if (step_result_text(context, "state", state) < 0 || tls_results_set(context, t->stream) < 0)
		return -ENOMEM;
	return step_result_duration(context, "duration", until - t->started_ns);
}

static int tester_open(struct step_context *context, const struct step_call *call, struct tester *t, struct error *err)
{
	struct tls_identity storage = {0};
	const struct tls_identity *identity;
	const struct value *local = rig_value(context->rig, "tester", "address");
	struct stream_environment environment = {context->loop, context->timeline, rig_capture(context->rig), t->channel};
	struct stream_handlers handlers = tester_handlers(t);
	char address[96];
	int64_t source, version;
	int r;

	if ((r = identity_of_call(context, call, &storage, &identity, err)) < 0 ||
	    (r = address_of_call(context, call, identity != NULL, address, sizeof address, err)) < 0 ||
	    (r = step_arg_integer(context, call, "source", t->source, &source, err)) < 0 ||
	    (r = step_arg_integer(context, call, "protocol_version", 3, &version, err)) < 0 ||
	    (r = step_arg_bool(context, call, "answer_alive", true, &t->answer_alive, err)) < 0)
		return r;
	t->source = (uint16_t)source;
	t->version = (uint8_t)version;
	t->transport = identity ? "tls" : "tcp";
	t->has_identity = identity != NULL;
	t->identity = storage;
	snprintf(t->address, sizeof t->address, "%s", address);
	return stream_connect(&t->stream, &environment, local && local->type == VALUE_TEXT ? local->text : NULL, address, identity,
	                      &handlers, err);
}

static void tester_forget(struct tester *t)
{
	stream_free(t->stream);
	t->stream = NULL;
	for (unsigned i = 0; i < t->queued; i++)
		bytes_free(&t->queue[i].raw);
	t->queued = 0;
	bytes_clear(&t->inbound);
	t->settled = t->opened = t->ended = t->framing_lost = false;
	t->end = STREAM_END_NONE;
	t->received_bytes = 0;
}

int tester_reopen(struct step_context *context, struct tester *t, int64_t within_ns, struct error *err)
{
	const struct value *local = rig_value(context->rig, "tester", "address");
	struct stream_environment environment = {context->loop, context->timeline, rig_capture(context->rig), t->channel};
	struct stream_handlers handlers = tester_handlers(t);
	int r;

	if (t->address[0] == '\0')
		return error_set(err, ERROR_TESTCASE, EINVAL, "this connection was not opened by tester.connect");
	tester_forget(t);
	t->started_ns = loop_now_ns();
	r = stream_connect(&t->stream, &environment, local && local->type == VALUE_TEXT ? local->text : NULL, t->address,
	                   t->has_identity ? &t->identity : NULL, &handlers, err);
	if (r < 0) {
		t->settled = t->ended = true;
		t->end = STREAM_END_LOCAL;
		return r;
	}
	return step_wait(context, connection_settled, t, within_ns, err);
}

static int tester_connect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *name;
	struct tester *t;
	int64_t within;
	int r;

	if ((r = step_arg_text(context, call, "connection", &name, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within, err)) < 0)
		return r;
	if (step_object_find(context, TESTER_KIND, name))
		step_object_remove(context, TESTER_KIND, name);
	t = tester_new(context, name);
	if (!t || step_object_add(context, TESTER_KIND, name, t, tester_free) < 0) {
		tester_free(t);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	r = tester_open(context, call, t, err);
	if (r < 0) {
		step_object_remove(context, TESTER_KIND, name);
		return r;
	}
	r = step_wait(context, connection_settled, t, within, err);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (connect_results_set(context, t, r == -ETIMEDOUT) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (!call->expect && !t->opened) {
		const char *reason = "";
		json_t *info = stream_tls_info(t->stream);

		reason = json_string_value(json_object_get(info, "reason"));
		r = step_check_failed(context, err, "connection open", t->ended ? stream_end_name(t->end) : "timeout",
		                      "the connection did not open%s%s", reason && *reason ? ": " : "", reason ? reason : "");
		json_decref(info);
		return r;
	}
	return 0;
}

const struct step_def step_tester_connect = {
        .name = "tester.connect",
        .doc = "Connects to an entity's TCP_DATA port, plain or over TLS, and keeps the connection under a name for the following steps. "
               "Without `expect` the connection must open.",
        .example = "- tester.connect: {role: zgw, transport: tls, identity: tester}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = connect_args,
        .results = connect_results,
        .run = tester_connect_run,
};

/* ---- tester.close ------------------------------------------------------------------------------------------ */

static const struct arg_def close_args[] = {
        ARG_CONNECTION,
        {"how", VALUE_TEXT, 0, "fin", (const char *const[]){"fin", "reset", NULL}, 0, 0, "Orderly, or by TCP RST."},
        {NULL},
};

static int tester_close_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct tester *t;
	const char *how;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = step_arg_text(context, call, "how", &how, err)) < 0)
		return r;
	if (strcmp(how, "reset") == 0)
		stream_abort(t->stream);
	else
		stream_shutdown(t->stream);
	t->sent_at = instant_now();
	return 0;
}

const struct step_def step_tester_close = {
        .name = "tester.close",
        .doc = "Closes our side of a connection. What the other side sends afterwards can still be received.",
        .example = "- tester.close: {connection: second, how: reset}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = close_args,
        .run = tester_close_run,
};

/* ---- tester.set -------------------------------------------------------------------------------------------- */

static const struct arg_def set_args[] = {
        ARG_CONNECTION,
        {"answer_alive", VALUE_BOOL, 0, NULL, NULL, 0, 0, "Answer alive check requests at once."},
        {"read", VALUE_BOOL, 0, NULL, NULL, 0, 0, "false: stop reading, so that the peer's window closes."},
        {"protocol_version", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "DoIP protocol version of what is sent."},
        {NULL},
};

static int tester_set_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct tester *t;
	bool read = true;
	int64_t version;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 ||
	    (r = step_arg_bool(context, call, "answer_alive", t->answer_alive, &t->answer_alive, err)) < 0 ||
	    (r = step_arg_bool(context, call, "read", true, &read, err)) < 0 ||
	    (r = step_arg_integer(context, call, "protocol_version", t->version, &version, err)) < 0)
		return r;
	t->version = (uint8_t)version;
	if (step_has_arg(call, "read"))
		stream_pause_reading(t->stream, !read);
	return 0;
}

const struct step_def step_tester_set = {
        .name = "tester.set",
        .doc = "Changes how an open connection of ours behaves.",
        .example = "- tester.set: {answer_alive: false}",
        .flags = STEP_ALWAYS_OK,
        .args = set_args,
        .run = tester_set_run,
};

/* ---- tester.expect_closed / expect_open -------------------------------------------------------------------- */

static const struct arg_def closed_args[] = {
        ARG_CONNECTION,
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait."},
        {"since", VALUE_TEXT, 0, "sent", (const char *const[]){"sent", "opened", NULL}, 0, 0,
         "What `after` counts from: our last message, or the opening."},
        {NULL},
};
static const struct result_def closed_results[] = {
        {"how", VALUE_TEXT, "fin, reset, tls or truncated."},
        {"after", VALUE_DURATION, "Time until the connection ended."},
        {"unread", VALUE_INTEGER, "Messages that came and were not asked for."},
        {"tls_version", VALUE_TEXT, "Negotiated TLS version."},
        {"cipher", VALUE_TEXT, "Negotiated cipher suite."},
        {"alert", VALUE_TEXT, "TLS alert that was received or sent, by name."},
        {"reason", VALUE_TEXT, "Why TLS failed, in OpenSSL's words."},
        {NULL},
};

static bool connection_ended(void *context)
{
	return ((struct tester *)context)->ended;
}

static int tester_expect_closed_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct tester *t;
	const char *since;
	int64_t within;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within, err)) < 0 ||
	    (r = step_arg_text(context, call, "since", &since, err)) < 0)
		return r;
	r = step_wait(context, connection_ended, t, within, err);
	if (r == -ETIMEDOUT)
		return step_check_failed(context, err, "connection closed", "still open",
		                         "the peer did not close the connection within %lld ms", (long long)(within / 1000000));
	if (r < 0)
		return r;
	if (step_result_text(context, "how", stream_end_name(t->end)) < 0 || step_result_integer(context, "unread", t->queued) < 0 ||
	    tls_results_set(context, t->stream) < 0 ||
	    step_result_duration(context, "after", t->ended_at.ns - (strcmp(since, "opened") == 0 ? t->opened_at.ns : t->sent_at.ns)) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return 0;
}

const struct step_def step_tester_expect_closed = {
        .name = "tester.expect_closed",
        .doc = "The peer must end the connection.",
        .example = "- tester.expect_closed: {within: 2500ms, since: opened, expect: {after: {in_range: [1900ms, 2200ms]}}}",
        .args = closed_args,
        .results = closed_results,
        .run = tester_expect_closed_run,
};

static const struct arg_def open_args[] = {
        ARG_CONNECTION,
        {"for", VALUE_DURATION, ARG_POSITIVE, "100ms", NULL, 0, 0, "How long it must stay open."},
        {NULL},
};

static int tester_expect_open_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct tester *t;
	int64_t duration;
	int r;

	if ((r = tester_of_call(context, call, &t, err)) < 0 || (r = step_arg_integer(context, call, "for", 100000000, &duration, err)) < 0)
		return r;
	r = step_wait(context, connection_ended, t, duration, err);
	if (r == -ETIMEDOUT)
		return 0;
	if (r < 0)
		return r;
	return step_check_failed(context, err, "connection open", stream_end_name(t->end),
	                         "the connection was closed (%s), though it must stay open", stream_end_name(t->end));
}

const struct step_def step_tester_expect_open = {
        .name = "tester.expect_open",
        .doc = "The connection must stay open for a time.",
        .example = "- tester.expect_open: {for: 300ms}",
        .args = open_args,
        .run = tester_expect_open_run,
};
