/* SPDX-License-Identifier: Apache-2.0 */
/* The software that a sweep installs: three versions of noise, signed, in a folder of their own. Same seed, same bytes. */
#ifndef HARNESS_CLI_SWEEP_IMAGES_H
#define HARNESS_CLI_SWEEP_IMAGES_H

#include <limits.h>
#include <stdint.h>

#include "../rig/bus_folder.h"

struct sweep_images {
	struct bus_folder *folder; /* of this process; NULL none */
	char older[PATH_MAX], old[PATH_MAX], new[PATH_MAX], key[PATH_MAX];
};
/* size: of the software, bytes. A half made folder is there for sweep_images_remove() also on failure. Folders that killed
 * sweeps of this user left behind are removed. */
int sweep_images_make(struct sweep_images *ret, uint16_t target, uint32_t size, uint64_t seed, struct error *err) WARN_UNUSED;
void sweep_images_remove(struct sweep_images *);

#endif
