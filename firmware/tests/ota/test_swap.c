/* SPDX-License-Identifier: Apache-2.0 */
/* UCB_SWAP: whatever is cut, the chip has something to choose, the choice can be explained, and both blocks become clean. */
#include "../../core/ota_swap.h"
#include "test_boot_cuts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 16u
#define ORIG    FLASH_UCB_SWAP_ORIG
#define COPY    FLASH_UCB_SWAP_COPY

static uint8_t from, to;      /* banks: what runs, what is asked for */
static bool only_from;        /* the other bank cannot boot: the chip must never choose it */
static uint32_t erase_budget; /* of each block, from the begin of the scenario */
static bool entries_always;   /* each block has a valid entry at every moment */

static void prepare(void)
{
	fake_flash_clear(&cuts_geometry);
	cuts_fault(NULL);
	cuts_reason(PORT_REASON_POWER_ON);
	cuts_reboot();
	from = 0;
	to = 1;
	only_from = entries_always = false;
	erase_budget = 4;
}

static void violated(const char *what)
{
	cuts_print();
	ck_abort_msg("%s: chip chooses %u, ORIG entry %d, COPY entry %d", what, fake_flash_ssw()->active, fake_flash_ssw()->orig_entry,
	             fake_flash_ssw()->copy_entry);
}

static void write_to(void)
{
	ck_assert_int_eq(ota_swap_write(to), PORT_OK);
}

static void settle(void)
{
	ck_assert_int_eq(ota_swap_settle(), PORT_OK);
}

static void after_reset(void)
{
	const struct ssw_result *ssw = fake_flash_ssw();
	if (!ssw->bootable)
		violated("not bootable");
	if (ssw->orig_entry < 0 && ssw->copy_entry < 0)
		violated("no valid entry");
	if (entries_always && (ssw->orig_entry < 0 || ssw->copy_entry < 0))
		violated("a block without a valid entry");
	if (only_from && ssw->active != from)
		violated("the bank that cannot boot");
	if (ssw->active != from && ssw->active != to)
		violated("a bank that nobody asked for");
}

/* The map of this boot stays, and both blocks say so to the last bit. */
static void check_clean(bool finished, bool recovered)
{
	uint8_t runs = recovered ? fake_flash_ssw()->active : to;
	struct ota_swap_state state;
	for (int i = 0; i < 4; i++) {
		ota_swap_read(&state);
		if (!state.clean[0] || !state.clean[1])
			violated("not clean");
		if (state.bank[0] != (int8_t)runs || state.bank[1] != (int8_t)runs)
			violated("blocks that do not say what runs");
		cuts_reboot();
		after_reset();
		if (fake_flash_ssw()->active != runs || fake_flash_ssw()->contradiction)
			violated("the choice changed");
		settle();
	}
	ck_assert(!finished || runs == to);
	if (flash_erases(fake_flash(), ORIG) > erase_budget || flash_erases(fake_flash(), COPY) > erase_budget)
		violated("too many erases");
}

static void sweep(void (*operate)(void), unsigned seeds, unsigned stride)
{
	const struct cuts cuts = {
	        .operate = operate, .recover = settle, .lost = after_reset, .check = check_clean, .seeds = seeds, .stride = stride};
	printf("swap: %u runs\n", cuts_sweep(&cuts));
}

/* Swaps to and fro until entry `last` of both blocks is the one that counts; `bank` runs. */
static void use_entries(unsigned last)
{
	for (unsigned i = 1; i <= last; i++) {
		ck_assert_int_eq(ota_swap_write(fake_flash_ssw()->active ^ 1u), PORT_OK);
		cuts_reboot();
	}
	ck_assert_int_eq(fake_flash_ssw()->orig_entry, (int)last);
	ck_assert_int_eq(fake_flash_ssw()->copy_entry, (int)last);
	from = fake_flash_ssw()->active;
	to = from ^ 1u;
}

/* ---- without cuts -------------------------------------------------------------------------------------------------------- */

START_TEST(factory_is_clean)
{
	struct ota_swap_state state;
	prepare();
	ota_swap_read(&state);
	ck_assert(state.clean[0] && state.clean[1] && state.bank[0] == 0 && state.bank[1] == 0);
	settle();
	ck_assert_int_eq(ota_swap_write(0), PORT_OK);
	ck_assert_uint_eq(cuts_operations(), 0);
}
END_TEST

