/* SPDX-License-Identifier: Apache-2.0 */
#include "datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stamp.h"
#include "stream_private.h"

#define DATAGRAM_MAX      65536
#define DATAGRAMS_AT_ONCE 16

struct datagram_socket {
	struct stream_context context;
	int fd;
	sd_event_source *io;
	struct address local;
	bool busy, freed; /* freed from inside a handler: on_io() does the rest */
	datagram_received received;
	void *received_context;
};

/* Where a datagram was sent to: for a broadcast that is not the address the socket is bound to. */
static struct address destination(struct msghdr *message, const struct address *local)
{
	struct address to = *local;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(control), sizeof(info));
			to.v4.sin_addr = info.ipi_addr;
		}
		if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(control), sizeof(info));
			to.v6.sin6_addr = info.ipi6_addr;
		}
	}
	return to;
}

/* One datagram; false when there is none. */
static bool read_one(struct datagram_socket *datagram)
{
	static uint8_t buffer[DATAGRAM_MAX];
	_Alignas(struct cmsghdr) char control[STAMP_CONTROL_SIZE];
	char from_text[ADDRESS_TEXT_MAX], to_text[ADDRESS_TEXT_MAX];
	struct address from = {0}, to;
	struct iovec part = {buffer, sizeof(buffer)};
	struct msghdr message = {.msg_name = &from.any,
	                         .msg_namelen = sizeof(from.v6),
	                         .msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(datagram->fd, &message, MSG_DONTWAIT);
	struct instant at;

	if (n < 0)
		return false;
	from.length = message.msg_namelen;
	at = stamp_of_message(&message);
	to = destination(&message, &datagram->local);
	(void)address_format(&from, from_text);
	capture_datagram(datagram->context.environment.capture, from_text, address_format(&to, to_text), buffer, (size_t)n, at);
	if (datagram->received)
		datagram->received(datagram, buffer, (size_t)n, from_text, at, datagram->received_context);
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct datagram_socket *datagram = context;

	datagram->busy = true;
	for (unsigned i = 0; i < DATAGRAMS_AT_ONCE && read_one(datagram) && !datagram->freed; i++)
		;
	datagram->busy = false;
	if (datagram->freed)
		datagram_free(datagram);
	return 0;
}

static int open_socket(struct datagram_socket *datagram, const char *local, bool broadcast, struct error *err)
{
	int one = 1, fd, r = address_parse(local, &datagram->local, err);

	if (r < 0)
		return r;
	fd = socket(datagram->local.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	datagram->fd = fd;
	stamp_enable(fd);
	if (datagram->local.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	else
		(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (broadcast && (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)) < 0 ||
	                  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0))
		return error_set(err, ERROR_BENCH, errno, "cannot allow broadcasts: %s", strerror(errno));
	if (bind(fd, &datagram->local.any, datagram->local.length) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot use the local address %s: %s", local, strerror(errno));
	datagram->local = address_of_socket(fd);
	r = sd_event_add_io(loop_event(datagram->context.environment.loop), &datagram->io, fd, EPOLLIN, on_io, datagram);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r));
	return 0;
}

int datagram_open(struct datagram_socket **ret, const struct stream_environment *environment, const char *local, bool broadcast,
                  datagram_received received, void *context, struct error *err)
{
	struct datagram_socket *datagram = calloc(1, sizeof(*datagram));
	int r;

	if (!datagram)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*datagram = (struct datagram_socket){.fd = -1, .received = received, .received_context = context};
	r = stream_context_init(&datagram->context, environment, err);
	if (r == 0)
		r = open_socket(datagram, local, broadcast, err);
	if (r < 0) {
		datagram_free(datagram);
		return r;
	}
	*ret = datagram;
	return 0;
}

/* The source address of what goes to `to` from a socket that is bound to none: the kernel's choice. */
static struct address source_address(const struct datagram_socket *datagram, const struct address *to)
{
	struct address from = datagram->local, chosen;
	int one = 1, fd;

	if (!address_is_any(&from))
		return from;
	fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return from;
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (connect(fd, &to->any, to->length) == 0) {
		chosen = address_of_socket(fd);
		if (chosen.any.sa_family == AF_INET6)
			from.v6.sin6_addr = chosen.v6.sin6_addr;
		else if (chosen.any.sa_family == AF_INET)
			from.v4.sin_addr = chosen.v4.sin_addr;
	}
	(void)close(fd);
	return from;
}

int datagram_send(struct datagram_socket *datagram, const char *text, const void *data, size_t length, struct error *err)
{
	char from_text[ADDRESS_TEXT_MAX];
	struct address to, from;
	struct instant at;
	int r = address_parse(text, &to, err);

	if (r < 0)
		return r;
	at = instant_now();
	if (sendto(datagram->fd, data, length, MSG_NOSIGNAL, &to.any, to.length) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot send %zu bytes to %s: %s", length, text, strerror(errno));
	if (datagram->context.environment.capture) {
		from = source_address(datagram, &to);
		capture_datagram(datagram->context.environment.capture, address_format(&from, from_text), text, data, length, at);
	}
	return 0;
}

const char *datagram_local(const struct datagram_socket *datagram, char text[static 64])
{
	return address_format(&datagram->local, text);
}

void datagram_free(struct datagram_socket *datagram)
{
	if (!datagram)
		return;
	if (datagram->busy) {
		datagram->freed = true;
		return;
	}
	sd_event_source_disable_unref(datagram->io);
	if (datagram->fd >= 0)
		(void)close(datagram->fd);
	stream_context_clear(&datagram->context);
	free(datagram);
}
