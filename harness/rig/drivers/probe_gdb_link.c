/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_gdb_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../link/address.h"

#define ATTEMPTS   3
#define READ_BYTES 4096

struct gdb_link {
	struct loop *loop;
	char *address;
	int fd;
	sd_event_source *source; /* armed only while somebody waits */
	bool ready, broken, trusted;
	uint8_t input[READ_BYTES]; /* read, not decoded yet */
	size_t input_at, input_length;
	struct gdb_decoder decoder;
};

/* ---- addresses ---- */

static bool is_path(const char *address)
{
	return address[0] == '/' || address[0] == '.' || (strchr(address, '/') && !strchr(address, ':'));
}

static int socket_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_length, struct error *err)
{
	struct sockaddr_un *local = (struct sockaddr_un *)ret;
	struct address address;
	*ret = (struct sockaddr_storage){0};
	if (is_path(text)) {
		if (strlen(text) >= sizeof(local->sun_path))
			return error_set(err, ERROR_USAGE, ENAMETOOLONG, "the path of a UNIX socket has at most %zu characters: %s",
			                 sizeof(local->sun_path) - 1, text);
		local->sun_family = AF_UNIX;
		(void)memcpy(local->sun_path, text, strlen(text) + 1);
		*ret_length = sizeof(*local);
		return 0;
	}
	if (address_parse(text, &address, NULL) < 0 || address_port(&address) == 0)
		return error_set(err, ERROR_USAGE, EINVAL,
		                 "`address` must be HOST:PORT in numbers or the path of a UNIX socket, not \"%s\"", text);
	(void)memcpy(ret, &address.any, address.length);
	*ret_length = address.length;
	return 0;
}

int gdb_address_check(const char *text, struct error *err)
{
	struct sockaddr_storage address;
	socklen_t length;
	return socket_address(text, &address, &length, err);
}

/* ---- waiting ---- */

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct gdb_link *link = context;
	(void)source;
	(void)fd;
	(void)events;
	link->ready = true;
	return 0;
}

static bool is_ready(void *context)
{
	const struct gdb_link *link = context;
	return link->ready;
}

static int failed(struct gdb_link *link, int code, const char *what, struct error *err)
{
	link->broken = true;
	return error_set(err, ERROR_BENCH, code, "GDB server %s: %s", link->address, what);
}

static int wait_for(struct gdb_link *link, uint32_t events, const char *what, int64_t deadline_ns, struct error *err)
{
	char text[160];
	link->ready = false;
	(void)sd_event_source_set_io_events(link->source, events);
	(void)sd_event_source_set_enabled(link->source, SD_EVENT_ONESHOT);
	int r = loop_until(link->loop, is_ready, link, deadline_ns);
	(void)sd_event_source_set_enabled(link->source, SD_EVENT_OFF);
	if (r == 0)
		return 0;
	link->broken = true;
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	(void)snprintf(text, sizeof(text), "no answer in time (%s)", what);
	return failed(link, ETIMEDOUT, text, err);
}

/* ---- open, close ---- */

static int connected(struct gdb_link *link, struct error *err)
{
	int code = 0;
	socklen_t length = sizeof(code);
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0)
		code = errno;
	return code ? failed(link, code, strerror(code), err) : 0;
}

