/* SPDX-License-Identifier: Apache-2.0 */
#include "test_flash_common.h"

#include <stdlib.h>
#include <string.h>

const struct flash_geometry flash_tiny = {
        .name = "tiny",
        .bank_address = {BANK_A, BANK_B},
        .bank_size = 4096,
        .bank_sector = 512,
        .boot_size = 512,
        .data_address = DATA,
        .data_size = 2048,
        .data_sector = 512,
        .ucb_address = UCB,
        .ucb_count = 48,
        .ucb_size = 512,
        .bank_endurance = 20,
        .data_endurance = 1000,
        .ucb_endurance = 1000,
};

const uint32_t test_password[8] = {0x11111111, 2, 3, 4, 5, 6, 7, 0x88888888};

static uint64_t clock_ns;

struct flash *tiny_new(void)
{
	struct flash *flash = flash_new(&flash_tiny, &flash_cost_tc375);
	ck_assert_ptr_nonnull(flash);
	return flash;
}

uint64_t settle(struct flash *flash)
{
	for (uint64_t next_ns; (next_ns = flash_poll(flash, clock_ns)) != FLASH_NEVER;)
		clock_ns = next_ns;
	return clock_ns;
}

enum flash_status program(struct flash *flash, uint32_t address, const void *data, size_t length)
{
	const enum flash_status status = flash_program(flash, address, data, length, clock_ns);
	if (status != FLASH_OK)
		return status;
	settle(flash);
	return flash_result(flash, address);
}

enum flash_status erase(struct flash *flash, uint32_t address, uint32_t sectors)
{
	const enum flash_status status = flash_erase(flash, address, sectors, clock_ns);
	if (status != FLASH_OK)
		return status;
	settle(flash);
	return flash_result(flash, address);
}

void fill(uint8_t *bytes, size_t length, unsigned seed)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(1 + (seed * 37 + i * 11 + i / 7) % 254);
}

void check_bytes(struct flash *flash, uint32_t address, const void *bytes, size_t length)
{
	uint8_t *got = malloc(length);
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(flash_read(flash, address, got, length), FLASH_OK);
	ck_assert_mem_eq(got, bytes, length);
	free(got);
}

int run_case(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
