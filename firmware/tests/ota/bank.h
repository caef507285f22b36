/* SPDX-License-Identifier: Apache-2.0 */
/* Two banks of readable bytes for the tests of images: what a page reads as is set directly, without a flash model. */
#ifndef FIRMWARE_TESTS_OTA_BANK_H
#define FIRMWARE_TESTS_OTA_BANK_H

#include "../../port.h"

#define BANK_BOOT       0x8000u
#define BANK_SIZE       0x50000u
#define BANK_AREA       (BANK_SIZE - BANK_BOOT)
#define BANK_A          (0xA0000000u + BANK_BOOT) /* mapped begin of the application areas */
#define BANK_B          (0xA0300000u + BANK_BOOT)
#define BANK_PAGE       32u
#define BANK_PAGE_UP(n) (((n) + BANK_PAGE - 1) / BANK_PAGE * BANK_PAGE)

/* Everything erased, so unreadable; nothing is busy; the port has a flash. */
void bank_clear(void);
/* The bytes become readable, with the rest of their last page zero. */
void bank_put(uint32_t address, const void *data, size_t length);
uint8_t *bank_bytes(uint32_t address);
/* One page reads with an ECC error, or well again. */
void bank_ecc(uint32_t address, bool bad);
/* The next `reads` reads find the bank busy; UINT32_MAX: for ever. */
void bank_busy(uint32_t reads);
/* Every n-th read finds the bank busy; 0: none. */
void bank_busy_every(uint32_t n);
void bank_absent(void);
/* Bytes that were read, and the most that one call asked for. */
uint64_t bank_read_bytes(void);

#endif
