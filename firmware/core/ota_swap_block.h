/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the two UCB_SWAP blocks. What makes it safe to rely on an entry after a cut is what was begun when it was done:
 * an entry whose predecessors are all invalidated was whole before the last of that, so it cannot be weak ("certain").
 * Entry 0 has none, so a block that is begun anew gets two entries. A block is robbed of its valid entries before it is erased:
 * then one in which an erase was cut has none, whatever its bits look like, and a block without one is always erased.
 */
#ifndef FIRMWARE_CORE_OTA_SWAP_BLOCK_H
#define FIRMWARE_CORE_OTA_SWAP_BLOCK_H

#include "ota_swap.h"

#define OTA_SWAP_ENTRIES 16u

enum ota_swap_which { OTA_SWAP_ORIG, OTA_SWAP_COPY };
struct ota_swap_page {
	bool readable;
	uint8_t bytes[PORT_FLASH_DATA_PAGE];
};
struct ota_swap_block {
	enum ota_swap_which which;
	struct ota_swap_page marker[OTA_SWAP_ENTRIES], confirmation[OTA_SWAP_ENTRIES];
	int8_t bank;  /* what the last valid entry says; -1 none */
	int8_t last;  /* its number */
	uint8_t next; /* first entry behind everything; OTA_SWAP_ENTRIES: full */
	bool clean;   /* as struct ota_swap_state */
	bool certain; /* the last valid entry cannot be weak */
};

void ota_swap_block_read(struct ota_swap_block *block, enum ota_swap_which which);

/* The following change the block and read it again. PORT_OK: it is clean, certain and says `bank`. PORT_FULL: not without an
 * erase. PORT_WOULD_BLOCK: the flash stays busy. PORT_FAILED: the flash refuses. */
/* As little as is needed: nothing, invalidations, or a new entry. */
enum port_status ota_swap_block_ensure(struct ota_swap_block *block, uint8_t bank);
enum port_status ota_swap_block_append(struct ota_swap_block *block, uint8_t bank);
/* For a full block: invalidates what stands behind the last entry that says `bank`. */
enum port_status ota_swap_block_trim(struct ota_swap_block *block, uint8_t bank);
enum port_status ota_swap_block_restart(struct ota_swap_block *block, uint8_t bank);

#endif
