/* SPDX-License-Identifier: Apache-2.0 */
/* Whole updates by UDS requests on the flash model: what happens when everything is right, after cuts, and in a trial. */
#include "update_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_US 530u

static struct update_package package, second;

START_TEST(whole_update)
{
	struct update_state state;

	update_make(&package, 1, 2, 100001);
	state = update_state();
	ck_assert_uint_eq(state.state, OTA_IDLE);
	ck_assert_uint_eq(state.active, 0);
	ck_assert_uint_eq(state.candidate, OTA_NO_BANK);
	ck_assert_uint_eq(state.counter, 1);
	update_transfer(&package);
	ck_assert(update_holds(1, &package));
	ck_assert(update_holds(0, &update_old));
	ck_assert_uint_eq(update_state().state, OTA_VERIFIED);
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
	state = update_state();
	ck_assert_uint_eq(state.state, OTA_ACTIVATED);
	ck_assert_uint_eq(state.active, 0);
	ck_assert_uint_eq(state.candidate, 1);
	update_reset();
	state = update_state();
	ck_assert_uint_eq(state.state, OTA_TRIAL);
	ck_assert_uint_eq(state.active, 1);
	ck_assert_uint_eq(state.trial_boots, 1);
	ck_assert_uint_eq(state.trial_limit, 3);
	ck_assert_uint_eq(state.counter, 1);
	ck_assert_int_eq(memcmp(update_ask("22 FD 51"), "62 FD 51", 8), 0);
	ck_assert_mem_eq(bench.answer + 3, package.digest, 32);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	state = update_state();
	ck_assert_uint_eq(state.state, OTA_IDLE);
	ck_assert_uint_eq(state.counter, 2);
	ck_assert_str_eq(update_confirm(), "7F 31 22");
	update_boot(PORT_REASON_POWER_ON);
	ck_assert_uint_eq(update_state().active, 1);
	ck_assert_uint_eq(bench.boot.trial, false);
}
END_TEST

/* From bank B into bank A: physical addresses are not the mapped ones. */
START_TEST(there_and_back)
{
	update_make(&package, 1, 2, 70000);
	update_make(&second, 2, 3, 90000);
	update_install(&package);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	update_install(&second);
	ck_assert(update_holds(0, &second));
	ck_assert(update_holds(1, &package));
	ck_assert_uint_eq(update_state().active, 0);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	ck_assert_uint_eq(update_state().counter, 3);
}
END_TEST

START_TEST(planted_mapped_erase)
{
	update_make(&package, 1, 2, 20000);
	update_make(&second, 2, 3, 20000);
	update_install(&package);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	update_param("fault", "ota-mapped-erase");
	update_boot(PORT_REASON_POWER_ON);
	update_unlock();
	ck_assert_str_eq(update_offer(&second), "71 01 F0 10");
	(void)update_erase(&second);
	ck_assert(!update_holds(1, &package));
}
END_TEST

START_TEST(gzip)
{
	update_make(&package, 1, 2, 150000);
	update_gzip(&package);
	ck_assert_uint_lt(package.length, 120000);
	update_install(&package);
	ck_assert(update_holds(1, &package));
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
}
END_TEST

/* Every length of the last bursts and pages, small blocks, and a header that comes byte by byte. */
START_TEST(sizes)
{
	uint32_t size = 1 + (uint32_t)_i;

	update_make(&package, 1, 2, size);
	if (_i % 3 == 0)
		update_gzip(&package);
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_erase(&package), "71 01 FF 00 00");
	ck_assert_str_eq(update_download(&package, 0), "74 20 0F FF");
	for (uint32_t at = 0; at < package.length;) {
		uint32_t part = at < 80 ? 1 : 97;

		if (part > package.length - at)
			part = (uint32_t)package.length - at;
		ck_assert_int_eq(strncmp(update_block(package.bytes + at, part), "76", 2), 0);
		at += part;
	}
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	ck_assert(update_holds(1, &package));
}
END_TEST

/* ---- double buffering ----------------------------------------------------------------------------------------------- */

