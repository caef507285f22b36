/* SPDX-License-Identifier: Apache-2.0 */
/* How streams come to be: by connecting, and by being connected to. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stamp.h"
#include "stream_private.h"
#include "tls_context.h"

#define BACKLOG 16

struct stream_listener {
	struct stream_context context;
	int fd;
	sd_event_source *io;
	SSL_CTX *tls; /* NULL: plain */
	char address[ADDRESS_TEXT_MAX];
	void (*accepted)(struct stream *, void *);
	void *accepted_context;
};

static int open_socket(const struct address *address, struct error *err)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	return fd;
}

static int bind_local(int fd, const char *text, struct error *err)
{
	struct address local;
	int one = 1, r = address_parse(text, &local, err);

	if (r < 0)
		return r;
	if (address_port(&local) == 0)
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &local.any, local.length) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot use the local address %s: %s", text, strerror(errno));
	return 0;
}

/* What the network said, not what is wrong on our side. */
static bool is_answer(int code)
{
	return code == ECONNREFUSED || code == ENETUNREACH || code == EHOSTUNREACH || code == ETIMEDOUT || code == ECONNRESET;
}

static int start_connect(struct stream *stream, const struct address *address, struct error *err)
{
	if (connect(stream->fd, &address->any, address->length) == 0 || errno == EINPROGRESS)
		return stream_watch_io(stream, err);
	if (!is_answer(errno))
		return error_set(err, ERROR_BENCH, errno, "cannot connect to %s: %s", stream->peer, strerror(errno));
	/* Told from the loop, like an answer that takes its time: such a socket is always writable. */
	stream->connect_error = errno;
	return stream_watch_io(stream, err);
}

static int prepare(struct stream *stream, const char *local, const struct tls_identity *identity, struct error *err)
{
	SSL_CTX *tls = NULL;
	int r = local ? bind_local(stream->fd, local, err) : 0;

	if (r < 0 || !identity)
		return r;
	r = tls_context_get(identity, false, &tls, err);
	if (r < 0)
		return r;
	r = stream_tls_init(stream, tls, identity->peer_name, err);
	SSL_CTX_free(tls);
	return r;
}

int stream_connect(struct stream **ret, const struct stream_environment *environment, const char *local, const char *text,
                   const struct tls_identity *identity, const struct stream_handlers *handlers, struct error *err)
{
	struct address address;
	struct stream *stream;
	int fd, r = address_parse(text, &address, err);

	if (r < 0)
		return r;
	fd = open_socket(&address, err);
	if (fd < 0)
		return fd;
	stream = stream_new(environment, fd, false, err);
	if (!stream) {
		(void)close(fd);
		return -ENOMEM;
	}
	if (handlers)
		stream->handlers = *handlers;
	(void)address_format(&address, stream->peer);
	r = prepare(stream, local, identity, err);
	if (r == 0) {
		stream_emit(stream, instant_now(), "tcp.open", NULL);
		r = start_connect(stream, &address, err);
	}
	if (r < 0) {
		(void)close(fd);
		stream->fd = -1;
		stream->state = STREAM_CLOSED;
		stream_unref(stream);
		return r;
	}
	*ret = stream;
	return 0;
}

/* ---- listening --------------------------------------------------------------------------------------------- */

/* Makes the stream of an accepted connection; closes fd when it cannot. */
static struct stream *accepted_stream(struct stream_listener *listener, int fd)
{
	struct address peer = address_of_peer(fd), local = address_of_socket(fd);
	struct stream *stream = peer.length > 0 ? stream_new(&listener->context.environment, fd, true, NULL) : NULL;

	if (!stream) {
		(void)close(fd);
		return NULL;
	}
	(void)address_format(&peer, stream->peer);
	(void)address_format(&local, stream->local);
	if ((listener->tls && stream_tls_init(stream, listener->tls, NULL, NULL) < 0) || stream_watch_io(stream, NULL) < 0) {
		(void)close(fd);
		stream->fd = -1;
		stream->io = sd_event_source_disable_unref(stream->io);
		stream->state = STREAM_CLOSED;
		stream_unref(stream);
		return NULL;
	}
	return stream;
}

static int on_accept(sd_event_source *source, int listening, uint32_t events, void *context)
{
	struct stream_listener *listener = context;
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct stream *stream = fd >= 0 ? accepted_stream(listener, fd) : NULL;

	if (!stream)
		return 0;
	stream_ref(stream);
	stream_connected(stream);
	listener->accepted(stream, listener->accepted_context); /* may free stream and listener */
	if (!stream->freed && stream->state == STREAM_OPEN && stream->handlers.opened)
		stream->handlers.opened(stream, stream->handlers.context);
	stream_update_io(stream);
	stream_unref(stream);
	return 0;
}

static int start_listening(struct stream_listener *listener, const char *text, struct error *err)
{
	struct address address;
	int one = 1, r = address_parse(text, &address, err);

	if (r < 0)
		return r;
	listener->fd = open_socket(&address, err);
	if (listener->fd < 0)
		return listener->fd;
	(void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	stamp_enable(listener->fd); /* before the first segment comes, which may be before accept() */
	if (bind(listener->fd, &address.any, address.length) < 0 || listen(listener->fd, BACKLOG) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot listen on %s: %s", text, strerror(errno));
	address = address_of_socket(listener->fd);
	(void)address_format(&address, listener->address);
	r = sd_event_add_io(loop_event(listener->context.environment.loop), &listener->io, listener->fd, EPOLLIN, on_accept, listener);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot listen on %s: %s", text, strerror(-r));
	return 0;
}

int stream_listen(struct stream_listener **ret, const struct stream_environment *environment, const char *address,
                  const struct tls_identity *identity, void (*accepted)(struct stream *, void *), void *context, struct error *err)
{
	struct stream_listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*listener = (struct stream_listener){.fd = -1, .accepted = accepted, .accepted_context = context};
	r = stream_context_init(&listener->context, environment, err);
	if (r == 0 && identity && !identity->certificate)
		r = error_set(err, ERROR_TESTCASE, EINVAL, "a TLS server needs a certificate");
	if (r == 0 && identity)
		r = tls_context_get(identity, true, &listener->tls, err);
	if (r == 0)
		r = start_listening(listener, address, err);
	if (r < 0) {
		stream_listener_free(listener);
		return r;
	}
	*ret = listener;
	return 0;
}

const char *stream_listener_address(const struct stream_listener *listener)
{
	return listener->address;
}

void stream_listener_free(struct stream_listener *listener)
{
	if (!listener)
		return;
	sd_event_source_disable_unref(listener->io);
	if (listener->fd >= 0)
		(void)close(listener->fd);
	SSL_CTX_free(listener->tls);
	stream_context_clear(&listener->context);
	free(listener);
}
