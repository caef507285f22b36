/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash of the chip: two program banks, DFLASH and UCB, with ECC, page states, wear, cuts and injected defects
 * (docs/reference/flash.md). No clock, no file, no process: time is a parameter, in ns of any clock. Addresses are
 * physical. Nothing here knows what is stored.
 *
 * A command begins, is busy for its cost, and takes effect at its end: flash_poll() with a later time ends it.
 */
#ifndef FIRMWARE_SILICON_FLASH_H
#define FIRMWARE_SILICON_FLASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLASH_PAGE        32u /* PFLASH */
#define FLASH_BURST       256u
#define FLASH_DATA_PAGE   8u  /* DFLASH and UCB */
#define FLASH_MAX_SECTORS 32u /* of one erase command */
#define FLASH_NEVER       UINT64_MAX

struct flash_geometry {
	char name[16];
	uint32_t bank_address[2], bank_size, bank_sector; /* bytes */
	uint32_t boot_size;                               /* protected area at the begin of each bank */
	uint32_t data_address, data_size, data_sector;
	uint32_t ucb_address, ucb_count, ucb_size;              /* a UCB is one erase sector */
	uint32_t bank_endurance, data_endurance, ucb_endurance; /* erases of a sector until it may fail */
};
extern const struct flash_geometry flash_tc375, flash_sweep;
#define FLASH_UCB_BMHD_ORIG(n) (0xAF400000u + 0x200u * (n)) /* n 0..3 */
#define FLASH_UCB_BMHD_COPY(n) (0xAF401000u + 0x200u * (n))
#define FLASH_UCB_SWAP_ORIG    0xAF402E00u
#define FLASH_UCB_SWAP_COPY    0xAF403E00u
#define FLASH_UCB_OTP          0xAF404000u /* PROCONTP: SWAPEN */
#define FLASH_PASSWORD         0xAF402100u /* UCB_PFLASH_ORIG, PW0..7 */
#define FLASH_PASSWORD_COPY    0xAF403100u

/* What a command costs, ns. Sources and confidence of the standard values: flash_cost.c. */
struct flash_cost {
	uint64_t burst_ns, page_ns, data_page_ns;
	uint64_t erase_ns, erase_sector_ns; /* a command, and each sector more */
	uint64_t data_erase_ns, data_erase_sector_ns, ucb_erase_ns;
};
extern const struct flash_cost flash_cost_tc375;

struct flash;

/* In memory, or in a file that survives (mapped; made with all its room reserved when missing). The contents are the
 * factory's: everything erased; the power is on. NULL, reason in error[] (no room on the disk, other geometry, damaged, in use). */
struct flash *flash_new(const struct flash_geometry *geometry, const struct flash_cost *cost);
struct flash *flash_open(const char *path, const struct flash_geometry *geometry, const struct flash_cost *cost, char *error,
                         size_t error_size);
void flash_free(struct flash *flash);
const struct flash_geometry *flash_geometry(const struct flash *flash);

/* ---- snapshots ---------------------------------------------------------------------------------------------- */
/* Everything but commands under way, armed cuts and injected defects: to's commands are dropped, its cuts, defects and
 * watches stay. Both of one geometry. Only sectors that differ are copied. */
void flash_copy(struct flash *to, const struct flash *from);
/* The same data, page states, ECC, seeds of weak pages and unreliable sectors: what flash_hash() is of. */
bool flash_equal(const struct flash *a, const struct flash *b);
/* Of data, page states and ECC; not of wear and read counters. For de-duplication (64 bits, seeded FNV or better). */
uint64_t flash_hash(const struct flash *flash);
/* 0, -errno (-ENOSPC: nothing of an older file is lost), -EPROTO a damaged file, -EDOM another geometry. */
int flash_save(const struct flash *flash, const char *path);
int flash_load(struct flash *flash, const char *path);

/* ---- commands ------------------------------------------------------------------------------------------------- */
enum flash_status {
	FLASH_OK,
	FLASH_BUSY,      /* of a read or flash_result(): the bank has a command under way; of commands: the power is off */
	FLASH_ECC,       /* read: uncorrectable, or an erased PFLASH page */
	FLASH_SEQUENCE,  /* SQER: a command on a busy bank, a wrong address, length or number of sectors */
	FLASH_PROTECTED, /* PROER: bootloader area, locked UCB, a command outside the map */
	FLASH_VERIFY,    /* PVER or EVER, at the end of a command */
	FLASH_NOWHERE,   /* of all but commands: the address is outside the map */
};
enum flash_kind { FLASH_PROGRAM, FLASH_ERASE };

/* Begins a command; its end is flash_poll()'s. FLASH_OK: begun. program: length is a page or (PFLASH) a burst. */
enum flash_status flash_program(struct flash *flash, uint32_t address, const uint8_t *data, size_t length, uint64_t now_ns);
enum flash_status flash_erase(struct flash *flash, uint32_t address, uint32_t sectors, uint64_t now_ns);
/* Ends commands that are due. The time at which the next one ends, FLASH_NEVER without. */
uint64_t flash_poll(struct flash *flash, uint64_t now_ns);
/* The last command of the bank that holds the address: FLASH_BUSY, or how it ended. */
enum flash_status flash_result(const struct flash *flash, uint32_t address);
/* Reading never waits and asks for no power (a debugger brings its own). Single-bit errors are corrected and counted.
 * Outputs are untouched unless FLASH_OK. */
