/* SPDX-License-Identifier: Apache-2.0 */
/* The swap blocks and boot mode headers as the start-up software reads them: cases 139 to 150 and 157. */
#include "../../silicon/ssw.h"
#include "test_flash_common.h"

#include <string.h>

#define ORIG FLASH_UCB_SWAP_ORIG
#define COPY FLASH_UCB_SWAP_COPY

static struct flash *flash;
static struct ssw_result result;

static void setup(void)
{
	flash = flash_new(&flash_sweep, &flash_cost_tc375);
	ssw_factory(flash, test_password);
}

static void teardown(void)
{
	flash_free(flash);
}

static void put(uint32_t address, uint32_t low, uint32_t high)
{
	const uint8_t page[8] = {(uint8_t)low,  (uint8_t)(low >> 8),  (uint8_t)(low >> 16),  (uint8_t)(low >> 24),
	                         (uint8_t)high, (uint8_t)(high >> 8), (uint8_t)(high >> 16), (uint8_t)(high >> 24)};
	ck_assert_int_eq(flash_factory_write(flash, address, page, 8), FLASH_OK);
}

static void entry(uint32_t block, unsigned index, uint32_t marker)
{
	const uint32_t at = block + 16 * index;
	put(at, marker, at);
	put(at + 8, SSW_CONFIRMATION, at + 8);
}

static void wipe(uint32_t ucb)
{
	ck_assert_int_eq(flash_factory_erase(flash, ucb, 512), FLASH_OK);
}

static void evaluate(enum ssw_policy policy)
{
	ssw_evaluate(flash, policy, &result);
}

START_TEST(test_crc_vector)
{
	ck_assert_uint_eq(ssw_header_crc(0xB359000E, 0xA0100000), 0x656BA65D);
	ck_assert_uint_eq(~ssw_header_crc(0xB359000E, 0xA0100000), 0x9A9459A2);
	ck_assert_uint_ne(ssw_header_crc(0xB359000E, 0xA0000000), 0x656BA65D);
}
END_TEST

START_TEST(test_factory)
{
	evaluate(SSW_STOP);
	ck_assert(result.bootable && result.swap_enabled && !result.contradiction && !result.header_copy);
	ck_assert_int_eq(result.active, 0);
	ck_assert_int_eq(result.orig_entry, 0);
	ck_assert_int_eq(result.copy_entry, 0);
	ck_assert_int_eq(result.header, 0);
	ck_assert_uint_eq(result.start, 0xA0000000u);
	ck_assert_str_eq(result.reason, "");
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	ck_assert_uint_eq(flash_operations(flash), 0);
}
END_TEST

START_TEST(test_nothing_at_all)
{
	struct flash *empty = flash_new(&flash_sweep, &flash_cost_tc375);
	ssw_evaluate(empty, SSW_ORIG_WINS, &result);
	ck_assert(!result.bootable && !result.swap_enabled);
	ck_assert_int_eq(result.active, 0);
	ck_assert_int_eq(result.orig_entry, -1);
	ck_assert_str_ne(result.reason, "");
	flash_free(empty);
}
END_TEST

/* Cases 140 to 143: one wrong word ends an entry. */
START_TEST(test_wrong_words)
{
	static const uint32_t markers[] = {0, 0x54, 0x56, 0xAB, 0xFF, 0x155, 0x55000055, 0xAA000000, UINT32_MAX};
	static const uint32_t confirmations[] = {0, UINT32_MAX, 0x43211234, SSW_CONFIRMATION ^ 1, SSW_CONFIRMATION ^ 0x80000000u};
	const uint32_t at = ORIG + 16;
	wipe(COPY);
	for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
		entry(ORIG, 1, markers[i]);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.orig_entry, 0);
		ck_assert_int_eq(result.active, 0);
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		entry(ORIG, 1, SSW_MARKER_B);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.orig_entry, 1);
		ck_assert_int_eq(result.active, 1);
		put(at, SSW_MARKER_B, at ^ UINT32_C(1) << bit);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.active, 0);
		put(at, SSW_MARKER_B, at);
		put(at + 8, SSW_CONFIRMATION, (at + 8) ^ UINT32_C(1) << bit);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.active, 0);
		put(at + 8, SSW_CONFIRMATION ^ UINT32_C(1) << bit, at + 8);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.active, 0);
	}
	for (size_t i = 0; i < sizeof confirmations / sizeof confirmations[0]; i++) {
		put(at + 8, confirmations[i], at + 8);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.orig_entry, 0);
	}
	/* An entry of one block's addresses in the other is none: COPY at a wrong address (case 154). */
	put(COPY, SSW_MARKER_B, ORIG);
	put(COPY + 8, SSW_CONFIRMATION, ORIG + 8);
	evaluate(SSW_ORIG_WINS);
	ck_assert_int_eq(result.copy_entry, -1);
}
END_TEST