static int begin_connect(struct gdb_link *link, int64_t deadline_ns, struct error *err)
{
	struct sockaddr_storage address;
	socklen_t length;
	int on = 1;
	int r = socket_address(link->address, &address, &length, err);
	if (r < 0)
		return r;
	link->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return failed(link, errno, strerror(errno), err);
	if (address.ss_family != AF_UNIX)
		(void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = sd_event_add_io(loop_event(link->loop), &link->source, link->fd, 0, on_io, link);
	if (r >= 0)
		r = sd_event_source_set_enabled(link->source, SD_EVENT_OFF);
	if (r < 0)
		return failed(link, -r, "cannot be watched", err);
	if (connect(link->fd, (struct sockaddr *)&address, length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return failed(link, errno, strerror(errno), err);
	r = wait_for(link, EPOLLOUT, "connecting", deadline_ns, err);
	return r < 0 ? r : connected(link, err);
}

int gdb_link_open(struct gdb_link **ret, struct loop *loop, const char *address, int64_t deadline_ns, struct error *err)
{
	struct gdb_link *link = calloc(1, sizeof(*link));
	if (!link || !(link->address = strdup(address))) {
		free(link);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	link->loop = loop;
	link->fd = -1;
	int r = begin_connect(link, deadline_ns, err);
	if (r < 0) {
		gdb_link_close(link);
		return r;
	}
	*ret = link;
	return 0;
}

void gdb_link_close(struct gdb_link *link)
{
	if (!link)
		return;
	sd_event_source_disable_unref(link->source);
	if (link->fd >= 0)
		(void)close(link->fd);
	free(link->address);
	free(link);
}

bool gdb_link_alive(const struct gdb_link *link)
{
	char byte;
	if (link->broken)
		return false;
	ssize_t n = recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

const char *gdb_link_address(const struct gdb_link *link)
{
	return link->address;
}

void gdb_link_trust(struct gdb_link *link)
{
	link->trusted = true;
}

/* ---- bytes ---- */

static int send_all(struct gdb_link *link, const uint8_t *data, size_t length, int64_t deadline_ns, struct error *err)
{
	while (length > 0) {
		ssize_t n = send(link->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return failed(link, errno, strerror(errno), err);
		int r = n < 0 && errno == EAGAIN ? wait_for(link, EPOLLOUT, "it takes nothing", deadline_ns, err) : 0;
		if (r < 0)
			return r;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* 1: there is input; 0: none now; -errno. */
static int read_some(struct gdb_link *link, struct error *err)
{
	if (link->input_length > 0)
		return 1;
	ssize_t n = recv(link->fd, link->input, sizeof(link->input), MSG_DONTWAIT);
	if (n > 0) {
		link->input_at = 0;
		link->input_length = (size_t)n;
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == 0 ? failed(link, ECONNRESET, "it closed the connection", err) : failed(link, errno, strerror(errno), err);
}

/* 1: an item; 0: nothing whole yet; -errno. */
static int next_item(struct gdb_link *link, enum gdb_item *ret, struct error *err)
{
	int r;
	while ((r = read_some(link, err)) > 0) {
		const uint8_t *data = link->input + link->input_at;
		size_t left = link->input_length;
		*ret = gdb_decode(&link->decoder, &data, &left);
		link->input_at += link->input_length - left;
		link->input_length = left;
		if (*ret != GDB_MORE)
			return 1;
	}
	return r;
}

static int wait_item(struct gdb_link *link, const char *what, enum gdb_item *ret, int64_t deadline_ns, struct error *err)
{
	int r;
	while ((r = next_item(link, ret, err)) == 0) {
		r = wait_for(link, EPOLLIN, what, deadline_ns, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int unusable(struct gdb_link *link, enum gdb_item item, struct error *err)
{
	switch (item) {
	case GDB_TOO_LONG:
		return failed(link, EMSGSIZE, "its packet is longer than any that may be", err);
	case GDB_NOISE:
		return failed(link, EPROTO, "what it sends is not the GDB remote protocol", err);
	case GDB_BAD_SUM:
		return failed(link, EBADMSG, "the checksum of its packet is wrong", err);
	default:
		return failed(link, EBADMSG, "its packet is malformed", err);
	}
}

/* ---- packets ---- */

int gdb_link_send_byte(struct gdb_link *link, uint8_t byte, int64_t deadline_ns, struct error *err)
{
	return send_all(link, &byte, 1, deadline_ns, err);
}

/* 1: acknowledged; 0: to be sent again. What is left of an older conversation is passed over. */
static int acknowledged(struct gdb_link *link, int64_t deadline_ns, struct error *err)
{
	enum gdb_item item;
	for (;;) {
		int r = wait_item(link, "acknowledgement", &item, deadline_ns, err);
		if (r < 0)
			return r;
		if (item == GDB_ACK || item == GDB_NAK)
			return item == GDB_ACK;
		if (item == GDB_TOO_LONG || item == GDB_NOISE)
			return unusable(link, item, err);
	}
}

static int send_packet(struct gdb_link *link, const struct bytes *packet, int64_t deadline_ns, struct error *err)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		int r = send_all(link, packet->data, packet->length, deadline_ns, err);
		if (r == 0 && !link->trusted)
			r = acknowledged(link, deadline_ns, err);
		else if (r == 0)
			return 0;
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return failed(link, EREMOTEIO, "it refuses a packet again and again", err);
}

int gdb_link_send(struct gdb_link *link, const void *data, size_t length, int64_t deadline_ns, struct error *err)
{
	struct bytes packet = {0};
	int r = gdb_encode(&packet, data, length) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory")
	                                              : send_packet(link, &packet, deadline_ns, err);
	bytes_free(&packet);
	return r;
}

int gdb_link_receive(struct gdb_link *link, const char *what, const char **ret, size_t *ret_length, int64_t deadline_ns, struct error *err)
{
	enum gdb_item item;
	for (unsigned bad = 0;;) {
		int r = wait_item(link, what, &item, deadline_ns, err);
		if (r < 0)
			return r;
		if (item == GDB_PACKET) {
			*ret = link->decoder.data;
			*ret_length = link->decoder.length;
			return link->trusted ? 0 : gdb_link_send_byte(link, '+', deadline_ns, err);
		}
		if (item == GDB_ACK || item == GDB_NAK || item == GDB_NOTIFICATION)
			continue;
		/* Without acknowledgements nobody sends it again. */
		if (item != GDB_BAD_SUM || link->trusted || ++bad == ATTEMPTS)
			return unusable(link, item, err);
		r = gdb_link_send_byte(link, '-', deadline_ns, err);
		if (r < 0)
			return r;
	}
}

bool gdb_link_poll(struct gdb_link *link, const char **ret, size_t *ret_length)
{
	enum gdb_item item;
	while (!link->broken && next_item(link, &item, NULL) > 0) {
		if (item == GDB_ACK || item == GDB_NAK || item == GDB_NOTIFICATION)
			continue;
		if (item != GDB_PACKET) {
			(void)unusable(link, item, NULL);
			return false;
		}
		*ret = link->decoder.data;
		*ret_length = link->decoder.length;
		return link->trusted || gdb_link_send_byte(link, '+', loop_now_ns(), NULL) == 0;
	}
	return false;
}