enum flash_status flash_read(struct flash *flash, uint32_t address, uint8_t *buffer, size_t length);
/* The cells as they are, for oracles: no ECC, no power, nothing varies or counts. FLASH_OK or FLASH_NOWHERE. */
enum flash_status flash_peek(const struct flash *flash, uint32_t address, uint8_t *buffer, size_t length);
/* Password: eight words, those at FLASH_PASSWORD (its COPY when ECC is bad there); all zero while none was written. FLASH_PROTECTED: wrong,
 * and no more tries until flash_reset(). */
enum flash_status flash_unlock(struct flash *flash, const uint32_t password[8]);
void flash_lock(struct flash *flash);
bool flash_unlocked(const struct flash *flash);
/* A system or application reset: a command under way goes on (the flash does not know of resets) and the UCB locks. */
void flash_reset(struct flash *flash);

/* ---- cuts ------------------------------------------------------------------------------------------------------- */
enum flash_phase { FLASH_BEFORE, FLASH_DURING, FLASH_AFTER };
enum flash_torn { FLASH_T0, FLASH_T1, FLASH_T2, FLASH_T3, FLASH_T4, FLASH_E0 = 0, FLASH_E1, FLASH_E2, FLASH_E3 };
struct flash_cut {
	uint64_t operation; /* as flash_operations() counts: the first one after arming is flash_operations() at that time */
	enum flash_phase phase;
	unsigned torn; /* T0..T4 for a program, E0..E3 for an erase; a class that the operation has not counts as its last */
	uint64_t seed;
};
/* Operations so far: a burst or a page is one, each sector of an erase is one. */
uint64_t flash_operations(const struct flash *flash);
/* Calls back at the moment of the cut, when the flash is as the cut leaves it; the power is off from then on: all
 * commands answer FLASH_BUSY until flash_power_on(). during: at half of the operation's time. Commands under way on
 * other banks are torn with it. The handler may leave by longjmp(). One cut at a time, disarmed when it happens; NULL
 * disarms. */
typedef void (*flash_cut_handler)(void *context);
void flash_arm(struct flash *flash, const struct flash_cut *cut, flash_cut_handler handler, void *context);
/* Power goes away now: commands under way are torn (class and seed given). */
void flash_power_off(struct flash *flash, unsigned torn, uint64_t seed, uint64_t now_ns);
void flash_power_on(struct flash *flash);
/* Each operation, told when it begins to count and before anything happened: status is how it will end unless the power
 * goes away; FLASH_BUSY when an armed cut hits it or a defect keeps it busy for ever (end_ns FLASH_NEVER). Commands that
 * are refused are no operations. For recorders, invariants and timelines; NULL: nobody. */
struct flash_operation {
	uint64_t number;
	enum flash_kind kind;
	uint32_t address, length;
	const uint8_t *data; /* program only; valid during the call */
	enum flash_status status;
	uint64_t begin_ns, end_ns;
};
typedef void (*flash_watch)(void *context, const struct flash_operation *operation);
void flash_watch_set(struct flash *flash, flash_watch watch, void *context);
/* The same, told when the operation has taken effect. Not told of what a cut tore. */
void flash_watch_end_set(struct flash *flash, flash_watch watch, void *context);

/* ---- the factory, debuggers and defects (no commands, no time, not counted) --------------------------------------- */
/* Erases and programs whole pages as a factory does: any area, protected ones too, power or not; other pages of the sector
 * stay. length is padded with the erased state to a page. FLASH_SEQUENCE: the begin (erase: or end) is not a page's. */
enum flash_status flash_factory_write(struct flash *flash, uint32_t address, const uint8_t *data, size_t length);
enum flash_status flash_factory_erase(struct flash *flash, uint32_t address, uint32_t length);
enum flash_page_state { FLASH_ERASED, FLASH_GOOD, FLASH_TORN, FLASH_WEAK, FLASH_BAD };
enum flash_page_state flash_page_state(const struct flash *flash, uint32_t address);
uint32_t flash_erases(const struct flash *flash, uint32_t address); /* of the sector */
uint64_t flash_corrected(const struct flash *flash);                /* single-bit errors so far */
enum flash_defect {
	FLASH_DEFECT_PVER,       /* programming the page fails to verify */
	FLASH_DEFECT_EVER,       /* erasing the sector fails to verify */
	FLASH_DEFECT_SINGLE_BIT, /* the page has a single-bit error: corrected */
	FLASH_DEFECT_DOUBLE_BIT, /* the page reads FLASH_ECC */
	FLASH_DEFECT_STUCK_BIT,  /* one bit of the page always reads 1: bad ECC when that is wrong */
	FLASH_DEFECT_BUSY,       /* the next command on the bank never ends (until power off) */
	FLASH_DEFECT_WORN,       /* the sector is past its endurance: what is programmed is weak */
	FLASH_DEFECT_FLIP,       /* flips one bit of the data with matching ECC: what an attacker or a debugger does */
};
/* bit: of the page's data, for those that need one. FLASH_NOWHERE for an address outside; FLASH_SEQUENCE: no such bit, or
 * more than 256 defects. FLASH_DEFECT_FLIP changes the cells at once and is nothing that could be cleared. */
enum flash_status flash_defect_set(struct flash *flash, enum flash_defect defect, uint32_t address, unsigned bit);
void flash_defects_clear(struct flash *flash);

#endif
