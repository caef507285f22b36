/* SPDX-License-Identifier: Apache-2.0 */
/* The update record: what is read after a cut is the old or the new one, and the counter never falls. */
#include "../../core/ota_store.h"
#include "test_boot_cuts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_PAGES 512u
#define ERASE_BUDGET 4u

static struct ota_record before, after;
static bool is_new; /* what the last complete recovery found */

static void start_store(void)
{
	struct ota_record record;
	(void)ota_store_start(&record);
	ck_assert_int_eq(ota_store_settle(), PORT_OK);
}

static void put_after(void)
{
	start_store();
	ck_assert_int_eq(ota_store_put(&after), PORT_OK);
	ck_assert_mem_eq(ota_store_get(), &after, sizeof after);
}

static void read_again(void)
{
	cuts_reboot();
	ck_assert(cuts_run(start_store));
}

static struct ota_record expected(void)
{
	return is_new ? after : before;
}

static void check_record(bool finished, bool recovered)
{
	const struct ota_record *now = ota_store_get();
	(void)recovered;
	is_new = memcmp(now, &after, sizeof after) == 0;
	if (!is_new && memcmp(now, &before, sizeof before) != 0) {
		cuts_print();
		ck_abort_msg("neither the old nor the new record: state %u counter %u bookmark %u", now->state, now->security_counter,
		             now->bookmark);
	}
	ck_assert(!finished || is_new);
	for (int i = 0; i < 3; i++) {
		const struct ota_record was = expected();
		read_again();
		if (memcmp(ota_store_get(), &was, sizeof was) != 0) {
			cuts_print();
			ck_abort_msg("a record that was settled changed");
		}
	}
}

static void prepare(void)
{
	fake_flash_clear(&cuts_geometry);
	cuts_fault(NULL);
	cuts_reason(PORT_REASON_POWER_ON);
	cuts_reboot();
	memset(&before, 0, sizeof before);
	before.candidate = OTA_NO_BANK;
	after = before;
	start_store();
}

static void put(const struct ota_record *record)
{
	ck_assert_int_eq(ota_store_put(record), PORT_OK);
}

static unsigned sweep(unsigned stride)
{
	const struct cuts cuts = {.operate = put_after, .recover = start_store, .check = check_record, .seeds = 4, .stride = stride};
	unsigned runs = cuts_sweep(&cuts);
	printf("store: %u runs\n", runs);
	return runs;
}

/* ---- without cuts ------------------------------------------------------------------------------------------------------ */

START_TEST(empty_is_factory)
{
	struct ota_record record;
	prepare();
	ck_assert_int_eq(ota_store_start(&record), PORT_OK);
	ck_assert_mem_eq(&record, &before, sizeof record);
	ck_assert_uint_eq(cuts_operations(), 0);
}
END_TEST

START_TEST(remembers_ten_thousand)
{
	prepare();
	for (unsigned i = 1; i <= 10000; i++) {
		after.bookmark = i;
		after.boots = i / 7;
		if (i % 97 == 0)
			after.header[i % sizeof after.header]++;
		if (i % 1009 == 0)
			after.security_counter++;
		put(&after);
		if (i % 37 != 0)
			continue;
		uint64_t operations = cuts_operations();
		read_again();
		ck_assert_mem_eq(ota_store_get(), &after, sizeof after);
		ck_assert_uint_eq(cuts_operations(), operations);
	}
	for (unsigned n = 0; n < 4; n++)
		printf("store: sector %u erased %u times\n", n, flash_erases(fake_flash(), 0xAF000000u + n * 0x1000u));
}
END_TEST

START_TEST(same_again_writes_nothing)
{
	prepare();
	after.bookmark = 1;
	put(&after);
	uint64_t operations = cuts_operations();
	put(&after);
	ck_assert_uint_eq(cuts_operations(), operations);
}
END_TEST

START_TEST(short_entries_cost_six_pages)
{
	prepare();
	after.bookmark = 1;
	put(&after);
	uint64_t operations = cuts_operations();
	after.bookmark = 2;
	put(&after);
	ck_assert_uint_eq(cuts_operations() - operations, 6);
}
END_TEST

/* ---- cuts ------------------------------------------------------------------------------------------------------------------ */

START_TEST(cut_first_record)
{
	prepare();
	after.state = OTA_WRITING;
	ck_assert_uint_gt(sweep(7), 300);
}
END_TEST

START_TEST(cut_short_record)
{
	prepare();
	before.state = OTA_WRITING;
	put(&before);
	before.bookmark = 0x4000;
	put(&before);
	after = before;
	after.bookmark = 0x8000;
	ck_assert_uint_gt(sweep(7), 300);
}
END_TEST

START_TEST(cut_full_record)
{
	prepare();
	before.state = OTA_TRIAL;
	before.trial_boots = 3;
	put(&before);
	after = before;
	after.state = OTA_ROLLED_BACK;
	after.quarantined = 1;
	memset(after.quarantine, 0x5A, sizeof after.quarantine);
	ck_assert_uint_gt(sweep(7), 300);
}
END_TEST

START_TEST(cut_counter_rise)
{
	prepare();
	before.state = OTA_TRIAL;
	before.security_counter = 4;
	put(&before);
	after = before;
	after.state = OTA_IDLE;
	after.security_counter = 9;
	ck_assert_uint_gt(sweep(29), 1000);
}
END_TEST

/* With so little room that the record goes to another sector, or that the recovery has to. */
START_TEST(cut_sector_change)
{
	prepare();
	before.security_counter = 2;
	put(&before);
	uint64_t room = SECTOR_PAGES - 22;
	for (before.boots = 1; room >= 6 * ((uint64_t)_i + 1); before.boots++, room -= 6)
		put(&before);
	before = *ota_store_get();
	after = before;
	after.boots++;
	ck_assert_uint_gt(sweep(_i == 0 ? 23 : 5), 300);
}
END_TEST

