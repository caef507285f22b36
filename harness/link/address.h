/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as text: "127.1.2.1:13400", "127.1.9.1" (port 0), "[::1]:13400", "::1". Numeric only: no names. */
#ifndef HARNESS_LINK_ADDRESS_H
#define HARNESS_LINK_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../base/error.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

#define ADDRESS_TEXT_MAX 64

/* 0 or -EINVAL (error domain testcase: an address comes from a rig file or a case). */
int address_parse(const char *text, struct address *ret, struct error *err) WARN_UNUSED;
/* Writes "address:port" into text; returns text. */
const char *address_format(const struct address *, char text[static ADDRESS_TEXT_MAX]);
uint16_t address_port(const struct address *);
bool address_is_any(const struct address *);
/* Own address of a socket, and the other end's; zero length when unknown. */
struct address address_of_socket(int fd);
struct address address_of_peer(int fd);

#endif
