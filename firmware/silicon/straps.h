/* SPDX-License-Identifier: Apache-2.0 */
/* The board's parameters and objects by name. A name that begins with "object." has a file's path as its value. */
#ifndef FIRMWARE_SILICON_STRAPS_H
#define FIRMWARE_SILICON_STRAPS_H

#include <stdint.h>
#include <stdio.h>

#define STRAPS_OBJECT "object."

struct strap {
	struct strap *next;
	char *value; /* behind the name, in the same allocation */
	char name[];
};

struct straps {
	struct strap *first;
	size_t bytes;
};

/* value NULL removes. 0, -EINVAL (a name or value that the CPU could not read) or -ENOSPC. */
int straps_set(struct straps *straps, const char *name, const char *value);
/* NULL when it is not set. */
const char *straps_get(const struct straps *straps, const char *name);
/* Decimal; standard when it is not set or no number. */
uint32_t straps_get_u32(const struct straps *straps, const char *name, uint32_t standard);
void straps_clear(struct straps *straps);

#endif
