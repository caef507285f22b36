/* SPDX-License-Identifier: Apache-2.0 */
#include "straps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the port of the CPU reads at once: firmware/port/posix/. */
#define LINE_LIMIT  2000u
#define TOTAL_LIMIT 12000u

static struct strap **find(struct straps *straps, const char *name)
{
	struct strap **at = &straps->first;
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static size_t size_of(const struct strap *strap)
{
	return strlen(strap->name) + strlen(strap->value) + 2;
}

static struct strap *strap_new(const char *name, const char *value)
{
	size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
	struct strap *strap = malloc(sizeof *strap + name_size + value_size);
	if (!strap)
		return NULL;
	strap->next = NULL;
	memcpy(strap->name, name, name_size);
	strap->value = strap->name + name_size;
	memcpy(strap->value, value, value_size);
	return strap;
}

int straps_set(struct straps *straps, const char *name, const char *value)
{
	if (!*name || strpbrk(name, "=\n") || (value && strchr(value, '\n')))
		return -EINVAL;
	struct strap **at = find(straps, name);
	struct strap *old = *at, *strap = NULL;
	size_t bytes = straps->bytes - (old ? size_of(old) : 0);
	if (value) {
		size_t size = strlen(name) + strlen(value) + 2;
		if (size > LINE_LIMIT || bytes + size > TOTAL_LIMIT)
			return -ENOSPC;
		strap = strap_new(name, value);
		if (!strap)
			return -ENOSPC;
		bytes += size;
		strap->next = old ? old->next : NULL;
	}
	*at = strap ? strap : old ? old->next : NULL;
	free(old);
	straps->bytes = bytes;
	return 0;
}

const char *straps_get(const struct straps *straps, const char *name)
{
	for (const struct strap *s = straps->first; s; s = s->next) {
		if (strcmp(s->name, name) == 0)
			return s->value;
	}
	return NULL;
}

uint32_t straps_get_u32(const struct straps *straps, const char *name, uint32_t standard)
{
	const char *text = straps_get(straps, name);
	if (!text || !*text || strspn(text, "0123456789") != strlen(text))
		return standard;
	errno = 0;
	unsigned long long value = strtoull(text, NULL, 10);
	return errno || value > UINT32_MAX ? standard : (uint32_t)value;
}

void straps_clear(struct straps *straps)
{
	while (straps->first) {
		struct strap *next = straps->first->next;
		free(straps->first);
		straps->first = next;
	}
	straps->bytes = 0;
}
