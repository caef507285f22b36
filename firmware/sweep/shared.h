/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, flash and sets that forked processes share. Memory and sets are not given back: they live as long as the program. */
#ifndef FIRMWARE_SWEEP_SHARED_H
#define FIRMWARE_SWEEP_SHARED_H

#include "../silicon/flash.h"

/* Zero, pages come when they are touched. NULL: no memory. */
void *shared_memory(size_t size);
/* A flash whose cells are in shared memory. NULL: no memory. */
struct flash *shared_flash(const struct flash_geometry *geometry);
/* Another process wrote to it: what this one remembers of it holds no more. */
void shared_flash_changed(struct flash *flash);

/* A set of 64-bit values, without locks. */
struct visited;
struct visited *visited_new(unsigned bits);
/* True: it was not there. A full set takes nothing any more and always answers true. */
bool visited_add(struct visited *visited, uint64_t value);
uint64_t visited_count(const struct visited *visited);

#endif
