/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot decision through whole lives of a board: activation, trial, confirmation, rollback, with power cuts at every
 * operation of them. Images are one page that names them: what is verified is not the subject here.
 */
#include "../../core/ota_boot.h"
#include "../../core/ota_swap.h"
#include "test_boot_cuts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC     0x494D4147u
#define OLD       1u
#define NEW       2u
#define MAX_BOOTS 30u

struct token {
	uint32_t magic, name, counter;
	uint8_t rest[20];
};

/* ---- images ------------------------------------------------------------------------------------------------------------- */

enum ota_image_status ota_image_verify(uint32_t address, uint32_t counter, struct ota_image *ret_image)
{
	struct token token;
	if (port_flash_read(address, (uint8_t *)&token, sizeof token) != PORT_OK)
		return OTA_IMAGE_ABSENT;
	if (token.magic != MAGIC)
		return OTA_IMAGE_CRC;
	if (token.counter < counter)
		return OTA_IMAGE_OLD;
	memset(ret_image, 0, sizeof *ret_image);
	memset(ret_image->digest, (int)token.name, sizeof ret_image->digest);
	ret_image->header.security_counter = token.counter;
	ret_image->header.uncompressed_size = token.name;
	ret_image->software = address + SWPG_HEADER_SIZE;
	return OTA_IMAGE_OK;
}

static void place(unsigned bank, uint32_t name, uint32_t counter)
{
	struct token token = {.magic = name ? MAGIC : 1, .name = name, .counter = counter};
	uint32_t address = cuts_geometry.bank_address[bank] + cuts_geometry.boot_size;
	ck_assert_int_eq(flash_factory_erase(fake_flash(), address, 0x4000), FLASH_OK);
	ck_assert_int_eq(flash_factory_write(fake_flash(), address, (const uint8_t *)&token, sizeof token), FLASH_OK);
}

/* ---- a board ---------------------------------------------------------------------------------------------------------------- */

/* What the software of a board does after a boot, and what has become of it. */
static struct life {
	bool activates;    /* OLD activates whenever the record says VERIFIED */
	unsigned confirms; /* NEW confirms in this trial boot; 0 never */
	uint8_t old_bank;
	unsigned boots, old_runs, new_runs, swaps, recoveries;
	bool confirmed, activated; /* durably: the call returned */
	uint32_t counter;          /* highest that was durable */
	uint32_t last;             /* name of what ran last */
	struct ota_boot_result result;
} life;

static void violated(const char *what)
{
	cuts_print();
	ck_abort_msg("%s: boot %u, OLD ran %u times, NEW %u, state %u, candidate %u, trial boots %u", what, life.boots, life.old_runs,
	             life.new_runs, ota_store_get()->state, ota_store_get()->candidate, ota_store_get()->trial_boots);
}

static void prepare(uint8_t old_bank)
{
	fake_flash_clear(&cuts_geometry);
	cuts_fault(NULL);
	cuts_reason(PORT_REASON_POWER_ON);
	cuts_reboot();
	memset(&life, 0, sizeof life);
	life.old_bank = old_bank;
	if (old_bank == 1) {
		ck_assert_int_eq(ota_swap_write(1), PORT_OK);
		cuts_reboot();
	}
	place(old_bank, OLD, 3);
	place(old_bank ^ 1u, NEW, 5);
}

/* As an update server leaves it when the check has passed. */
static void verified(void)
{
	struct ota_record record;
	(void)ota_store_start(&record);
	record.state = OTA_VERIFIED;
	record.candidate = life.old_bank ^ 1u;
	record.trial_boots = 0;
	record.security_counter = 3;
	record.bookmark = 0x4000;
	memset(record.digest, NEW, sizeof record.digest);
	ck_assert_int_eq(ota_store_put(&record), PORT_OK);
	life.counter = 3;
}

