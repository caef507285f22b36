/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool parse_number(const char *text, unsigned long limit, unsigned long *ret_value)
{
	size_t length = strlen(text);
	if (length == 0 || length > 10 || strspn(text, "0123456789") != length)
		return false;
	*ret_value = strtoul(text, NULL, 10);
	return *ret_value <= limit;
}

/* "fe80::1%2" or "fe80::1%eth0" */
static bool parse_ipv6(char *text, struct port_endpoint *endpoint)
{
	char *scope = strchr(text, '%');
	if (scope) {
		*scope++ = '\0';
		unsigned long index;
		if (!parse_number(scope, UINT32_MAX, &index))
			index = if_nametoindex(scope);
		if (index == 0)
			return false;
		endpoint->scope_id = (uint32_t)index;
	}
	endpoint->family = 6;
	return inet_pton(AF_INET6, text, endpoint->address) == 1;
}

enum port_status port_endpoint_parse(const char *text, struct port_endpoint *ret_endpoint)
{
	char copy[96];
	struct port_endpoint endpoint = {0};
	if (strlen(text) >= sizeof copy)
		return PORT_INVALID;
	memcpy(copy, text, strlen(text) + 1);
	char *colon = strrchr(copy, ':');
	unsigned long port;
	if (!colon || !parse_number(colon + 1, UINT16_MAX, &port))
		return PORT_INVALID;
	*colon = '\0';
	endpoint.port = (uint16_t)port;
	if (copy[0] == '[') {
		if (colon[-1] != ']')
			return PORT_INVALID;
		colon[-1] = '\0';
		if (!parse_ipv6(copy + 1, &endpoint))
			return PORT_INVALID;
	} else {
		endpoint.family = 4;
		if (inet_pton(AF_INET, copy, endpoint.address) != 1)
			return PORT_INVALID;
	}
	*ret_endpoint = endpoint;
	return PORT_OK;
}

unsigned int port_posix_sockaddr(const struct port_endpoint *endpoint, struct sockaddr_storage *ret_address)
{
	*ret_address = (struct sockaddr_storage){0};
	if (endpoint->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
		in->sin_family = AF_INET;
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->address, 4);
		return sizeof *in;
	}
	if (endpoint->family != 6)
		return 0;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(endpoint->port);
	in6->sin6_scope_id = endpoint->scope_id;
	memcpy(&in6->sin6_addr, endpoint->address, 16);
	return sizeof *in6;
}

void port_posix_endpoint(const struct sockaddr_storage *address, struct port_endpoint *ret_endpoint)
{
	*ret_endpoint = (struct port_endpoint){0};
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		ret_endpoint->family = 4;
		ret_endpoint->port = ntohs(in->sin_port);
		memcpy(ret_endpoint->address, &in->sin_addr, 4);
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
		ret_endpoint->family = 6;
		ret_endpoint->port = ntohs(in6->sin6_port);
		ret_endpoint->scope_id = in6->sin6_scope_id;
		memcpy(ret_endpoint->address, &in6->sin6_addr, 16);
	}
}
