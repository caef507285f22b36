/* SPDX-License-Identifier: Apache-2.0 */
/* Each planted defect shows what its name says. */
#include "suites.h"

#include <signal.h>
#include <string.h>

static uint8_t frames[300][16];
static uint8_t receiver;

static void start(const char *faults)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);
	uint8_t sender;
	size_t length;

	secoc_bench_setup(NULL);
	sender = secoc_bench_open(&config, 1);
	for (unsigned i = 1; i < 300; i++)
		ck_assert_int_eq(secoc_make(sender, (const uint8_t *)"thirteen byte", frames[i], 16, &length), PORT_OK);
	secoc_bench_power_cycle(faults);
	receiver = secoc_bench_open(&config, 0);
}

static enum secoc_result offer(unsigned number)
{
	return secoc_verify(receiver, frames[number], 16);
}

START_TEST(replay_accepted)
{
	start("secoc-replay-accepted");
	ck_assert_int_eq(offer(1), SECOC_OK);
	ck_assert_int_eq(offer(1), SECOC_OK);
	ck_assert_int_eq(offer(2), SECOC_OK);
	ck_assert_int_eq(offer(255), SECOC_OK);
	ck_assert_int_eq(offer(256), SECOC_OK);
}
END_TEST

START_TEST(advance_on_failure)
{
	start("secoc-advance-on-failure");
	frames[5][15] ^= 1;
	ck_assert_int_eq(offer(5), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(offer(1), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(offer(258), SECOC_OK); /* that one moved it to 5, this one to 257 */
}
END_TEST

START_TEST(mac_one_byte)
{
	start("secoc-mac-one-byte");
	frames[1][15] ^= 0xFF;
	ck_assert_int_eq(offer(1), SECOC_OK);
	frames[2][14] ^= 1;
	ck_assert_int_eq(offer(2), SECOC_VERIFICATION_FAILED);
}
END_TEST

/* P1.1 is refused; P1.1 and P1.5 differ in nothing but the data id. */
START_TEST(no_data_id)
{
	struct secoc_pdu_config config = secoc_bench_profile_1(4), other = config;
	uint8_t bytes[8], a, b;
	size_t length;

	secoc_bench_setup("secoc-no-data-id");
	other.data_id = 0x0102;
	a = secoc_bench_open(&config, 0);
	b = secoc_bench_open(&other, 1);
	secoc_bench_bytes("1122334401bc02b5", bytes);
	ck_assert_int_eq(secoc_verify(a, bytes, 8), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(secoc_make(a, bytes, bytes, 8, &length), PORT_OK);
	ck_assert_int_eq(secoc_verify(b, bytes, 8), SECOC_OK);
}
END_TEST

START_TEST(little_endian_freshness)
{
	start("secoc-little-endian-freshness");
	ck_assert_int_eq(offer(1), SECOC_VERIFICATION_FAILED);
}
END_TEST

START_TEST(wrap_crash)
{
	start("secoc-wrap-crash");
	ck_assert_int_eq(offer(200), SECOC_OK);
	ck_assert_int_eq(offer(255), SECOC_OK);
	frames[257][15] ^= 1;
	ck_assert_int_eq(offer(257), SECOC_VERIFICATION_FAILED);
	(void)offer(256);
}
END_TEST

START_TEST(freshness_volatile)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);

	start("secoc-freshness-volatile");
	ck_assert_int_eq(offer(1), SECOC_OK);
	ck_assert_int_eq(offer(1), SECOC_VERIFICATION_FAILED);
	secoc_bench_power_cycle("secoc-freshness-volatile");
	receiver = secoc_bench_open(&config, 0);
	ck_assert_int_eq(offer(1), SECOC_OK);
}
END_TEST

TCase *secoc_fault_case(void)
{
	TCase *tc = tcase_create("faults");

	tcase_add_test(tc, replay_accepted);
	tcase_add_test(tc, advance_on_failure);
	tcase_add_test(tc, mac_one_byte);
	tcase_add_test(tc, no_data_id);
	tcase_add_test(tc, little_endian_freshness);
	tcase_add_test_raise_signal(tc, wrap_crash, SIGILL);
	tcase_add_test(tc, freshness_volatile);
	return tc;
}