START_TEST(write_order)
{
	prepare();
	write_to();
	ck_assert_uint_eq(cuts_operations(), 6);
	ck_assert(!flash_unlocked(fake_flash()));
	ck_assert_uint_eq(port_flash_active(), 0);
	cuts_reboot();
	ck_assert_uint_eq(port_flash_active(), 1);
	check_clean(true, false);
	ck_assert_uint_eq(cuts_operations(), 6);
}
END_TEST

START_TEST(hundred_swaps_wear)
{
	prepare();
	for (unsigned i = 1; i <= 100; i++) {
		ck_assert_int_eq(ota_swap_write(i % 2), PORT_OK);
		cuts_reboot();
		ck_assert_uint_eq(port_flash_active(), i % 2);
		uint64_t operations = cuts_operations();
		settle();
		ck_assert_uint_eq(cuts_operations(), operations);
	}
	printf("swap: 100 swaps, %u and %u erases\n", flash_erases(fake_flash(), ORIG), flash_erases(fake_flash(), COPY));
	ck_assert_uint_le(flash_erases(fake_flash(), ORIG), 8);
	ck_assert_uint_le(flash_erases(fake_flash(), COPY), 8);
}
END_TEST

START_TEST(pending_swap_is_left_alone)
{
	prepare();
	write_to();
	uint64_t operations = cuts_operations();
	settle(); /* as after an application reset: the map is the old one */
	ck_assert_uint_eq(cuts_operations(), operations);
	ck_assert_int_eq(ota_swap_write(0), PORT_OK); /* taken back */
	cuts_reboot();
	ck_assert_uint_eq(port_flash_active(), 0);
	to = 0;
	check_clean(true, false);
}
END_TEST

START_TEST(wrong_password)
{
	static const char *const texts[] = {"", "00112233", "zz112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210",
	                                    "10112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"};
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		prepare();
		fake_param_set("flash.password", texts[i]);
		ck_assert_int_eq(ota_swap_write(1), PORT_FAILED);
		ck_assert(!flash_unlocked(fake_flash()));
		ck_assert_uint_eq(cuts_operations(), 0);
	}
}
END_TEST

/* ---- cuts -------------------------------------------------------------------------------------------------------------------- */

START_TEST(cut_swap)
{
	static const unsigned entries[] = {0, 1, 12, 13, 14, 15};
	prepare();
	if (entries[_i] > 0)
		use_entries(entries[_i]);
	entries_always = entries[_i] < 14;
	erase_budget = 6;
	sweep(write_to, 3, entries[_i] < 14 ? 7 : 13);
}
END_TEST

START_TEST(cut_swap_other_policy)
{
	prepare();
	fake_flash_policy(SSW_COPY_WINS);
	sweep(write_to, 2, 7);
}
END_TEST

/* What a block may look like: only the running bank can boot. */
static void damage(uint32_t block, unsigned kind)
{
	uint8_t bytes[512];
	memset(bytes, kind == 1 ? 0xFF : 0x3C, sizeof bytes);
	if (kind == 0)
		ck_assert_int_eq(flash_factory_erase(fake_flash(), block, 512), FLASH_OK);
	else if (kind <= 2)
		ck_assert_int_eq(flash_factory_write(fake_flash(), block, bytes, sizeof bytes), FLASH_OK);
	else if (kind == 3) /* a marker without confirmation behind the last entry */
		ck_assert_int_eq(flash_factory_write(fake_flash(), block + 0x20, bytes, 8), FLASH_OK);
	else if (kind == 4) /* gap */
		ck_assert_int_eq(flash_factory_write(fake_flash(), block + 0x50, bytes, 8), FLASH_OK);
	else /* the last entry's confirmation is gone */
		ck_assert_int_eq(flash_factory_erase(fake_flash(), block + 0x18, 8), FLASH_OK);
}

START_TEST(cut_repair)
{
	for (unsigned kind = 0; kind < 6; kind++) {
		prepare();
		use_entries(1); /* B runs: without any valid entry the chip would take A */
		damage(_i == 0 ? ORIG : COPY, kind);
		cuts_reboot();
		ck_assert_uint_eq(fake_flash_ssw()->active, 1);
		to = from = 1;
		only_from = true;
		sweep(settle, 2, 7);
	}
}
END_TEST

