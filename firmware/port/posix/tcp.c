/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const int on = 1;

static int tcp_open(uint8_t family)
{
	int fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (family == 6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	}
	return fd;
}

enum port_status port_tcp_listen(const struct port_endpoint *local, uint8_t backlog, port_socket *ret_socket)
{
	struct sockaddr_storage address;
	socklen_t length = port_posix_sockaddr(local, &address);
	if (length == 0)
		return PORT_INVALID;
	int fd = tcp_open(local->family);
	if (fd < 0)
		return PORT_FAILED;
	if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, backlog) < 0) {
		close(fd);
		return PORT_FAILED;
	}
	return port_posix_socket_add(fd, false, ret_socket);
}

enum port_status port_tcp_accept(port_socket listener, port_socket *ret_socket, struct port_endpoint *ret_peer)
{
	struct port_posix_socket *s = port_posix_socket_get(listener);
	if (!s)
		return PORT_INVALID;
	s->unserved = false;
	if (port_posix_socket_count() == PORT_MAX_SOCKETS)
		return PORT_FULL; /* left in the backlog */
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int fd = accept4(s->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return errno == EBADF || errno == EINVAL || errno == ENOTSOCK ? PORT_FAILED : PORT_WOULD_BLOCK;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (ret_peer)
		port_posix_endpoint(&address, ret_peer);
	return port_posix_socket_add(fd, false, ret_socket);
}

/* On the loopback network a board has an address of its own only if it says so: elsewhere its interface decides. */
static bool own_loopback_address(const struct port_endpoint *remote, struct port_endpoint *ret)
{
	char text[48], endpoint[56];
	if (remote->family != 4 || remote->address[0] != 127 || port_param_text("net.address", text, sizeof text) != PORT_OK)
		return false;
	snprintf(endpoint, sizeof endpoint, "%s:0", text);
	return port_endpoint_parse(endpoint, ret) == PORT_OK && ret->family == 4 && ret->address[0] == 127;
}

enum port_status port_tcp_connect(const struct port_endpoint *local, const struct port_endpoint *remote, port_socket *ret_socket)
{
	struct sockaddr_storage from, to;
	struct port_endpoint own;
	if (!local && own_loopback_address(remote, &own))
		local = &own;
	socklen_t to_length = port_posix_sockaddr(remote, &to);
	if (to_length == 0 || (local && local->family != remote->family))
		return PORT_INVALID;
	if (port_posix_socket_count() == PORT_MAX_SOCKETS)
		return PORT_FULL;
	int fd = tcp_open(remote->family);
	if (fd < 0)
		return PORT_FAILED;
	if (local) {
		socklen_t from_length = port_posix_sockaddr(local, &from);
		if (bind(fd, (struct sockaddr *)&from, from_length) < 0) {
			close(fd);
			return PORT_FAILED;
		}
	}
	int r = connect(fd, (struct sockaddr *)&to, to_length);
	if (r < 0 && errno != EINPROGRESS) {
		close(fd);
		return PORT_FAILED;
	}
	return port_posix_socket_add(fd, r < 0, ret_socket);
}

enum port_status port_tcp_connected(port_socket socket)
{
	struct port_posix_socket *s = port_posix_socket_get(socket);
	if (!s)
		return PORT_INVALID;
	if (!s->connecting)
		return PORT_OK;
	s->unserved = false;
	int error = 0;
	socklen_t length = sizeof error;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error)
		return PORT_FAILED;
	struct sockaddr_storage peer;
	length = sizeof peer;
	if (getpeername(s->fd, (struct sockaddr *)&peer, &length) < 0)
		return errno == ENOTCONN ? PORT_WOULD_BLOCK : PORT_FAILED;
	s->connecting = false;
	return PORT_OK;
}

enum port_status port_tcp_send(port_socket socket, const uint8_t *data, size_t length, size_t *ret_sent)
{
	struct port_posix_socket *s = port_posix_socket_get(socket);
	if (!s || length == 0)
		return PORT_INVALID;
	ssize_t n = send(s->fd, data, length, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return PORT_FAILED;
	s->want_write = n < (ssize_t)length;
	if (n <= 0)
		return PORT_WOULD_BLOCK;
	*ret_sent = (size_t)n;
	return PORT_OK;
}

enum port_status port_tcp_receive(port_socket socket, uint8_t *buffer, size_t size, size_t *ret_received)
{
	struct port_posix_socket *s = port_posix_socket_get(socket);
	if (!s || size == 0)
		return PORT_INVALID;
	s->unserved = false;
	ssize_t n = recv(s->fd, buffer, size, 0);
	if (n == 0)
		return PORT_CLOSED;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? PORT_WOULD_BLOCK : PORT_FAILED;
	*ret_received = (size_t)n;
	return PORT_OK;
}

void port_tcp_close(port_socket socket)
{
	const struct port_posix_socket *s = port_posix_socket_get(socket);
	int listens = 0;
	socklen_t length = sizeof listens;
	bool connecting = s && s->connecting;
	int fd = port_posix_socket_take(socket);
	if (fd < 0)
		return;
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
	/* Closing with unread bytes would send RST and take queued answers from the peer: FIN first, then drain. */
	if (!listens && !connecting && shutdown(fd, SHUT_WR) == 0)
		port_posix_linger(fd);
	else
		close(fd);
}

void port_tcp_abort(port_socket socket)
{
	int fd = port_posix_socket_take(socket);
	if (fd < 0)
		return;
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
}
