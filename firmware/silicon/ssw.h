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

/*
 * An entry of UCB_SWAP: 16 bytes, little-endian words, two pages of 8 bytes each.
 *   0  MARKERL        SSW_MARKER_A or _B            4  MARKERH        physical address of MARKERL
 *   8  CONFIRMATIONL  SSW_CONFIRMATION             12  CONFIRMATIONH  physical address of CONFIRMATIONL
 * Valid: both pages read without ECC error and all four words are right. A confirmation page that was programmed over
 * with all ones (SSW_INVALIDATED) ends the entry. The last valid entry of 0..15 counts; gaps are allowed.
 * Both blocks valid: they contradict each other when their last entries' markers differ (an index may). Only one valid:
 * that one counts. None: bank A.
 */
#define SSW_SWAP_ENTRY_SIZE 16u

/*
 * A UCB_BMHD: offsets, little-endian words.
 *   000h  BMI (bits 0..15), BMHDID (16..31)   004h  STAD     one page
 *   008h  CRCBMHD                             00Ch  ~CRC     one page
 *   100h  PW0..7                                             four pages
 *   1F0h  confirmation code                   1F4h  0        one page
 * Valid: the pages at 000h, 008h and 1F0h read without ECC error, BMHDID, both CRCs and the confirmation are right, BMI
 * asks for a start from internal flash (bits 1..3 set) and STAD is a word's address in a mapped bank. The order is
 * BMHD0 ORIG, BMHD0 COPY, BMHD1 ORIG ... BMHD3 COPY.
 */
#define SSW_BMHD_CRC          0x008u
#define SSW_BMHD_PASSWORD     0x100u
#define SSW_BMHD_CONFIRMATION 0x1F0u

/* PROCONTP in UCB_OTP0 ORIG, and COPY for when ORIG has bad ECC. The word's place and SWAPEN's bits are this model's own:
 * the user manual has to be asked before they are used on a chip. */
#define SSW_PROCONTP      (FLASH_UCB_OTP + 0x1E8u)
#define SSW_PROCONTP_COPY (SSW_PROCONTP + 0x1000u)
#define SSW_SWAPEN_MASK   0x00030000u
#define SSW_SWAPEN        0x00030000u

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
/* SCU_STMEM1 and the start address. Reads as the chip does, so weak pages may differ from time to time. The flash needs
 * no command under way on DFLASH and UCB: what cannot be read is not valid. */
void ssw_evaluate(struct flash *flash, enum ssw_policy policy, struct ssw_result *ret_result);

/* Mapped to physical and back, for banks; other addresses are the same in both. */
uint32_t ssw_physical(const struct flash_geometry *geometry, uint8_t active, uint32_t mapped);

/* CRC-32 of a boot mode header's two words as the chip computes it (BMI/BMHDID word, STAD). B359000E A0100000 -> 656BA65D. */
uint32_t ssw_header_crc(uint32_t id_word, uint32_t stad);

/* Factory state of the UCBs (any power, nothing counted): BMHD0 ORIG and COPY with STAD = begin of the mapped bank, SWAPEN, UCB_SWAP ORIG
 * and COPY entry 0 = bank A, the password. */
void ssw_factory(struct flash *flash, const uint32_t password[8]);

#endif
