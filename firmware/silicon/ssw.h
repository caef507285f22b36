/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the chip's start-up software reads out of the flash: the map that UCB_SWAP chooses and the boot mode header
 * (TC3xx, UCB_SWAP_ORIG/COPY, UCB_BMHDx). And what a factory writes there.
 */
#ifndef FIRMWARE_SILICON_SSW_H
#define FIRMWARE_SILICON_SSW_H

#include "flash.h"

#define SSW_SWAP_ENTRIES 16u
#define SSW_MARKER_A     0x00000055u
#define SSW_MARKER_B     0x000000AAu
#define SSW_CONFIRMATION 0x57B5327Fu
#define SSW_INVALIDATED  0xFFFFFFFFu
#define SSW_BMHD_ID      0xB359u

/* ORIG and COPY hold valid entries that contradict each other: not documented by the maker, so a policy. */
enum ssw_policy { SSW_ORIG_WINS, SSW_COPY_WINS, SSW_STOP };

struct ssw_result {
	uint8_t active;             /* 0: bank A at A0000000h, 1: bank B there. 0 without SWAPEN or any valid entry */
	bool swap_enabled;          /* UCB_OTP PROCONTP.SWAPEN */
	int orig_entry, copy_entry; /* last valid entry of each, -1 none */
	bool contradiction;
	bool bootable;    /* a valid boot mode header was found (and not stopped by the policy) */
	uint8_t header;   /* BMHD number 0..3 */
	bool header_copy; /* its COPY was used */
	uint32_t start;   /* STAD, a mapped address */
	char reason[64];  /* why not, "" when bootable */
};
/* SCU_STMEM1 and the start address. Reads as the chip does, so weak pages may differ from time to time. */
void ssw_evaluate(struct flash *flash, enum ssw_policy policy, struct ssw_result *ret_result);

/* Mapped to physical and back, for banks; other addresses are the same in both. */
uint32_t ssw_physical(const struct flash_geometry *geometry, uint8_t active, uint32_t mapped);

/* CRC-32 of a boot mode header's two words as the chip computes it (BMI/BMHDID word, STAD). B359000E A0100000 -> 656BA65D. */
uint32_t ssw_header_crc(uint32_t id_word, uint32_t stad);

/* Factory state of the UCBs: BMHD0 ORIG and COPY with STAD = begin of the mapped bank, SWAPEN, UCB_SWAP ORIG and COPY
 * entry 0 = bank A, the password. */
void ssw_factory(struct flash *flash, const uint32_t password[8]);

#endif
