/* SPDX-License-Identifier: Apache-2.0 */
/* Every class of a torn program and erase, cuts before, during and after an operation, and what weak pages read. */
#include "test_flash_common.h"

#include <string.h>

#define SEEDS 200u

static struct flash *flash;
static uint8_t some[FLASH_BURST], ones[FLASH_BURST];
static unsigned cuts;

static void setup(void)
{
	flash = tiny_new();
	fill(some, sizeof some, 1);
	memset(ones, 0xFF, sizeof ones);
	cuts = 0;
}

static void teardown(void)
{
	flash_free(flash);
}

static void on_cut(void *context)
{
	cuts++;
	ck_assert_ptr_eq(context, &cuts);
}

static void arm(uint64_t ahead, enum flash_phase phase, unsigned torn, uint64_t seed)
{
	const struct flash_cut cut = {.operation = flash_operations(flash) + ahead, .phase = phase, .torn = torn, .seed = seed};
	flash_arm(flash, &cut, on_cut, &cuts);
}

/* An erased page, programmed and torn. */
static void tear_program(uint32_t address, const uint8_t *data, size_t length, unsigned torn, uint64_t seed)
{
	arm(0, FLASH_DURING, torn, seed);
	ck_assert_int_eq(flash_program(flash, address, data, length, 0), FLASH_OK);
	settle(flash);
	ck_assert_uint_eq(cuts, 1);
	ck_assert_int_eq(flash_result(flash, address), FLASH_BUSY);
	cuts = 0;
	flash_power_on(flash);
}

static void tear_erase(uint32_t address, uint32_t sectors, uint64_t ahead, unsigned torn, uint64_t seed)
{
	arm(ahead, FLASH_DURING, torn, seed);
	ck_assert_int_eq(flash_erase(flash, address, sectors, 0), FLASH_OK);
	settle(flash);
	ck_assert_uint_eq(cuts, 1);
	cuts = 0;
	flash_power_on(flash);
}

static void peek(uint32_t address, uint8_t *bytes, size_t length)
{
	ck_assert_int_eq(flash_peek(flash, address, bytes, length), FLASH_OK);
}

START_TEST(test_t0)
{
	tear_program(APP_A, some, 32, FLASH_T0, 1);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_ERASED);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
}
END_TEST

/* T1: some of the first bytes, zeros behind; every length comes. */
START_TEST(test_t1)
{
	static const uint8_t zeros[32];
	uint8_t bytes[32];
	uint32_t lengths = 0;
	for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
		unsigned n = 0;
		flash_factory_erase(flash, APP_A, 512);
		tear_program(APP_A, some, 32, FLASH_T1, seed);
		ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_TORN);
		ck_assert_int_eq(flash_read(flash, APP_A, bytes, 32), FLASH_OK);
		while (n < 32 && bytes[n] == some[n])
			n++;
		ck_assert_uint_ge(n, 1);
		ck_assert_uint_lt(n, 32);
		ck_assert_mem_eq(bytes + n, zeros, 32 - n);
		lengths |= UINT32_C(1) << n;
	}
	ck_assert_uint_eq(lengths, 0xFFFFFFFE);
}
END_TEST

/* T2: a subset of the bits, another one for another seed, the same for the same. */
START_TEST(test_t2)
{
	uint8_t bytes[8], again[8], last[8] = {0};
	unsigned different = 0, set = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		flash_factory_erase(flash, DATA, 512);
		tear_program(DATA, ones, 8, FLASH_T2, seed);
		ck_assert_int_eq(flash_page_state(flash, DATA), FLASH_TORN);
		peek(DATA, bytes, 8);
		flash_factory_erase(flash, DATA, 512);
		tear_program(DATA, ones, 8, FLASH_T2, seed);
		peek(DATA, again, 8);
		ck_assert_mem_eq(bytes, again, 8);
		different += memcmp(bytes, last, 8) != 0;
		memcpy(last, bytes, 8);
		for (unsigned i = 0; i < 64; i++)
			set += bytes[i / 8] >> i % 8 & 1;
		flash_factory_erase(flash, DATA, 512);
		tear_program(DATA, some, 8, FLASH_T2, seed);
		peek(DATA, again, 8);
		for (unsigned i = 0; i < 8; i++)
			ck_assert_int_eq(again[i] & ~some[i], 0);
	}
	ck_assert_uint_eq(different, SEEDS);
	ck_assert_uint_gt(set, SEEDS * 64 * 45 / 100);
	ck_assert_uint_lt(set, SEEDS * 64 * 55 / 100);
}
END_TEST

