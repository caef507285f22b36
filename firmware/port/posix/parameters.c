/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* NAME\0VALUE\0 pairs, one after another. */
static char pool[16384];
static size_t pool_used;

static char *find(const char *name)
{
	for (size_t at = 0; at < pool_used;) {
		char *entry = pool + at;
		char *value = entry + strlen(entry) + 1;
		if (strcmp(entry, name) == 0)
			return entry;
		at = (size_t)(value - pool) + strlen(value) + 1;
	}
	return NULL;
}

static void forget(char *entry)
{
	char *value = entry + strlen(entry) + 1;
	char *next = value + strlen(value) + 1;
	memmove(entry, next, pool_used - (size_t)(next - pool));
	pool_used -= (size_t)(next - entry);
}

int port_posix_parameter_set(const char *name, const char *value)
{
	size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
	if (name_size == 1 || strchr(name, '=') || strchr(name, '\n') || strchr(value, '\n'))
		return -1;
	char *old = find(name);
	if (old)
		forget(old);
	if (name_size + value_size > sizeof pool - pool_used)
		return -1;
	memcpy(pool + pool_used, name, name_size);
	memcpy(pool + pool_used + name_size, value, value_size);
	pool_used += name_size + value_size;
	return 0;
}

int port_posix_parameters_parse(const char *text)
{
	char line[2048];
	while (*text) {
		size_t length = strcspn(text, "\n");
		if (length >= sizeof line)
			return -1;
		memcpy(line, text, length);
		line[length] = '\0';
		char *equals = strchr(line, '=');
		if (equals) {
			*equals = '\0';
			if (port_posix_parameter_set(line, equals + 1) < 0)
				return -1;
		} else if (length) {
			return -1;
		}
		text += length + (text[length] == '\n');
	}
	return 0;
}

const char *port_posix_parameter(const char *name)
{
	const char *entry = find(name);
	return entry ? entry + strlen(entry) + 1 : NULL;
}

void port_posix_parameters_each(const char *prefix, void (*call)(const char *rest, const char *value))
{
	size_t length = strlen(prefix);
	for (size_t at = 0; at < pool_used;) {
		const char *entry = pool + at;
		const char *value = entry + strlen(entry) + 1;
		if (strncmp(entry, prefix, length) == 0)
			call(entry + length, value);
		at = (size_t)(value - pool) + strlen(value) + 1;
	}
}

enum port_status port_param_u32(const char *name, uint32_t *ret_value)
{
	const char *text = port_posix_parameter(name);
	if (!text)
		return PORT_ABSENT;
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hexadecimal ? text + 2 : text;
	if (!*digits || strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
		return PORT_INVALID;
	errno = 0;
	unsigned long long value = strtoull(digits, NULL, hexadecimal ? 16 : 10);
	if (errno || value > UINT32_MAX)
		return PORT_INVALID;
	*ret_value = (uint32_t)value;
	return PORT_OK;
}

enum port_status port_param_text(const char *name, char *buffer, size_t size)
{
	const char *text = port_posix_parameter(name);
	if (!text)
		return PORT_ABSENT;
	size_t length = strlen(text);
	if (length >= size)
		return PORT_INVALID;
	memcpy(buffer, text, length + 1);
	return PORT_OK;
}
