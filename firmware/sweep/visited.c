/* SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"

#include <stdatomic.h>

struct visited {
	uint64_t mask;
	atomic_uint_fast64_t count;
	atomic_uint_fast64_t slots[];
};

struct visited *visited_new(unsigned bits)
{
	struct visited *visited = shared_memory(sizeof(*visited) + (sizeof(visited->slots[0]) << bits));

	if (visited)
		visited->mask = (UINT64_C(1) << bits) - 1u;
	return visited;
}

bool visited_add(struct visited *visited, uint64_t value)
{
	value += value == 0; /* 0 marks a free slot */
	if (atomic_load(&visited->count) > visited->mask - visited->mask / 8u)
		return true;
	for (uint64_t at = value * 0x9E3779B97F4A7C15u >> 20;; at++) {
		uint_fast64_t there = 0;
		if (atomic_compare_exchange_strong(&visited->slots[at & visited->mask], &there, value)) {
			atomic_fetch_add(&visited->count, 1);
			return true;
		}
		if (there == value)
			return false;
	}
}

uint64_t visited_count(const struct visited *visited)
{
	return atomic_load(&visited->count);
}
