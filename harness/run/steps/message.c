/* SPDX-License-Identifier: Apache-2.0 */
/* The harness as the gateway of a device: steps gateway.*. Undone at the end of the case. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generic.h"
#include "message_gateway.h"
#include "steps.h"

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- gateway.start, gateway.stop --------------------------------------------------------------------------- */

static const struct arg_def start_args[] = {
        GATEWAY_ARG(0),
        {"transport", VALUE_TEXT, 0, "tls", (const char *const[]){"plain", "tls", NULL}, 0, 0, "What it speaks."},
        {"identity", VALUE_TEXT, ARG_IDENTITY, "vmg", NULL, 0, 0, "TLS: which of the rig's identities it shows."},
        {"mutual", VALUE_BOOL, 0, "true", NULL, 0, 0, "TLS: whether the device has to show a certificate that can be verified."},
        {"minimum_version", VALUE_TEXT, 0, NULL, (const char *const[]){"1.2", "1.3", NULL}, 0, 0, "TLS: lowest version accepted."},
        {"maximum_version", VALUE_TEXT, 0, NULL, (const char *const[]){"1.2", "1.3", NULL}, 0, 0, "TLS: highest version accepted."},
        {"port", VALUE_INTEGER, 0, "0", NULL, 0, 65535, "Where it listens, at the tester's address; 0: a free port."},
        {NULL},
};
static const struct result_def start_results[] = {
        {"endpoint", VALUE_TEXT, "Where it listens, HOST:PORT: what endpoint.inject takes."},
        {"port", VALUE_INTEGER, "The port alone."},
        {NULL},
};

static int read_identity(struct step_context *context, const struct step_call *call, struct tls_identity *ret, struct error *err)
{
	const char *name, *minimum, *maximum;
	bool mutual;
	int r = step_arg_text(context, call, "identity", &name, err);
	if (r == 0)
		r = step_arg_text(context, call, "minimum_version", &minimum, err);
	if (r == 0)
		r = step_arg_text(context, call, "maximum_version", &maximum, err);
	if (r == 0)
		r = step_arg_bool(context, call, "mutual", true, &mutual, err);
	if (r == 0)
		r = rig_identity(context->rig, name, ret, err);
	if (r < 0)
		return r;
	ret->peer_name = NULL;
	ret->verify_peer = mutual;
	ret->minimum_version = minimum && !strcmp(minimum, "1.3") ? 0x0304 : 0x0303;
	ret->maximum_version = maximum && !strcmp(maximum, "1.2") ? 0x0303 : 0x0304;
	return 0;
}

static int read_start(struct step_context *context, const struct step_call *call, struct gateway_options *ret,
                      struct tls_identity *identity, struct error *err)
{
	const struct value *host = rig_value(context->rig, "tester", "address");
	const char *transport;
	int64_t port;
	int r = step_arg_text(context, call, "gateway", &ret->name, err);
	if (r == 0)
		r = step_arg_text(context, call, "transport", &transport, err);
	if (r == 0)
		r = step_arg_integer(context, call, "port", 0, &port, err);
	if (r < 0)
		return r;
	ret->host = host && host->type == VALUE_TEXT ? host->text : "127.0.0.1";
	ret->port = (unsigned)port;
	ret->identity = strcmp(transport, "tls") ? NULL : identity;
	return ret->identity ? read_identity(context, call, identity, err) : 0;
}

static int start_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct gateway_options options = {0};
	struct tls_identity identity = {0};
	struct gateway *gateway;
	int r = read_start(context, call, &options, &identity, err);
	if (r < 0)
		return r;
	if (step_object_find(context, GATEWAY_KIND, options.name))
		step_object_remove(context, GATEWAY_KIND, options.name);
	r = gateway_new(&gateway, context, &options, err);
	if (r < 0)
		return r;
	if (step_object_add(context, GATEWAY_KIND, options.name, gateway, gateway_free) < 0) {
		gateway_free(gateway);
		return no_memory(err);
	}
	if (step_result_text(context, "endpoint", gateway->address) < 0 ||
	    step_result_integer(context, "port", strtol(strrchr(gateway->address, ':') + 1, NULL, 10)) < 0)
		return no_memory(err);
	return 0;
}