/* What the reads of a weak page gave: right, bits missing, ECC. */
struct tally {
	unsigned right, missing, ecc;
};

static struct tally read_often(uint32_t address, const uint8_t *data, size_t length, unsigned times)
{
	struct tally tally = {0};
	uint8_t bytes[FLASH_BURST];
	for (unsigned i = 0; i < times; i++) {
		if (flash_read(flash, address, bytes, length) != FLASH_OK) {
			tally.ecc++;
			continue;
		}
		for (size_t k = 0; k < length; k++)
			ck_assert_int_eq(bytes[k] & ~data[k], 0);
		if (memcmp(bytes, data, length) == 0)
			tally.right++;
		else
			tally.missing++;
	}
	return tally;
}

static void check_weak(uint32_t address, const uint8_t *data, size_t length)
{
	const struct tally tally = read_often(address, data, length, 400);
	ck_assert_int_eq(flash_page_state(flash, address), FLASH_WEAK);
	ck_assert_uint_gt(tally.right, 100);
	ck_assert_uint_gt(tally.missing, 40);
	ck_assert_uint_gt(tally.ecc, 40);
}

/* T3: all bits, reads vary until erased, the same sequence reads the same. */
START_TEST(test_t3)
{
	struct flash *twin = tiny_new();
	uint8_t a[32], b[32];
	tear_program(APP_A, some, 32, FLASH_T3, 5);
	flash_copy(twin, flash);
	for (unsigned i = 0; i < 100; i++) {
		const enum flash_status status = flash_read(flash, APP_A, a, 32);
		ck_assert_int_eq(flash_read(twin, APP_A, b, 32), status);
		if (status == FLASH_OK)
			ck_assert_mem_eq(a, b, 32);
	}
	check_weak(APP_A, some, 32);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_VERIFY);
	ck_assert_int_eq(erase(flash, APP_A, 1), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_uint_eq(read_often(APP_A, some, 32, 100).right, 100);
	flash_free(twin);
}
END_TEST

START_TEST(test_t4)
{
	uint8_t bytes[32];
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		flash_factory_erase(flash, APP_A, 512);
		tear_program(APP_A, some, 32, seed % 2 ? FLASH_T4 : 17, seed); /* 17: counts as the last class */
		ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_BAD);
		ck_assert_int_eq(flash_read(flash, APP_A, bytes, 32), FLASH_ECC);
		peek(APP_A, bytes, 32);
		ck_assert_mem_ne(bytes, some, 32);
	}
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_VERIFY);
}
END_TEST

/* Pages before a point are whole, one has the class, the rest is untouched; every point comes. */
START_TEST(test_burst)
{
	for (unsigned torn = FLASH_T0; torn <= FLASH_T4; torn++) {
		static const enum flash_page_state left[] = {FLASH_ERASED, FLASH_TORN, FLASH_TORN, FLASH_WEAK, FLASH_BAD};
		unsigned points = 0;
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			unsigned point = 0;
			flash_factory_erase(flash, APP_B, 512);
			tear_program(APP_B + 256, some, 256, torn, seed);
			while (point < 8 && flash_page_state(flash, APP_B + 256 + 32 * point) == FLASH_GOOD)
				point++;
			ck_assert_uint_lt(point, 8);
			points |= 1u << point;
			if (point > 0)
				check_bytes(flash, APP_B + 256, some, 32 * point);
			ck_assert_int_eq(flash_page_state(flash, APP_B + 256 + 32 * point), left[torn]);
			for (unsigned i = point + 1; i < 8; i++)
				ck_assert_int_eq(flash_page_state(flash, APP_B + 256 + 32 * i), FLASH_ERASED);
		}
		ck_assert_uint_eq(points, 0xFF);
	}
}
END_TEST

