/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the memory map of a GDB server: what is taken for flash is whole blocks and is found again. */
#include "../rig/drivers/probe_gdb_map.h"

#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gdb_map map;
	const char *why = NULL;
	if (gdb_map_parse((const char *)data, size, &map, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	for (unsigned i = 0; i < map.count; i++) {
		const struct gdb_flash_region *region = &map.flash[i];
		if (region->block == 0 || region->length == 0 || region->start % region->block || region->length % region->block ||
		    !gdb_map_find(&map, region->start) || !gdb_map_find(&map, region->start + region->length - 1))
			abort();
	}
	return 0;
}
