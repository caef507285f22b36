/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of docs/reference/flash.md without a cut: map, commands, states, protection, wear, defects. */
#include "../../silicon/ssw.h"
#include "test_flash_common.h"

#include <string.h>

#define MS UINT64_C(1000000)

static struct flash *flash;
static uint8_t some[FLASH_BURST], zeros[FLASH_BURST], ones[FLASH_BURST];

static void setup(void)
{
	flash = tiny_new();
	fill(some, sizeof some, 1);
	memset(ones, 0xFF, sizeof ones);
}

static void teardown(void)
{
	flash_free(flash);
}

START_TEST(test_geometries)
{
	ck_assert_uint_eq(flash_tc375.bank_address[0], 0xA0000000u);
	ck_assert_uint_eq(flash_tc375.bank_address[1], 0xA0300000u);
	ck_assert_uint_eq(flash_tc375.bank_size, 3u << 20);
	ck_assert_uint_eq(flash_tc375.bank_sector, 16u << 10);
	ck_assert_uint_eq(flash_tc375.boot_size, 512u << 10);
	ck_assert_uint_eq(flash_tc375.data_size, 256u << 10);
	ck_assert_uint_eq(flash_tc375.data_sector, 4096);
	ck_assert_uint_eq(flash_tc375.ucb_count * flash_tc375.ucb_size, 48 * 512);
	ck_assert_uint_eq(flash_sweep.bank_size, 320u << 10);
	ck_assert_uint_eq(flash_sweep.boot_size, 16u << 10);
	ck_assert_uint_eq(flash_sweep.data_size, 32u << 10);
	struct flash_geometry impossible = flash_tiny;
	impossible.bank_size += 1;
	ck_assert_ptr_null(flash_new(&impossible, &flash_cost_tc375));
	impossible = flash_tiny;
	impossible.bank_address[1] = impossible.bank_address[0] + 512;
	ck_assert_ptr_null(flash_new(&impossible, &flash_cost_tc375));
}
END_TEST

/* A whole bank of the chip: 192 sectors in 6 commands, 12,288 bursts; 12,480 operations less the bootloader's. */
START_TEST(test_full_bank)
{
	struct flash *big = flash_new(&flash_tc375, &flash_cost_tc375);
	uint64_t now_ns = 0;
	for (uint32_t at = 0x80000; at < 0x300000; at += 32 * 0x4000) {
		const uint64_t begin_ns = now_ns;
		ck_assert_int_eq(flash_erase(big, BANK_B + at, 32, now_ns), FLASH_OK);
		for (uint64_t next_ns; (next_ns = flash_poll(big, now_ns)) != FLASH_NEVER;)
			now_ns = next_ns;
		ck_assert_uint_le(now_ns - begin_ns, 500 * MS);
	}
	ck_assert_uint_eq(flash_operations(big), 160);
	const uint64_t begin_ns = now_ns;
	for (uint32_t at = 0x80000; at < 0x300000; at += FLASH_BURST) {
		ck_assert_int_eq(flash_program(big, BANK_B + at, some, FLASH_BURST, now_ns), FLASH_OK);
		now_ns = flash_poll(big, now_ns);
	}
	flash_poll(big, now_ns);
	ck_assert_uint_eq(flash_operations(big), 12480 - 32 - 2048);
	const double bytes_a_second = 0x280000 / ((double)(now_ns - begin_ns) * 1e-9);
	ck_assert(bytes_a_second > 475e3 && bytes_a_second < 490e3);
	check_bytes(big, BANK_B + 0x300000 - FLASH_BURST, some, FLASH_BURST);
	flash_free(big);
}
END_TEST

START_TEST(test_erased)
{
	uint8_t buffer[16];
	memset(buffer, 0x77, sizeof buffer);
	ck_assert_int_eq(flash_read(flash, APP_A, buffer, 16), FLASH_ECC);
	ck_assert_int_eq(buffer[0], 0x77);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_ERASED);
	check_bytes(flash, DATA, zeros, 16);
	check_bytes(flash, UCB, zeros, 16);
	check_bytes(flash, UCB + 48 * 512 - 16, zeros, 16);
}
END_TEST

