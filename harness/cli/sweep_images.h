/* SPDX-License-Identifier: Apache-2.0 */
/* The software that a sweep installs: three versions of noise, signed, in a folder of their own. Same seed, same bytes. */
#ifndef HARNESS_CLI_SWEEP_IMAGES_H
#define HARNESS_CLI_SWEEP_IMAGES_H

#include <limits.h>
#include <stdint.h>

#include "../base/error.h"

struct sweep_images {
	char directory[PATH_MAX - 32]; /* "" none */
	char older[PATH_MAX], old[PATH_MAX], new[PATH_MAX], key[PATH_MAX];
};
/* size: of the software, bytes. A half made folder is there for sweep_images_remove() also on failure. */
int sweep_images_make(struct sweep_images *ret, uint16_t target, uint32_t size, uint64_t seed, struct error *err) WARN_UNUSED;
void sweep_images_remove(struct sweep_images *);

#endif
