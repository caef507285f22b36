/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stamp.h"
#include "stream_private.h"

#define RECEIVE_SIZE (64U * 1024)

int stream_context_init(struct stream_context *context, const struct stream_environment *environment, struct error *err)
{
	context->environment = *environment;
	context->channel = strdup(environment->channel ? environment->channel : "tester");
	if (!context->channel)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	context->environment.channel = context->channel;
	return 0;
}

void stream_context_clear(struct stream_context *context)
{
	free(context->channel);
	context->channel = NULL;
}

struct stream *stream_new(const struct stream_environment *environment, int fd, bool server, struct error *err)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int one = 1;

	if (!stream) {
		(void)error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		return NULL;
	}
	*stream = (struct stream){.references = 1, .fd = fd, .server = server, .alert = -1};
	if (stream_context_init(&stream->context, environment, err) < 0) {
		free(stream);
		return NULL;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stamp_enable(fd);
	return stream;
}

void stream_ref(struct stream *stream)
{
	stream->references++;
}

void stream_unref(struct stream *stream)
{
	if (--stream->references > 0)
		return;
	SSL_free(stream->ssl);
	bytes_free(&stream->out);
	stream_context_clear(&stream->context);
	free(stream);
}

void stream_emit(struct stream *stream, struct instant at, const char *kind, json_t *data)
{
	if (!stream->context.environment.timeline) {
		json_decref(data);
		return;
	}
	if (!data)
		data = json_object();
	(void)json_object_set_new(data, "peer", json_string(stream->peer));
	timeline_emit(stream->context.environment.timeline, at, stream->context.channel, kind, data);
}

/* ---- ending ------------------------------------------------------------------------------------------------ */

