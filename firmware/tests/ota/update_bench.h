/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway with two banks, one key and a UDS server: bootloader's decision, update server and services on the flash model, in
 * virtual time. Version 1.0.0 with counter 1 is in bank A. */
#ifndef FIRMWARE_TESTS_OTA_UPDATE_BENCH_H
#define FIRMWARE_TESTS_OTA_UPDATE_BENCH_H

#include "../../core/ota_boot.h"
#include "../../core/ota_update.h"
#include "../fake_flash.h"
#include "../fake_port.h"
#include "maker.h"

#include <check.h>

#define UPDATE_AREA  (flash_sweep.bank_address[1] + flash_sweep.boot_size) /* mapped, of the other bank */
#define UPDATE_ROOM  (flash_sweep.bank_size - flash_sweep.boot_size)
#define UPDATE_BLOCK 4093u

struct update_package {
	struct maker_fields fields;
	uint32_t size;                             /* of the software */
	uint8_t software[0x50000], bytes[0x60000]; /* as it travels */
	size_t length;
	uint8_t digest[32];
};

struct update_bench {
	struct ota_boot_result boot;
	enum fake_end end; /* of the newest boot */
	unsigned boots;
	unsigned answers; /* of the newest request, those with 0x78 included */
	uint8_t answer[4096];
	size_t length;
	uint64_t first_us, last_us; /* from the request to its first and last answer */
	bool reset_wanted;
	uint8_t reset_type;
	uint16_t tester;
	uint8_t counter; /* of the next block */
	EVP_PKEY *key, *stranger;
};
extern struct update_bench bench;

void update_setup(void);
void update_teardown(void);
/* Parameters hold from the next boot on; value NULL removes. At most 8 names. */
void update_param(const char *name, const char *value);
/* Boots until a decision stands (swaps included) and starts the program's services, or those of recovery. */
void update_boot(enum port_reset_reason reason);
/* The reset alone. */
void update_power(enum port_reset_reason reason);

/* ---- packages ---- */
/* Version 1.MINOR.0, counter and sequence as given, `size` bytes. */
void update_make(struct update_package *package, uint8_t minor, uint32_t counter, uint32_t size);
/* Fields were changed: CRC, digest, signature anew. */
void update_seal(struct update_package *package, EVP_PKEY *key);
void update_gzip(struct update_package *package);
const uint8_t *update_trailer(const struct update_package *package);

/* ---- asking ---- */
/* A request until its last answer, or until silence; the last answer as text. */
const char *update_ask(const char *hex);
const char *update_send(const uint8_t *data, size_t length);
void update_run_us(uint64_t us);
void update_unlock(void); /* 10 02, 27 03, 27 04 */
bool update_try_unlock(void);
const char *update_offer(const struct update_package *package);
const char *update_erase(const struct update_package *package);
const char *update_download(const struct update_package *package, uint32_t offset);
/* One block with the next counter. */
const char *update_block(const uint8_t *data, size_t length);
/* Blocks of at most UPDATE_BLOCK bytes, from `offset` to `end` of the package; stops at the first refusal. */
const char *update_blocks(const struct update_package *package, uint32_t offset, uint32_t end);
const char *update_exit(void);
const char *update_check(void);
const char *update_activate(void);
const char *update_confirm(void);
/* All up to and with the check. */
void update_transfer(const struct update_package *package);
/* And activation and 11 01. */
void update_install(const struct update_package *package);
void update_reset(void);

/* ---- looking ---- */
struct update_state {
	uint8_t state, active, candidate, trial_boots, trial_limit, result;
	uint32_t counter, bookmark, boots;
};
struct update_state update_state(void); /* FD50 */
/* The bytes in a bank's application area are those of the package's image. */
bool update_holds(unsigned bank, const struct update_package *package);
bool update_erased(unsigned bank);
extern struct update_package update_old; /* what the factory put into bank A */

#endif
