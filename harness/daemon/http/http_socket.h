/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that are listened on. */
#ifndef HARNESS_DAEMON_HTTP_HTTP_SOCKET_H
#define HARNESS_DAEMON_HTTP_HTTP_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "../../base/error.h"

struct http_socket {
	int fd;     /* -1: none */
	char *path; /* of a UNIX socket that was made here */
	dev_t device;
	ino_t inode;
};
/* Made with mode 0660 under another name and renamed, so that nobody meets it half made. A socket that nobody serves is replaced;
 * -EADDRINUSE when somebody does, -EEXIST when the path is something else. */
int http_socket_unix(struct http_socket *ret, const char *path, struct error *err) WARN_UNUSED;
/* What can be said without making them (ERROR_USAGE): -ENAMETOOLONG; -EINVAL, -EPERM: beyond loopback and not protected. What only the
 * machine can say, such as an address that is taken, is an ERROR_BENCH of those that make them. */
int http_socket_check_path(const char *path, struct error *err) WARN_UNUSED;
int http_socket_check_address(const char *address, bool tls, struct error *err) WARN_UNUSED;
/* "127.0.0.1:8480", "[::1]:0" (any free port). */
int http_socket_tcp(struct http_socket *ret, const char *address, bool tls, struct error *err) WARN_UNUSED;
/* One that was handed over: a listening stream socket of that family. It is owned from here on also when it is refused. */
int http_socket_given(struct http_socket *ret, int fd, bool local, bool tls, struct error *err) WARN_UNUSED;
/* Closes it; its path is removed if it is still the one that was made. */
void http_socket_close(struct http_socket *);
unsigned http_socket_port(int fd);
bool http_is_loopback(const struct sockaddr *);

#endif
