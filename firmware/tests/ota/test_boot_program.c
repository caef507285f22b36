/* SPDX-License-Identifier: Apache-2.0 */
/* The bootloader as a program: what it starts, what it says, when it stays. Recovery itself is a stand-in here. */
#include "../../boot/recovery.h"
#include "update_bench.h"

#include <stdlib.h>
#include <string.h>

int application_main(void);

static struct {
	bool entered;
	uint16_t address;
} stayed;
static struct update_package package;

void recovery_run(uint16_t address)
{
	stayed.entered = true;
	stayed.address = address;
}

static void run(void *context)
{
	(void)context;
	(void)application_main();
}

/* A reset, then the program until it ends. */
static enum fake_end boot(enum port_reset_reason reason)
{
	memset(&stayed, 0, sizeof(stayed));
	update_power(reason);
	fake_param_set("doip.logical_address", "0x0091");
	return fake_run(run, NULL);
}

static void setup(void)
{
	update_setup();
	update_make(&package, 1, 2, 30000);
}

static const uint32_t begin_of_software = 0xA0000000u + 0x4000u + MAKER_HEADER;

START_TEST(starts_exactly_the_image)
{
	uint32_t address, length;

	ck_assert_int_eq(boot(PORT_REASON_POWER_ON), FAKE_STARTED);
	fake_started(&address, &length);
	ck_assert_uint_eq(address, begin_of_software);
	ck_assert_uint_eq(length, update_old.size);
	ck_assert_str_eq(fake_console(), "@boot stage=bootloader t_us=60000 bank=A image=1.0.0 trial=0\r\n");
}
END_TEST

START_TEST(trial)
{
	update_install(&package);
	ck_assert_int_eq(boot(PORT_REASON_WATCHDOG), FAKE_STARTED);
	ck_assert_str_eq(fake_console(), "@boot stage=bootloader t_us=60000 bank=B image=1.1.0 trial=1\r\n");
	ck_assert_int_eq(boot(PORT_REASON_POWER_ON), FAKE_STARTED);
	ck_assert_int_eq(boot(PORT_REASON_POWER_ON), FAKE_RESET_SYSTEM);
	ck_assert_ptr_nonnull(strstr(fake_console(), " bank=B rolled_back=1\r\n"));
	ck_assert_int_eq(boot(PORT_REASON_SYSTEM), FAKE_STARTED);
	ck_assert_ptr_nonnull(strstr(fake_console(), " bank=A image=1.0.0 trial=0\r\n"));
	ck_assert(!stayed.entered);
}
END_TEST

START_TEST(version_of_four_numbers)
{
	package.fields.version[3] = 7;
	package.fields.serial |= 7;
	update_seal(&package, bench.key);
	update_install(&package);
	ck_assert_int_eq(boot(PORT_REASON_POWER_ON), FAKE_STARTED);
	ck_assert_ptr_nonnull(strstr(fake_console(), " image=1.1.0.7 "));
}
END_TEST

/* One bit of the running image, everywhere: never executed. */
START_TEST(nothing_altered_runs)
{
	uint32_t offset = (uint32_t)_i * (update_old.size + MAKER_HEADER + MAKER_TRAILER - 1) / 40;

	flash_defect_set(fake_flash(), FLASH_DEFECT_FLIP, flash_sweep.bank_address[0] + flash_sweep.boot_size + offset,
	                 offset % FLASH_PAGE * 8);
	ck_assert_int_eq(boot(PORT_REASON_POWER_ON), FAKE_HALTED);
	ck_assert(stayed.entered);
	ck_assert_uint_eq(stayed.address, 0x0091);
	ck_assert_ptr_nonnull(strstr(fake_console(), "@boot stage=recovery t_us="));
}
END_TEST

START_TEST(other_bank_when_this_is_bad)
{
	update_install(&package);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	package.fields.version[1] = 2;
	package.fields.serial = 0x01020000;
	update_seal(&package, bench.key);
	update_install(&package);
	update_unlock();
	ck_assert_str_eq(update_confirm(), "71 01 F0 12");
	flash_factory_erase(fake_flash(), flash_sweep.bank_address[0] + flash_sweep.boot_size, flash_sweep.bank_sector);
	ck_assert_int_eq(boot(PORT_REASON_POWER_ON), FAKE_RESET_SYSTEM);
	ck_assert_int_eq(boot(PORT_REASON_SYSTEM), FAKE_STARTED);
	ck_assert_ptr_nonnull(strstr(fake_console(), " bank=B image=1.1.0 "));
}
END_TEST

START_TEST(nobody_but_its_own_images)
{
	update_power(PORT_REASON_POWER_ON);
	fake_param_set("doip.logical_address", "0x0011");
	ck_assert_int_eq(fake_run(run, NULL), FAKE_HALTED);
	ck_assert(stayed.entered);
}
END_TEST

/* Without any key nothing is approved, in test builds too; unless the test says so. */
START_TEST(without_keys)
{
	uint32_t address, length;

	update_power(PORT_REASON_POWER_ON);
	fake_object_set("ota.key.1", NULL, 0);
	ck_assert_int_eq(fake_run(run, NULL), FAKE_HALTED);
	ck_assert(stayed.entered);
	update_power(PORT_REASON_POWER_ON);
	fake_object_set("ota.key.1", NULL, 0);
	fake_param_set("test.unverified", "1");
	if (fake_run(run, NULL) != FAKE_STARTED)
		return; /* the port has nothing of its own to start */
	fake_started(&address, &length);
	ck_assert_uint_eq(address, 0);
	ck_assert_uint_eq(length, 0);
}
END_TEST

START_TEST(no_boot)
{
	update_power(PORT_REASON_POWER_ON);
	fake_param_set("fault", "no-boot");
	ck_assert_int_eq(fake_run(run, NULL), FAKE_HALTED);
	ck_assert_str_eq(fake_console(), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bootloader");
	TCase *tcase = tcase_create("bootloader");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, update_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, starts_exactly_the_image);
	tcase_add_test(tcase, trial);
	tcase_add_test(tcase, version_of_four_numbers);
	tcase_add_loop_test(tcase, nothing_altered_runs, 0, 41);
	tcase_add_test(tcase, other_bank_when_this_is_bad);
	tcase_add_test(tcase, nobody_but_its_own_images);
	tcase_add_test(tcase, without_keys);
	tcase_add_test(tcase, no_boot);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
