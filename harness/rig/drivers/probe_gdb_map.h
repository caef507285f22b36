/* SPDX-License-Identifier: Apache-2.0 */
/* The memory map that a GDB server tells ("Debugging with GDB", Memory Map Format): what of it is flash, and in what blocks. */
#ifndef HARNESS_RIG_DRIVERS_PROBE_GDB_MAP_H
#define HARNESS_RIG_DRIVERS_PROBE_GDB_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "../../base/error.h"

#define GDB_MAP_REGIONS 64

struct gdb_flash_region {
	uint64_t start, length; /* start and length are multiples of block */
	uint64_t block;         /* what is erased at once, bytes, not 0 */
};
struct gdb_map {
	struct gdb_flash_region flash[GDB_MAP_REGIONS];
	unsigned count; /* regions of other types are left out */
};

/* 0, or -EBADMSG with what is wrong in *ret_why (static text). */
int gdb_map_parse(const char *xml, size_t length, struct gdb_map *ret, const char **ret_why) WARN_UNUSED;
/* The region that an address is in, NULL: none. */
const struct gdb_flash_region *gdb_map_find(const struct gdb_map *, uint64_t address);

#endif
