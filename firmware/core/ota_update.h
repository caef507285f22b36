/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An update as the running software (or the bootloader in recovery) sees it. Every call answers at once with an NRC of
 * ISO 14229-1 annex A.1 (0 done) or OTA_PENDING: then ota_update_poll() finishes it and ota_update_result() tells.
 * Data is double buffered: ota_update_data() takes a block while the one before is being programmed.
 */
#ifndef FIRMWARE_CORE_OTA_UPDATE_H
#define FIRMWARE_CORE_OTA_UPDATE_H

#include "ota_image.h"
#include "ota_store.h"

#define OTA_PENDING   0x78u
#define OTA_MAX_BLOCK 4093u /* data bytes of one TransferData: a UDS message of 4095 bytes */

/* recovery: no image runs, both banks may be written (the one that is not mapped first is used). */
void ota_update_start(uint16_t address, bool recovery);
/* Flash commands under way, verification steps, self-confirmation. */
void ota_update_poll(uint64_t now_us, uint64_t *ret_deadline_us);
/* Of the call that answered OTA_PENDING: OTA_PENDING still, else its NRC. */
uint8_t ota_update_result(void);

uint8_t ota_update_offer(const uint8_t *data, size_t length);
uint8_t ota_update_erase(uint32_t address, uint32_t size);
uint8_t ota_update_begin(uint8_t data_format, uint32_t address, uint32_t size, uint16_t *ret_max_block);
/* data: without SID and counter. Called once for every new counter; repeats are the caller's business. */
uint8_t ota_update_data(const uint8_t *data, size_t length);
uint8_t ota_update_end(bool has_crc, uint32_t crc32);
/* What another board of the vehicle runs, for the dependency that ota_update_check() verifies ("ota.requires"). Forgotten with the
 * session. OTA_DONE, or 0x31: too many boards. */
uint8_t ota_update_installed(uint16_t target, const uint8_t version[4]);
uint8_t ota_update_check(void);
uint8_t ota_update_activate(void);
uint8_t ota_update_confirm(void);
uint8_t ota_update_cancel(void);
/* The session or the security access went away: a transfer ends (what is in the bank and its bookmark stay). */
void ota_update_session_ended(void);
/* For a program that never confirms itself nor lets itself be confirmed (an image made for tests). */
void ota_update_refuse_confirm(void);
/* Whether this port can be updated at all. */
bool ota_update_possible(void);
/* The application is ready (for "ota.self_confirm_ms"). */
void ota_update_ready(uint64_t now_us);

/* DIDs FD50, FD51, FD52 (docs/reference/update.md). */
#define OTA_STATE_LENGTH  20u
#define OTA_RESUME_LENGTH 36u
size_t ota_update_state_read(void *context, uint8_t *buffer, size_t size);
size_t ota_update_digest_read(void *context, uint8_t *buffer, size_t size);
size_t ota_update_resume_read(void *context, uint8_t *buffer, size_t size);

#endif
