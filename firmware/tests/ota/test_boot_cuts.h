/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts at every flash operation of something, in every phase and torn class, and again at every operation of the
 * recovery that follows. The flash is the model, time is virtual; the start of each run is a snapshot.
 *
 * Functions run as firmware after a reset (the map is evaluated, RAM of the tests stays). They check by ck_assert; when a
 * check is about to fail, cuts_print() tells which cuts led there.
 */
#ifndef FIRMWARE_TESTS_OTA_TEST_BOOT_CUTS_H
#define FIRMWARE_TESTS_OTA_TEST_BOOT_CUTS_H

#include "../fake_flash.h"

/* A small chip: two sectors a bank, four of DFLASH, all UCBs. */
extern const struct flash_geometry cuts_geometry;

struct cuts {
	void (*operate)(void);                        /* what is cut */
	void (*recover)(void);                        /* what every boot does, until it is through */
	void (*lost)(void);                           /* after each cut and reset, before recovery; may be NULL */
	void (*check)(bool finished, bool recovered); /* finished: operate() was not cut; recovered: recover() went through */
	unsigned seeds;
	unsigned stride; /* of the pairs: 1 all, 0 none */
};

/* A power-on: RAM of the fake port anew, the map evaluated, parameters and faults set. */
void cuts_reboot(void);
/* In force from the next cuts_reboot() on; NULL: none. */
void cuts_fault(const char *names);
void cuts_reason(enum port_reset_reason reason);
/* Runs a function as firmware; false: the power was lost. */
bool cuts_run(void (*function)(void));
/* Operations of the flash so far. */
uint64_t cuts_operations(void);
/* The sweep from the present state of the flash, which is as operate() without a cut leaves it afterwards. Returns the number
 * of runs. */
unsigned cuts_sweep(const struct cuts *cuts);
/* The stride of pairs, or 1 when the environment variable OTA_ALL_PAIRS is set: minutes instead of seconds. */
unsigned cuts_stride(unsigned stride);
/* Of the run that is under way: the cuts, for a failed check. */
void cuts_print(void);
/* For tests that arm cuts themselves: what cuts_print() shows. */
void cuts_note(const struct flash_cut *cut);
void cuts_forget(void);

#endif
