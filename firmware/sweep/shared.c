/* SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"

#include "../silicon/flash_private.h"

#include <sys/mman.h>

#define PROTECTION (PROT_READ | PROT_WRITE)
#define FLAGS      (MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE)

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROTECTION, FLAGS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct flash *shared_flash(const struct flash_geometry *geometry)
{
	struct flash *flash = flash_new(geometry, &flash_cost_tc375);

	/* Zero is the factory's state, so the model's own memory may be exchanged for memory that is shared. */
	if (flash && mmap(flash->mapping, flash->mapping_size, PROTECTION, FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		flash_free(flash);
		return NULL;
	}
	return flash;
}

void shared_flash_changed(struct flash *flash)
{
	flash_touch_all(flash);
}