/* Case 144. */
START_TEST(test_one_block_only)
{
	wipe(COPY);
	entry(ORIG, 0, SSW_MARKER_B);
	for (enum ssw_policy policy = SSW_ORIG_WINS; policy <= SSW_STOP; policy++) {
		evaluate(policy);
		ck_assert(result.bootable && !result.contradiction);
		ck_assert_int_eq(result.active, 1);
	}
	wipe(ORIG);
	entry(COPY, 3, SSW_MARKER_B);
	for (enum ssw_policy policy = SSW_ORIG_WINS; policy <= SSW_STOP; policy++) {
		evaluate(policy);
		ck_assert_int_eq(result.active, 1);
		ck_assert_int_eq(result.orig_entry, -1);
		ck_assert_int_eq(result.copy_entry, 3);
	}
}
END_TEST

/* Case 145. */
START_TEST(test_contradiction)
{
	static const struct {
		uint32_t orig, copy;
		enum ssw_policy policy;
		uint8_t active;
		bool bootable;
	} table[] = {
	        {SSW_MARKER_A, SSW_MARKER_B, SSW_ORIG_WINS, 0, true}, {SSW_MARKER_B, SSW_MARKER_A, SSW_ORIG_WINS, 1, true},
	        {SSW_MARKER_A, SSW_MARKER_B, SSW_COPY_WINS, 1, true}, {SSW_MARKER_B, SSW_MARKER_A, SSW_COPY_WINS, 0, true},
	        {SSW_MARKER_A, SSW_MARKER_B, SSW_STOP, 0, false},     {SSW_MARKER_B, SSW_MARKER_A, SSW_STOP, 0, false},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		entry(ORIG, 0, table[i].orig);
		entry(COPY, 0, table[i].copy);
		evaluate(table[i].policy);
		ck_assert(result.contradiction);
		ck_assert_int_eq(result.active, table[i].active);
		ck_assert_int_eq(result.bootable, table[i].bootable);
		ck_assert_int_eq(result.reason[0] == '\0', table[i].bootable);
	}
	/* Another index, the same bank: no contradiction about the map. */
	entry(ORIG, 1, SSW_MARKER_A);
	entry(COPY, 0, SSW_MARKER_A);
	evaluate(SSW_STOP);
	ck_assert(!result.contradiction && result.bootable);
}
END_TEST

/* Case 146. */
START_TEST(test_both_invalid)
{
	wipe(ORIG);
	wipe(COPY);
	evaluate(SSW_STOP);
	ck_assert(result.bootable);
	ck_assert_int_eq(result.active, 0);
	ck_assert_int_eq(result.orig_entry, -1);
	ck_assert_int_eq(result.copy_entry, -1);
}
END_TEST

/* Cases 148, 149: the last valid one, over gaps and entries that were not invalidated. */
START_TEST(test_last_wins)
{
	wipe(COPY);
	for (unsigned i = 0; i < SSW_SWAP_ENTRIES; i++) {
		entry(ORIG, i, i % 2 ? SSW_MARKER_B : SSW_MARKER_A);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.orig_entry, (int)i);
		ck_assert_int_eq(result.active, i % 2);
	}
	wipe(ORIG);
	entry(ORIG, 0, SSW_MARKER_A);
	entry(ORIG, 7, SSW_MARKER_B);
	evaluate(SSW_ORIG_WINS);
	ck_assert_int_eq(result.orig_entry, 7);
	ck_assert_int_eq(result.active, 1);
	entry(ORIG, 15, SSW_MARKER_A);
	evaluate(SSW_ORIG_WINS);
	ck_assert_int_eq(result.orig_entry, 15);
	ck_assert_int_eq(result.active, 0);
	entry(ORIG, 16, SSW_MARKER_B); /* behind the table */
	evaluate(SSW_ORIG_WINS);
	ck_assert_int_eq(result.orig_entry, 15);
	put(ORIG + 15 * 16 + 8, SSW_INVALIDATED, SSW_INVALIDATED);
	evaluate(SSW_ORIG_WINS);
	ck_assert_int_eq(result.orig_entry, 7);
}
END_TEST

