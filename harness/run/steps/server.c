/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The harness in place of a server: connections that a link's client makes come to us instead of the real server,
 * and each becomes a connection that the doip.* steps can use. Undone at the end of the case.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"
#include "tester.h"

#define SERVER_KIND         "server"
#define SERVER_DEFAULT_NAME "server"
#define SERVER_FIRST_PORT   14400
#define PENDING_LIMIT       64

struct server {
	struct step_context *context;
	struct relay *relay;
	struct stream_listener *listener;
	struct tester *pending[PENDING_LIMIT];
	unsigned count;
	bool tls;
	char name[40], channel[64], address[96];
};

static void server_free(void *object)
{
	struct server *server = object;
	struct error ignored;

	if (!server)
		return;
	if (server->relay)
		(void)!relay_retarget(server->relay, NULL, &ignored);
	stream_listener_free(server->listener);
	for (unsigned i = 0; i < server->count; i++)
		tester_free(server->pending[i]);
	free(server);
}

static void on_accepted(struct stream *stream, void *context)
{
	struct server *server = context;
	struct tester *t = server->count < PENDING_LIMIT ? tester_new(server->context, server->name) : NULL;
	struct stream_handlers handlers;

	if (!t) {
		stream_abort(stream);
		stream_free(stream);
		return;
	}
	t->stream = stream;
	t->transport = server->tls ? "tls" : "tcp";
	handlers = tester_handlers(t);
	stream_set_handlers(stream, &handlers);
	/* A plain stream is open as soon as it is accepted. */
	if (stream_state(stream) == STREAM_OPEN)
		handlers.opened(stream, t);
	server->pending[server->count++] = t;
}

static const struct arg_def start_args[] = {
        {"link", VALUE_TEXT, ARG_REQUIRED | ARG_LINK | ARG_SCALAR, NULL, NULL, 0, 0, "The link whose server we stand in for."},
        {"server", VALUE_TEXT, ARG_NAME, SERVER_DEFAULT_NAME, NULL, 0, 0, "Name of this stand-in."},
        {"transport", VALUE_TEXT, 0, "tls", (const char *const[]){"plain", "tls", NULL}, 0, 0, "What we speak."},
        {"identity", VALUE_TEXT, ARG_IDENTITY, "vmg", NULL, 0, 0, "TLS: which of the rig's identities to show."},
        {"minimum_version", VALUE_TEXT, 0, NULL, (const char *const[]){"1.2", "1.3", NULL}, 0, 0, "TLS: lowest version accepted."},
        {"maximum_version", VALUE_TEXT, 0, NULL, (const char *const[]){"1.2", "1.3", NULL}, 0, 0, "TLS: highest version accepted."},
        {NULL},
};

static int server_identity(struct step_context *context, const struct step_call *call, struct tls_identity *ret, struct error *err)
{
	const char *name, *minimum, *maximum;
	int r;

	if ((r = step_arg_text(context, call, "identity", &name, err)) < 0 ||
	    (r = step_arg_text(context, call, "minimum_version", &minimum, err)) < 0 ||
	    (r = step_arg_text(context, call, "maximum_version", &maximum, err)) < 0)
		return r;
	r = rig_identity(context->rig, name, ret, err);
	if (r < 0)
		return r;
	ret->peer_name = NULL;
	ret->verify_peer = true;
	ret->minimum_version = minimum && strcmp(minimum, "1.3") == 0 ? 0x0304 : 0x0303;
	ret->maximum_version = maximum && strcmp(maximum, "1.2") == 0 ? 0x0303 : 0x0304;
	return 0;
}

static int server_listen(struct server *server, const struct step_call *call, const char *transport, struct error *err)
{
	const struct value *local = rig_value(server->context->rig, "tester", "address");
	struct stream_environment environment = {server->context->loop, server->context->timeline, rig_capture(server->context->rig),
	                                         server->channel};
	struct tls_identity identity = {0};
	int r = -EADDRINUSE;

	server->tls = strcmp(transport, "tls") == 0;
	if (server->tls && (r = server_identity(server->context, call, &identity, err)) < 0)
		return r;
	r = -EADDRINUSE;
	for (int port = SERVER_FIRST_PORT; port < SERVER_FIRST_PORT + 32 && r == -EADDRINUSE; port++) {
		snprintf(server->address, sizeof server->address, "%s:%d", local && local->type == VALUE_TEXT ? local->text : "127.0.0.1",
		         port);
		r = stream_listen(&server->listener, &environment, server->address, server->tls ? &identity : NULL, on_accepted, server,
		                  err);
	}
	return r < 0 ? r : relay_retarget(server->relay, server->address, err);
}

