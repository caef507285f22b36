/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const int on = 1;

enum port_status port_udp_open(const struct port_endpoint *local, bool broadcast, port_socket *ret_socket)
{
	struct sockaddr_storage address;
	socklen_t length = port_posix_sockaddr(local, &address);
	if (length == 0)
		return PORT_INVALID;
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return PORT_FAILED;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (broadcast) {
		/* With both options, whichever of the two the other owners of the address chose, it can be shared. */
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
	}
	if (local->family == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, length) < 0) {
		close(fd);
		return PORT_FAILED;
	}
	return port_posix_socket_add(fd, false, ret_socket);
}

static int join_ipv4(int fd, const struct port_endpoint *group)
{
	struct sockaddr_in local;
	socklen_t length = sizeof local;
	struct ip_mreqn request = {0};
	if (getsockname(fd, (struct sockaddr *)&local, &length) < 0)
		return -1;
	memcpy(&request.imr_multiaddr, group->address, 4);
	request.imr_address = local.sin_addr;
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
}

static int join_ipv6(int fd, const struct port_endpoint *group)
{
	struct sockaddr_in6 local;
	socklen_t length = sizeof local;
	struct ipv6_mreq request = {.ipv6mr_interface = group->scope_id};
	if (getsockname(fd, (struct sockaddr *)&local, &length) < 0)
		return -1;
	if (request.ipv6mr_interface == 0)
		request.ipv6mr_interface = local.sin6_scope_id;
	memcpy(&request.ipv6mr_multiaddr, group->address, 16);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
}

enum port_status port_udp_join(port_socket socket, const struct port_endpoint *group)
{
	struct port_posix_socket *s = port_posix_socket_get(socket);
	if (!s || (group->family != 4 && group->family != 6))
		return PORT_INVALID;
	int r = group->family == 6 ? join_ipv6(s->fd, group) : join_ipv4(s->fd, group);
	return r < 0 ? PORT_FAILED : PORT_OK;
}

enum port_status port_udp_send(port_socket socket, const struct port_endpoint *remote, const uint8_t *data, size_t length)
{
	struct port_posix_socket *s = port_posix_socket_get(socket);
	struct sockaddr_storage address;
	socklen_t address_length = port_posix_sockaddr(remote, &address);
	if (!s || address_length == 0)
		return PORT_INVALID;
	/* An ICMP error of an earlier datagram is reported at the next call and is not this one's: try once more. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (sendto(s->fd, data, length, MSG_NOSIGNAL, (struct sockaddr *)&address, address_length) >= 0)
			return PORT_OK;
		if (errno == EAGAIN) {
			s->want_write = true;
			return PORT_WOULD_BLOCK;
		}
		if (errno != ECONNREFUSED && errno != EINTR)
			break;
	}
	return PORT_FAILED;
}

enum port_status port_udp_receive(port_socket socket, uint8_t *buffer, size_t size, size_t *ret_received, struct port_endpoint *ret_remote)
{
	struct port_posix_socket *s = port_posix_socket_get(socket);
	if (!s)
		return PORT_INVALID;
	s->unserved = false;
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	ssize_t n;
	do {
		n = recvfrom(s->fd, buffer, size, 0, (struct sockaddr *)&address, &length);
	} while (n < 0 && (errno == ECONNREFUSED || errno == EINTR));
	if (n < 0)
		return errno == EAGAIN ? PORT_WOULD_BLOCK : PORT_FAILED;
	*ret_received = (size_t)n;
	if (ret_remote)
		port_posix_endpoint(&address, ret_remote);
	return PORT_OK;
}

void port_udp_close(port_socket socket)
{
	int fd = port_posix_socket_take(socket);
	if (fd >= 0)
		close(fd);
}