START_TEST(test_program_takes_its_time)
{
	const struct flash_cost *cost = &flash_cost_tc375;
	uint8_t buffer[FLASH_BURST];
	ck_assert_int_eq(flash_program(flash, APP_A + 256, some, FLASH_BURST, 1000), FLASH_OK);
	ck_assert_uint_eq(flash_poll(flash, 1000), 1000 + cost->burst_ns);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_BUSY);
	ck_assert_uint_eq(flash_poll(flash, 1000 + cost->burst_ns - 1), 1000 + cost->burst_ns);
	ck_assert_int_eq(flash_page_state(flash, APP_A + 256), FLASH_ERASED);
	ck_assert_uint_eq(flash_poll(flash, 1000 + cost->burst_ns), FLASH_NEVER);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK);
	check_bytes(flash, APP_A + 256, some, FLASH_BURST);
	ck_assert_int_eq(flash_read(flash, APP_A + 250, buffer, 10), FLASH_ECC);

	ck_assert_int_eq(flash_program(flash, APP_B, some, FLASH_PAGE, 0), FLASH_OK);
	ck_assert_uint_eq(flash_poll(flash, 0), cost->page_ns);
	ck_assert_int_eq(flash_program(flash, DATA, some, FLASH_DATA_PAGE, 0), FLASH_OK);
	ck_assert_uint_eq(flash_poll(flash, cost->page_ns), cost->data_page_ns == cost->page_ns ? FLASH_NEVER : cost->data_page_ns);
}
END_TEST

START_TEST(test_erase_takes_its_time)
{
	const struct flash_cost *cost = &flash_cost_tc375;
	ck_assert_int_eq(flash_erase(flash, APP_A, 3, 0), FLASH_OK);
	ck_assert_uint_eq(flash_operations(flash), 1);
	ck_assert_uint_eq(flash_poll(flash, 0), cost->erase_ns);
	ck_assert_uint_eq(flash_poll(flash, cost->erase_ns), cost->erase_ns + cost->erase_sector_ns);
	ck_assert_uint_eq(flash_operations(flash), 2);
	ck_assert_uint_eq(flash_erases(flash, APP_A), 1);
	ck_assert_uint_eq(flash_erases(flash, APP_A + 512), 0);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_BUSY);
	ck_assert_uint_eq(flash_poll(flash, FLASH_NEVER - 1), FLASH_NEVER);
	ck_assert_uint_eq(flash_operations(flash), 3);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK);
	ck_assert_uint_eq(flash_erases(flash, APP_A + 1024 + 511), 1);
	ck_assert_uint_eq(flash_erases(flash, APP_A + 1536), 0);
	ck_assert_int_eq(flash_erase(flash, DATA, 2, 0), FLASH_OK);
	ck_assert_uint_eq(flash_poll(flash, cost->data_erase_ns), cost->data_erase_ns + cost->data_erase_sector_ns);
}
END_TEST

/* A command that comes when the one before has ended needs no poll between them. */
START_TEST(test_late_poll)
{
	ck_assert_int_eq(flash_program(flash, APP_A, some, FLASH_PAGE, 0), FLASH_OK);
	ck_assert_int_eq(flash_program(flash, APP_A + 32, some, FLASH_PAGE, flash_cost_tc375.page_ns), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_GOOD);
}
END_TEST

