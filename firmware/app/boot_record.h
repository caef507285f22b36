/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_APP_BOOT_RECORD_H
#define FIRMWARE_APP_BOOT_RECORD_H

#include "../port.h"

#define BOOT_RECORD_LENGTH 5u

/* Counts this start in non-volatile memory. Called once. */
void boot_record_begin(void);
/* DID FD02: the count (4 bytes) and the reset reason (1 byte, enum port_reset_reason). */
size_t boot_record_read(void *context, uint8_t *buffer, size_t size);

#endif