START_TEST(as_fast_as_the_flash)
{
	uint64_t begin_us, spent_us, flash_us, late = 0;

	update_make(&package, 1, 2, 280000);
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_erase(&package), "71 01 FF 00 00");
	ck_assert_str_eq(update_download(&package, 0), "74 20 0F FF");
	begin_us = port_time_us();
	for (uint32_t at = 0, n = 0; at < package.length; at += UPDATE_BLOCK, n++) {
		uint32_t left = (uint32_t)package.length - at;

		ck_assert_int_eq(strncmp(update_block(package.bytes + at, left < UPDATE_BLOCK ? left : UPDATE_BLOCK), "76", 2), 0);
		ck_assert_uint_eq(bench.answers, 1); /* a block takes 9 ms: never a 0x78 */
		if (n < 2)
			ck_assert_uint_eq(bench.last_us, 0); /* taken while the one before is being programmed */
		late += bench.last_us > 0;
		update_run_us(500); /* the way to the tester and back */
	}
	ck_assert_str_eq(update_exit(), "77");
	spent_us = port_time_us() - begin_us;
	flash_us = (package.length + 255) / 256 * BURST_US;
	ck_assert_uint_gt(late, package.length / UPDATE_BLOCK / 2);
	ck_assert_msg(flash_us * 100 >= spent_us * 95, "%llu us of %llu us", (unsigned long long)flash_us, (unsigned long long)spent_us);
}
END_TEST

/* ---- resume ------------------------------------------------------------------------------------------------------------ */

static void cut_after(uint32_t bytes)
{
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_erase(&package), "71 01 FF 00 00");
	ck_assert_str_eq(update_download(&package, 0), "74 20 0F FF");
	ck_assert_int_eq(strncmp(update_blocks(&package, 0, bytes), "76", 2), 0);
}

static uint32_t read_bookmark(void)
{
	ck_assert_int_eq(strncmp(update_ask("22 FD 52"), "62 FD 52", 8), 0);
	return (uint32_t)bench.answer[3] << 24 | (uint32_t)bench.answer[4] << 16 | (uint32_t)bench.answer[5] << 8 | bench.answer[6];
}

static void resume(uint32_t bookmark)
{
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_download(&package, bookmark), "74 20 0F FF");
	ck_assert_int_eq(strncmp(update_blocks(&package, bookmark, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	ck_assert(update_holds(1, &package));
}

START_TEST(resume_after_power_cut)
{
	uint32_t bookmark;

	update_make(&package, 1, 2, 250000);
	cut_after(190000);
	flash_power_off(fake_flash(), (unsigned)_i % 5, 99 + (uint64_t)_i, fake_flash_now_ns());
	update_boot(PORT_REASON_POWER_ON);
	bookmark = read_bookmark();
	ck_assert_uint_gt(bookmark, 100000);
	ck_assert_uint_eq(bookmark % flash_sweep.bank_sector, 0);
	ck_assert_mem_eq(bench.answer + 7, package.digest, 32);
	ck_assert_uint_eq(update_state().bookmark, bookmark);
	resume(bookmark);
	ck_assert_uint_eq(read_bookmark(), 0);
}
END_TEST

START_TEST(resume_in_the_same_power_cycle)
{
	uint32_t bookmark;

	update_make(&package, 1, 2, 250000);
	cut_after(100000);
	update_run_us(6000000); /* S3 */
	bookmark = read_bookmark();
	ck_assert_uint_gt(bookmark, 0);
	resume(bookmark);
}
END_TEST

START_TEST(resume_what_cannot_be)
{
	uint32_t bookmark;

	update_make(&package, 1, 2, 250000);
	update_make(&second, 1, 2, 249000);
	cut_after(190000);
	update_boot(PORT_REASON_POWER_ON);
	bookmark = read_bookmark();
	update_unlock();
	ck_assert_str_eq(update_offer(&second), "71 01 F0 10");
	ck_assert_str_eq(update_download(&second, bookmark), "7F 34 31");
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_download(&package, bookmark + flash_sweep.bank_sector), "7F 34 31");
	ck_assert_str_eq(update_download(&package, bookmark - flash_sweep.bank_sector), "7F 34 31");
	ck_assert_str_eq(update_download(&package, 0), "7F 34 24");
	/* Begun anew it is a new download. */
	ck_assert_str_eq(update_erase(&package), "71 01 FF 00 00");
	ck_assert_uint_eq(read_bookmark(), 0);
	ck_assert_str_eq(update_download(&package, bookmark), "7F 34 31");
	ck_assert_str_eq(update_download(&package, 0), "74 20 0F FF");
}
END_TEST

/* A page that reads right today: the planted defect takes it for programmed. */
START_TEST(planted_resume)
{
	update_make(&package, 1, 2, 250000);
	update_param("fault", "ota-resume-unsure");
	update_boot(PORT_REASON_POWER_ON);
	cut_after(150000);
	update_boot(PORT_REASON_POWER_ON);
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	uint32_t bookmark = read_bookmark();
	uint64_t before = flash_operations(fake_flash());
	ck_assert_str_eq(update_download(&package, bookmark), "74 20 0F FF");
	ck_assert_uint_eq(flash_operations(fake_flash()), before); /* nothing was erased */
	/* What was whole is taken as it is. */
	ck_assert_int_eq(strncmp(update_blocks(&package, bookmark, (uint32_t)package.length), "76", 2), 0);
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	ck_assert_uint_lt(flash_operations(fake_flash()) - before, (package.length - 150000) / 256 + 100);
}
END_TEST

START_TEST(gzip_is_not_resumed)
{
	update_make(&package, 1, 2, 250000);
	update_gzip(&package);
	cut_after((uint32_t)package.length - 1000);
	update_boot(PORT_REASON_POWER_ON);
	ck_assert_uint_eq(read_bookmark(), 0);
	ck_assert_uint_eq(update_state().state, OTA_WRITING);
	update_install(&package);
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
}
END_TEST

START_TEST(check_and_activate_after_resets)
{
	update_make(&package, 1, 2, 60000);
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_erase(&package), "71 01 FF 00 00");
	ck_assert_str_eq(update_download(&package, 0), "74 20 0F FF");
	(void)update_blocks(&package, 0, (uint32_t)package.length);
	ck_assert_str_eq(update_exit(), "77");
	update_boot(PORT_REASON_POWER_ON);
	ck_assert_uint_eq(update_state().state, OTA_WRITTEN);
	update_unlock();
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	update_boot(PORT_REASON_POWER_ON);
	ck_assert_uint_eq(update_state().state, OTA_VERIFIED);
	update_unlock();
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
	update_reset();
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
}
END_TEST

