/* SPDX-License-Identifier: Apache-2.0 */
/* Places in the flash of a board as steps name them. */
#ifndef HARNESS_RUN_STEPS_FLASH_AREA_H
#define HARNESS_RUN_STEPS_FLASH_AREA_H

#include "../../rig/flash.h"
#include "../step_context.h"

extern const char *const flash_area_names[]; /* for the choices of an argument */

struct flash_area {
	uint32_t address, length; /* physical */
	int bank;                 /* 0, 1; -1: not in a bank */
};
/* "A", "B": a bank; "running", "other": the one that is mapped first, and the other; "running-application",
 * "other-application": its application area; "data"; "ucb"; "swap-orig", "swap-copy": the blocks of UCB_SWAP; "bmhd-orig",
 * "bmhd-copy": the first boot mode headers. */
int flash_area_find(struct rig_board *, const char *name, struct flash_area *ret, struct error *err) WARN_UNUSED;
/* `address`, or `area` and `offset`, of a call. The rest of the area from there is its length. */
int flash_area_of_call(struct step_context *, const struct step_call *, struct rig_board *, struct flash_area *ret,
                       struct error *err) WARN_UNUSED;

/* The rest of the bank, DFLASH or UCBs from an address. False: nothing lies there. */
bool flash_area_at(const struct rig_flash_geometry *, uint32_t address, struct flash_area *ret);
/* Bytes of a page, or of what is erased at once, at an address that lies in the flash. */
uint32_t flash_area_unit(const struct rig_flash_geometry *, uint32_t address, bool erase);
/* ERROR_TESTCASE when so many bytes from the area's begin are not whole pages (sectors), or more than the area has. */
int flash_area_aligned(struct rig_board *, const struct flash_area *, uint64_t length, bool erase, struct place,
                       struct error *err) WARN_UNUSED;

#define ARG_FLASH_AREA                                                                                                                     \
	{"area", VALUE_TEXT, 0, NULL, flash_area_names, 0, 0, "Where: a bank (A, B, running, other), its application area, data, ucb, …"}, \
	        {"offset", VALUE_INTEGER, 0, "0", NULL, 0, 0xffffffff, "Bytes from the begin of `area`."},                                 \
	        {"address", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffffffff, "Physical address, in place of `area`."}

#endif
