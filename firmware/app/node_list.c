/* SPDX-License-Identifier: Apache-2.0 */
#include "node_list.h"

#include "diag_router.h"

#define MAX_NODES 16u

static void sort(uint16_t *addresses, uint8_t count)
{
	for (uint8_t i = 1; i < count; i++) {
		uint16_t address = addresses[i];
		uint8_t at = i;

		for (; at > 0 && addresses[at - 1] > address; at--)
			addresses[at] = addresses[at - 1];
		addresses[at] = address;
	}
}

size_t node_list_read(void *context, uint8_t *buffer, size_t size)
{
	const struct diag_link *link = context;
	uint16_t addresses[MAX_NODES];
	uint8_t count = link->nodes(addresses, MAX_NODES);
	size_t length = 0;

	sort(addresses, count);
	for (uint8_t i = 0; i < count; i++) {
		if (!diag_is_node(addresses[i]))
			continue;
		if (size - length < 2)
			return size;
		buffer[length++] = (uint8_t)(addresses[i] >> 8);
		buffer[length++] = (uint8_t)addresses[i];
	}
	return length;
}