/* ---- trial ------------------------------------------------------------------------------------------------------------- */

START_TEST(never_confirmed)
{
	update_make(&package, 1, 2, 60000);
	update_install(&package);
	for (unsigned boots = 1; boots <= 3; boots++) {
		ck_assert_uint_eq(update_state().state, OTA_TRIAL);
		ck_assert_uint_eq(update_state().trial_boots, boots);
		update_boot(boots % 2 ? PORT_REASON_POWER_ON : PORT_REASON_WATCHDOG);
	}
	ck_assert_uint_eq(update_state().state, OTA_ROLLED_BACK);
	ck_assert_uint_eq(update_state().active, 0);
	ck_assert_uint_eq(update_state().counter, 1);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "7F 31 22");
	ck_assert_str_eq(update_offer(&package), "7F 31 22"); /* quarantined */
	update_make(&second, 2, 2, 60000);
	update_install(&second);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	update_make(&package, 1, 2, 60000);
	ck_assert_str_eq(update_offer(&package), "7F 31 22"); /* lower version now */
	package.fields.version[1] = 3;
	package.fields.serial = 0x01030000;
	update_seal(&package, bench.key);
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
}
END_TEST

START_TEST(mute)
{
	update_make(&package, 1, 2, 60000);
	update_param("fault", "ota-never-confirms");
	update_param("ota.self_confirm_ms", "100");
	update_install(&package);
	update_run_us(500000);
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "7F 31 22");
}
END_TEST

START_TEST(confirms_itself)
{
	update_make(&package, 1, 2, 60000);
	update_param("ota.self_confirm_ms", "1000");
	update_install(&package);
	update_run_us(900000);
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
	update_run_us(300000);
	ck_assert_uint_eq(update_state().state, OTA_IDLE);
	ck_assert_uint_eq(update_state().counter, 2);
}
END_TEST

START_TEST(trial_refuses_updates)
{
	update_make(&package, 1, 2, 60000);
	update_make(&second, 2, 2, 60000);
	update_transfer(&package);
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert_str_eq(update_offer(&second), "7F 31 22"); /* what will run is in that bank */
	update_reset();
	update_unlock();
	ck_assert_str_eq(update_offer(&second), "7F 31 22");
	ck_assert_str_eq(update_activate(), "7F 31 24");
	ck_assert_str_eq(update_check(), "7F 31 24");
	ck_assert(update_holds(0, &update_old));
}
END_TEST

START_TEST(cancel_a_trial)
{
	update_make(&package, 1, 2, 60000);
	update_install(&package);
	update_unlock();
	ck_assert_str_eq(update_ask("31 01 F0 13"), "71 01 F0 13");
	ck_assert_str_eq(update_confirm(), "7F 31 22");
	ck_assert_str_eq(update_offer(&package), "7F 31 22"); /* the old software is in the other bank */
	update_reset();
	ck_assert_uint_eq(update_state().active, 0);
	ck_assert_uint_eq(update_state().state, OTA_ROLLED_BACK);
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "7F 31 22");
}
END_TEST

