/* SPDX-License-Identifier: Apache-2.0 */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "address.h"
#include "serial_private.h"

#define QUEUE_MAX      65536U
#define CONNECT_NS     (INT64_C(3) * 1000000000)
#define READ_BYTES     8192
#define UNCERTAINTY_NS 100000 /* from the last bit to read(): the driver's work queue and waking up */

struct serial {
	struct loop *loop;
	struct serial_options options;
	char *address;
	int fd;
	sd_event_source *source;
	struct bytes queue;
	bool lost, connected;
};

/* A terminal server: keep-alive finds one that was unplugged. */
static int tcp_begin(struct serial *serial, struct error *err)
{
	struct address to;
	int on = 1, idle_s = 5, interval_s = 2, count = 3;
	int r = address_parse(serial->address, &to, err);
	if (r < 0)
		return r;
	serial->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (serial->fd < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: %s", serial->address, strerror(errno));
	(void)setsockopt(serial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(serial->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(serial->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(serial->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	(void)setsockopt(serial->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	if (connect(serial->fd, &to.any, to.length) < 0 && errno != EINPROGRESS)
		return error_set(err, ERROR_BENCH, errno, "console %s: %s", serial->address, strerror(errno));
	return 0;
}

static void lose(struct serial *serial, const char *reason)
{
	if (serial->lost)
		return;
	serial->lost = true;
	serial->source = sd_event_source_disable_unref(serial->source);
	if (serial->options.gone)
		serial->options.gone(reason, serial->options.context);
}

/* False when the line is lost. */
static bool read_all(struct serial *serial)
{
	uint8_t data[READ_BYTES];
	for (;;) {
		ssize_t n = read(serial->fd, data, sizeof(data));
		struct instant at = instant_now();
		if (n > 0) {
			at.uncertainty_ns += UNCERTAINTY_NS;
			serial->options.received(data, (size_t)n, at, serial->options.context);
			if (serial->lost)
				return false;
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		/* A tty with VMIN 0 reads nothing as 0 bytes; only a hang-up is an end. EIO is a pty's or an unplugged adapter's. */
		if (n == 0 && serial->options.kind != SERIAL_TCP)
			return true;
		lose(serial, n == 0 ? "the other side closed the connection" : strerror(errno));
		return false;
	}
}

static int want(struct serial *serial)
{
	return sd_event_source_set_io_events(serial->source, EPOLLIN | (serial->queue.length > 0 ? EPOLLOUT : 0U));
}

static void write_some(struct serial *serial)
{
	while (serial->queue.length > 0) {
		ssize_t n = write(serial->fd, serial->queue.data, serial->queue.length);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			lose(serial, strerror(errno));
			return;
		}
		memmove(serial->queue.data, serial->queue.data + n, serial->queue.length - (size_t)n);
		serial->queue.length -= (size_t)n;
	}
	(void)want(serial);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct serial *serial = context;
	(void)source;
	(void)fd;
	if (events & EPOLLIN && !read_all(serial))
		return 0;
	if (events & (EPOLLHUP | EPOLLERR)) {
		lose(serial, serial->options.kind == SERIAL_TCP ? "the connection broke" : "the line hung up (unplugged?)");
		return 0;
	}
	if (events & EPOLLOUT)
		write_some(serial);
	return 0;
}

static bool is_connected(void *context)
{
	struct serial *serial = context;
	return serial->connected;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct serial *serial = context;
	(void)source;
	(void)fd;
	(void)events;
	serial->connected = true;
	return 0;
}

static int tcp_connect(struct serial *serial, struct error *err)
{
	int code = 0;
	socklen_t length = sizeof(code);
	int r = tcp_begin(serial, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(serial->loop), &serial->source, serial->fd, EPOLLOUT, on_connect, serial);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot watch a socket");
	r = loop_until(serial->loop, is_connected, serial, loop_now_ns() + CONNECT_NS);
	serial->source = sd_event_source_disable_unref(serial->source);
	if (r == -ETIMEDOUT)
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "console %s: no answer within 3 s", serial->address);
	if (r < 0)
		return error_set(err, ERROR_OPERATOR, -r, "interrupted");
	if (getsockopt(serial->fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0 || code != 0)
		return error_set(err, ERROR_BENCH, code ? code : EIO, "console %s: %s", serial->address, strerror(code));
	return 0;
}

static int line_open(struct serial *serial, struct error *err)
{
	const struct serial_options *options = &serial->options;
	if (options->kind == SERIAL_TCP)
		return tcp_connect(serial, err);
	serial->fd = serial_tty_open(serial->address, options->baud, err);
	if (serial->fd < 0)
		return serial->fd;
	/* A pseudo-terminal has no such lines. */
	return options->kind == SERIAL_TTY && (options->rts || options->dtr)
	               ? serial_tty_lines(serial->fd, serial->address, options->rts, options->dtr, err)
	               : 0;
}

int serial_open(struct serial **ret, struct loop *loop, const struct serial_options *options, struct error *err)
{
	struct serial *serial = calloc(1, sizeof(*serial));
	if (serial)
		serial->address = strdup(options->address);
	if (!serial || !serial->address) {
		free(serial);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	serial->loop = loop;
	serial->options = *options;
	serial->fd = -1;
	int r = line_open(serial, err);
	if (r == 0 && (r = sd_event_add_io(loop_event(loop), &serial->source, serial->fd, EPOLLIN, on_io, serial)) < 0)
		r = error_set(err, ERROR_BENCH, -r, "%s cannot be watched: %s", serial->address, strerror(-r));
	if (r < 0) {
		serial_close(serial);
		return r;
	}
	*ret = serial;
	return 0;
}

void serial_close(struct serial *serial)
{
	if (!serial)
		return;
	sd_event_source_disable_unref(serial->source);
	if (serial->fd >= 0) {
		/* A pseudo-terminal lives on with its master, and would stay exclusive. */
		if (serial->options.kind != SERIAL_TCP)
			(void)ioctl(serial->fd, TIOCNXCL);
		(void)close(serial->fd);
	}
	bytes_free(&serial->queue);
	free(serial->address);
	free(serial);
}

int serial_write(struct serial *serial, const void *data, size_t length, struct error *err)
{
	if (serial->lost)
		return error_set(err, ERROR_BENCH, EPIPE, "console %s: the line is gone", serial->address);
	if (length > QUEUE_MAX - serial->queue.length)
		return error_set(err, ERROR_BENCH, ENOBUFS, "console %s: %zu bytes wait already, it takes no more", serial->address,
		                 serial->queue.length);
	if (bytes_append(&serial->queue, data, length) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	write_some(serial);
	return serial->lost ? error_set(err, ERROR_BENCH, EPIPE, "console %s: the line is gone", serial->address) : 0;
}

int serial_set_lines(struct serial *serial, bool rts, bool dtr, struct error *err)
{
	if (serial->options.kind != SERIAL_TTY)
		return error_set(err, ERROR_BENCH, EOPNOTSUPP, "console %s: has no RTS and DTR", serial->address);
	return serial_tty_lines(serial->fd, serial->address, rts, dtr, err);
}

void serial_state_read(struct serial *serial, struct serial_state *ret)
{
	if (serial->options.kind == SERIAL_TTY) {
		serial_tty_state(serial->fd, serial->address, ret);
		return;
	}
	*ret = (struct serial_state){0};
	(void)snprintf(ret->text, sizeof(ret->text), "%s %.80s", serial->options.kind == SERIAL_TCP ? "tcp" : "pty", serial->address);
}
