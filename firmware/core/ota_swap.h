/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UCB_SWAP (TC3xx: UCB23 ORIG, UCB31 COPY): 16 entries of marker and confirmation. Write order in a block: new marker, new
 * confirmation, then the previous confirmation is overprogrammed with ones; a full block is erased and begun again, and
 * never while the other one is not valid. Synchronous, as ota_store. The password is the parameter "flash.password"
 * (64 hexadecimal digits).
 */
#ifndef FIRMWARE_CORE_OTA_SWAP_H
#define FIRMWARE_CORE_OTA_SWAP_H

#include "../port.h"

struct ota_swap_state {
	int8_t bank[2]; /* what ORIG and COPY say: 0, 1, or -1 no valid entry */
	bool clean[2];  /* exactly one confirmed entry, its predecessors invalidated, nothing after it, all readable */
};
void ota_swap_read(struct ota_swap_state *ret_state);
/* Makes both blocks say `bank`: COPY first, then ORIG, each read back. PORT_OK only when both are clean. */
enum port_status ota_swap_write(uint8_t bank);
/* After a cut: makes both blocks clean for the bank that runs, the one that the chip relies on last. Nothing is written
 * when they are. */
enum port_status ota_swap_settle(void);

#endif
