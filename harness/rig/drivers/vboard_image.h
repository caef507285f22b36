/* SPDX-License-Identifier: Apache-2.0 */
/* What a virtual board's factory is given: the software of a role as a package. */
#ifndef HARNESS_RIG_DRIVERS_VBOARD_IMAGE_H
#define HARNESS_RIG_DRIVERS_VBOARD_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "../rig_private.h"

/* The board's address for packages: `logical_address`, else that of the program by this name, else 1. */
uint16_t vboard_target(const struct value *role);
/* Whether the name is that of a package, not of a program. */
bool vboard_is_package(const char *name);
/* The public part of the development key, which is a board's key 1 unless the rig file gives it keys of its own. */
int vboard_standard_key(char *ret, size_t size, struct error *err) WARN_UNUSED;
/* The path of the role's `application`: a package as it is, a program packed and signed into the run's directory. ERROR_USAGE at
 * the key when a file is missing. */
int vboard_image(const struct rig_board *, char *ret, size_t size, struct error *err) WARN_UNUSED;

#endif