/* Case 150. */
START_TEST(test_swap_not_enabled)
{
	entry(ORIG, 1, SSW_MARKER_B);
	entry(COPY, 1, SSW_MARKER_B);
	flash_factory_erase(flash, SSW_PROCONTP, 8);
	evaluate(SSW_ORIG_WINS);
	ck_assert(!result.swap_enabled && result.bootable);
	ck_assert_int_eq(result.active, 0);
	entry(COPY, 1, SSW_MARKER_A); /* not even a contradiction stops */
	evaluate(SSW_STOP);
	ck_assert(result.bootable);
	put(SSW_PROCONTP, SSW_SWAPEN, 0);
	flash_defect_set(flash, FLASH_DEFECT_DOUBLE_BIT, SSW_PROCONTP, 0); /* the COPY says so, too */
	entry(COPY, 1, SSW_MARKER_B);
	evaluate(SSW_ORIG_WINS);
	ck_assert(result.swap_enabled);
	ck_assert_int_eq(result.active, 1);
}
END_TEST

START_TEST(test_bad_ecc_ends_an_entry)
{
	wipe(COPY);
	for (unsigned page = 0; page < 2; page++) {
		entry(ORIG, 1, SSW_MARKER_B);
		flash_defect_set(flash, FLASH_DEFECT_DOUBLE_BIT, ORIG + 16 + 8 * page, 0);
		evaluate(SSW_ORIG_WINS);
		ck_assert_int_eq(result.orig_entry, 0);
		ck_assert_int_eq(result.active, 0);
		flash_defects_clear(flash);
	}
	evaluate(SSW_ORIG_WINS);
	ck_assert_int_eq(result.active, 1);
}
END_TEST

/* ---- case 139: the six page programs of a swap, cut everywhere ---------------------------------------------------- */

static bool gone;
static void on_cut(void *context)
{
	gone = true;
}

static bool step(uint32_t address, uint32_t low, uint32_t high)
{
	const uint8_t page[8] = {(uint8_t)low,  (uint8_t)(low >> 8),  (uint8_t)(low >> 16),  (uint8_t)(low >> 24),
	                         (uint8_t)high, (uint8_t)(high >> 8), (uint8_t)(high >> 16), (uint8_t)(high >> 24)};
	return program(flash, address, page, 8) == FLASH_OK && !gone;
}

static bool swap_block(uint32_t block)
{
	const uint32_t at = block + 16;
	return step(at, SSW_MARKER_B, at) && step(at + 8, SSW_CONFIRMATION, at + 8) && step(block + 8, SSW_INVALIDATED, SSW_INVALIDATED);
}

/* How a swap that was cut at this operation looks: the map, and whether an entry of ORIG and COPY is there. */
static void cut_swap(const struct flash *begin, unsigned operation, enum flash_phase phase, unsigned torn, uint64_t seed)
{
	flash_copy(flash, begin);
	gone = false;
	const struct flash_cut cut = {.operation = operation, .phase = phase, .torn = torn, .seed = seed};
	flash_arm(flash, &cut, on_cut, NULL);
	ck_assert(!(swap_block(COPY) && swap_block(ORIG)));
	ck_assert(gone);
	flash_power_on(flash);
	evaluate(SSW_ORIG_WINS);
	ck_assert(result.bootable);
	/* ORIG decides: the old bank until its confirmation may be there, the new one from then on. */
	const bool weak = phase == FLASH_DURING && torn == FLASH_T3;
	if (operation < 4)
		ck_assert_int_eq(result.active, 0);
	if (operation == 4 && !weak)
		ck_assert_int_eq(result.active, phase == FLASH_AFTER);
	if (operation == 5)
		ck_assert_int_eq(result.active, 1);
	/* There is an entry in each block at any time, whatever became of one page. */
	if (!weak) {
		ck_assert_int_ge(result.orig_entry, 0);
		ck_assert_int_ge(result.copy_entry, 0);
	}
}