START_TEST(test_sequence_errors)
{
	static const struct {
		uint32_t address;
		size_t length;
	} wrong[] = {{APP_A + 1, 32}, {APP_A + 16, 32}, {APP_A + 32, 256}, {APP_A, 0}, {APP_A, 8},  {APP_A, 31},       {APP_A, 33},
	             {APP_A, 64},     {APP_A, 512},     {DATA + 4, 8},     {DATA, 32}, {DATA, 256}, {DATA, 4},         {APP_B + 8, 8},
	             {DATA + 1, 8},   {APP_A, 255},     {APP_A, 257},      {DATA, 0},  {DATA, 16},  {APP_B + 128, 256}};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ck_assert_int_eq(flash_program(flash, wrong[i].address, ones, wrong[i].length, 0), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(flash, APP_A + 256, 1, 0), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(flash, APP_A, 0, 0), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(flash, APP_A, 8, 0), FLASH_SEQUENCE); /* over the end of the bank */
	ck_assert_int_eq(flash_erase(flash, APP_A, 33, 0), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(flash, APP_A, UINT32_MAX, 0), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(flash, DATA, 5, 0), FLASH_SEQUENCE);
	ck_assert_uint_eq(flash_operations(flash), 0);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK);

	struct flash *big = flash_new(&flash_tc375, &flash_cost_tc375);
	ck_assert_int_eq(flash_erase(big, BANK_A + 0x80000, 33, 0), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(big, BANK_A + 0x2FC000, 2, 0), FLASH_SEQUENCE); /* from bank A into bank B */
	ck_assert_int_eq(flash_erase(big, BANK_A + 0x80000, 32, 0), FLASH_OK);
	flash_free(big);
}
END_TEST

/* Case 180: one command at a time a bank; the other banks work on. UCB and DFLASH are one bank. */
START_TEST(test_busy_banks)
{
	uint8_t buffer[8];
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_B, some, 32), FLASH_OK);
	const uint64_t now_ns = settle(flash);
	ck_assert_int_eq(flash_program(flash, APP_B + 32, some, 32, now_ns), FLASH_OK);
	ck_assert_int_eq(flash_program(flash, APP_B + 64, some, 32, now_ns), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_erase(flash, APP_B, 1, now_ns), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_read(flash, APP_B, buffer, 8), FLASH_BUSY);
	ck_assert_int_eq(flash_read(flash, APP_A, buffer, 8), FLASH_OK);
	ck_assert_int_eq(flash_program(flash, DATA, some, 8, now_ns), FLASH_OK);
	ck_assert_int_eq(flash_read(flash, DATA + 64, buffer, 8), FLASH_BUSY);
	ck_assert_int_eq(flash_read(flash, UCB, buffer, 8), FLASH_BUSY);
	ck_assert_int_eq(flash_unlock(flash, (const uint32_t[8]){0}), FLASH_BUSY);
	ck_assert_int_eq(flash_erase(flash, APP_A, 1, now_ns), FLASH_OK);
	settle(flash);
	ck_assert_int_eq(flash_result(flash, APP_B), FLASH_OK);
	check_bytes(flash, APP_B + 32, some, 32);
	check_bytes(flash, DATA, some, 8);
	ck_assert_int_eq(flash_page_state(flash, APP_B + 64), FLASH_ERASED);
}
END_TEST

START_TEST(test_outside)
{
	uint8_t buffer[64];
	static const uint32_t outside[] = {0,          0x80000000u,   BANK_A - 1,  BANK_A + 4096,
	                                   BANK_B - 1, BANK_B + 4096, DATA + 2048, UCB + 48 * 512};
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		ck_assert_int_eq(flash_program(flash, outside[i], some, 32, 0), FLASH_PROTECTED);
		ck_assert_int_eq(flash_erase(flash, outside[i], 1, 0), FLASH_PROTECTED);
		ck_assert_int_eq(flash_read(flash, outside[i], buffer, 1), FLASH_NOWHERE);
		ck_assert_int_eq(flash_peek(flash, outside[i], buffer, 1), FLASH_NOWHERE);
		ck_assert_int_eq(flash_result(flash, outside[i]), FLASH_NOWHERE);
		ck_assert_int_eq(flash_factory_write(flash, outside[i], some, 8), FLASH_NOWHERE);
		ck_assert_int_eq(flash_factory_erase(flash, outside[i], 32), FLASH_NOWHERE);
		ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_PVER, outside[i], 0), FLASH_NOWHERE);
	}
	/* Over an end. */
	ck_assert_int_eq(flash_read(flash, BANK_A + 4096 - 32, buffer, 33), FLASH_NOWHERE);
	ck_assert_int_eq(flash_read(flash, UCB + 48 * 512 - 1, buffer, 2), FLASH_NOWHERE);
	ck_assert_int_eq(flash_factory_write(flash, DATA + 2048 - 8, some, 9), FLASH_NOWHERE);
	/* The banks of the chip lie side by side: reading goes over the border. */
	struct flash *big = flash_new(&flash_tc375, &flash_cost_tc375);
	ck_assert_int_eq(flash_factory_write(big, BANK_B - 32, some, 64), FLASH_OK);
	check_bytes(big, BANK_B - 20, some + 12, 40);
	flash_free(big);
}
END_TEST