const struct step_def step_gateway_start = {
        .name = "gateway.start",
        .doc = "The harness becomes the gateway of devices: it listens at the tester's address, acknowledges hellos and heartbeats at "
               "once, and notes every message as message.rx and message.tx. Ends with gateway.stop or with the case.",
        .example = "- gateway.start: {identity: vmg, save: {where: endpoint}}",
        .flags = STEP_ACTION,
        .args = start_args,
        .results = start_results,
        .run = start_run,
};

static const char *const end_choices[] = {"fin", "reset", NULL};
static const struct arg_def stop_args[] = {
        GATEWAY_ARG(ARG_SCALAR),
        {"how", VALUE_TEXT, 0, "fin", end_choices, 0, 0, "How its connections end: in order, or by reset as of a gateway that died."},
        {NULL},
};

static int stop_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *name, *how;
	int r = step_arg_text(context, call, "gateway", &name, err);
	if (r == 0)
		r = step_arg_text(context, call, "how", &how, err);
	if (r < 0)
		return r;
	struct gateway *gateway = step_object_find(context, GATEWAY_KIND, name);
	if (!gateway)
		return 0;
	gateway_die(gateway, !strcmp(how, "reset"));
	step_object_remove(context, GATEWAY_KIND, name);
	return 0;
}

const struct step_def step_gateway_stop = {
        .name = "gateway.stop",
        .doc = "Ends a gateway with all its connections: nobody listens there any more. Nothing happens when there is none.",
        .example = "- gateway.stop: {how: reset}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = stop_args,
        .run = stop_run,
};

/* ---- gateway.expect ---------------------------------------------------------------------------------------- */

static const char *const what_choices[] = {"connection", "hello", "heartbeat", "closed", NULL};
static const struct arg_def expect_args[] = {
        GATEWAY_ARG(0),
        {"what", VALUE_TEXT, ARG_SCALAR, "hello", what_choices, 0, 0,
         "connection: the next one that no step has seen, open or failed; hello: the next one that greets, whatever failed before it, "
         "which may be the one just seen; "
         "heartbeat, closed: of the connection that was seen last."},
        {"role", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0,
         "hello: the device, whose boot marker then tells which verification is in force (result `verify`, and a note in the journal)."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long to wait for it."},
        {NULL},
};
static const struct result_def expect_results[] = {
        {"state", VALUE_TEXT, "\"open\", or how the connection ended: fin, reset, tls, truncated, malformed: …"},
        {"serial", VALUE_TEXT, "hello: the device's serial number."},
        {"verify", VALUE_TEXT, "hello with `role`: required (production), none (development), plain (no TLS)."},
        {"number", VALUE_INTEGER, "heartbeat: its number."},
        {"tls_version", VALUE_TEXT, "Negotiated TLS version."},
        {"cipher", VALUE_TEXT, "Negotiated cipher suite."},
        {"alert", VALUE_TEXT, "TLS alert that was received or sent, by name."},
        {"peer_name", VALUE_TEXT, "Common name of the device's certificate."},
        {"reason", VALUE_TEXT, "Why TLS failed, in words."},
        {NULL},
};

struct expectation {
	struct gateway *gateway;
	uint64_t heartbeats;
};

static bool oldest_settled(void *context)
{
	const struct gateway *gateway = ((struct expectation *)context)->gateway;
	return gateway->waiting_count > 0 && gateway->waiting[0]->settled;
}

/* The connection that was taken before it greeted, and has by now. */
static bool current_greeted(const struct gateway *gateway)
{
	return gateway->current && gateway->current->greeted && !gateway->current->told;
}

/* Whoever ended without a greeting is passed over: a device that tries again makes many of them. */
static bool someone_greeted(void *context)
{
	struct gateway *gateway = ((struct expectation *)context)->gateway;
	for (;;) {
		if (current_greeted(gateway))
			return true;
		if (gateway->waiting_count == 0)
			return false;
		if (gateway->waiting[0]->greeted)
			return true;
		if (!gateway->waiting[0]->ended)
			return false;
		(void)gateway_take(gateway);
	}
}

static bool heartbeat_came(void *context)
{
	const struct expectation *expectation = context;
	return expectation->gateway->current->heartbeats > expectation->heartbeats || expectation->gateway->current->ended;
}

static bool has_ended(void *context)
{
	return ((struct expectation *)context)->gateway->current->ended;
}

static int put_results(struct step_context *context, const struct gateway_connection *connection)
{
	static const char *const names[][2] = {
	        {"tls_version", "version"}, {"cipher", "cipher"}, {"alert", "alert"}, {"peer_name", "peer_name"}, {"reason", "reason"}};
	json_t *info = stream_tls_info(connection->stream);
	bool open = connection->opened && !connection->ended;
	int r = step_result_text(context, "state", open ? "open" : gateway_connection_end(connection));
	if (r == 0 && connection->greeted)
		r = step_result_text(context, "serial", connection->serial);
	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(*names); i++) {
		const char *text = json_string_value(json_object_get(info, names[i][1]));
		if (text)
			r = step_result_text(context, names[i][0], text);
	}
	json_decref(info);
	return r;
}

