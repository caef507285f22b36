/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_BOOT_RECOVERY_H
#define FIRMWARE_BOOT_RECOVERY_H

#include <stdint.h>

/* The bootloader as a node of the network: an update can be made over DoIP on the board's endpoints; a board that is no DoIP
 * server is reached over ISO-TP. Does not return. */
void recovery_run(uint16_t address);

#endif