START_TEST(test_protection)
{
	ck_assert_int_eq(program(flash, BANK_A, some, 32), FLASH_PROTECTED);
	ck_assert_int_eq(program(flash, BANK_A + 480, some, 32), FLASH_PROTECTED);
	ck_assert_int_eq(program(flash, BANK_B + 256, some, 256), FLASH_PROTECTED);
	ck_assert_int_eq(erase(flash, BANK_A, 1), FLASH_PROTECTED);
	ck_assert_int_eq(erase(flash, BANK_B, 2), FLASH_PROTECTED);
	ck_assert_int_eq(program(flash, UCB, some, 8), FLASH_PROTECTED);
	ck_assert_int_eq(erase(flash, UCB, 1), FLASH_PROTECTED);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, DATA, some, 8), FLASH_OK);
}
END_TEST

/* Case 155. */
START_TEST(test_unlock)
{
	static const uint32_t nothing[8] = {0};
	uint32_t wrong[8];
	ck_assert_int_eq(flash_unlock(flash, nothing), FLASH_OK); /* none was written yet */
	flash_reset(flash);
	ssw_factory(flash, test_password);
	memcpy(wrong, test_password, sizeof wrong);
	wrong[7] ^= 1;
	ck_assert(!flash_unlocked(flash));
	ck_assert_int_eq(flash_unlock(flash, wrong), FLASH_PROTECTED);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_PROTECTED);
	flash_lock(flash);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_PROTECTED);
	flash_reset(flash);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	ck_assert(flash_unlocked(flash));
	ck_assert_int_eq(erase(flash, FLASH_UCB_SWAP_ORIG, 1), FLASH_OK);
	flash_lock(flash);
	ck_assert_int_eq(erase(flash, FLASH_UCB_SWAP_ORIG, 1), FLASH_PROTECTED);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	flash_reset(flash);
	ck_assert_int_eq(erase(flash, FLASH_UCB_SWAP_ORIG, 1), FLASH_PROTECTED);
	/* ORIG with bad ECC: COPY counts. Both bad: never. */
	flash_defect_set(flash, FLASH_DEFECT_DOUBLE_BIT, FLASH_PASSWORD + 8, 0);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	flash_reset(flash);
	flash_defect_set(flash, FLASH_DEFECT_DOUBLE_BIT, FLASH_PASSWORD_COPY, 0);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_PROTECTED);
}
END_TEST

START_TEST(test_power_locks)
{
	ssw_factory(flash, test_password);
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_OK);
	flash_power_off(flash, 0, 0, 0);
	ck_assert(!flash_unlocked(flash));
	ck_assert_int_eq(flash_unlock(flash, test_password), FLASH_BUSY);
	ck_assert_int_eq(flash_program(flash, APP_A, some, 32, 0), FLASH_BUSY);
	ck_assert_int_eq(flash_erase(flash, APP_A, 1, 0), FLASH_BUSY);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_BUSY);
	ck_assert_uint_eq(flash_operations(flash), 0);
	flash_power_on(flash);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK);
	ck_assert_int_eq(program(flash, UCB, some, 8), FLASH_PROTECTED);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
}
END_TEST

/* Case 152: the flash does not know of resets. */
START_TEST(test_reset_keeps_commands)
{
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	const uint64_t now_ns = settle(flash);
	ck_assert_int_eq(flash_erase(flash, APP_A, 2, now_ns), FLASH_OK);
	flash_reset(flash);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_BUSY);
	settle(flash);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_ERASED);
}
END_TEST

