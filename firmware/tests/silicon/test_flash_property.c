/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations and cuts against an oracle of its own: pages in a plain array, rules written down once more. What
 * chance decides (which bits, which point of a burst) is checked against what the class allows, then taken over.
 */
#include "test_flash_common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS  40u
#define STEPS 1500u
#define PAGES (2u * 128u + 256u) /* of both banks and DFLASH */

struct oracle_page {
	uint8_t bytes[32];
	enum flash_page_state state;
};
struct oracle {
	struct oracle_page pages[PAGES];
	uint32_t erases[20];
	bool unreliable[20];
	uint64_t operations;
};

static struct flash *flash, *snapshot;
static struct oracle oracle, oracle_snapshot;
static uint64_t chance, now_ns;
static bool power_gone;
static unsigned torn_programs[5], torn_erases[4]; /* of each class, how many were checked */
static struct flash_geometry lasting;             /* without wear, which is for other tests */

static uint32_t any(uint32_t below)
{
	chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((chance >> 33) % below);
}

/* ---- where things are, by page number ------------------------------------------------------------------------------ */

static bool is_data(uint32_t page)
{
	return page >= 256;
}
static uint32_t page_size(uint32_t page)
{
	return is_data(page) ? 8 : 32;
}
static uint32_t pages_of_sector(uint32_t page)
{
	return is_data(page) ? 64 : 16;
}
static uint32_t sector_of(uint32_t page)
{
	return is_data(page) ? 16 + (page - 256) / 64 : page / 16;
}
static bool is_boot(uint32_t page)
{
	return page < 256 && page % 128 < 16;
}

static uint32_t address_of(uint32_t page)
{
	if (is_data(page))
		return DATA + 8 * (page - 256);
	return page < 128 ? BANK_A + 32 * page : BANK_B + 32 * (page - 128);
}

/* ---- what the oracle expects --------------------------------------------------------------------------------------- */

