/* SPDX-License-Identifier: Apache-2.0 */
/* What a factory writes into a new flash: the bootloader and packages in their installed form. */
#ifndef FIRMWARE_SILICON_BOARD_FACTORY_H
#define FIRMWARE_SILICON_BOARD_FACTORY_H

#include "flash.h"

struct factory_bytes {
	uint8_t *data; /* malloc'd */
	size_t length;
};

/* A program with a package header of the type in front and nothing behind: what the SSW needs to know is its length. A
 * program's sections that no loader reads (symbols, debug information) are left away. -1: the reason is in error[]. */
int factory_program(const char *path, uint8_t type, struct factory_bytes *ret, char *error, size_t error_size);
/* The installed form of a package: header, uncompressed software, trailer. -1: the reason is in error[]. */
int factory_package(const char *path, size_t limit, struct factory_bytes *ret, char *error, size_t error_size);

#endif