/* Torn over a page that is not erased: bad, but all ones over a data page: what was there stays, something was added. */
START_TEST(test_torn_over)
{
	uint8_t bytes[8];
	for (unsigned torn = FLASH_T1; torn <= FLASH_T4; torn++) {
		flash_factory_erase(flash, DATA, 512);
		ck_assert_int_eq(program(flash, DATA, some, 8), FLASH_OK);
		tear_program(DATA, some + 8, 8, torn, 3);
		ck_assert_int_eq(flash_page_state(flash, DATA), FLASH_BAD);
		ck_assert_int_eq(program(flash, DATA + 8, some, 8), FLASH_OK);
		tear_program(DATA + 8, ones, 8, torn, 3);
		ck_assert_int_ne(flash_page_state(flash, DATA + 8), FLASH_GOOD);
		peek(DATA + 8, bytes, 8);
		for (unsigned i = 0; i < 8; i++)
			ck_assert_int_eq(bytes[i] & some[i], some[i]);
	}
}
END_TEST

/* A weak invalidation may read as if it had not been: old bits stay, new ones come and go. */
START_TEST(test_weak_over)
{
	uint8_t bytes[8];
	unsigned partly = 0;
	ck_assert_int_eq(program(flash, DATA, some, 8), FLASH_OK);
	tear_program(DATA, ones, 8, FLASH_T3, 11);
	for (unsigned i = 0; i < 200; i++) {
		if (flash_read(flash, DATA, bytes, 8) != FLASH_OK)
			continue;
		for (unsigned k = 0; k < 8; k++)
			ck_assert_int_eq(bytes[k] & some[k], some[k]);
		partly += memcmp(bytes, ones, 8) != 0;
	}
	ck_assert_uint_gt(partly, 20);
	ck_assert_int_eq(program(flash, DATA, ones, 8), FLASH_OK);
	check_bytes(flash, DATA, ones, 8);
}
END_TEST

static void fill_sector(uint32_t address)
{
	flash_factory_erase(flash, address, 512);
	ck_assert_int_eq(program(flash, address, some, 256), FLASH_OK);
}

START_TEST(test_e0)
{
	fill_sector(APP_A);
	tear_erase(APP_A, 1, 0, FLASH_E0, 1);
	check_bytes(flash, APP_A, some, 256);
	ck_assert_uint_eq(flash_erases(flash, APP_A), 0);
}
END_TEST

START_TEST(test_e1)
{
	uint8_t bytes[256];
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		fill_sector(APP_A);
		tear_erase(APP_A, 1, 0, FLASH_E1, seed);
		ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_TORN);
		ck_assert_int_eq(flash_read(flash, APP_A, bytes, 256), FLASH_OK);
		ck_assert_mem_ne(bytes, some, 256);
		unsigned left = 0;
		for (unsigned i = 0; i < 256; i++) {
			ck_assert_int_eq(bytes[i] & ~some[i], 0);
			left |= bytes[i];
		}
		ck_assert_uint_ne(left, 0);
		ck_assert_int_eq(flash_page_state(flash, APP_A + 256), FLASH_ERASED);
	}
	ck_assert_int_eq(erase(flash, APP_A, 1), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, some, 256), FLASH_OK);
}
END_TEST

START_TEST(test_e2)
{
	uint8_t bytes[32];
	fill_sector(APP_A);
	tear_erase(APP_A, 1, 0, FLASH_E2, 1);
	ck_assert_int_eq(flash_read(flash, APP_A, bytes, 32), FLASH_ECC);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_ERASED);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK); /* nobody is told */
	check_weak(APP_A, some, 32);
	ck_assert_int_eq(program(flash, APP_A + 512, some, 32), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, APP_A + 512), FLASH_GOOD);
	ck_assert_int_eq(erase(flash, APP_A, 1), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_GOOD);

	ck_assert_int_eq(program(flash, DATA, some, 8), FLASH_OK);
	tear_erase(DATA, 1, 0, FLASH_E2, 1);
	ck_assert_int_eq(flash_read(flash, DATA, bytes, 8), FLASH_OK);
	ck_assert_int_eq(bytes[0] | bytes[7], 0);
	ck_assert_int_eq(program(flash, DATA, ones, 8), FLASH_OK);
	check_weak(DATA, ones, 8);
	ck_assert_int_eq(program(flash, DATA, ones, 8), FLASH_OK); /* once more makes nothing better */
	ck_assert_int_eq(flash_page_state(flash, DATA), FLASH_WEAK);
}
END_TEST

