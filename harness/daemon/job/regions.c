/* SPDX-License-Identifier: Apache-2.0 */
#include "regions.h"

#include <stddef.h>
#include <stdlib.h>

#define REGIONS_MAX 65536u

struct region {
	uint64_t begin, end;
};
struct regions {
	size_t count, capacity;
	struct region *list;
};

struct regions *regions_new(void)
{
	return calloc(1, sizeof(struct regions));
}

void regions_free(struct regions *regions)
{
	if (regions)
		free(regions->list);
	free(regions);
}

static void halve(struct regions *regions)
{
	for (size_t i = 0; i < regions->count / 2; i++)
		regions->list[i] = (struct region){.begin = regions->list[2 * i].begin, .end = regions->list[2 * i + 1].end};
	if (regions->count % 2)
		regions->list[regions->count / 2] = regions->list[regions->count - 1];
	regions->count = (regions->count + 1) / 2;
}

void regions_add(struct regions *regions, uint64_t begin, uint64_t end)
{
	if (regions->count > 0 && regions->list[regions->count - 1].end == begin) {
		regions->list[regions->count - 1].end = end;
		return;
	}
	if (regions->count == regions->capacity) {
		size_t capacity = regions->capacity ? regions->capacity * 2 : 256;
		struct region *grown = capacity > REGIONS_MAX ? NULL : realloc(regions->list, capacity * sizeof(*grown));
		if (grown) {
			regions->list = grown;
			regions->capacity = capacity;
		} else if (regions->count < 2) {
			return; /* not even the first few bytes of memory */
		} else {
			halve(regions);
		}
	}
	regions->list[regions->count++] = (struct region){.begin = begin, .end = end};
}

bool regions_next(const struct regions *regions, uint64_t *offset, uint64_t *ret_end)
{
	size_t low = 0, high = regions->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (regions->list[middle].end <= *offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == regions->count)
		return false;
	if (regions->list[low].begin > *offset)
		*offset = regions->list[low].begin;
	*ret_end = regions->list[low].end;
	return true;
}
