/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and objects. */
#include "port_model_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const char *name)
{
	for (const struct port_model_parameter *at = port_model->parameters; at->name; at++) {
		if (strcmp(at->name, name) == 0)
			return at->value;
	}
	return NULL;
}

enum port_status port_param_u32(const char *name, uint32_t *ret_value)
{
	const char *text = find(name);
	char *end;

	if (!text)
		return PORT_ABSENT;
	if (text[0] < '0' || text[0] > '9')
		return PORT_INVALID;
	errno = 0;
	unsigned long long value = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	if (*end || errno || value > UINT32_MAX)
		return PORT_INVALID;
	*ret_value = (uint32_t)value;
	return PORT_OK;
}

enum port_status port_param_text(const char *name, char *buffer, size_t size)
{
	const char *text = find(name);

	if (!text)
		return PORT_ABSENT;
	if (strlen(text) >= size)
		return PORT_INVALID;
	memcpy(buffer, text, strlen(text) + 1);
	return PORT_OK;
}

enum port_status port_object(const char *name, const uint8_t **ret_data, size_t *ret_length)
{
	for (const struct port_model_object *at = port_model->objects; at->name; at++) {
		if (strcmp(at->name, name) == 0) {
			*ret_data = at->data;
			*ret_length = at->length;
			return PORT_OK;
		}
	}
	return PORT_ABSENT;
}