/* The device says it itself, once its hello is acknowledged. */
static int put_verify(struct step_context *context, const struct gateway_connection *connection, const char *role, int64_t within_ns,
                      struct error *err)
{
	char channel[80];
	struct value *where = value_new_map();
	if (!where || value_map_set(where, "stage", value_new_text("message")) < 0) {
		value_free(where);
		return no_memory(err);
	}
	snprintf(channel, sizeof(channel), "board:%s", role);
	struct event_search search = {.timeline = context->timeline, .mark = connection->begin_mark};
	search.match.kind = "boot.stage";
	search.match.channel = channel;
	search.match.where = where;
	int r = step_wait(context, event_search_step, &search, within_ns, err);
	const char *verify = r == 0 ? json_string_value(json_object_get(search.data, "verify")) : NULL;
	if (r == -ETIMEDOUT)
		r = step_check_failed(context, err, "boot stage message", "none", "%s does not say that its hello was acknowledged", role);
	else if (r == 0 && !verify)
		r = step_check_failed(context, err, "verify=…", "nothing", "%s does not say how it verifies the gateway", role);
	if (r == 0)
		timeline_emit_now(context->timeline, "case", "note",
		                  json_pack("{s:o,s:s}", "text",
		                            json_sprintf("verification in force at %s: %s%s", role, verify,
		                                         !strcmp(verify, "none") ? " (development: the gateway is not verified)" : ""),
		                            "verify", verify));
	if (r == 0 && step_result_text(context, "verify", verify) < 0)
		r = no_memory(err);
	event_search_clear(&search);
	value_free(where);
	return r;
}

static int wait_until(struct step_context *context, struct expectation *expectation, bool (*done)(void *), const char *what,
                      int64_t within_ns, struct error *err)
{
	int r = step_wait(context, done, expectation, within_ns, err);
	if (r == -ETIMEDOUT)
		return step_check_failed(context, err, what, "none", "no %s at %s within %.3f s", what, expectation->gateway->address,
		                         (double)within_ns / 1e9);
	return r;
}

static int wait_for(struct step_context *context, struct gateway *gateway, const char *what, int64_t within_ns, struct error *err)
{
	struct expectation expectation = {.gateway = gateway};
	bool heartbeat = !strcmp(what, "heartbeat"), closed = !strcmp(what, "closed"), hello = !strcmp(what, "hello");
	int r = 0;
	if (!gateway->current || (!heartbeat && !closed)) {
		r = wait_until(context, &expectation, hello ? someone_greeted : oldest_settled, hello ? what : "connection", within_ns,
		               err);
		if (r == 0 && !(hello && current_greeted(gateway)))
			(void)gateway_take(gateway);
		if (r == 0)
			gateway->current->told = hello;
	}
	if (r < 0 || (!heartbeat && !closed))
		return r;
	expectation.heartbeats = gateway->current->heartbeats;
	return wait_until(context, &expectation, closed ? has_ended : heartbeat_came, what, within_ns, err);
}

static int judge(struct step_context *context, const struct step_call *call, const struct gateway_connection *connection, const char *what,
                 struct error *err)
{
	bool open = connection->opened && !connection->ended;
	if (call->expect || open == (strcmp(what, "closed") != 0))
		return 0;
	return step_check_failed(context, err, "connection open", gateway_connection_end(connection),
	                         "the device's connection is not open (%s)", gateway_connection_end(connection));
}

