/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash of a board as the bench can reach it beside the product: by the silicon of a virtual board, or by a probe.
 * Addresses are physical. A driver that cannot do a thing answers -EOPNOTSUPP (ERROR_BENCH, says so); a rig whose boards can has
 * the capability "flash".
 */
#ifndef HARNESS_RIG_FLASH_H
#define HARNESS_RIG_FLASH_H

#include "rig.h"

struct rig_flash_geometry {
	uint32_t bank[2], bank_size, sector_size, boot_size, data, data_size, ucb, ucb_size, ucb_count;
};
struct rig_flash_status {
	int active; /* 0 bank A, 1 bank B is mapped first */
	uint64_t operations, corrected;
	bool contradiction; /* of UCB_SWAP ORIG and COPY */
	int orig_entry, copy_entry;
	char boot[64]; /* why no boot mode header counts, "" */
};
int rig_flash_geometry(struct rig_board *, struct rig_flash_geometry *ret, struct error *err) WARN_UNUSED;
int rig_flash_status(struct rig_board *, struct rig_flash_status *ret, struct error *err) WARN_UNUSED;
/* ERROR_DUT (-EBADMSG) with the address for an ECC error. */
int rig_flash_read(struct rig_board *, uint32_t address, void *buffer, size_t length, struct error *err) WARN_UNUSED;
/* Writes as a factory does, also protected areas. */
int rig_flash_write(struct rig_board *, uint32_t address, const void *data, size_t length, struct error *err) WARN_UNUSED;
int rig_flash_erase(struct rig_board *, uint32_t address, uint32_t length, struct error *err) WARN_UNUSED;
/* pver, ever, single-bit, double-bit, stuck-bit, busy, worn, flip */
int rig_flash_defect(struct rig_board *, const char *defect, uint32_t address, unsigned bit, struct error *err) WARN_UNUSED;
int rig_flash_heal(struct rig_board *, struct error *err) WARN_UNUSED; /* clears all defects */
int rig_flash_erases(struct rig_board *, uint32_t address, uint32_t *ret_count, struct error *err) WARN_UNUSED;
/* SHA-256 over a range; pages that do not read count as their state. For "untouched". */
int rig_flash_digest(struct rig_board *, uint32_t address, uint32_t length, uint8_t ret_digest[32], struct error *err) WARN_UNUSED;
int rig_flash_save(struct rig_board *, const char *path, struct error *err) WARN_UNUSED;
int rig_flash_load(struct rig_board *, const char *path, struct error *err) WARN_UNUSED; /* board off or held */
/* Back to the factory's state with the rig file's software (board off or held). Done by the executor after a case that changed it. */
int rig_flash_factory(struct rig_board *, struct error *err) WARN_UNUSED;
/* Installs what a factory would: the installed form of a package into a bank. */
int rig_flash_install(struct rig_board *, int bank, const void *package, size_t length, struct error *err) WARN_UNUSED;

struct rig_cut {
	uint64_t operation; /* counted from now: 0 is the next one */
	const char *phase;  /* before, during, after */
	const char *torn;   /* T0..T4, E0..E3; for during */
	uint64_t seed;
	uint32_t from, to; /* only operations on addresses in [from, to) count; 0, 0: all */
	const char *kind;  /* program, erase, NULL: both count */
};
/* Power goes away at that operation of the flash; the board stays off until it is switched on. Event "power.cut". */
int rig_flash_cut(struct rig_board *, const struct rig_cut *cut_or_null, struct error *err) WARN_UNUSED;
#define RIG_SUPPLY_MV 12000u
/* The board's supply, mV (default RIG_SUPPLY_MV). */
int rig_board_supply(struct rig_board *, uint32_t millivolts, struct error *err) WARN_UNUSED;
bool rig_flash_changed(const struct rig_board *); /* since rig_flash_factory(): by the product or by the bench */

#endif