START_TEST(cut_repair_of_a_full_block)
{
	for (unsigned kind = 0; kind < 3; kind++) {
		prepare();
		use_entries(15);
		ck_assert_uint_eq(from, 1);
		damage(_i == 0 ? ORIG : COPY, kind);
		cuts_reboot();
		to = from;
		only_from = true;
		erase_budget = 6;
		sweep(settle, 2, 11);
	}
}
END_TEST

static uint64_t seed;
static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void settle_and_write(void)
{
	settle();
	(void)ota_swap_write(to);
}

/* Cuts without end, each at a random operation, with a swap tried at every boot: the chip never runs out of choices. */
START_TEST(cut_for_ever)
{
	for (unsigned round = 0; round < 12; round++) {
		prepare();
		seed = round + 1;
		erase_budget = 1000;
		if (round % 4)
			use_entries(10 + rnd(6));
		for (unsigned i = 0; i < 60; i++) {
			const struct flash_cut cut = {.operation = cuts_operations() + rnd(round % 2 ? 4 : 12),
			                              .phase = (enum flash_phase)rnd(3),
			                              .torn = rnd(5),
			                              .seed = seed};
			to = fake_flash_ssw()->active ^ rnd(2);
			fake_flash_cut(&cut);
			(void)cuts_run(settle_and_write);
			fake_flash_cut(NULL);
			from = 0;
			to = 1;
			cuts_reboot();
			after_reset();
		}
		settle();
		check_clean(false, true);
	}
}
END_TEST

START_TEST(same_cut_fifty_times)
{
	unsigned most = 0;
	for (unsigned point = 0; point < 6 * 3 * 5; point++) {
		prepare();
		for (unsigned i = 0; i < 50; i++) {
			const struct flash_cut cut = {.operation = cuts_operations() + point % 6,
			                              .phase = (enum flash_phase)(point / 6 % 3),
			                              .torn = point / 18,
			                              .seed = i * 31 + point};
			fake_flash_cut(&cut);
			(void)cuts_run(settle_and_write);
			fake_flash_cut(NULL);
			cuts_reboot();
			after_reset();
		}
		settle();
		erase_budget = 60;
		check_clean(false, true);
		if (flash_erases(fake_flash(), ORIG) > most)
			most = flash_erases(fake_flash(), ORIG);
		if (flash_erases(fake_flash(), COPY) > most)
			most = flash_erases(fake_flash(), COPY);
	}
	printf("swap: the same cut 50 times costs at most %u erases\n", most);
}
END_TEST

/* ---- defects ----------------------------------------------------------------------------------------------------------------- */

START_TEST(bad_pages_are_skipped)
{
	for (unsigned page = 0; page < 2 * ENTRIES; page++) {
		prepare();
		flash_defect_set(fake_flash(), FLASH_DEFECT_PVER, ORIG + page * 8, 0);
		flash_defect_set(fake_flash(), FLASH_DEFECT_PVER, COPY + (page * 5 + 1) % 32 * 8, 0);
		for (unsigned i = 1; i < 12; i++) {
			(void)ota_swap_write(i % 2);
			cuts_reboot();
			(void)ota_swap_settle();
			cuts_reboot();
			after_reset();
		}
		flash_defects_clear(fake_flash());
	}
}
END_TEST

START_TEST(refused_erase_keeps_the_map)
{
	prepare();
	use_entries(15);
	flash_defect_set(fake_flash(), FLASH_DEFECT_EVER, _i == 0 ? ORIG : COPY, 0);
	ck_assert_int_eq(ota_swap_write(to), PORT_FAILED);
	ck_assert(!flash_unlocked(fake_flash()));
	cuts_reboot();
	ck_assert_uint_eq(fake_flash_ssw()->active, from);
	flash_defects_clear(fake_flash());
	settle();
	erase_budget = 8; /* each refused erase is tried twice */
	check_clean(false, true);
}
END_TEST

