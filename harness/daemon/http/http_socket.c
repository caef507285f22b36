/* SPDX-License-Identifier: Apache-2.0 */
#include "http_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

bool http_is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (address->sa_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int unix_address(struct sockaddr_un *ret, const char *path, const char *suffix, struct error *err)
{
	int length;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	length = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s%s", path, suffix);
	if (length < 0 || (size_t)length >= sizeof(ret->sun_path))
		return error_set(err, ERROR_USAGE, ENAMETOOLONG, "%s: the path of a socket has at most %zu bytes", path,
		                 sizeof(ret->sun_path) - strlen(suffix) - 1);
	return 0;
}

/* 0: nothing there, or a socket that nobody serves. */
static int check_stale(const char *path, struct error *err)
{
	struct sockaddr_un address;
	struct stat status;
	int fd, r;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_BENCH, errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return error_set(err, ERROR_BENCH, EEXIST, "%s: exists and is not a socket", path);
	r = unix_address(&address, path, "", err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "socket: %s", strerror(errno));
	r = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	if (r == -ECONNREFUSED || r == -ENOENT)
		return 0;
	/* EAGAIN: its queue is full, so there is somebody. */
	if (r == 0 || r == -EAGAIN || r == -EPROTOTYPE)
		return error_set(err, ERROR_BENCH, EADDRINUSE, "%s: another program serves this socket", path);
	return error_set(err, ERROR_BENCH, -r, "%s: %s", path, strerror(-r));
}

static int bind_and_rename(struct http_socket *made, const struct sockaddr_un *address, const char *path, struct error *err)
{
	struct stat status;

	(void)unlink(address->sun_path);
	/* The mode that fchmod() gives before bind() is the mode of the name: there is no moment at which it is wider. */
	if (fchmod(made->fd, 0660) < 0 || bind(made->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: %s", address->sun_path, strerror(errno));
	if (chmod(address->sun_path, 0660) < 0 || listen(made->fd, BACKLOG) < 0 || stat(address->sun_path, &status) < 0 ||
	    rename(address->sun_path, path) < 0) {
		int r = -errno;

		(void)unlink(address->sun_path);
		return error_set(err, ERROR_BENCH, -r, "%s: %s", path, strerror(-r));
	}
	made->device = status.st_dev;
	made->inode = status.st_ino;
	return 0;
}

int http_socket_check_path(const char *path, struct error *err)
{
	struct sockaddr_un address;

	return unix_address(&address, path, "~", err);
}

int http_socket_unix(struct http_socket *ret, const char *path, struct error *err)
{
	struct http_socket made = {.fd = -1};
	struct sockaddr_un address;
	int r = unix_address(&address, path, "~", err);

	if (r == 0)
		r = check_stale(path, err);
	if (r < 0)
		return r;
	made.path = strdup(path);
	made.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (made.fd < 0 || !made.path)
		r = error_set(err, ERROR_BENCH, errno, "socket: %s", strerror(errno));
	else
		r = bind_and_rename(&made, &address, path, err);
	if (r < 0) {
		free(made.path);
		if (made.fd >= 0)
			close(made.fd);
		return r;
	}
	*ret = made;
	return 0;
}

static int no_address(const char *text, struct error *err)
{
	return error_set(err, ERROR_USAGE, EINVAL, "'%s' is no address to listen on (as in 127.0.0.1:8480 or [::1]:8480)", text);
}

/* getaddrinfo() takes 99999 and means 34463. */
static int check_port(const char *port, const char *text, struct error *err)
{
	size_t digits = strspn(port, "0123456789");

	if (port[digits] != '\0')
		return no_address(text, err);
	if (digits > 5 || strtoul(port, NULL, 10) > UINT16_MAX)
		return error_set(err, ERROR_USAGE, EINVAL, "'%s': a port is from 0 (any free one) to 65535", text);
	return 0;
}

/* "127.0.0.1:8480" -> "127.0.0.1", "8480". */
static int split_address(const char *text, char host[64], const char **ret_port, struct error *err)
{
	const char *colon = strrchr(text, ':'), *begin = text;
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
		begin++;
		length -= 2;
	}
	if (length == 0 || length >= 64 || colon[1] == '\0' || (begin == text && memchr(begin, ':', length)))
		return no_address(text, err);
	memcpy(host, begin, length);
	host[length] = '\0';
	*ret_port = colon + 1;
	return check_port(*ret_port, text, err);
}

static int needs_tls(const struct sockaddr *address, bool tls, const char *text, struct error *err)
{
	if (tls || http_is_loopback(address))
		return 0;
	return error_set(err, ERROR_USAGE, EPERM, "%s: beyond loopback a certificate and a key are needed", text);
}

/* Found is freed by the caller. */
static int find_address(struct addrinfo **ret, const char *text, bool tls, struct error *err)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found = NULL;
	char host[64];
	const char *port = "";
	int r = split_address(text, host, &port, err);

	if (r < 0)
		return r;
	if (getaddrinfo(host, port, &hints, &found) != 0)
		return no_address(text, err);
	r = needs_tls(found->ai_addr, tls, text, err);
	if (r < 0)
		freeaddrinfo(found);
	else
		*ret = found;
	return r;
}

int http_socket_check_address(const char *text, bool tls, struct error *err)
{
	struct addrinfo *found;
	int r = find_address(&found, text, tls, err);

	if (r == 0)
		freeaddrinfo(found);
	return r;
}

int http_socket_tcp(struct http_socket *ret, const char *text, bool tls, struct error *err)
{
	struct addrinfo *found;
	int one = 1, fd, r = find_address(&found, text, tls, err);

	if (r < 0)
		return r;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0)
		r = error_set(err, ERROR_BENCH, errno, "%s: %s", text, strerror(errno));
	freeaddrinfo(found);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	*ret = (struct http_socket){.fd = fd};
	return 0;
}

int http_socket_given(struct http_socket *ret, int fd, bool local, bool tls, struct error *err)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address), option = sizeof(int);
	int listening = 0, r = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &option) < 0 || !listening)
		r = error_set(err, ERROR_USAGE, EINVAL, "the descriptor %d that was handed over is no listening socket", fd);
	else if (local != (address.ss_family == AF_UNIX) || (!local && address.ss_family != AF_INET && address.ss_family != AF_INET6))
		r = error_set(err, ERROR_USAGE, EINVAL, "the socket %d that was handed over is not of the family that was expected", fd);
	else if (!local)
		r = needs_tls((struct sockaddr *)&address, tls, "the socket that was handed over", err);
	if (r == 0 && (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0))
		r = error_set(err, ERROR_BENCH, errno, "fcntl: %s", strerror(errno));
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = (struct http_socket){.fd = fd};
	return 0;
}

void http_socket_close(struct http_socket *made)
{
	struct stat status;

	if (made->fd < 0)
		return;
	if (made->path && lstat(made->path, &status) == 0 && status.st_dev == made->device && status.st_ino == made->inode)
		(void)unlink(made->path);
	close(made->fd);
	free(made->path);
	*made = (struct http_socket){.fd = -1};
}

unsigned http_socket_port(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return 0;
	if (address.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
	if (address.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
	return 0;
}
