/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The update record: one small struct that survives cuts, kept as a log in DFLASH (two sectors in turn). A record counts once it
 * is whole (CRC, sequence) and its seal, written after it, is there. After a cut the newest record may be weak: ota_store_settle()
 * writes it anew, and nothing may be decided on it before.
 * Writing is synchronous: it waits for the flash with port_wait() (DFLASH pages take some 100 us).
 */
#ifndef FIRMWARE_CORE_OTA_STORE_H
#define FIRMWARE_CORE_OTA_STORE_H

#include "../port.h"
#include "swpg.h"

enum ota_state { OTA_IDLE, OTA_OFFERED, OTA_WRITING, OTA_WRITTEN, OTA_VERIFIED, OTA_ACTIVATED, OTA_TRIAL, OTA_ROLLED_BACK, OTA_RECOVERY };
#define OTA_NO_BANK 0xFFu

struct ota_record {
	uint8_t state;       /* enum ota_state; OFFERED and RECOVERY are never stored */
	uint8_t candidate;   /* bank 0, 1 or OTA_NO_BANK */
	uint8_t trial_boots; /* of the candidate so far */
	uint8_t quarantined; /* 1: `quarantine` is set */
	uint32_t security_counter;
	uint32_t bookmark;                    /* bytes of the package that are surely in the bank, whole sectors */
	uint32_t boots;                       /* since the last confirm */
	uint32_t sequence_number;             /* of the newest confirmed package */
	uint8_t digest[SWPG_DIGEST_SIZE];     /* of the candidate */
	uint8_t quarantine[SWPG_DIGEST_SIZE]; /* of the image that was rolled back */
	uint8_t header[SWPG_HEADER_SIZE];     /* of the candidate as offered, for a resume */
};

/* Reads the log. An empty one is the factory's: IDLE, no bank, everything 0. PORT_FAILED: nothing readable though the
 * log was used (then the record is the factory's and the counter has to be taken from the running image). */
enum port_status ota_store_start(struct ota_record *ret_record);
/* Writes the record in force anew, if a cut may have left it weak. Call before anything is decided on it. */
enum port_status ota_store_settle(void);
const struct ota_record *ota_store_get(void);
/* Durable when it returns PORT_OK. PORT_FAILED: the flash refused; the record in force is the old one. */
enum port_status ota_store_put(const struct ota_record *record);

#endif
