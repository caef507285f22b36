/* SPDX-License-Identifier: Apache-2.0 */
#include "can_ip.h"

#include <errno.h>
#include <string.h>

#include "stamp.h"

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

ssize_t can_ip_receive(int fd, void *buffer, size_t size, struct can_drops *drops, struct can_ip_datagram *ret)
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
