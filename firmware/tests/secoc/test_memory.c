/* SPDX-License-Identifier: Apache-2.0 */
/* Freshness over power cuts: at every write, at every byte of it. */
#include "suites.h"

#include <string.h>

#define FRAMES 6u

static uint8_t frames[FRAMES][16];

/* Frames of freshness 1.. by a sender that is then forgotten with its board. */
static void make_frames(void)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);
	uint8_t sender;
	size_t length;

	secoc_bench_setup(NULL);
	sender = secoc_bench_open(&config, 1);
	for (unsigned i = 0; i < FRAMES; i++)
		ck_assert_int_eq(secoc_make(sender, (const uint8_t *)"thirteen byte", frames[i], 16, &length), PORT_OK);
	secoc_bench_setup(NULL);
}

static uint8_t open_receiver(void)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);

	return secoc_bench_open(&config, 0);
}

static void expect_replays_refused(uint8_t pdu, unsigned accepted)
{
	for (unsigned i = 0; i < accepted; i++)
		ck_assert_int_eq(secoc_verify(pdu, frames[i], 16), SECOC_VERIFICATION_FAILED);
}

START_TEST(power_cycles)
{
	uint8_t pdu;

	make_frames();
	for (unsigned i = 0; i < FRAMES; i++) {
		secoc_bench_power_cycle(NULL);
		pdu = open_receiver();
		expect_replays_refused(pdu, i);
		ck_assert_int_eq(secoc_verify(pdu, frames[i], 16), SECOC_OK);
	}
}
END_TEST

/* The power goes in the middle of writing: so many bytes of the record are new, the rest is as it was. */
START_TEST(torn_writes)
{
	uint8_t before[PORT_NVM_SIZE], after[PORT_NVM_SIZE], pdu;

	for (unsigned accepted = 0; accepted < FRAMES - 1; accepted++) {
		for (unsigned cut = 0; cut <= SECOC_NVM_RECORD; cut++) {
			make_frames();
			pdu = open_receiver();
			for (unsigned i = 0; i < accepted; i++)
				ck_assert_int_eq(secoc_verify(pdu, frames[i], 16), SECOC_OK);
			memcpy(before, fake_nvm(), sizeof(before));
			ck_assert_int_eq(secoc_verify(pdu, frames[accepted], 16), SECOC_OK);
			memcpy(after, fake_nvm(), sizeof(after));
			memcpy(fake_nvm(), before, sizeof(before));
			memcpy(fake_nvm() + SECOC_NVM_PDUS, after + SECOC_NVM_PDUS, cut);
			secoc_bench_power_cycle(NULL);
			pdu = open_receiver();
			expect_replays_refused(pdu, accepted);
			ck_assert_int_eq(secoc_verify(pdu, frames[accepted + 1], 16), SECOC_OK);
		}
	}
}
END_TEST

/* A write that fails: the PDU is not accepted, and the next one that can be kept is. */
START_TEST(failing_memory)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);
	uint8_t pdu, out[16];
	size_t length;

	for (unsigned nth = 1; nth <= 12; nth++) {
		unsigned accepted = 0;

		make_frames();
		pdu = open_receiver();
		fake_fail_every(FAKE_NVM, nth, PORT_FAILED);
		for (unsigned i = 0; i < FRAMES - 1; i++) {
			enum secoc_result result = secoc_verify(pdu, frames[i], 16);

			ck_assert(result == SECOC_OK || result == SECOC_FRESHNESS_FAILED);
			if (result == SECOC_OK)
				accepted = i + 1;
		}
		fake_fail_every(FAKE_NVM, 0, PORT_OK);
		secoc_bench_power_cycle(NULL);
		pdu = open_receiver();
		expect_replays_refused(pdu, accepted);
		ck_assert_int_eq(secoc_verify(pdu, frames[FRAMES - 1], 16), SECOC_OK);
	}
	fake_fail_every(FAKE_NVM, 1, PORT_FAILED);
	ck_assert_int_eq(secoc_make(pdu, out, out, sizeof(out), &length), PORT_FAILED);
	ck_assert_int_eq(secoc_set_freshness(pdu, 77), PORT_FAILED);
	secoc_reset();
	pdu = secoc_bench_open(&config, 0); /* not even readable: refuses */
	fake_fail_every(FAKE_NVM, 0, PORT_OK);
	ck_assert_int_eq(secoc_verify(pdu, frames[0], 16), SECOC_FRESHNESS_FAILED);
}
END_TEST

/* Both copies damaged: what was accepted is not known any more, so nothing is. */
START_TEST(damaged_record)
{
	uint8_t pdu;

	make_frames();
	pdu = open_receiver();
	ck_assert_int_eq(secoc_verify(pdu, frames[0], 16), SECOC_OK);
	ck_assert_int_eq(secoc_verify(pdu, frames[1], 16), SECOC_OK);
	fake_nvm()[SECOC_NVM_PDUS + 3] ^= 1;
	fake_nvm()[SECOC_NVM_PDUS + 19] ^= 1;
	secoc_bench_power_cycle(NULL);
	pdu = open_receiver();
	for (unsigned i = 0; i < FRAMES; i++)
		ck_assert_int_eq(secoc_verify(pdu, frames[i], 16), SECOC_FRESHNESS_FAILED);
	ck_assert_int_eq(secoc_set_freshness(pdu, 2), PORT_OK);
	ck_assert_int_eq(secoc_verify(pdu, frames[1], 16), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(secoc_verify(pdu, frames[2], 16), SECOC_OK);
}
END_TEST

/* The sender uses no freshness twice, and a set value survives though it is lower. */
START_TEST(sender_and_set)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);
	struct secoc_counters counters;
	uint8_t pdu, out[16];
	size_t length;

	secoc_bench_setup(NULL);
	for (unsigned i = 1; i < 5; i++) {
		secoc_bench_power_cycle(NULL);
		pdu = secoc_bench_open(&config, 0);
		ck_assert_int_eq(secoc_make(pdu, out, out, sizeof(out), &length), PORT_OK);
		ck_assert_uint_eq(out[13], i);
	}
	ck_assert_int_eq(secoc_set_freshness(pdu, 1), PORT_OK);
	secoc_bench_power_cycle(NULL);
	pdu = secoc_bench_open(&config, 0);
	secoc_counters_read(pdu, &counters);
	ck_assert_uint_eq(counters.freshness, 1);
}
END_TEST

START_TEST(trips)
{
	uint32_t trip, reset;

	secoc_bench_setup(NULL);
	for (unsigned i = 1; i < 5; i++) {
		secoc_bench_power_cycle(NULL);
		secoc_trip_begin();
		secoc_trip_read(&trip, &reset);
		ck_assert_uint_eq(trip, i);
		ck_assert_uint_eq(reset, 1);
		secoc_reset_tick();
	}
	secoc_trip_read(&trip, &reset);
	ck_assert_uint_eq(reset, 2);
}
END_TEST

TCase *secoc_memory_case(void)
{
	TCase *tc = tcase_create("memory");

	tcase_add_test(tc, power_cycles);
	tcase_add_test(tc, torn_writes);
	tcase_add_test(tc, failing_memory);
	tcase_add_test(tc, damaged_record);
	tcase_add_test(tc, sender_and_set);
	tcase_add_test(tc, trips);
	return tc;
}