static int server_start_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *link, *name, *transport;
	struct rig_link *rig_link;
	struct server *server;
	int r;

	if ((r = step_arg_text(context, call, "link", &link, err)) < 0 || (r = step_arg_text(context, call, "server", &name, err)) < 0 ||
	    (r = step_arg_text(context, call, "transport", &transport, err)) < 0)
		return r;
	rig_link = rig_link_find(context->rig, link);
	if (!rig_link || !rig_link_relay(rig_link))
		return error_set_place(err, ERROR_TESTCASE, ENOTSUP, call->place,
		                       "link \"%s\" has no tap through which the harness can stand in", link);
	if (step_object_find(context, SERVER_KIND, name))
		step_object_remove(context, SERVER_KIND, name);
	server = calloc(1, sizeof *server);
	if (!server)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	server->context = context;
	server->relay = rig_link_relay(rig_link);
	snprintf(server->name, sizeof server->name, "%s", name);
	snprintf(server->channel, sizeof server->channel, "tester:%s", name);
	r = server_listen(server, call, transport, err);
	if (r == 0 && step_object_add(context, SERVER_KIND, name, server, server_free) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r < 0)
		server_free(server);
	return r;
}

const struct step_def step_server_start = {
        .name = "server.start",
        .doc = "The harness stands in for a link's server: new connections of the client come to us. Connections that stand are not "
               "touched: cut the link to have "
               "the client reconnect. Ends with server.stop or with the case.",
        .example = "- server.start: {link: zgw-vmg, identity: vmg-expired}",
        .flags = STEP_ACTION,
        .args = start_args,
        .run = server_start_run,
};

static const struct arg_def stop_args[] = {
        {"server", VALUE_TEXT, ARG_NAME | ARG_SCALAR, SERVER_DEFAULT_NAME, NULL, 0, 0, "Name of the stand-in."},
        {NULL},
};

static int server_stop_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *name;
	int r = step_arg_text(context, call, "server", &name, err);

	if (r < 0)
		return r;
	step_object_remove(context, SERVER_KIND, name);
	return 0;
}

const struct step_def step_server_stop = {
        .name = "server.stop",
        .doc = "Ends a stand-in: new connections go to the real server again. Accepted connections stay until they are closed.",
        .example = "- server.stop:",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = stop_args,
        .run = server_stop_run,
};

/* ---- server.accept ----------------------------------------------------------------------------------------- */

static const struct arg_def accept_args[] = {
        {"server", VALUE_TEXT, ARG_NAME, SERVER_DEFAULT_NAME, NULL, 0, 0, "Name of the stand-in."},
        ARG_CONNECTION,
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long to wait for the connection and its handshake."},
        {NULL},
};
static const struct result_def accept_results[] = {
        {"state", VALUE_TEXT, "\"open\", or how it ended before it was open: fin, reset, tls, truncated."},
        {"tls_version", VALUE_TEXT, "Negotiated TLS version."},
        {"cipher", VALUE_TEXT, "Negotiated cipher suite."},
        {"alert", VALUE_TEXT, "TLS alert that was received or sent, by name."},
        {"reason", VALUE_TEXT, "Why TLS failed, in OpenSSL's words."},
        {NULL},
};

static bool oldest_settled(void *context)
{
	const struct server *server = context;

	return server->count > 0 && server->pending[0]->settled;
}

static struct tester *take_oldest(struct server *server)
{
	struct tester *t = server->pending[0];

	server->count--;
	memmove(server->pending, server->pending + 1, server->count * sizeof server->pending[0]);
	return t;
}

static int server_accept_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *name, *connection;
	struct server *server;
	struct tester *t;
	int64_t within;
	int r;

	if ((r = step_arg_text(context, call, "server", &name, err)) < 0 ||
	    (r = step_arg_text(context, call, "connection", &connection, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 5000000000, &within, err)) < 0)
		return r;
	server = step_object_find(context, SERVER_KIND, name);
	if (!server)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "there is no stand-in \"%s\": start it with server.start",
		                       name);
	r = step_wait(context, oldest_settled, server, within, err);
	if (r == -ETIMEDOUT)
		return step_check_failed(context, err, "a connection", server->count ? "a handshake that does not end" : "none",
		                         "the client did not connect within %lld ms", (long long)(within / 1000000));
	if (r < 0)
		return r;
	t = take_oldest(server);
	if (step_object_find(context, TESTER_KIND, connection))
		step_object_remove(context, TESTER_KIND, connection);
	if (step_object_add(context, TESTER_KIND, connection, t, tester_free) < 0) {
		tester_free(t);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	if (step_result_text(context, "state", t->opened ? "open" : stream_end_name(t->end)) < 0 || tls_results_set(context, t->stream) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (!call->expect && !t->opened)
		return step_check_failed(context, err, "connection open", stream_end_name(t->end), "the client's connection did not open");
	return 0;
}

const struct step_def step_server_accept = {
        .name = "server.accept",
        .doc = "Takes the oldest connection that a client made to a stand-in, once its handshake is complete or has failed. Without "
               "`expect` it must be open.",
        .example = "- server.accept: {connection: zgw, expect: {state: tls, alert: certificate_expired}}",
        .args = accept_args,
        .results = accept_results,
        .run = server_accept_run,
};