START_TEST(cancel_before)
{
	update_make(&package, 1, 2, 60000);
	update_transfer(&package);
	ck_assert_str_eq(update_ask("31 01 F0 13"), "71 01 F0 13");
	ck_assert_uint_eq(update_state().state, OTA_IDLE);
	ck_assert_str_eq(update_activate(), "7F 31 24");
	update_transfer(&package);
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
	ck_assert_str_eq(update_ask("31 01 F0 13"), "71 01 F0 13");
	update_reset();
	ck_assert_uint_eq(update_state().active, 0);
	ck_assert_uint_eq(update_state().state, OTA_IDLE);
	ck_assert_uint_eq(update_state().counter, 1);
}
END_TEST

START_TEST(application_reset_does_not_swap)
{
	update_make(&package, 1, 2, 60000);
	update_transfer(&package);
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
	ck_assert_str_eq(update_ask("11 03"), "51 03");
	update_boot(PORT_REASON_APPLICATION);
	ck_assert_uint_eq(update_state().active, 0);
	ck_assert_uint_eq(update_state().state, OTA_ACTIVATED);
	update_reset();
	ck_assert_uint_eq(update_state().active, 1);
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
}
END_TEST

START_TEST(planted_counter_early)
{
	update_make(&package, 1, 7, 60000);
	update_param("fault", "ota-counter-before-confirm");
	update_boot(PORT_REASON_POWER_ON);
	update_install(&package);
	ck_assert_uint_eq(update_state().counter, 7);
}
END_TEST

START_TEST(planted_confirm_early)
{
	update_make(&package, 1, 2, 60000);
	update_param("fault", "ota-confirm-before-verify");
	update_boot(PORT_REASON_POWER_ON);
	update_unlock();
	ck_assert_str_eq(update_offer(&package), "71 01 F0 10");
	ck_assert_str_eq(update_erase(&package), "71 01 FF 00 00");
	ck_assert_str_eq(update_download(&package, 0), "74 20 0F FF");
	(void)update_blocks(&package, 0, (uint32_t)package.length);
	ck_assert_str_eq(update_exit(), "77");
	ck_assert_uint_eq(update_state().state, OTA_ACTIVATED);
	ck_assert_str_eq(update_check(), "71 01 FF 01");
	ck_assert_str_eq(update_activate(), "71 01 F0 11");
}
END_TEST

/* ---- recovery ------------------------------------------------------------------------------------------------------------ */

START_TEST(recovery)
{
	ck_assert_int_eq(flash_factory_erase(fake_flash(), flash_sweep.bank_address[0] + flash_sweep.boot_size, UPDATE_ROOM), FLASH_OK);
	update_boot(PORT_REASON_POWER_ON);
	ck_assert_int_eq(bench.boot.decision, OTA_BOOT_RECOVERY);
	ck_assert_uint_eq(update_state().state, OTA_RECOVERY);
	update_make(&package, 1, 1, 60000);
	update_install(&package);
	ck_assert_int_eq(bench.boot.decision, OTA_BOOT_RUN);
	ck_assert_uint_eq(update_state().state, OTA_TRIAL);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("updates");
	TCase *tcase = tcase_create("updates");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, update_setup, update_teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, whole_update);
	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, planted_mapped_erase);
	tcase_add_test(tcase, gzip);
	tcase_add_loop_test(tcase, sizes, 0, 130);
	tcase_add_test(tcase, as_fast_as_the_flash);
	tcase_add_loop_test(tcase, resume_after_power_cut, 0, 10);
	tcase_add_test(tcase, resume_in_the_same_power_cycle);
	tcase_add_test(tcase, resume_what_cannot_be);
	tcase_add_test(tcase, planted_resume);
	tcase_add_test(tcase, gzip_is_not_resumed);
	tcase_add_test(tcase, check_and_activate_after_resets);
	tcase_add_test(tcase, never_confirmed);
	tcase_add_test(tcase, mute);
	tcase_add_test(tcase, confirms_itself);
	tcase_add_test(tcase, trial_refuses_updates);
	tcase_add_test(tcase, cancel_a_trial);
	tcase_add_test(tcase, cancel_before);
	tcase_add_test(tcase, application_reset_does_not_swap);
	tcase_add_test(tcase, planted_counter_early);
	tcase_add_test(tcase, planted_confirm_early);
	tcase_add_test(tcase, recovery);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