/* Case 176. */
START_TEST(test_not_erased)
{
	uint8_t buffer[32], more[32];
	fill(more, sizeof more, 9);
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, more, 32), FLASH_VERIFY);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_BAD);
	ck_assert_int_eq(flash_read(flash, APP_A, buffer, 1), FLASH_ECC);
	ck_assert_int_eq(flash_peek(flash, APP_A, buffer, 32), FLASH_OK);
	for (unsigned i = 0; i < 32; i++)
		ck_assert_int_eq(buffer[i], some[i] | more[i]);
	ck_assert_int_eq(program(flash, APP_A + 32, some, 32), FLASH_OK);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_OK); /* of the last command */
	/* The same data again, all ones, zeros: bad all the same in PFLASH. */
	ck_assert_int_eq(program(flash, APP_A + 32, some, 32), FLASH_VERIFY);
	ck_assert_int_eq(program(flash, APP_A + 64, zeros, 32), FLASH_OK);
	check_bytes(flash, APP_A + 64, zeros, 32);
	ck_assert_int_eq(program(flash, APP_A + 64, zeros, 32), FLASH_VERIFY);
	ck_assert_int_eq(program(flash, APP_A + 96, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A + 96, ones, 32), FLASH_VERIFY);
	ck_assert_int_eq(erase(flash, APP_A, 1), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, more, 32), FLASH_OK);
	check_bytes(flash, APP_A, more, 32);
}
END_TEST

/* A burst over one page that is not erased: the others are good. */
START_TEST(test_burst_over_page)
{
	ck_assert_int_eq(program(flash, APP_B + 64, some, 32), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_B, some, 256), FLASH_VERIFY);
	ck_assert_int_eq(flash_page_state(flash, APP_B + 64), FLASH_BAD);
	check_bytes(flash, APP_B, some, 64);
	check_bytes(flash, APP_B + 96, some + 96, 160);
}
END_TEST

START_TEST(test_all_ones)
{
	const uint32_t places[] = {DATA, FLASH_UCB_SWAP_ORIG};
	ck_assert_int_eq(flash_unlock(flash, (const uint32_t[8]){0}), FLASH_OK);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(program(flash, places[i], some, 8), FLASH_OK);
		ck_assert_int_eq(program(flash, places[i], ones, 8), FLASH_OK);
		ck_assert_int_eq(flash_page_state(flash, places[i]), FLASH_GOOD);
		check_bytes(flash, places[i], ones, 8);
		ck_assert_int_eq(program(flash, places[i], ones, 8), FLASH_OK);
		ck_assert_int_eq(program(flash, places[i] + 8, some, 8), FLASH_OK);
		ck_assert_int_eq(program(flash, places[i] + 8, some, 8), FLASH_VERIFY);
		ck_assert_int_eq(flash_page_state(flash, places[i] + 8), FLASH_BAD);
		ck_assert_int_eq(program(flash, places[i] + 8, ones, 8), FLASH_OK); /* mends a bad one, too */
		check_bytes(flash, places[i] + 8, ones, 8);
	}
}
END_TEST

struct log {
	unsigned begun, ended;
	struct flash_operation last;
	uint8_t data[FLASH_BURST];
	enum flash_page_state state; /* of the first page, while being told */
};

static void take(struct log *log, const struct flash_operation *operation)
{
	log->last = *operation;
	log->state = flash_page_state(flash, operation->address);
	if (operation->data)
		memcpy(log->data, operation->data, operation->length);
}

static void on_begin(void *context, const struct flash_operation *operation)
{
	struct log *log = context;
	log->begun++;
	take(log, operation);
}

static void on_end(void *context, const struct flash_operation *operation)
{
	struct log *log = context;
	log->ended++;
	take(log, operation);
}