START_TEST(test_e3)
{
	uint8_t bytes[32];
	for (unsigned torn = FLASH_E3; torn < 6; torn++) { /* 4, 5: count as the last class */
		fill_sector(APP_A);
		tear_erase(APP_A, 1, 0, torn, torn);
		for (unsigned at = 0; at < 512; at += 32)
			ck_assert_int_eq(flash_read(flash, APP_A + at, bytes, 32), FLASH_ECC);
		ck_assert_int_eq(flash_page_state(flash, APP_A + 480), FLASH_BAD);
		ck_assert_int_eq(program(flash, APP_A + 256, some, 256), FLASH_VERIFY);
	}
}
END_TEST

/* A cut in sector k leaves those before it erased and those behind it untouched. */
START_TEST(test_many_sectors)
{
	for (unsigned k = 0; k < 4; k++) {
		for (unsigned i = 0; i < 4; i++)
			fill_sector(APP_B + 512 * i);
		const uint64_t before = flash_operations(flash);
		tear_erase(APP_B, 4, k, FLASH_E3, 1);
		ck_assert_uint_eq(flash_operations(flash), before + k + 1);
		for (unsigned i = 0; i < 4; i++) {
			const enum flash_page_state state = flash_page_state(flash, APP_B + 512 * i);
			ck_assert_int_eq(state, i < k ? FLASH_ERASED : i == k ? FLASH_BAD : FLASH_GOOD);
		}
	}
}
END_TEST

START_TEST(test_before)
{
	arm(1, FLASH_BEFORE, FLASH_T4, 1);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A + 32, some, 32), FLASH_BUSY);
	ck_assert_uint_eq(cuts, 1);
	ck_assert_uint_eq(flash_operations(flash), 1);
	flash_power_on(flash);
	check_bytes(flash, APP_A, some, 32);
	ck_assert_int_eq(flash_page_state(flash, APP_A + 32), FLASH_ERASED);
	/* It happens once. */
	ck_assert_int_eq(program(flash, APP_A + 32, some, 32), FLASH_OK);
	/* Before the second sector of an erase. */
	arm(1, FLASH_BEFORE, FLASH_E3, 1);
	fill_sector(APP_B + 512);
	flash_arm(flash, NULL, NULL, NULL);
	arm(1, FLASH_BEFORE, FLASH_E3, 1);
	ck_assert_int_eq(flash_erase(flash, APP_B, 2, 0), FLASH_OK);
	settle(flash);
	ck_assert_uint_eq(cuts, 2);
	flash_power_on(flash);
	check_bytes(flash, APP_B + 512, some, 256);
	ck_assert_uint_eq(flash_erases(flash, APP_B), 1);
}
END_TEST

START_TEST(test_after)
{
	arm(0, FLASH_AFTER, FLASH_T4, 1);
	ck_assert_int_eq(flash_program(flash, APP_A, some, 32, 0), FLASH_OK);
	ck_assert_uint_eq(flash_poll(flash, 0), flash_cost_tc375.page_ns);
	ck_assert_uint_eq(flash_poll(flash, flash_cost_tc375.page_ns), FLASH_NEVER);
	ck_assert_uint_eq(cuts, 1);
	ck_assert_int_eq(flash_program(flash, APP_A + 32, some, 32, 0), FLASH_BUSY);
	flash_power_on(flash);
	check_bytes(flash, APP_A, some, 32);
}
END_TEST

