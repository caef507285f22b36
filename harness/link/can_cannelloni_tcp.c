/* SPDX-License-Identifier: Apache-2.0 */
/* cannelloni over TCP: both ends greet, then frames follow each other without any framing of their own. */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "can_cannelloni_frame.h"
#include "can_ip.h"
#include "can_private.h"
#include "stamp.h"

#define GREETING       "CANNELLONIv1"
#define GREETING_BYTES (sizeof(GREETING) - 1)
#define CONNECT_MS     2000
#define READ_BYTES     65536
#define OUTPUT_BYTES   65536 /* a peer that takes no more: further frames wait among the pending */

struct tcp {
	int listener, fd; /* -1: none */
	sd_event_source *listener_io, *io;
	bool greeted;
	struct bytes input, output;
};

static int tcp_check(const char *text, struct error *err)
{
	struct can_ip_pair pair;
	return can_ip_pair_parse(text, &pair, err);
}

static void drop_peer(struct can *can, const char *reason)
{
	struct tcp *tcp = can->state;
	tcp->io = sd_event_source_disable_unref(tcp->io);
	if (tcp->fd >= 0)
		close(tcp->fd);
	tcp->fd = -1;
	tcp->greeted = false;
	bytes_clear(&tcp->input);
	bytes_clear(&tcp->output);
	/* Who listens waits for the next peer; who connected has lost its bus. */
	if (tcp->listener < 0)
		can_report_closed(can, reason);
	else
		can_report_all_not_sent(can, reason);
}

/* ---- in ---- */

/* false: the peer was dropped. */
static bool take_greeting(struct can *can, struct tcp *tcp)
{
	size_t length = tcp->input.length < GREETING_BYTES ? tcp->input.length : GREETING_BYTES;
	if (memcmp(tcp->input.data, GREETING, length) != 0) {
		can_report_garbage(can, "the peer greets otherwise than cannelloni");
		drop_peer(can, "the peer is no cannelloni");
		return false;
	}
	if (length == GREETING_BYTES) {
		tcp->greeted = true;
		bytes_drop_front(&tcp->input, GREETING_BYTES);
	}
	return true;
}

static void take_frames(struct can *can, struct tcp *tcp, struct instant at)
{
	size_t offset = 0;
	while (!can->freed && !can->closed && tcp->fd >= 0) {
		struct can_message message;
		bool error;
		int n = cannelloni_frame_decode(tcp->input.data + offset, tcp->input.length - offset, &message, &error);
		if (n == 0)
			break;
		if (n < 0) {
			/* Nothing marks where the next frame would begin. */
			can_report_garbage(can, "the stream holds what is no frame");
			drop_peer(can, "the peer sent what is no cannelloni frame");
			return;
		}
		offset += (size_t)n;
		can_report_decoded(can, &message, error, at);
	}
	if (tcp->fd >= 0)
		bytes_drop_front(&tcp->input, offset);
}

static void read_some(struct can *can, struct tcp *tcp)
{
	static uint8_t buffer[READ_BYTES];
	struct instant at;
	ssize_t n = stamp_receive(tcp->fd, buffer, sizeof(buffer), &at);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_peer(can, n == 0 ? "the peer closed the connection" : strerror(errno));
		return;
	}
	if (bytes_append(&tcp->input, buffer, (size_t)n) < 0) {
		drop_peer(can, "out of memory");
		return;
	}
	if (tcp->greeted || (take_greeting(can, tcp) && tcp->greeted))
		take_frames(can, tcp, at);
}

/* ---- out ---- */

static void fill_output(struct can *can, struct tcp *tcp)
{
	uint8_t frame[CANNELLONI_FRAME_MAX];
	struct can_pending_entry *entry;
	while (tcp->greeted && tcp->output.length < OUTPUT_BYTES && (entry = can_pending_next(&can->pending))) {
		if (bytes_append(&tcp->output, frame, cannelloni_frame_encode(&entry->message, frame)) < 0)
			return;
		can_pending_was_handed(&can->pending);
	}
}

static void flush(struct can *can, struct tcp *tcp)
{
	struct can_pending_entry entry;
	fill_output(can, tcp);
	ssize_t n = tcp->output.length ? send(tcp->fd, tcp->output.data, tcp->output.length, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		drop_peer(can, strerror(errno));
		return;
	}
	if (n > 0)
		bytes_drop_front(&tcp->output, (size_t)n);
	if (tcp->output.length > 0)
		return;
	struct instant at = instant_now();
	while (!can->freed && tcp->fd >= 0 && can_pending_take_oldest(&can->pending, &entry))
		can_report_sent(can, &entry, at);
}