START_TEST(test_cut_swap)
{
	struct flash *begin = flash_new(&flash_sweep, &flash_cost_tc375);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	flash_copy(begin, flash);
	for (unsigned operation = 0; operation < 6; operation++) {
		cut_swap(begin, operation, FLASH_BEFORE, 0, 0);
		cut_swap(begin, operation, FLASH_AFTER, 0, 0);
		for (unsigned torn = FLASH_T0; torn <= FLASH_T4; torn++) {
			for (uint64_t seed = 0; seed < 50; seed++)
				cut_swap(begin, operation, FLASH_DURING, torn, seed);
		}
	}
	flash_copy(flash, begin);
	flash_arm(flash, NULL, NULL, NULL);
	gone = false;
	ck_assert(swap_block(COPY) && swap_block(ORIG));
	evaluate(SSW_STOP);
	ck_assert_int_eq(result.active, 1);
	ck_assert_int_eq(result.orig_entry, 1);
	ck_assert_int_eq(result.copy_entry, 1);
	flash_free(begin);
}
END_TEST

/* Case 147: entry 15 is used; the erase of one block, cut, leaves the other one. */
START_TEST(test_cut_erase)
{
	struct flash *begin = flash_new(&flash_sweep, &flash_cost_tc375);
	wipe(ORIG);
	wipe(COPY);
	entry(ORIG, 15, SSW_MARKER_B);
	entry(COPY, 15, SSW_MARKER_B);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	flash_copy(begin, flash);
	for (unsigned torn = FLASH_E0; torn <= FLASH_E3; torn++) {
		for (uint64_t seed = 0; seed < 50; seed++) {
			flash_copy(flash, begin);
			const struct flash_cut cut = {.operation = 0, .phase = FLASH_DURING, .torn = torn, .seed = seed};
			flash_arm(flash, &cut, on_cut, NULL);
			ck_assert_int_eq(flash_erase(flash, COPY, 1, settle(flash)), FLASH_OK);
			settle(flash);
			flash_power_on(flash);
			evaluate(SSW_STOP);
			ck_assert(result.bootable);
			ck_assert_int_eq(result.active, 1);
			ck_assert_int_eq(result.copy_entry, torn == FLASH_E0 ? 15 : -1);
		}
	}
	flash_free(begin);
}
END_TEST

/* ---- case 157: boot mode headers ------------------------------------------------------------------------------------ */

static void header(uint32_t ucb, uint32_t id_word, uint32_t stad, uint32_t crc, uint32_t inverted)
{
	wipe(ucb);
	put(ucb, id_word, stad);
	put(ucb + SSW_BMHD_CRC, crc, inverted);
	put(ucb + SSW_BMHD_CONFIRMATION, SSW_CONFIRMATION, 0);
}

static void good_header(uint32_t ucb, uint32_t stad)
{
	const uint32_t crc = ssw_header_crc(0xB359000E, stad);
	header(ucb, 0xB359000E, stad, crc, ~crc);
}

START_TEST(test_headers_in_order)
{
	for (unsigned i = 0; i < 4; i++) {
		good_header(FLASH_UCB_BMHD_ORIG(i), 0xA0000000u + 0x100 * i);
		good_header(FLASH_UCB_BMHD_COPY(i), 0xA0000000u + 0x100 * i + 0x80);
	}
	for (unsigned i = 0; i < 8; i++) {
		evaluate(SSW_ORIG_WINS);
		ck_assert(result.bootable);
		ck_assert_int_eq(result.header, i / 2);
		ck_assert_int_eq(result.header_copy, i % 2);
		ck_assert_uint_eq(result.start, 0xA0000000u + 0x80 * i);
		wipe(i % 2 ? FLASH_UCB_BMHD_COPY(i / 2) : FLASH_UCB_BMHD_ORIG(i / 2));
	}
	evaluate(SSW_ORIG_WINS);
	ck_assert(!result.bootable);
	ck_assert_str_ne(result.reason, "");
}
END_TEST