static void activate(void)
{
	struct ota_record record = *ota_store_get();
	record.state = OTA_ACTIVATED;
	record.trial_boots = 0;
	ck_assert_int_eq(ota_store_put(&record), PORT_OK);
	ck_assert_int_eq(ota_swap_write(life.old_bank ^ 1u), PORT_OK);
	life.activated = true;
}

static void confirm(void)
{
	struct ota_record record = *ota_store_get();
	record.state = OTA_IDLE;
	record.candidate = OTA_NO_BANK;
	record.trial_boots = 0;
	record.bookmark = 0;
	record.boots = 0;
	record.quarantined = 0;
	record.security_counter = life.result.image.header.security_counter;
	ck_assert_int_eq(ota_store_put(&record), PORT_OK);
	life.confirmed = true;
	life.counter = record.security_counter;
}

static void run_old(void)
{
	life.old_runs++;
	if (life.confirmed)
		violated("OLD runs after NEW was confirmed");
	if (life.activates && ota_store_get()->state == OTA_VERIFIED)
		activate();
}

static void run_new(void)
{
	if (!life.result.trial) {
		if (ota_store_get()->security_counter != 5 || ota_store_get()->state != OTA_IDLE)
			violated("NEW runs unconfirmed and not on trial");
		life.confirmed = true; /* by a record that was cut after its seal */
		return;
	}
	life.new_runs++;
	if (life.confirmed)
		violated("a trial after the confirmation");
	if (life.confirms != 0 && ota_store_get()->trial_boots >= life.confirms)
		confirm();
}

static void one_boot(void)
{
	ota_boot(&life.result);
	if (ota_store_get()->security_counter < life.counter)
		violated("the security counter fell");
	if (life.result.decision == OTA_BOOT_SWAPPED) {
		life.swaps++;
		return;
	}
	if (life.result.decision == OTA_BOOT_RECOVERY) {
		life.recoveries++;
		return;
	}
	life.last = life.result.length;
	if (life.last == NEW)
		run_new();
	else
		run_old();
}

/* Boots until nothing happens any more; an armed cut is one more power-on. */
static void live(void)
{
	unsigned quiet = 0;
	for (life.boots = 0; quiet < 3; life.boots++) {
		if (life.boots >= MAX_BOOTS)
			violated("no end of boots");
		uint8_t state = ota_store_get()->state;
		if (!cuts_run(one_boot)) {
			cuts_reboot();
			quiet = 0;
			continue;
		}
		quiet = state == ota_store_get()->state && !life.result.trial && life.result.decision != OTA_BOOT_SWAPPED ? quiet + 1 : 0;
		cuts_reboot();
	}
}

static void clean_end(void)
{
	struct ota_swap_state swap;
	ota_swap_read(&swap);
	if (!swap.clean[0] || !swap.clean[1] || swap.bank[0] != (int8_t)port_flash_active() || swap.bank[1] != swap.bank[0])
		violated("swap blocks are not clean at the end");
	if (life.recoveries > 0)
		violated("recovery with two good images");
	for (unsigned n = 0; n < 4; n++)
		if (flash_erases(fake_flash(), 0xAF000000u + n * 0x1000u) > 5)
			violated("too many erases of DFLASH");
	if (flash_erases(fake_flash(), FLASH_UCB_SWAP_ORIG) > 3 || flash_erases(fake_flash(), FLASH_UCB_SWAP_COPY) > 3)
		violated("too many erases of UCB_SWAP");
}

static void check_rolled_back(void)
{
	const struct ota_record *record = ota_store_get();
	clean_end();
	if (life.last != OLD || record->state != OTA_ROLLED_BACK || record->quarantined != 1 || record->quarantine[0] != NEW)
		violated("not rolled back");
	if (life.new_runs > 3)
		violated("more trial boots than allowed");
	if (record->security_counter != 3)
		violated("the security counter rose");
}

static void check_confirmed(void)
{
	const struct ota_record *record = ota_store_get();
	clean_end();
	if (life.last != NEW || !life.confirmed || record->state != OTA_IDLE || record->security_counter != 5)
		violated("not confirmed");
}