static bool all(const uint8_t *bytes, uint32_t length, uint8_t value)
{
	for (uint32_t i = 0; i < length; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* False: the page does not verify. */
static bool expect_program(uint32_t number, const uint8_t *data)
{
	struct oracle_page *page = &oracle.pages[number];
	const bool fits = page->state == FLASH_ERASED || (is_data(number) && all(data, 8, 0xFF));
	for (uint32_t i = 0; i < page_size(number); i++)
		page->bytes[i] |= data[i];
	page->state = !fits ? FLASH_BAD : oracle.unreliable[sector_of(number)] ? FLASH_WEAK : FLASH_GOOD;
	return fits;
}

static void expect_erase(uint32_t first)
{
	memset(&oracle.pages[first], 0, pages_of_sector(first) * sizeof oracle.pages[0]);
	oracle.unreliable[sector_of(first)] = false;
	oracle.erases[sector_of(first)]++;
}

static struct oracle_page look(uint32_t number)
{
	struct oracle_page page = {.state = flash_page_state(flash, address_of(number))};
	ck_assert_int_eq(flash_peek(flash, address_of(number), page.bytes, page_size(number)), FLASH_OK);
	return page;
}

static bool same(const struct oracle_page *a, const struct oracle_page *b, uint32_t number)
{
	return a->state == b->state && memcmp(a->bytes, b->bytes, page_size(number)) == 0;
}

static void check_pages(uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++) {
		const struct oracle_page page = look(i);
		ck_assert_msg(same(&page, &oracle.pages[i], i), "page %u: state %d, expected %d", i, page.state, oracle.pages[i].state);
	}
}

/* Is this what a torn program may leave? */
static void check_torn_page(uint32_t number, const uint8_t *data, unsigned torn)
{
	static const enum flash_page_state left[] = {FLASH_ERASED, FLASH_TORN, FLASH_TORN, FLASH_WEAK, FLASH_BAD};
	const struct oracle_page *before = &oracle.pages[number];
	const struct oracle_page page = look(number);
	const bool fits = before->state == FLASH_ERASED || (is_data(number) && all(data, 8, 0xFF));
	if (torn == FLASH_T0) {
		ck_assert(same(&page, before, number));
		return;
	}
	ck_assert_int_eq(page.state, fits ? left[torn] : FLASH_BAD);
	bool behind = false;
	for (uint32_t i = 0; i < page_size(number); i++) {
		const uint8_t whole = before->bytes[i] | data[i], now = page.bytes[i];
		ck_assert_int_eq(before->bytes[i] & ~now, 0);
		ck_assert(torn == FLASH_T4 || (now & ~whole) == 0);
		ck_assert(torn != FLASH_T3 || now == whole);
		behind |= now != whole;
		ck_assert(torn != FLASH_T1 || !behind || now == before->bytes[i]);
	}
}

/* ---- steps -------------------------------------------------------------------------------------------------------- */

static void on_cut(void *context)
{
	power_gone = true;
}

struct planned_cut {
	bool armed;
	enum flash_phase phase;
	unsigned torn;
	uint32_t sector; /* of an erase: which of its operations */
};

static struct planned_cut plan_cut(uint32_t operations)
{
	struct planned_cut plan = {.armed = any(4) == 0};
	if (!plan.armed)
		return plan;
	plan.phase = (enum flash_phase)any(3);
	plan.torn = any(6);
	plan.sector = any(operations);
	const struct flash_cut cut = {
	        .operation = flash_operations(flash) + plan.sector, .phase = plan.phase, .torn = plan.torn, .seed = any(UINT32_MAX)};
	flash_arm(flash, &cut, on_cut, NULL);
	return plan;
}

static void run(void)
{
	for (uint64_t next_ns; (next_ns = flash_poll(flash, now_ns)) != FLASH_NEVER;)
		now_ns = any(3) ? next_ns : now_ns + (next_ns - now_ns + 1) / 2;
}

static void make_data(uint8_t *data, uint32_t length)
{
	const uint32_t kind = any(6);
	for (uint32_t i = 0; i < length; i++)
		data[i] = kind == 0 ? 0xFF : kind == 1 ? 0 : (uint8_t)any(256);
}

/*
 * Before the torn page all is whole, behind it nothing happened. A page that is bad or weak anyway may look the same torn
 * and whole: then it may have been the point, and the one behind it is untouched.
 */
static void check_torn_program(uint32_t first, uint32_t n, const uint8_t *data, unsigned torn)
{
	bool doubtful = false;
	uint32_t point = first;
	for (; point < first + n; point++, data += page_size(first)) {
		const struct oracle_page page = look(point), before = oracle.pages[point];
		expect_program(point, data);
		if (!same(&page, &oracle.pages[point], point)) {
			oracle.pages[point] = before;
			break;
		}
		doubtful = page.state == FLASH_BAD || page.state == FLASH_WEAK;
	}
	if (point == first + n) {
		ck_assert(doubtful);
		return;
	}
	const struct oracle_page page = look(point);
	if (!doubtful || !same(&page, &oracle.pages[point], point))
		check_torn_page(point, data, torn);
	oracle.pages[point] = page;
	check_pages(point + 1, first + n - point - 1);
	torn_programs[torn]++;
}

static void step_program(void)
{
	uint8_t data[256];
	uint32_t first = any(PAGES), n = 1;
	if (!is_data(first) && any(2)) {
		n = 8;
		first -= first % 8;
	}
	make_data(data, sizeof data);
	const struct planned_cut plan = plan_cut(1);
	const enum flash_status status = flash_program(flash, address_of(first), data, n * page_size(first), now_ns);
	if (is_boot(first)) {
		ck_assert_int_eq(status, FLASH_PROTECTED);
	} else if (plan.armed && plan.phase == FLASH_BEFORE) {
		ck_assert_int_eq(status, FLASH_BUSY);
		ck_assert(power_gone);
	} else {
		ck_assert_int_eq(status, FLASH_OK);
		run();
		oracle.operations++;
		bool verified = true;
		if (plan.armed && plan.phase == FLASH_DURING) {
			check_torn_program(first, n, data, plan.torn > FLASH_T4 ? FLASH_T4 : plan.torn);
		} else {
			for (uint32_t i = 0; i < n; i++)
				verified &= expect_program(first + i, data + i * page_size(first));
		}
		ck_assert_int_eq(power_gone, plan.armed);
		if (!plan.armed)
			ck_assert_int_eq(flash_result(flash, address_of(first)), verified ? FLASH_OK : FLASH_VERIFY);
	}
	check_pages(first, n);
}

static void check_torn_erase(uint32_t first, unsigned torn)
{
	const uint32_t sector = sector_of(first);
	torn_erases[torn]++;
	if (torn != FLASH_E0)
		oracle.erases[sector]++;
	for (uint32_t i = first; torn != FLASH_E0 && i < first + pages_of_sector(first); i++) {
		const struct oracle_page page = look(i), *before = &oracle.pages[i];
		if (torn == FLASH_E2)
			ck_assert(page.state == FLASH_ERASED && all(page.bytes, page_size(i), 0));
		if (torn == FLASH_E3)
			ck_assert_int_eq(page.state, FLASH_BAD);
		if (torn == FLASH_E1) {
			const enum flash_page_state kept =
			        before->state == FLASH_ERASED || before->state == FLASH_BAD ? before->state : FLASH_TORN;
			ck_assert_int_eq(page.state, kept);
			for (uint32_t k = 0; k < page_size(i); k++)
				ck_assert_int_eq(page.bytes[k] & ~before->bytes[k], 0);
		}
		oracle.pages[i] = page;
	}
	if (torn == FLASH_E2)
		oracle.unreliable[sector] = true;
}

static void step_erase(void)
{
	uint32_t first = any(PAGES), sectors = 1 + any(3);
	first -= (is_data(first) ? first - 256 : first) % pages_of_sector(first);
	const uint32_t end = is_data(first) ? PAGES : first < 128 ? 128 : 256;
	const struct planned_cut plan = plan_cut(sectors);
	const enum flash_status status = flash_erase(flash, address_of(first), sectors, now_ns);
	if (is_boot(first)) {
		ck_assert_int_eq(status, FLASH_PROTECTED);
		return;
	}
	if (first + sectors * pages_of_sector(first) > end) {
		ck_assert_int_eq(status, FLASH_SEQUENCE);
		return;
	}
	ck_assert_int_eq(status, plan.armed && plan.phase == FLASH_BEFORE && plan.sector == 0 ? FLASH_BUSY : FLASH_OK);
	run();
	ck_assert_int_eq(power_gone, plan.armed);
	for (uint32_t i = 0; i < sectors; i++, first += pages_of_sector(first)) {
		if (plan.armed && i == plan.sector && plan.phase == FLASH_BEFORE)
			break;
		oracle.operations++;
		if (plan.armed && i == plan.sector && plan.phase == FLASH_DURING)
			check_torn_erase(first, plan.torn > FLASH_E3 ? FLASH_E3 : plan.torn);
		else
			expect_erase(first);
		check_pages(first, pages_of_sector(first));
		if (plan.armed && i == plan.sector)
			break;
	}
}

static void step_read(void)
{
	uint8_t bytes[96], untouched[96];
	const uint32_t first = any(PAGES - 3), n = 1 + any(3);
	const uint32_t begin = any(page_size(first)), length = n * page_size(first) - begin;
	if (is_data(first) != is_data(first + n - 1) || (first < 128) != (first + n - 1 < 128))
		return;
	bool fails = false, weak = false;
	for (uint32_t i = first; i < first + n; i++) {
		const enum flash_page_state state = oracle.pages[i].state;
		fails |= state == FLASH_BAD || (state == FLASH_ERASED && !is_data(i));
		weak |= state == FLASH_WEAK;
	}
	memset(untouched, 0xA5, sizeof untouched);
	memcpy(bytes, untouched, sizeof bytes);
	const enum flash_status status = flash_read(flash, address_of(first) + begin, bytes, length);
	ck_assert(status == FLASH_OK || status == FLASH_ECC);
	ck_assert(!fails || status == FLASH_ECC);
	ck_assert(fails || weak || status == FLASH_OK);
	if (status != FLASH_OK) {
		ck_assert_mem_eq(bytes, untouched, sizeof bytes);
		return;
	}
	for (uint32_t k = 0; k < length; k++) {
		const struct oracle_page *page = &oracle.pages[first + (begin + k) / page_size(first)];
		const uint8_t right = page->bytes[(begin + k) % page_size(first)];
		ck_assert(page->state == FLASH_WEAK ? (bytes[k] & ~right) == 0 : bytes[k] == right);
	}
}

static void step_factory(void)
{
	uint8_t data[32];
	const uint32_t page = any(PAGES);
	if (any(2)) {
		make_data(data, sizeof data);
		ck_assert_int_eq(flash_factory_write(flash, address_of(page), data, page_size(page)), FLASH_OK);
		memcpy(oracle.pages[page].bytes, data, page_size(page));
		oracle.pages[page].state = FLASH_GOOD;
	} else {
		ck_assert_int_eq(flash_factory_erase(flash, address_of(page), page_size(page)), FLASH_OK);
		memset(&oracle.pages[page], 0, sizeof oracle.pages[page]);
	}
	check_pages(page, 1);
}

static void step_snapshot(void)
{
	if (any(2)) {
		flash_copy(snapshot, flash);
		oracle_snapshot = oracle;
	} else {
		flash_copy(flash, snapshot);
		oracle = oracle_snapshot;
	}
	ck_assert(flash_equal(flash, snapshot));
	ck_assert_uint_eq(flash_hash(flash), flash_hash(snapshot));
}

static void step(void)
{
	const uint32_t kind = any(20);
	if (kind < 9)
		step_program();
	else if (kind < 12)
		step_erase();
	else if (kind < 18)
		step_read();
	else if (kind < 19)
		step_factory();
	else
		step_snapshot();
	flash_arm(flash, NULL, NULL, NULL);
	flash_power_on(flash);
	power_gone = false;
	ck_assert_uint_eq(flash_operations(flash), oracle.operations);
}

/* Everything, and a flash that came to the same contents by another way has the same hash. */
static void check_all(void)
{
	char path[64];
	check_pages(0, PAGES);
	for (uint32_t page = 0; page < PAGES; page++)
		ck_assert_uint_eq(flash_erases(flash, address_of(page)), oracle.erases[sector_of(page)]);
	struct flash *other = flash_new(&lasting, &flash_cost_tc375);
	snprintf(path, sizeof path, "%s/flash-property-XXXXXX", P_tmpdir);
	ck_assert_int_ge(mkstemp(path), 0);
	ck_assert_int_eq(flash_save(flash, path), 0);
	ck_assert_int_eq(flash_load(other, path), 0);
	remove(path);
	ck_assert(flash_equal(flash, other));
	ck_assert_uint_eq(flash_hash(flash), flash_hash(other));
	flash_defect_set(other, FLASH_DEFECT_FLIP, address_of(any(PAGES)), any(64));
	ck_assert(!flash_equal(flash, other));
	ck_assert_uint_ne(flash_hash(flash), flash_hash(other));
	flash_free(other);
}

START_TEST(test_random)
{
	lasting = flash_tiny;
	lasting.bank_endurance = lasting.data_endurance = UINT32_MAX;
	chance = (uint64_t)_i * 7919 + 1;
	flash = flash_new(&lasting, &flash_cost_tc375);
	snapshot = flash_new(&lasting, &flash_cost_tc375);
	memset(&oracle, 0, sizeof oracle);
	memset(&oracle_snapshot, 0, sizeof oracle_snapshot);
	for (unsigned i = 0; i < STEPS; i++)
		step();
	check_all();
	for (unsigned torn = 0; torn < 5; torn++)
		ck_assert_uint_gt(torn_programs[torn], 0);
	ck_assert_uint_gt(torn_erases[0] + torn_erases[1], 0);
	ck_assert_uint_gt(torn_erases[2] + torn_erases[3], 0);
	flash_free(flash);
	flash_free(snapshot);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("property");
	tcase_add_loop_test(t, test_random, 0, RUNS);
	return run_case("flash_property", t);
}