/* Half of its time after it began. */
START_TEST(test_during_is_in_the_middle)
{
	arm(0, FLASH_DURING, FLASH_T0, 1);
	ck_assert_int_eq(flash_program(flash, APP_A, some, 32, 100), FLASH_OK);
	ck_assert_uint_eq(flash_poll(flash, 100), 100 + flash_cost_tc375.page_ns / 2);
	ck_assert_uint_eq(cuts, 0);
	flash_poll(flash, 100 + flash_cost_tc375.page_ns / 2);
	ck_assert_uint_eq(cuts, 1);
}
END_TEST

START_TEST(test_disarm)
{
	arm(0, FLASH_BEFORE, FLASH_T0, 1);
	flash_arm(flash, NULL, NULL, NULL);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	arm(0, FLASH_BEFORE, FLASH_T0, 1);
	arm(1, FLASH_BEFORE, FLASH_T0, 1); /* one at a time: the last one */
	ck_assert_int_eq(program(flash, APP_A + 32, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A + 64, some, 32), FLASH_BUSY);
	ck_assert_uint_eq(cuts, 1);
}
END_TEST

/* What is under way on other banks is torn with it. */
START_TEST(test_cut_of_two_banks)
{
	fill_sector(APP_A);
	const uint64_t now_ns = settle(flash);
	arm(1, FLASH_DURING, FLASH_T4, 9);
	ck_assert_int_eq(flash_erase(flash, APP_A, 1, now_ns), FLASH_OK);
	ck_assert_int_eq(flash_program(flash, APP_B, some, 32, now_ns), FLASH_OK);
	settle(flash);
	ck_assert_uint_eq(cuts, 1);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_BAD);
	ck_assert_int_eq(flash_page_state(flash, APP_B), FLASH_BAD);
}
END_TEST

START_TEST(test_power_off)
{
	ck_assert_int_eq(flash_program(flash, APP_A, some, 32, 0), FLASH_OK);
	flash_power_off(flash, FLASH_T4, 1, flash_cost_tc375.page_ns); /* it had ended */
	flash_power_on(flash);
	check_bytes(flash, APP_A, some, 32);
	ck_assert_int_eq(flash_program(flash, APP_A + 32, some, 32, 0), FLASH_OK);
	flash_power_off(flash, FLASH_T4, 1, flash_cost_tc375.page_ns - 1);
	ck_assert_int_eq(flash_page_state(flash, APP_A + 32), FLASH_BAD);
	flash_power_off(flash, FLASH_T4, 2, 0); /* off is off */
	flash_power_on(flash);
	flash_power_on(flash);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK);
}
END_TEST

/* A read over weak and good pages: all or nothing, every look counts once. */
START_TEST(test_read_over_weak)
{
	uint8_t bytes[96], before[96];
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	tear_program(APP_A + 32, some + 32, 32, FLASH_T3, 2);
	ck_assert_int_eq(program(flash, APP_A + 64, some + 64, 32), FLASH_OK);
	const struct tally tally = read_often(APP_A + 3, some + 3, 90, 300);
	ck_assert_uint_gt(tally.right, 50);
	ck_assert_uint_gt(tally.ecc, 20);
	memset(before, 0x5C, sizeof before);
	for (unsigned i = 0; i < 20; i++) {
		memcpy(bytes, before, sizeof bytes);
		if (flash_read(flash, APP_A, bytes, 96) != FLASH_OK)
			ck_assert_mem_eq(bytes, before, sizeof bytes);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("torn");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_t0);
	tcase_add_test(t, test_t1);
	tcase_add_test(t, test_t2);
	tcase_add_test(t, test_t3);
	tcase_add_test(t, test_t4);
	tcase_add_test(t, test_burst);
	tcase_add_test(t, test_torn_over);
	tcase_add_test(t, test_weak_over);
	tcase_add_test(t, test_e0);
	tcase_add_test(t, test_e1);
	tcase_add_test(t, test_e2);
	tcase_add_test(t, test_e3);
	tcase_add_test(t, test_many_sectors);
	tcase_add_test(t, test_before);
	tcase_add_test(t, test_after);
	tcase_add_test(t, test_during_is_in_the_middle);
	tcase_add_test(t, test_disarm);
	tcase_add_test(t, test_cut_of_two_banks);
	tcase_add_test(t, test_power_off);
	tcase_add_test(t, test_read_over_weak);
	return run_case("flash_torn", t);
}