START_TEST(test_watch)
{
	struct log begin = {0}, end = {0};
	flash_watch_set(flash, on_begin, &begin);
	flash_watch_end_set(flash, on_end, &end);
	ck_assert_int_eq(flash_program(flash, APP_A, some, 256, 7), FLASH_OK);
	ck_assert_uint_eq(begin.begun, 1);
	ck_assert_uint_eq(end.ended, 0);
	ck_assert_uint_eq(begin.last.number, 0);
	ck_assert_int_eq(begin.last.kind, FLASH_PROGRAM);
	ck_assert_uint_eq(begin.last.address, APP_A);
	ck_assert_uint_eq(begin.last.length, 256);
	ck_assert_uint_eq(begin.last.begin_ns, 7);
	ck_assert_uint_eq(begin.last.end_ns, 7 + flash_cost_tc375.burst_ns);
	ck_assert_int_eq(begin.last.status, FLASH_OK);
	ck_assert_int_eq(begin.state, FLASH_ERASED);
	ck_assert_mem_eq(begin.data, some, 256);
	settle(flash);
	flash_poll(flash, UINT64_C(1) << 40);
	ck_assert_uint_eq(end.ended, 1);
	ck_assert_int_eq(end.state, FLASH_GOOD);
	ck_assert_int_eq(flash_program(flash, APP_A, some, 32, UINT64_C(1) << 40), FLASH_OK);
	ck_assert_int_eq(begin.last.status, FLASH_VERIFY);
	flash_poll(flash, UINT64_C(1) << 41);
	ck_assert_int_eq(end.last.status, FLASH_VERIFY);
	ck_assert_int_eq(flash_erase(flash, APP_A, 3, UINT64_C(1) << 41), FLASH_OK);
	flash_poll(flash, UINT64_C(1) << 42);
	ck_assert_uint_eq(begin.begun, 5);
	ck_assert_uint_eq(end.ended, 5);
	ck_assert_uint_eq(begin.last.number, 4);
	ck_assert_int_eq(begin.last.kind, FLASH_ERASE);
	ck_assert_uint_eq(begin.last.address, APP_A + 1024);
	ck_assert_uint_eq(begin.last.length, 512);
	ck_assert_ptr_null(begin.last.data);
	/* What is refused is no operation. */
	flash_erase(flash, BANK_A, 1, UINT64_C(1) << 42);
	flash_program(flash, APP_A + 1, some, 32, UINT64_C(1) << 42);
	ck_assert_uint_eq(begin.begun, 5);
	flash_watch_set(flash, NULL, NULL);
	flash_watch_end_set(flash, NULL, NULL);
	ck_assert_int_eq(erase(flash, APP_B, 1), FLASH_OK);
	ck_assert_uint_eq(begin.begun, 5);
}
END_TEST

/* Case 177. */
START_TEST(test_endurance)
{
	unsigned weak = 0;
	for (unsigned i = 0; i < flash_tiny.bank_endurance; i++)
		ck_assert_int_eq(erase(flash, APP_A, 1), FLASH_OK);
	ck_assert_uint_eq(flash_erases(flash, APP_A), flash_tiny.bank_endurance);
	for (uint32_t at = 0; at < 512; at += 32) {
		ck_assert_int_eq(program(flash, APP_A + at, some, 32), FLASH_OK);
		ck_assert_int_eq(flash_page_state(flash, APP_A + at), FLASH_GOOD);
	}
	for (unsigned round = 0; round < 10; round++) {
		ck_assert_int_eq(erase(flash, APP_A, 1), FLASH_OK);
		for (uint32_t at = 0; at < 512; at += 32) {
			ck_assert_int_eq(program(flash, APP_A + at, some, 32), FLASH_OK);
			weak += flash_page_state(flash, APP_A + at) == FLASH_WEAK;
		}
	}
	ck_assert_uint_gt(weak, 10); /* of 160 */
	ck_assert_uint_lt(weak, 80);
}
END_TEST

/* Cases 171, 172. */
START_TEST(test_verify_defects)
{
	uint8_t buffer[32];
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_PVER, APP_A + 70, 0), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, some, 256), FLASH_VERIFY);
	ck_assert_int_eq(flash_read(flash, APP_A + 64, buffer, 32), FLASH_ECC);
	check_bytes(flash, APP_A, some, 64);
	check_bytes(flash, APP_A + 96, some + 96, 160);
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_EVER, APP_A + 700, 0), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A + 512, some, 256), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A + 1024, some, 256), FLASH_OK);
	ck_assert_int_eq(erase(flash, APP_A, 3), FLASH_VERIFY);
	ck_assert_int_eq(flash_page_state(flash, APP_A), FLASH_ERASED);
	ck_assert_int_ne(flash_page_state(flash, APP_A + 512), FLASH_ERASED);
	ck_assert_int_eq(flash_page_state(flash, APP_A + 1024), FLASH_ERASED);
	flash_defects_clear(flash);
	ck_assert_int_eq(erase(flash, APP_A, 3), FLASH_OK);
	ck_assert_int_eq(program(flash, APP_A, some, 256), FLASH_OK);
}
END_TEST