/* ---- cuts in whole lives ------------------------------------------------------------------------------------------------- */

static struct flash *start;
static struct life begin;

static void begin_again(void)
{
	fake_flash_cut(NULL);
	flash_copy(fake_flash(), start);
	cuts_reboot();
	life = begin;
}

static uint64_t whole_life(void (*check)(void))
{
	uint64_t operations = cuts_operations();
	live();
	fake_flash_cut(NULL);
	check();
	return cuts_operations() - operations;
}

static void arm(uint64_t operation, unsigned way, uint64_t seed)
{
	struct flash_cut cut = {.operation = operation, .phase = way < 5 ? FLASH_DURING : FLASH_AFTER, .torn = way % 5, .seed = seed};
	fake_flash_cut(&cut);
	cuts_note(&cut);
}

/* Lives until the first cut, and arms the second. */
static void live_until_cut(uint64_t distance, unsigned way)
{
	for (life.boots = 0; cuts_run(one_boot) && life.boots < MAX_BOOTS; life.boots++)
		cuts_reboot();
	cuts_reboot();
	arm(cuts_operations() + distance, way, distance + way);
}

static unsigned sweep_life(void (*check)(void), unsigned seeds, unsigned stride)
{
	unsigned runs = 0;
	stride = cuts_stride(stride);
	start = flash_new(&cuts_geometry, &flash_cost_tc375);
	flash_copy(start, fake_flash());
	begin = life;
	begin_again();
	const uint64_t operations = whole_life(check);
	for (uint64_t n = 0; n < operations; n++) {
		for (unsigned way = 0; way < 6; way++) {
			for (unsigned seed = 0; seed < seeds; seed++, runs++) {
				begin_again();
				cuts_forget();
				arm(cuts_operations() + n, way, seed * 977 + n);
				whole_life(check);
			}
			for (uint64_t m = 0; m < 24; m++) {
				if (stride == 0 || (n * 7 + way * 5 + m) % stride != 0)
					continue;
				begin_again();
				cuts_forget();
				arm(cuts_operations() + n, way, n);
				live_until_cut(m, (unsigned)(n + m) % 6);
				whole_life(check);
				runs++;
			}
		}
	}
	flash_free(start);
	printf("boot: %llu operations, %u runs\n", (unsigned long long)operations, runs);
	return runs;
}

START_TEST(cut_life_to_rollback)
{
	prepare((uint8_t)_i);
	verified();
	life.activates = true;
	ck_assert_uint_gt(sweep_life(check_rolled_back, 2, 13), 1000);
}
END_TEST

START_TEST(cut_life_to_confirmation)
{
	prepare((uint8_t)_i);
	verified();
	life.activates = true;
	life.confirms = 1; /* two cuts use up two trial boots of three */
	ck_assert_uint_gt(sweep_life(check_confirmed, 2, 13), 1000);
}
END_TEST

/* ---- decisions, one by one ---------------------------------------------------------------------------------------------- */

static void boot_once(void)
{
	ck_assert(cuts_run(one_boot));
}

START_TEST(exactly_n_trial_boots)
{
	char text[16];
	prepare(0);
	verified();
	life.activates = true;
	boot_once(); /* OLD, activates */
	for (int n = 1; n <= _i; n++) {
		snprintf(text, sizeof text, "%d", _i);
		cuts_reboot();
		fake_param_set("ota.trial_boots", text);
		boot_once();
		ck_assert(life.result.decision == OTA_BOOT_RUN && life.result.trial && life.last == NEW);
		ck_assert_int_eq(ota_store_get()->trial_boots, n);
	}
	cuts_reboot();
	fake_param_set("ota.trial_boots", text);
	boot_once();
	ck_assert_int_eq(life.result.decision, OTA_BOOT_SWAPPED);
	ck_assert(life.result.rolled_back);
	cuts_reboot();
	boot_once();
	ck_assert(life.last == OLD && ota_store_get()->state == OTA_ROLLED_BACK);
}
END_TEST

