/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned value = 0;

	if (!*text || strlen(text) > 5)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
	}
	if (value > UINT16_MAX)
		return false;
	*ret = (uint16_t)value;
	return true;
}

/* Splits "host:port", "[host]:port" and "host" alone; a bare IPv6 address has more than one colon and no port. */
static bool split(const char *text, char host[static ADDRESS_TEXT_MAX], uint16_t *ret_port)
{
	const char *end, *colon;
	size_t length;

	*ret_port = 0;
	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':') || (end[1] == ':' && !parse_port(end + 2, ret_port)))
			return false;
	} else {
		colon = strrchr(text, ':');
		end = text + strlen(text);
		if (colon && strchr(text, ':') == colon) {
			if (!parse_port(colon + 1, ret_port))
				return false;
			end = colon;
		}
	}
	length = (size_t)(end - text);
	if (length == 0 || length >= ADDRESS_TEXT_MAX)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	return true;
}

int address_parse(const char *text, struct address *ret, struct error *err)
{
	struct address address = {0};
	char host[ADDRESS_TEXT_MAX];
	uint16_t port;

	if (text && split(text, host, &port)) {
		if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
			address.v4.sin_family = AF_INET;
			address.v4.sin_port = htons(port);
			address.length = sizeof(address.v4);
		} else if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1) {
			address.v6.sin6_family = AF_INET6;
			address.v6.sin6_port = htons(port);
			address.length = sizeof(address.v6);
		}
	}
	if (address.length == 0)
		return error_set(err, ERROR_TESTCASE, EINVAL, "'%s' is not an address such as 127.0.0.1:13400", text ? text : "");
	*ret = address;
	return 0;
}

const char *address_format(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		(void)snprintf(text, ADDRESS_TEXT_MAX, "[%s]:%u", host, address_port(address));
	} else {
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		(void)snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, address_port(address));
	}
	return text;
}

uint16_t address_port(const struct address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

bool address_is_any(const struct address *address)
{
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
	return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

struct address address_of_socket(int fd)
{
	struct address address = {.length = sizeof(address.v6)};

	if (getsockname(fd, &address.any, &address.length) < 0)
		return (struct address){0};
	return address;
}

struct address address_of_peer(int fd)
{
	struct address address = {.length = sizeof(address.v6)};

	if (getpeername(fd, &address.any, &address.length) < 0)
		return (struct address){0};
	return address;
}
