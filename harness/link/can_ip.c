/* SPDX-License-Identifier: Apache-2.0 */
#include "can_ip.h"

#include <errno.h>
#include <string.h>

#include "stamp.h"

#define DATAGRAM_MAX      65536
#define DATAGRAMS_AT_ONCE 32

int can_ip_parse(const char *text, size_t length, struct address *ret, struct error *err)
{
	char part[ADDRESS_TEXT_MAX];
	struct address address;
	if (length >= sizeof(part))
		return error_set(err, ERROR_USAGE, EINVAL, "\"%.*s\" is no IPv4 address with a port", (int)length, text);
	memcpy(part, text, length);
	part[length] = '\0';
	if (address_parse(part, &address, NULL) < 0 || address.any.sa_family != AF_INET || address_port(&address) == 0)
		return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" is no IPv4 address with a port", part);
	*ret = address;
	return 0;
}

int can_ip_pair_parse(const char *text, struct can_ip_pair *ret, struct error *err)
{
	const char *comma = strchr(text, ',');
	struct can_ip_pair pair = {.has_local = comma != NULL, .has_remote = !comma || comma[1] != '\0'};
	int r = 0;
	if (pair.has_local)
		r = can_ip_parse(text, (size_t)(comma - text), &pair.local, err);
	if (r == 0 && pair.has_remote) {
		const char *remote = comma ? comma + 1 : text;
		r = can_ip_parse(remote, strlen(remote), &pair.remote, err);
	}
	if (r == 0)
		*ret = pair;
	return r;
}

/* Length or -errno. */
static ssize_t receive(int fd, void *buffer, size_t size, struct can_drops *drops, struct can_ip_datagram *ret)
{
	_Alignas(struct cmsghdr) char control[STAMP_CONTROL_SIZE];
	struct iovec part = {buffer, size};
	struct msghdr message = {.msg_name = &ret->from.any,
	                         .msg_namelen = sizeof(ret->from.v6),
	                         .msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	ret->from.length = message.msg_namelen;
	ret->at = stamp_of_message(&message);
	ret->lost = can_drops_of_message(drops, &message);
	return n;
}

void can_ip_read(struct can *can, int fd, struct can_drops *drops,
                 void (*take)(struct can *, const struct can_ip_datagram *, const uint8_t *data, size_t length))
{
	static uint8_t buffer[DATAGRAM_MAX];
	for (unsigned i = 0; i < DATAGRAMS_AT_ONCE && !can->freed && !can->closed; i++) {
		struct can_ip_datagram datagram;
		ssize_t n = receive(fd, buffer, sizeof(buffer), drops, &datagram);
		/* An ICMP answer to what was sent: the other end is not there yet. */
		if (n == -EINTR || n == -ECONNREFUSED)
			continue;
		if (n < 0)
			return;
		can_report_lost(can, datagram.lost);
		if (!can->freed && !can->closed)
			take(can, &datagram, buffer, (size_t)n);
	}
}