START_TEST(watchdog_resets_are_boots)
{
	prepare(0);
	verified();
	life.activates = true;
	boot_once();
	cuts_reason(PORT_REASON_WATCHDOG);
	for (unsigned i = 0; i < 100; i++) {
		cuts_reboot();
		boot_once();
	}
	ck_assert_uint_eq(life.new_runs, 3);
	ck_assert_uint_eq(life.last, OLD);
}
END_TEST

START_TEST(no_map_changes_without_system_reset)
{
	struct ota_boot_result result;
	prepare(0);
	verified();
	life.activates = true;
	boot_once();
	fake_reset_reason_set(PORT_REASON_APPLICATION); /* the flash is not reset: the map stays */
	for (unsigned i = 0; i < 3; i++) {
		ota_boot(&result);
		ck_assert(result.decision == OTA_BOOT_RUN && result.length == OLD && !result.trial);
		ck_assert_int_eq(ota_store_get()->state, OTA_ACTIVATED);
	}
	cuts_reboot();
	boot_once();
	ck_assert(life.last == NEW && life.result.trial && ota_store_get()->trial_boots == 1);
}
END_TEST

/* SWAPEN off: the blocks say B and the chip does not care. No wear, no storm of resets. */
START_TEST(chip_that_does_not_swap)
{
	prepare(0);
	verified();
	ck_assert_int_eq(flash_factory_erase(fake_flash(), FLASH_UCB_OTP, 512), FLASH_OK);
	life.activates = true;
	cuts_reboot();
	boot_once();
	life.activates = false;
	cuts_reason(PORT_REASON_SYSTEM);
	cuts_reboot();
	boot_once();
	ck_assert(life.last == OLD && ota_store_get()->state == OTA_VERIFIED);
	place(0, 0, 0);
	for (unsigned i = 0; i < 5; i++) {
		cuts_reboot();
		boot_once();
		ck_assert_int_eq(life.result.decision, OTA_BOOT_RECOVERY);
	}
	ck_assert_uint_eq(flash_erases(fake_flash(), FLASH_UCB_SWAP_ORIG), 0);
}
END_TEST

START_TEST(rollback_target_bad)
{
	prepare(0);
	verified();
	life.activates = true;
	boot_once();
	place(0, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		cuts_reboot();
		boot_once();
		ck_assert(life.result.trial);
	}
	cuts_reboot();
	boot_once();
	ck_assert_int_eq(life.result.decision, OTA_BOOT_RECOVERY);
	ck_assert_int_eq(life.result.other, OTA_IMAGE_CRC);
}
END_TEST

START_TEST(trial_image_bad)
{
	prepare(0);
	verified();
	life.activates = true;
	boot_once();
	place(1, 0, 0);
	cuts_reboot();
	boot_once();
	ck_assert_int_eq(life.result.decision, OTA_BOOT_SWAPPED);
	cuts_reboot();
	boot_once();
	ck_assert(life.last == OLD && ota_store_get()->quarantined == 1);
}
END_TEST

START_TEST(active_bad_other_good)
{
	prepare(0);
	place(0, 0, 0);
	boot_once();
	ck_assert_int_eq(life.result.decision, OTA_BOOT_SWAPPED);
	cuts_reboot();
	life.confirmed = true;
	ota_boot(&life.result);
	ck_assert(life.result.decision == OTA_BOOT_RUN && life.result.length == NEW && !life.result.trial);
}
END_TEST

START_TEST(both_bad)
{
	prepare(0);
	place(0, 0, 0);
	place(1, 0, 0);
	boot_once();
	ck_assert_int_eq(life.result.decision, OTA_BOOT_RECOVERY);
	ck_assert_uint_eq(cuts_operations(), 0);
}
END_TEST

