/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of devices below /sys. */
#ifndef HARNESS_RIG_SYSFS_H
#define HARNESS_RIG_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

/* The first line of a device's file, without its newline; false and "" when there is none. */
bool sysfs_attribute(const char *folder, const char *name, char *ret, size_t size);

#endif
