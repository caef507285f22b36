/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log: which entry is in force, and what is known about the sectors. */
#ifndef FIRMWARE_CORE_OTA_STORE_LOG_H
#define FIRMWARE_CORE_OTA_STORE_LOG_H

#include "ota_store_entry.h"

/* Three, so that while one of them is erased two others hold the security counter. */
#define OTA_LOG_SECTORS     3u
#define OTA_LOG_SECTOR_SIZE 4096u /* of a larger sector no more is used */
#define OTA_LOG_NO_PAGE     0xFFFFFFFFu

struct ota_log {
	struct ota_record record;
	bool used;                          /* something is in the sectors, readable or not */
	bool found;                         /* `record` is an entry in force, at `sector` */
	bool certain;                       /* it cannot be weak, no newer one can turn up, its counter is the highest there is */
	uint32_t sequence, record_sequence; /* the highest seen; that of the entry in force */
	uint32_t sectors, pages;
	uint32_t sector;                    /* of the entry in force */
	uint32_t next;                      /* first page behind everything in it */
	uint32_t base, base_crc;            /* certain full entry there, whose long fields are those of `record`; or OTA_LOG_NO_PAGE */
	bool fresh[OTA_LOG_SECTORS];        /* as the factory left it: nothing of the log was ever erased or written */
	uint32_t counters[OTA_LOG_SECTORS]; /* highest of the certain entries of each sector */
};

void ota_log_read(struct ota_log *log);
uint32_t ota_log_address(uint32_t sector, uint32_t page);
/* Highest counter that a certain entry outside the sector in force has. */
uint32_t ota_log_elsewhere(const struct ota_log *log);

#endif