/* Closes the descriptor; all events stop. */
static void drop_socket(struct stream *stream, bool reset)
{
	struct linger linger = {.l_onoff = 1};
	uint8_t rest[4096];

	stream->io = sd_event_source_disable_unref(stream->io);
	stream->timer = sd_event_source_disable_unref(stream->timer);
	if (stream->fd < 0)
		return;
	if (reset)
		(void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	/* Unread bytes would turn the close into RST, and the peer would lose what we said last. */
	for (unsigned i = 0; !reset && i < 256 && recv(stream->fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++)
		;
	(void)close(stream->fd);
	stream->fd = -1;
}

void stream_close(struct stream *stream, enum stream_end end, const char *how)
{
	struct instant now = instant_now();
	bool reset = end == STREAM_END_RESET, local = end == STREAM_END_LOCAL || (end == STREAM_END_TLS && !stream->alert_received);

	if (stream->state == STREAM_CLOSED)
		return;
	stream->state = STREAM_CLOSED;
	stream->end = end;
	drop_socket(stream, false);
	capture_flow_end(stream->flow, local ? !stream->server : stream->server, reset, now);
	stream->flow = NULL;
	bytes_free(&stream->out);
	stream_emit(stream, now, "tcp.closed", json_pack("{s:s}", "how", how ? how : stream_end_name(end)));
	if (stream->handlers.closed && !stream->freed)
		stream->handlers.closed(stream, end, stream->handlers.context);
}

/* The system said `code` of a connection. */
static void close_by_error(struct stream *stream, int code)
{
	/* A port that is closed says ECONNREFUSED; this one was open, and was reset before we had looked. */
	if (stream->state == STREAM_CONNECTING && code != ECONNRESET) {
		stream_close(stream, STREAM_END_REFUSED, code == ETIMEDOUT ? "timeout" : NULL);
		return;
	}
	if (stream->lingering) {
		stream_close(stream, STREAM_END_TLS, NULL);
		return;
	}
	if (stream->state != STREAM_OPEN)
		stream_tls_broken(stream, "the connection was reset during the handshake");
	stream_close(stream, STREAM_END_RESET, code == ETIMEDOUT ? "timeout" : NULL);
}

static void on_fin(struct stream *stream)
{
	/* An error that send() has already taken from the socket: the peer did not close in order. */
	if (stream->send_error == ECONNRESET) {
		close_by_error(stream, ECONNRESET);
	} else if (stream->lingering) {
		stream_close(stream, STREAM_END_TLS, NULL);
	} else if (stream->state == STREAM_HANDSHAKING) {
		stream_tls_broken(stream, "the peer closed the connection during the handshake");
		stream_close(stream, STREAM_END_FIN, NULL);
	} else if (stream->ssl && !stream->close_notify_received && !stream->close_notify_sent) {
		stream_close(stream, STREAM_END_TRUNCATED, NULL);
	} else {
		stream_close(stream, STREAM_END_FIN, NULL);
	}
}

void stream_abort(struct stream *stream)
{
	if (!stream || stream->state == STREAM_CLOSED)
		return;
	stream_ref(stream);
	capture_flow_end(stream->flow, !stream->server, true, instant_now());
	stream->flow = NULL;
	drop_socket(stream, true);
	stream_close(stream, STREAM_END_LOCAL, "reset");
	stream_unref(stream);
}

void stream_shutdown(struct stream *stream)
{
	if (stream->state == STREAM_CONNECTING) {
		stream_abort(stream);
		return;
	}
	if (stream->state == STREAM_CLOSED || stream->finishing)
		return;
	stream_tls_close_notify(stream);
	stream->finishing = true;
	stream_flush(stream);
	stream_update_io(stream);
}

void stream_free(struct stream *stream)
{
	if (!stream || stream->freed)
		return;
	stream->freed = true;
	if (stream->state != STREAM_CLOSED) {
		stream_tls_close_notify(stream);
		stream_flush(stream);
		stream_close(stream, STREAM_END_LOCAL, NULL);
	}
	stream->handlers = (struct stream_handlers){0};
	stream_unref(stream);
}

/* ---- sending ----------------------------------------------------------------------------------------------- */

int stream_queue(struct stream *stream, const void *data, size_t length)
{
	if (stream->out_sent > 0 && stream->out_sent >= stream->out.length / 2) {
		bytes_drop_front(&stream->out, stream->out_sent);
		stream->out_sent = 0;
	}
	return bytes_append(&stream->out, data, length);
}

void stream_flush(struct stream *stream)
{
	if (stream->fd < 0 || stream->state == STREAM_CONNECTING)
		return;
	while (stream->out_sent < stream->out.length) {
		struct instant at = instant_now();
		const uint8_t *data = stream->out.data + stream->out_sent;
		ssize_t n = send(stream->fd, data, stream->out.length - stream->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/* The end is told by the next read, after what the peer sent before it. */
			stream->send_error = errno;
			break;
		}
		capture_flow_data(stream->flow, !stream->server, data, (size_t)n, at);
		stream->out_sent += (size_t)n;
	}
	bytes_clear(&stream->out);
	stream->out_sent = 0;
	if (stream->finishing && !stream->finished) {
		stream->finished = true;
		(void)shutdown(stream->fd, SHUT_WR);
	}
}

static int check_open(const struct stream *stream, bool handshake_too, struct error *err)
{
	if (stream->finishing || stream->tls_failed ||
	    !(stream->state == STREAM_OPEN || (handshake_too && stream->state == STREAM_HANDSHAKING)))
		return error_set(err, ERROR_BENCH, ENOTCONN, "the connection to %s is not open", stream->peer);
	return 0;
}

int stream_send(struct stream *stream, const void *data, size_t length, struct error *err)
{
	int r = check_open(stream, false, err);

	if (r < 0)
		return r;
	if (stream->ssl)
		r = stream_tls_send(stream, data, length, err);
	else if (stream_queue(stream, data, length) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	stream_flush(stream);
	stream_update_io(stream);
	return r;
}

int stream_send_raw(struct stream *stream, const void *data, size_t length, struct error *err)
{
	int r = check_open(stream, true, err);

	if (r < 0)
		return r;
	if (stream_queue(stream, data, length) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	stream_flush(stream);
	stream_update_io(stream);
	return 0;
}

/* ---- the descriptor ---------------------------------------------------------------------------------------- */

static void read_some(struct stream *stream)
{
	static uint8_t buffer[RECEIVE_SIZE]; /* handlers copy what they keep, and never pump the loop */
	struct instant at;
	ssize_t n = stamp_receive(stream->fd, buffer, sizeof(buffer), &at);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_by_error(stream, errno);
		return;
	}
	if (n == 0) {
		on_fin(stream);
		return;
	}
	capture_flow_data(stream->flow, stream->server, buffer, (size_t)n, at);
	if (stream->lingering)
		return;
	stream->received_at = at;
	if (stream->ssl)
		stream_tls_feed(stream, buffer, (size_t)n);
	else if (stream->handlers.received)
		stream->handlers.received(stream, buffer, (size_t)n, at, stream->handlers.context);
}

static void finish_connect(struct stream *stream)
{
	int code = stream->connect_error;
	socklen_t size = sizeof(code);

	if (code == 0 && getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	if (code == 0)
		stream_connected(stream);
	else
		close_by_error(stream, code);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct stream *stream = context;

	stream_ref(stream);
	if (stream->state == STREAM_CONNECTING) {
		finish_connect(stream);
	} else {
		if (events & EPOLLOUT)
			stream_flush(stream);
		/* Records that were left while reading was paused. */
		if (stream->ssl && !stream->paused)
			stream_tls_pump(stream);
		if (stream->state != STREAM_CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			read_some(stream);
	}
	stream_update_io(stream);
	stream_unref(stream);
	return 0;
}

int stream_watch_io(struct stream *stream, struct error *err)
{
	int r = sd_event_add_io(loop_event(stream->context.environment.loop), &stream->io, stream->fd, EPOLLIN, on_io, stream);

	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot watch a connection: %s", strerror(-r));
	stream_update_io(stream);
	return 0;
}

void stream_update_io(struct stream *stream)
{
	bool waiting = stream->state == STREAM_CONNECTING || stream->out_sent < stream->out.length;
	/* While paused, errors are not looked for either: they would be reported without end. */
	uint32_t events = (stream->paused ? 0U : EPOLLIN) | (waiting ? EPOLLOUT : 0U);

	if (!stream->io)
		return;
	(void)sd_event_source_set_io_events(stream->io, events);
	(void)sd_event_source_set_enabled(stream->io, events ? SD_EVENT_ON : SD_EVENT_OFF);
}

void stream_pause_reading(struct stream *stream, bool paused)
{
	stream->paused = paused;
	stream_update_io(stream);
	/* Decrypted bytes may be waiting without anything new on the wire: one more round of the loop takes them. */
	if (!paused && stream->io && stream->ssl)
		(void)sd_event_source_set_io_events(stream->io, EPOLLIN | EPOLLOUT);
}

void stream_connected(struct stream *stream)
{
	struct address local = address_of_socket(stream->fd);
	struct instant now = instant_now();

	stream->received_at = now;
	(void)address_format(&local, stream->local);
	stream->flow = capture_flow_new(stream->context.environment.capture, stream->server ? stream->peer : stream->local,
	                                stream->server ? stream->local : stream->peer, now);
	stream_emit(stream, now, "tcp.opened", NULL);
	stream->state = stream->ssl ? STREAM_HANDSHAKING : STREAM_OPEN;
	if (stream->ssl) {
		stream_emit(stream, instant_now(), "tls.open", NULL);
		stream_tls_pump(stream);
	} else if (!stream->server && stream->handlers.opened) {
		stream->handlers.opened(stream, stream->handlers.context);
	}
}

/* ---- what is known ----------------------------------------------------------------------------------------- */

enum stream_state stream_state(const struct stream *stream)
{
	return stream->state;
}

enum stream_end stream_end(const struct stream *stream)
{
	return stream->end;
}

const char *stream_local(const struct stream *stream)
{
	return stream->local;
}

const char *stream_peer(const struct stream *stream)
{
	return stream->peer;
}

void stream_set_handlers(struct stream *stream, const struct stream_handlers *handlers)
{
	stream->handlers = *handlers;
}

const char *stream_end_name(enum stream_end end)
{
	static const char *const names[] = {
	        [STREAM_END_NONE] = "open",           [STREAM_END_FIN] = "fin", [STREAM_END_RESET] = "reset",
	        [STREAM_END_REFUSED] = "refused",     [STREAM_END_TLS] = "tls", [STREAM_END_LOCAL] = "local",
	        [STREAM_END_TRUNCATED] = "truncated",
	};

	return names[end];
}
