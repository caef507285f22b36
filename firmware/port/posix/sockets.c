/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sockets, and those that are closed but not yet gone. */
#include "port_posix.h"

#include <unistd.h>

#define LINGER_NS UINT64_C(1000000000)

static struct {
	bool used;
	struct port_posix_socket socket;
} sockets[PORT_MAX_SOCKETS];
static struct {
	bool used;
	int fd;
	uint64_t deadline_ns;
} lingering[PORT_POSIX_LINGER_COUNT];

struct port_posix_socket *port_posix_socket_get(port_socket socket)
{
	if (socket < 0 || socket >= PORT_MAX_SOCKETS || !sockets[socket].used)
		return NULL;
	return &sockets[socket].socket;
}

enum port_status port_posix_socket_add(int fd, bool connecting, port_socket *ret_socket)
{
	for (int i = 0; i < PORT_MAX_SOCKETS; i++) {
		if (!sockets[i].used) {
			sockets[i].used = true;
			sockets[i].socket = (struct port_posix_socket){.fd = fd, .connecting = connecting};
			*ret_socket = (port_socket)i;
			return PORT_OK;
		}
	}
	close(fd);
	return PORT_FULL;
}

int port_posix_socket_take(port_socket socket)
{
	struct port_posix_socket *entry = port_posix_socket_get(socket);
	if (!entry)
		return -1;
	sockets[socket].used = false;
	return entry->fd;
}

size_t port_posix_socket_count(void)
{
	size_t count = 0;
	for (size_t i = 0; i < PORT_MAX_SOCKETS; i++)
		count += sockets[i].used;
	return count;
}

static void linger_end(size_t slot)
{
	if (lingering[slot].used)
		close(lingering[slot].fd);
	lingering[slot].used = false;
}

void port_posix_linger(int fd)
{
	/* A free place, or the oldest one, which has to go then. */
	size_t slot = 0;
	for (size_t i = 1; i < PORT_POSIX_LINGER_COUNT && lingering[slot].used; i++) {
		if (!lingering[i].used || lingering[i].deadline_ns < lingering[slot].deadline_ns)
			slot = i;
	}
	linger_end(slot);
	lingering[slot].used = true;
	lingering[slot].fd = fd;
	lingering[slot].deadline_ns = port_posix_now_ns() + LINGER_NS;
}

int port_posix_linger_fd(int slot)
{
	return lingering[slot].used ? lingering[slot].fd : -1;
}

/* Throws away what a peer still sends; true when it has ended too. */
static bool drained(int fd)
{
	char rubbish[2048];
	for (int i = 0; i < 16; i++) {
		ssize_t n = read(fd, rubbish, sizeof rubbish);
		if (n <= 0)
			return n == 0;
	}
	return false;
}

uint64_t port_posix_linger_poll(void)
{
	uint64_t left_ns = UINT64_MAX;
	uint64_t now_ns = 0;
	for (size_t i = 0; i < PORT_POSIX_LINGER_COUNT; i++) {
		if (!lingering[i].used)
			continue;
		if (now_ns == 0)
			now_ns = port_posix_now_ns();
		if (drained(lingering[i].fd) || now_ns >= lingering[i].deadline_ns)
			linger_end(i);
		else if (lingering[i].deadline_ns - now_ns < left_ns)
			left_ns = lingering[i].deadline_ns - now_ns;
	}
	return left_ns;
}