START_TEST(quarantined_or_old_is_no_way_out)
{
	struct ota_record record;
	prepare(0);
	(void)ota_store_start(&record);
	record.security_counter = 3;
	if (_i == 0) {
		record.quarantined = 1;
		memset(record.quarantine, NEW, sizeof record.quarantine);
	} else {
		place(1, NEW, 2);
	}
	ck_assert_int_eq(ota_store_put(&record), PORT_OK);
	place(0, 0, 0);
	cuts_reboot();
	boot_once();
	ck_assert_int_eq(life.result.decision, OTA_BOOT_RECOVERY);
}
END_TEST

START_TEST(nothing_below_the_counter_runs)
{
	struct ota_record record;
	prepare(0);
	(void)ota_store_start(&record);
	record.security_counter = 4;
	ck_assert_int_eq(ota_store_put(&record), PORT_OK);
	cuts_reboot();
	boot_once();
	ck_assert_int_eq(life.result.active, OTA_IMAGE_OLD);
	ck_assert_int_eq(life.result.decision, OTA_BOOT_SWAPPED);
}
END_TEST

START_TEST(lost_store_takes_the_image_s_counter)
{
	static uint8_t garbage[0x4000];
	prepare(0);
	memset(garbage, 0x77, sizeof garbage);
	ck_assert_int_eq(flash_factory_write(fake_flash(), 0xAF000000u, garbage, sizeof garbage), FLASH_OK);
	cuts_reboot();
	boot_once();
	ck_assert(life.last == OLD && ota_store_get()->security_counter == 3);
}
END_TEST

START_TEST(interrupted_activation_whose_image_is_gone)
{
	struct ota_record record;
	prepare(0);
	verified();
	record = *ota_store_get();
	record.state = OTA_ACTIVATED;
	ck_assert_int_eq(ota_store_put(&record), PORT_OK);
	place(1, 0, 0);
	cuts_reboot();
	boot_once();
	ck_assert(life.last == OLD && ota_store_get()->state == OTA_IDLE && ota_store_get()->candidate == OTA_NO_BANK);
}
END_TEST

START_TEST(dead_dflash)
{
	prepare(0);
	flash_defect_set(fake_flash(), FLASH_DEFECT_BUSY, 0xAF000000u, 0);
	boot_once();
	ck_assert_uint_eq(life.last, OLD);
	ck_assert_uint_le(port_time_us(), 5000000);
	flash_defects_clear(fake_flash());
}
END_TEST

START_TEST(fault_no_rollback)
{
	prepare(0);
	verified();
	life.activates = true;
	boot_once();
	cuts_fault("ota-no-rollback");
	for (unsigned i = 0; i < 20; i++) {
		cuts_reboot();
		boot_once();
	}
	ck_assert_uint_eq(life.new_runs, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("boot");
	TCase *plain = tcase_create("plain"), *cuts = tcase_create("cuts");
	tcase_set_timeout(plain, 60);
	tcase_set_timeout(cuts, getenv("OTA_ALL_PAIRS") ? 3600 : 300);
	tcase_add_loop_test(plain, exactly_n_trial_boots, 1, 16);
	tcase_add_test(plain, watchdog_resets_are_boots);
	tcase_add_test(plain, no_map_changes_without_system_reset);
	tcase_add_test(plain, chip_that_does_not_swap);
	tcase_add_test(plain, rollback_target_bad);
	tcase_add_test(plain, trial_image_bad);
	tcase_add_test(plain, active_bad_other_good);
	tcase_add_test(plain, both_bad);
	tcase_add_loop_test(plain, quarantined_or_old_is_no_way_out, 0, 2);
	tcase_add_test(plain, nothing_below_the_counter_runs);
	tcase_add_test(plain, lost_store_takes_the_image_s_counter);
	tcase_add_test(plain, interrupted_activation_whose_image_is_gone);
	tcase_add_test(plain, dead_dflash);
	tcase_add_test(plain, fault_no_rollback);
	tcase_add_loop_test(cuts, cut_life_to_rollback, 0, 2);
	tcase_add_loop_test(cuts, cut_life_to_confirmation, 0, 2);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, cuts);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