/* Writable matters while there is something to write. */
static void arm(struct can *can, struct tcp *tcp)
{
	bool more = tcp->output.length > 0 || (tcp->greeted && can->pending.count > 0);
	if (tcp->io)
		sd_event_source_set_io_events(tcp->io, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct can *can = context;
	struct tcp *tcp = can->state;
	can_enter(can);
	/* One's own greeting goes first, whatever the peer says. */
	if (events & EPOLLOUT)
		flush(can, tcp);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && tcp->fd >= 0 && !can->freed)
		read_some(can, tcp);
	if (!can->freed)
		arm(can, tcp);
	can_leave(can);
	return 0;
}

static int tcp_send(struct can *can, struct error *err)
{
	arm(can, can->state);
	return 0;
}

/* ---- start and end ---- */

static int adopt(struct can *can, struct tcp *tcp, int fd, struct error *err)
{
	int one = 1;
	tcp->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stamp_enable(fd);
	if (bytes_append(&tcp->output, GREETING, GREETING_BYTES) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = sd_event_add_io(loop_event(can->loop), &tcp->io, fd, EPOLLIN | EPOLLOUT, on_io, can);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

static int on_peer(sd_event_source *source, int listener, uint32_t events, void *context)
{
	struct can *can = context;
	struct tcp *tcp = can->state;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return 0;
	if (tcp->fd >= 0) {
		close(fd); /* one bus, one peer */
		can_report_garbage(can, "a second peer was turned away");
		return 0;
	}
	can_enter(can);
	if (adopt(can, tcp, fd, NULL) < 0)
		drop_peer(can, "out of memory");
	can_leave(can);
	return 0;
}

static int finish_connect(int fd)
{
	struct pollfd poller = {fd, POLLOUT, 0};
	int code = 0, r = poll(&poller, 1, CONNECT_MS);
	socklen_t size = sizeof(code);
	if (r == 0)
		return -ETIMEDOUT;
	if (r < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		return -errno;
	return -code;
}

static int connect_peer(struct can *can, struct tcp *tcp, const struct can_ip_pair *pair, const char *text, struct error *err)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r = 0;
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	if (pair->has_local && bind(fd, &pair->local.any, pair->local.length) < 0)
		r = -errno;
	if (r == 0 && connect(fd, &pair->remote.any, pair->remote.length) < 0)
		r = errno == EINPROGRESS ? finish_connect(fd) : -errno;
	if (r == 0)
		return adopt(can, tcp, fd, err);
	close(fd);
	return error_set(err, ERROR_BENCH, -r, "%s: cannot connect to %s: %s", can->name, text, strerror(-r));
}

static int listen_for_peer(struct can *can, struct tcp *tcp, const struct can_ip_pair *pair, const char *text, struct error *err)
{
	int one = 1;
	tcp->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (tcp->listener < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	(void)setsockopt(tcp->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(tcp->listener, &pair->local.any, pair->local.length) < 0 || listen(tcp->listener, 4) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: cannot listen at %s: %s", can->name, text, strerror(errno));
	int r = sd_event_add_io(loop_event(can->loop), &tcp->listener_io, tcp->listener, EPOLLIN, on_peer, can);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

static int tcp_open(struct can *can, const struct can_options *options, struct error *err)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));
	struct can_ip_pair pair;
	if (!tcp)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	tcp->listener = tcp->fd = -1;
	can->state = tcp;
	int r = can_ip_pair_parse(options->address, &pair, err);
	if (r < 0)
		return r;
	return pair.has_remote ? connect_peer(can, tcp, &pair, options->address, err)
	                       : listen_for_peer(can, tcp, &pair, options->address, err);
}

static void tcp_close(struct can *can)
{
	struct tcp *tcp = can->state;
	if (!tcp)
		return;
	sd_event_source_disable_unref(tcp->listener_io);
	sd_event_source_disable_unref(tcp->io);
	if (tcp->listener >= 0)
		close(tcp->listener);
	if (tcp->fd >= 0)
		close(tcp->fd);
	bytes_free(&tcp->input);
	bytes_free(&tcp->output);
	free(tcp);
}

const struct can_backend can_cannelloni_tcp = {
        .name = "cannelloni-tcp",
        .check = tcp_check,
        .open = tcp_open,
        .close = tcp_close,
        .send = tcp_send,
};