START_TEST(busy_for_ever_ends)
{
	prepare();
	flash_defect_set(fake_flash(), FLASH_DEFECT_BUSY, ORIG, 0);
	uint64_t begin_us = port_time_us();
	ck_assert_int_eq(ota_swap_write(1), PORT_FAILED);
	ck_assert_uint_le(port_time_us() - begin_us, 3000000);
	ck_assert(!flash_unlocked(fake_flash()));
}
END_TEST

/* ---- planted defects do what they say ------------------------------------------------------------------------------------- */

static void faulty(const char *name)
{
	prepare();
	cuts_fault(name);
	cuts_reboot();
}

START_TEST(fault_no_copy)
{
	faulty("ota-swap-no-copy");
	ck_assert_int_eq(ota_swap_write(1), PORT_OK);
	cuts_reboot();
	ck_assert_int_eq(ota_swap_settle(), PORT_OK);
	cuts_reboot();
	ck_assert_uint_eq(fake_flash_ssw()->active, 1);
	ck_assert(fake_flash_ssw()->contradiction);
	ck_assert_int_eq(fake_flash_ssw()->copy_entry, 0);
}
END_TEST

START_TEST(fault_copy_address)
{
	faulty("ota-copy-wrong-address");
	ck_assert_int_eq(ota_swap_write(1), PORT_OK);
	cuts_reboot();
	ck_assert_uint_eq(fake_flash_ssw()->active, 1);
	ck_assert(fake_flash_ssw()->contradiction);
}
END_TEST

/* At some cut one block has no valid entry: never so without the fault (cut_swap). */
START_TEST(fault_old_first)
{
	unsigned seen = 0;
	for (unsigned n = 0; n < 6; n++) {
		faulty("ota-swap-old-first");
		const struct flash_cut cut = {.operation = n, .phase = FLASH_AFTER};
		fake_flash_cut(&cut);
		ck_assert(!cuts_run(write_to));
		cuts_reboot();
		seen += fake_flash_ssw()->orig_entry < 0 || fake_flash_ssw()->copy_entry < 0;
	}
	ck_assert_uint_ge(seen, 2);
}
END_TEST

START_TEST(fault_torn_marker)
{
	faulty("ota-torn-marker-trusted");
	struct ota_swap_state state;
	struct flash_cut cut = {.operation = 3, .phase = FLASH_AFTER}; /* ORIG's marker */
	fake_flash_cut(&cut);
	ck_assert(!cuts_run(write_to));
	cuts_reboot();
	ck_assert_uint_eq(fake_flash_ssw()->active, 0);
	ota_swap_read(&state);
	ck_assert_int_eq(state.bank[0], 1);
	ck_assert_int_eq(ota_swap_settle(), PORT_OK);
	ck_assert_int_eq(ota_swap_write(1), PORT_OK);
	cuts_reboot();
	ck_assert_uint_eq(fake_flash_ssw()->active, 0); /* the swap that was reported never happened */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("swap");
	TCase *plain = tcase_create("plain"), *cuts = tcase_create("cuts"), *defects = tcase_create("defects");
	tcase_set_timeout(plain, 60);
	tcase_set_timeout(cuts, getenv("OTA_ALL_PAIRS") ? 3600 : 300);
	tcase_set_timeout(defects, 60);
	tcase_add_test(plain, factory_is_clean);
	tcase_add_test(plain, write_order);
	tcase_add_test(plain, hundred_swaps_wear);
	tcase_add_test(plain, pending_swap_is_left_alone);
	tcase_add_test(plain, wrong_password);
	tcase_add_loop_test(cuts, cut_swap, 0, 6);
	tcase_add_test(cuts, cut_swap_other_policy);
	tcase_add_loop_test(cuts, cut_repair, 0, 2);
	tcase_add_loop_test(cuts, cut_repair_of_a_full_block, 0, 2);
	tcase_add_test(cuts, cut_for_ever);
	tcase_add_test(cuts, same_cut_fifty_times);
	tcase_add_test(defects, bad_pages_are_skipped);
	tcase_add_loop_test(defects, refused_erase_keeps_the_map, 0, 2);
	tcase_add_test(defects, busy_for_ever_ends);
	tcase_add_test(defects, fault_no_copy);
	tcase_add_test(defects, fault_copy_address);
	tcase_add_test(defects, fault_old_first);
	tcase_add_test(defects, fault_torn_marker);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, cuts);
	suite_add_tcase(suite, defects);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