/* Cases 173, 174, 178. */
START_TEST(test_bit_defects)
{
	uint8_t buffer[64];
	ck_assert_int_eq(program(flash, APP_A, some, 256), FLASH_OK);
	flash_defect_set(flash, FLASH_DEFECT_SINGLE_BIT, APP_A + 33, 5);
	check_bytes(flash, APP_A, some, 32);
	ck_assert_uint_eq(flash_corrected(flash), 0);
	check_bytes(flash, APP_A, some, 256);
	check_bytes(flash, APP_A + 40, some + 40, 1);
	ck_assert_uint_eq(flash_corrected(flash), 2);
	flash_defect_set(flash, FLASH_DEFECT_DOUBLE_BIT, APP_A + 33, 0);
	ck_assert_int_eq(flash_read(flash, APP_A, buffer, 64), FLASH_ECC);
	check_bytes(flash, APP_A, some, 32);
	flash_defects_clear(flash);
	check_bytes(flash, APP_A, some, 256);

	uint8_t page[32] = {[0] = 0x02};
	ck_assert_int_eq(program(flash, APP_B, page, 32), FLASH_OK);
	flash_defect_set(flash, FLASH_DEFECT_STUCK_BIT, APP_B, 1);
	check_bytes(flash, APP_B, page, 32);
	flash_defect_set(flash, FLASH_DEFECT_STUCK_BIT, APP_B, 2);
	ck_assert_int_eq(flash_read(flash, APP_B, buffer, 32), FLASH_ECC);
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_STUCK_BIT, APP_B, 256), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_FLIP, DATA, 64), FLASH_SEQUENCE);
}
END_TEST

/* What an attacker or a debugger does: the ECC fits, clearing defects changes nothing. */
START_TEST(test_flip)
{
	uint8_t page[32];
	ck_assert_int_eq(program(flash, APP_A, some, 32), FLASH_OK);
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_FLIP, APP_A + 3, 17), FLASH_OK);
	flash_defects_clear(flash);
	memcpy(page, some, 32);
	page[2] ^= 2;
	check_bytes(flash, APP_A, page, 32);
	memset(page, 0, sizeof page);
	page[31] = 0x80;
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_FLIP, APP_B, 255), FLASH_OK); /* of an erased page */
	check_bytes(flash, APP_B, page, 32);
}
END_TEST

/* Case 179. */
START_TEST(test_busy_for_ever)
{
	struct log log = {0};
	flash_watch_set(flash, on_begin, &log);
	flash_defect_set(flash, FLASH_DEFECT_BUSY, APP_A, 0);
	ck_assert_int_eq(flash_program(flash, APP_B, some, 32, 0), FLASH_OK); /* the other bank */
	ck_assert_int_eq(flash_program(flash, APP_A + 1024, some, 32, 0), FLASH_OK);
	ck_assert_uint_eq(log.last.end_ns, FLASH_NEVER);
	ck_assert_int_eq(log.last.status, FLASH_BUSY);
	ck_assert_uint_eq(flash_poll(flash, FLASH_NEVER - 1), FLASH_NEVER);
	ck_assert_int_eq(flash_result(flash, APP_B), FLASH_OK);
	ck_assert_int_eq(flash_result(flash, APP_A), FLASH_BUSY);
	flash_power_off(flash, FLASH_T0, 0, 0);
	flash_power_on(flash);
	ck_assert_int_eq(program(flash, APP_A + 1024, some, 32), FLASH_OK);
	/* UCB and DFLASH are one bank. */
	flash_defect_set(flash, FLASH_DEFECT_BUSY, UCB, 0);
	ck_assert_int_eq(program(flash, DATA, some, 8), FLASH_BUSY);
}
END_TEST

