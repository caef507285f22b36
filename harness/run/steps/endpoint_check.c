/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint_check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "can_check.h"

#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

static bool port_ok(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port = digits && digits <= 5 && !text[digits] ? strtoul(text, NULL, 10) : 0;
	return port >= 1 && port <= 65535;
}

/* "[::1]" with or without a scope. */
static bool host6_ok(const char *text, size_t length)
{
	char host[INET6_ADDRSTRLEN];
	struct in6_addr parsed;
	size_t digits = strcspn(text + 1, "%]");
	if (length < 4 || text[length - 1] != ']' || digits >= sizeof(host))
		return false;
	memcpy(host, text + 1, digits);
	host[digits] = '\0';
	return inet_pton(AF_INET6, host, &parsed) == 1;
}

/* What is all digits and dots is an address, whole or not at all. */
static bool host_ok(const char *text, size_t length)
{
	char host[ENDPOINT_TEXT_MAX + 1];
	struct in_addr parsed;
	if (length == 0 || text[0] == '[')
		return length > 0 && host6_ok(text, length);
	memcpy(host, text, length);
	host[length] = '\0';
	if (strspn(host, HOST_CHARACTERS) != length)
		return false;
	return strspn(host, "0123456789.") != length || inet_pton(AF_INET, host, &parsed) == 1;
}

static int check_text(const struct step_call *call, const char *text, struct error *err)
{
	const char *colon = strrchr(text, ':');
	if (!*text)
		return call_refuse(call, "endpoint", err, "`endpoint` is empty, it must be HOST:PORT");
	if (strlen(text) > ENDPOINT_TEXT_MAX)
		return call_refuse(call, "endpoint", err, "`endpoint` has %zu characters, at most %d go", strlen(text), ENDPOINT_TEXT_MAX);
	if (!colon || strchr(colon, ']'))
		return call_refuse(call, "endpoint", err, "`endpoint` \"%.80s\" lacks the port: it must be HOST:PORT", text);
	if (!host_ok(text, (size_t)(colon - text)))
		return call_refuse(call, "endpoint", err,
		                   "the host of `endpoint` \"%.80s\" is no name, no IPv4 address and no IPv6 address in brackets", text);
	if (!port_ok(colon + 1))
		return call_refuse(call, "endpoint", err, "the port of `endpoint` \"%.80s\" is no number from 1 to 65535", text);
	return 0;
}

int endpoint_check_call(const struct step_call *call, const struct value *known, struct error *err)
{
	bool endpoint = value_get(call->args, "endpoint"), bytes = value_get(call->args, "bytes");
	const char *text = known_text(known, "endpoint");
	const struct bytes *data = known_bytes(known, "bytes");
	if (endpoint == bytes)
		return call_refuse(call, endpoint ? "bytes" : "", err, "%s of `endpoint` and `bytes` is needed",
		                   endpoint ? "one" : "either");
	if (data && data->length > ENDPOINT_TEXT_MAX)
		return call_refuse(call, "bytes", err, "`bytes` has %zu bytes, at most %d go", data->length, ENDPOINT_TEXT_MAX);
	return text ? check_text(call, text, err) : 0;
}