/* The same cut fifty times, then peace. */
START_TEST(same_cut_fifty_times)
{
	static const enum flash_phase phases[] = {FLASH_BEFORE, FLASH_DURING, FLASH_AFTER};
	for (unsigned point = 0; point < 6 * 15; point++) {
		prepare();
		before.security_counter = 1;
		put(&before);
		after = before;
		after.bookmark = 77;
		for (unsigned i = 0; i < 50; i++) {
			const struct flash_cut cut = {.operation = cuts_operations() + point % 6,
			                              .phase = phases[point / 6 % 3],
			                              .torn = point / 18,
			                              .seed = i * 31 + point};
			fake_flash_cut(&cut);
			(void)cuts_run(put_after);
			fake_flash_cut(NULL);
			cuts_reboot();
		}
		ck_assert(cuts_run(start_store));
		check_record(false, true);
		for (unsigned n = 0; n < 4; n++)
			ck_assert_uint_le(flash_erases(fake_flash(), 0xAF000000u + n * 0x1000u), ERASE_BUDGET + 50);
	}
}
END_TEST

/* ---- defects --------------------------------------------------------------------------------------------------------------- */

START_TEST(counter_survives_a_sector)
{
	for (unsigned lost = 0; lost < 3; lost++) {
		prepare();
		for (unsigned i = 1; i < 300; i++) {
			after.boots = i;
			after.security_counter = 1 + i / 50;
			put(&after);
			if (i % 23 != 0)
				continue;
			static uint8_t garbage[0x1000];
			memset(garbage, (int)i, sizeof garbage);
			ck_assert_int_eq(flash_factory_write(fake_flash(), 0xAF000000u + lost * 0x1000u, garbage, sizeof garbage),
			                 FLASH_OK);
			read_again();
			ck_assert_uint_eq(ota_store_get()->security_counter, after.security_counter);
		}
	}
}
END_TEST

START_TEST(all_lost_is_told)
{
	static uint8_t garbage[0x4000];
	struct ota_record record;
	prepare();
	after.security_counter = 3;
	put(&after);
	memset(garbage, 0x77, sizeof garbage);
	ck_assert_int_eq(flash_factory_write(fake_flash(), 0xAF000000u, garbage, sizeof garbage), FLASH_OK);
	cuts_reboot();
	ck_assert_int_eq(ota_store_start(&record), PORT_FAILED);
	ck_assert_mem_eq(&record, &before, sizeof record);
	put(&after);
	read_again();
	ck_assert_mem_eq(ota_store_get(), &after, sizeof after);
}
END_TEST

START_TEST(bad_pages_are_skipped)
{
	prepare();
	put(&after);
	for (unsigned page = 0; page < SECTOR_PAGES; page += 11)
		for (unsigned sector = 0; sector < 3; sector++)
			flash_defect_set(fake_flash(), FLASH_DEFECT_PVER, 0xAF000000u + sector * 0x1000u + page * 8, 0);
	for (unsigned i = 1; i < 200; i++) {
		after.boots = i;
		enum port_status status = ota_store_put(&after);
		read_again();
		if (status == PORT_OK)
			ck_assert_mem_eq(ota_store_get(), &after, sizeof after);
		else
			ck_assert_uint_lt(ota_store_get()->boots, i);
	}
	flash_defects_clear(fake_flash());
}
END_TEST

START_TEST(sector_that_does_not_erase)
{
	prepare();
	flash_defect_set(fake_flash(), FLASH_DEFECT_EVER, 0xAF001000u, 0);
	for (unsigned i = 1; i < 400; i++) {
		after.boots = i;
		put(&after);
	}
	read_again();
	ck_assert_mem_eq(ota_store_get(), &after, sizeof after);
	flash_defects_clear(fake_flash());
}
END_TEST

START_TEST(busy_for_ever_is_a_failure)
{
	prepare();
	put(&after);
	before = after;
	flash_defect_set(fake_flash(), FLASH_DEFECT_BUSY, 0xAF000000u, 0);
	after.boots = 1;
	uint64_t begin_us = port_time_us();
	ck_assert_int_eq(ota_store_put(&after), PORT_FAILED);
	ck_assert_int_eq(ota_store_put(&after), PORT_FAILED);
	ck_assert_uint_le(port_time_us() - begin_us, 2500000);
	ck_assert_mem_eq(ota_store_get(), &before, sizeof before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *plain = tcase_create("plain"), *cuts = tcase_create("cuts"), *defects = tcase_create("defects");
	tcase_set_timeout(plain, 60);
	tcase_set_timeout(cuts, getenv("OTA_ALL_PAIRS") ? 3600 : 300);
	tcase_set_timeout(defects, 60);
	tcase_add_test(plain, empty_is_factory);
	tcase_add_test(plain, remembers_ten_thousand);
	tcase_add_test(plain, same_again_writes_nothing);
	tcase_add_test(plain, short_entries_cost_six_pages);
	tcase_add_test(cuts, cut_first_record);
	tcase_add_test(cuts, cut_short_record);
	tcase_add_test(cuts, cut_full_record);
	tcase_add_test(cuts, cut_counter_rise);
	tcase_add_loop_test(cuts, cut_sector_change, 0, 3);
	tcase_add_test(cuts, same_cut_fifty_times);
	tcase_add_test(defects, counter_survives_a_sector);
	tcase_add_test(defects, all_lost_is_told);
	tcase_add_test(defects, bad_pages_are_skipped);
	tcase_add_test(defects, sector_that_does_not_erase);
	tcase_add_test(defects, busy_for_ever_is_a_failure);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, cuts);
	suite_add_tcase(suite, defects);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