START_TEST(test_bad_headers)
{
	static const uint32_t starts[] = {0x9FFFFFFC, 0xA0050000, 0xA02FFFFC, 0xA0350000, 0xAF000000, 0, 0xA0000002};
	const uint32_t ucb = FLASH_UCB_BMHD_ORIG(0), crc = ssw_header_crc(0xB359000E, 0xA0000000);
	wipe(FLASH_UCB_BMHD_COPY(0));
	for (unsigned bit = 0; bit < 32; bit++) {
		const uint32_t flip = UINT32_C(1) << bit;
		header(ucb, 0xB359000E ^ flip, 0xA0000000, crc, ~crc);
		evaluate(SSW_ORIG_WINS);
		ck_assert(!result.bootable);
		header(ucb, 0xB359000E, 0xA0000000 ^ flip, crc, ~crc);
		evaluate(SSW_ORIG_WINS);
		ck_assert(!result.bootable);
		header(ucb, 0xB359000E, 0xA0000000, crc ^ flip, ~crc);
		evaluate(SSW_ORIG_WINS);
		ck_assert(!result.bootable);
		header(ucb, 0xB359000E, 0xA0000000, crc, ~crc ^ flip); /* CRC right, CRC_N wrong */
		evaluate(SSW_ORIG_WINS);
		ck_assert(!result.bootable);
		header(ucb, 0xB359000E, 0xA0000000, crc, ~crc);
		put(ucb + SSW_BMHD_CONFIRMATION, SSW_CONFIRMATION ^ flip, 0);
		evaluate(SSW_ORIG_WINS);
		ck_assert(!result.bootable);
	}
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		good_header(ucb, starts[i]);
		evaluate(SSW_ORIG_WINS);
		ck_assert(!result.bootable);
	}
	const uint32_t wrong_id = 0xB358000E, wrong_mode = 0xB3590006;
	header(ucb, wrong_id, 0xA0000000, ssw_header_crc(wrong_id, 0xA0000000), ~ssw_header_crc(wrong_id, 0xA0000000));
	evaluate(SSW_ORIG_WINS);
	ck_assert(!result.bootable);
	header(ucb, wrong_mode, 0xA0000000, ssw_header_crc(wrong_mode, 0xA0000000), ~ssw_header_crc(wrong_mode, 0xA0000000));
	evaluate(SSW_ORIG_WINS);
	ck_assert(!result.bootable);
	good_header(ucb, 0xA0300000);
	evaluate(SSW_ORIG_WINS);
	ck_assert(result.bootable);
	ck_assert_uint_eq(result.start, 0xA0300000u);
}
END_TEST

START_TEST(test_header_ecc)
{
	static const uint32_t pages[] = {0, SSW_BMHD_CRC, SSW_BMHD_CONFIRMATION};
	for (unsigned i = 0; i < 3; i++) {
		flash_defect_set(flash, FLASH_DEFECT_DOUBLE_BIT, FLASH_UCB_BMHD_ORIG(0) + pages[i], 0);
		evaluate(SSW_ORIG_WINS);
		ck_assert(result.bootable && result.header_copy);
		flash_defects_clear(flash);
	}
	evaluate(SSW_ORIG_WINS);
	ck_assert(!result.header_copy);
}
END_TEST

START_TEST(test_physical)
{
	const struct flash_geometry *g = &flash_sweep;
	static const uint32_t both[] = {0xA0000000, 0xA004FFFF, 0xA0300000, 0xA034FFFF};
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(ssw_physical(g, 0, both[i]), both[i]);
		ck_assert_uint_eq(ssw_physical(g, 1, both[i]), both[i] ^ 0x00300000u);
		ck_assert_uint_eq(ssw_physical(g, 1, ssw_physical(g, 1, both[i])), both[i]);
	}
	ck_assert_uint_eq(ssw_physical(g, 1, 0xA0050000), 0xA0050000);
	ck_assert_uint_eq(ssw_physical(g, 1, 0xAF000010), 0xAF000010);
	ck_assert_uint_eq(ssw_physical(&flash_tc375, 1, 0xA02FFFFF), 0xA05FFFFF);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ssw");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_crc_vector);
	tcase_add_test(t, test_factory);
	tcase_add_test(t, test_nothing_at_all);
	tcase_add_test(t, test_wrong_words);
	tcase_add_test(t, test_one_block_only);
	tcase_add_test(t, test_contradiction);
	tcase_add_test(t, test_both_invalid);
	tcase_add_test(t, test_last_wins);
	tcase_add_test(t, test_swap_not_enabled);
	tcase_add_test(t, test_bad_ecc_ends_an_entry);
	tcase_add_test(t, test_cut_swap);
	tcase_add_test(t, test_cut_erase);
	tcase_add_test(t, test_headers_in_order);
	tcase_add_test(t, test_bad_headers);
	tcase_add_test(t, test_header_ecc);
	tcase_add_test(t, test_physical);
	return run_case("ssw", t);
}
