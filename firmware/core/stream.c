/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

static enum port_status plain_establish(struct stream *s)
{
	return port_tcp_connected(s->socket);
}

static enum port_status plain_send(struct stream *s, const uint8_t *data, size_t length, size_t *ret_sent)
{
	return port_tcp_send(s->socket, data, length, ret_sent);
}

static enum port_status plain_receive(struct stream *s, uint8_t *buffer, size_t size, size_t *ret_received)
{
	return port_tcp_receive(s->socket, buffer, size, ret_received);
}

static void plain_close(struct stream *s)
{
	port_tcp_close(s->socket);
}
static void plain_abort(struct stream *s)
{
	port_tcp_abort(s->socket);
}

static const struct stream_ops plain_ops = {
        .establish = plain_establish,
        .send = plain_send,
        .receive = plain_receive,
        .close = plain_close,
        .abort = plain_abort,
};

void stream_plain(struct stream *ret_stream, port_socket socket)
{
	ret_stream->ops = &plain_ops;
	ret_stream->socket = socket;
	ret_stream->tls = NULL;
	ret_stream->secured = false;
}

static void stream_forget(struct stream *s)
{
	s->ops = NULL;
	s->socket = PORT_NO_SOCKET;
	s->tls = NULL;
}

void stream_close(struct stream *s)
{
	if (s->ops == NULL)
		return;
	s->ops->close(s);
	stream_forget(s);
}

void stream_abort(struct stream *s)
{
	if (s->ops == NULL)
		return;
	s->ops->abort(s);
	stream_forget(s);
}