START_TEST(test_worn_defect)
{
	flash_defect_set(flash, FLASH_DEFECT_WORN, APP_A + 100, 0);
	ck_assert_int_eq(program(flash, APP_A + 256, some, 256), FLASH_OK);
	for (uint32_t at = 256; at < 512; at += 32)
		ck_assert_int_eq(flash_page_state(flash, APP_A + at), FLASH_WEAK);
	ck_assert_int_eq(program(flash, APP_A + 512, some, 256), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, APP_A + 512), FLASH_GOOD);
}
END_TEST

START_TEST(test_many_defects)
{
	unsigned taken = 0;
	for (uint32_t at = 0; at < 48 * 512; at += 8)
		taken += flash_defect_set(flash, FLASH_DEFECT_PVER, UCB + at, 0) == FLASH_OK;
	ck_assert_uint_eq(taken, 256);
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_PVER, UCB, 0), FLASH_OK); /* has it already */
	flash_defects_clear(flash);
	ck_assert_int_eq(flash_defect_set(flash, FLASH_DEFECT_PVER, DATA, 0), FLASH_OK);
}
END_TEST

START_TEST(test_factory)
{
	uint8_t page[32] = {0};
	ck_assert_int_eq(flash_factory_write(flash, BANK_A, some, 40), FLASH_OK);
	memcpy(page, some + 32, 8);
	check_bytes(flash, BANK_A, some, 32);
	check_bytes(flash, BANK_A + 32, page, 32);
	ck_assert_int_eq(flash_page_state(flash, BANK_A + 64), FLASH_ERASED);
	ck_assert_int_eq(flash_factory_write(flash, BANK_A + 32, zeros, 32), FLASH_OK); /* over it, no OR */
	check_bytes(flash, BANK_A, some, 32);
	check_bytes(flash, BANK_A + 32, zeros, 32);
	ck_assert_int_eq(flash_factory_write(flash, UCB + 3, some, 8), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_factory_erase(flash, BANK_A, 16), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_factory_erase(flash, BANK_A + 16, 32), FLASH_SEQUENCE);
	ck_assert_int_eq(flash_factory_erase(flash, BANK_A, 32), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, BANK_A), FLASH_ERASED);
	ck_assert_int_eq(flash_page_state(flash, BANK_A + 32), FLASH_GOOD);
	ck_assert_int_eq(flash_factory_erase(flash, BANK_A, 1024), FLASH_OK);
	ck_assert_int_eq(flash_page_state(flash, BANK_A + 32), FLASH_ERASED);
	ck_assert_uint_eq(flash_erases(flash, BANK_A), 0);
	ck_assert_uint_eq(flash_operations(flash), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("flash");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_geometries);
	tcase_add_test(t, test_full_bank);
	tcase_add_test(t, test_erased);
	tcase_add_test(t, test_program_takes_its_time);
	tcase_add_test(t, test_erase_takes_its_time);
	tcase_add_test(t, test_late_poll);
	tcase_add_test(t, test_sequence_errors);
	tcase_add_test(t, test_busy_banks);
	tcase_add_test(t, test_outside);
	tcase_add_test(t, test_protection);
	tcase_add_test(t, test_unlock);
	tcase_add_test(t, test_power_locks);
	tcase_add_test(t, test_reset_keeps_commands);
	tcase_add_test(t, test_not_erased);
	tcase_add_test(t, test_burst_over_page);
	tcase_add_test(t, test_all_ones);
	tcase_add_test(t, test_watch);
	tcase_add_test(t, test_endurance);
	tcase_add_test(t, test_verify_defects);
	tcase_add_test(t, test_bit_defects);
	tcase_add_test(t, test_flip);
	tcase_add_test(t, test_busy_for_ever);
	tcase_add_test(t, test_worn_defect);
	tcase_add_test(t, test_many_defects);
	tcase_add_test(t, test_factory);
	return run_case("flash", t);
}