static int expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *what, *role;
	struct gateway *gateway;
	int64_t within_ns;
	int r = gateway_of_call(context, call, &gateway, err);
	if (r == 0)
		r = step_arg_text(context, call, "what", &what, err);
	if (r == 0)
		r = step_arg_text(context, call, "role", &role, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(5), &within_ns, err);
	if (r == 0)
		r = wait_for(context, gateway, what, within_ns, err);
	if (r < 0)
		return r;
	if (put_results(context, gateway->current) < 0 ||
	    (!strcmp(what, "heartbeat") && step_result_integer(context, "number", gateway->current->number) < 0))
		return no_memory(err);
	r = judge(context, call, gateway->current, what, err);
	return r == 0 && role && !strcmp(what, "hello") ? put_verify(context, gateway->current, role, within_ns, err) : r;
}

const struct step_def step_gateway_expect = {
        .name = "gateway.expect",
        .doc = "Waits for what a device does at the gateway. A connection or hello that passes becomes the connection of the steps that "
               "follow. Without `expect` the connection must be open (closed: must have ended).",
        .example = "- gateway.expect: {what: hello, role: device, expect: {verify: required, tls_version: TLSv1.3}}",
        .args = expect_args,
        .results = expect_results,
        .run = expect_run,
};

/* ---- gateway.close, gateway.stall, gateway.send ------------------------------------------------------------ */

static const struct arg_def close_args[] = {
        GATEWAY_ARG(0),
        {"how", VALUE_TEXT, ARG_SCALAR, "fin", end_choices, 0, 0, "In order (close_notify, FIN), or by reset."},
        {NULL},
};

static int close_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct gateway_connection *connection;
	const char *how;
	int r = gateway_connection_of_call(context, call, &connection, err);
	if (r == 0)
		r = step_arg_text(context, call, "how", &how, err);
	if (r < 0)
		return r;
	if (!strcmp(how, "reset"))
		stream_abort(connection->stream);
	else
		stream_shutdown(connection->stream);
	return 0;
}

const struct step_def step_gateway_close = {
        .name = "gateway.close",
        .doc = "Closes the device's connection and goes on listening: the device comes again.",
        .example = "- gateway.close: reset",
        .flags = STEP_ACTION,
        .args = close_args,
        .run = close_run,
};

static const struct arg_def stall_args[] = {
        GATEWAY_ARG(0),
        {"what", VALUE_TEXT, ARG_SCALAR, "acknowledgements", (const char *const[]){"acknowledgements", "reading", NULL}, 0, 0,
         "acknowledgements: takes everything and acknowledges nothing; reading: takes nothing from the connection."},
        {"resume", VALUE_BOOL, 0, "false", NULL, 0, 0, "true: the gateway serves again."},
        {NULL},
};

static int stall_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct gateway_connection *connection;
	struct gateway *gateway;
	const char *what;
	bool resume;
	int r = gateway_of_call(context, call, &gateway, err);
	if (r == 0)
		r = step_arg_text(context, call, "what", &what, err);
	if (r == 0)
		r = step_arg_bool(context, call, "resume", false, &resume, err);
	if (r < 0)
		return r;
	if (!strcmp(what, "acknowledgements")) {
		gateway->mute = !resume;
		return 0;
	}
	r = gateway_connection_of_call(context, call, &connection, err);
	if (r == 0)
		stream_pause_reading(connection->stream, !resume);
	return r;
}

const struct step_def step_gateway_stall = {
        .name = "gateway.stall",
        .doc = "A gateway that is there and does not serve. Acknowledgements stay away on every connection until it goes on.",
        .example = "- gateway.stall: acknowledgements",
        .flags = STEP_ACTION,
        .args = stall_args,
        .run = stall_run,
};

static const struct arg_def send_args[] = {
        GATEWAY_ARG(0),
        {"bytes", VALUE_BYTES, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0, "What goes over the connection, as it is."},
        {NULL},
};

static int send_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct gateway_connection *connection;
	const struct bytes *bytes;
	int r = gateway_connection_of_call(context, call, &connection, err);
	if (r == 0)
		r = step_arg_bytes(context, call, "bytes", &bytes, err);
	return r < 0 ? r : gateway_send_raw(connection, bytes->data, bytes->length, err);
}

const struct step_def step_gateway_send = {
        .name = "gateway.send",
        .doc = "Sends bytes that need be no message (docs/reference/device-messages.md) to the device.",
        .example = "- gateway.send: \"ff ff ff ff 04\"",
        .flags = STEP_ACTION,
        .args = send_args,
        .run = send_run,
};
