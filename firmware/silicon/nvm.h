/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_SILICON_NVM_H
#define FIRMWARE_SILICON_NVM_H

#include <stddef.h>

#define NVM_SIZE 4096

/* Opens the non-volatile memory, made (all zero) when it is missing, and claims it for this board. Returns the
 * descriptor, or -1 with a message in error[]: another size, in use by another board, or the system's reason. */
int nvm_open(const char *path, char *error, size_t error_size);

#endif
