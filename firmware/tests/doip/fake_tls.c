/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_tls.h"

struct tls_config {
	int unused;
};

static struct tls_config config;
static enum port_status handshake = PORT_OK, sessions = PORT_OK;

static enum port_status establish(struct stream *s)
{
	return handshake;
}
static enum port_status send(struct stream *s, const uint8_t *d, size_t n, size_t *r)
{
	return port_tcp_send(s->socket, d, n, r);
}
static enum port_status receive(struct stream *s, uint8_t *b, size_t n, size_t *r)
{
	return port_tcp_receive(s->socket, b, n, r);
}
static void finish(struct stream *s)
{
	port_tcp_close(s->socket);
}
static void cut(struct stream *s)
{
	port_tcp_abort(s->socket);
}

static const struct stream_ops ops = {.establish = establish, .send = send, .receive = receive, .close = finish, .abort = cut};

struct tls_config *fake_tls_config(void)
{
	handshake = sessions = PORT_OK;
	return &config;
}

void fake_tls_handshake(enum port_status status)
{
	handshake = status;
}
void fake_tls_sessions(enum port_status status)
{
	sessions = status;
}

enum port_status tls_stream(struct stream *ret_stream, struct tls_config *used, port_socket socket)
{
	(void)used;
	if (sessions != PORT_OK)
		return sessions;
	ret_stream->ops = &ops;
	ret_stream->socket = socket;
	ret_stream->tls = NULL;
	ret_stream->secured = true;
	return PORT_OK;
}

const char *tls_version_name(const struct stream *s)
{
	return s->secured ? "TLSv1.3" : "none";
}
