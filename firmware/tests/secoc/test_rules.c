/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted and what is not; every refusal is followed by a valid PDU that proves that nothing moved. */
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define RANDOM_PDUS 100000u

static struct {
	struct secoc_pdu_config config;
	uint8_t sender, receiver, counter;
} ends;

static void open_ends(struct secoc_pdu_config config)
{
	secoc_bench_setup(NULL);
	ends.config = config;
	ends.sender = secoc_bench_open(&config, 0);
	ends.receiver = secoc_bench_open(&config, 1);
	config.freshness = SECOC_COUNTER;
	ends.counter = secoc_bench_open(&config, 2);
}

/* The PDU of this freshness. */
static size_t make(uint64_t freshness, uint8_t *secured)
{
	static const uint8_t data[SECOC_MAX_BYTES] = {1, 2, 3, 4, 5, 6, 7};
	size_t length = 0;

	ck_assert_int_eq(secoc_set_freshness(ends.sender, freshness - 1), PORT_OK);
	ck_assert_int_eq(secoc_make(ends.sender, data, secured, SECOC_MAX_BYTES, &length), PORT_OK);
	return length;
}

static enum secoc_result offer(uint64_t freshness)
{
	uint8_t secured[SECOC_MAX_BYTES];
	size_t length = make(freshness, secured);

	return secoc_verify(ends.receiver, secured, length);
}

static uint64_t freshness(void)
{
	struct secoc_counters counters;

	secoc_counters_read(ends.receiver, &counters);
	return counters.freshness;
}

START_TEST(counter_jumps)
{
	static const struct {
		uint64_t jump;
		bool accepted;
	} jumps[] = {{1, true}, {2, true}, {255, true}, {256, true}, {257, false}, {512, false}, {0, false}};
	static const uint64_t begins[] = {1, 200, 255, 256, 0xFFFF};

	for (unsigned b = 0; b < 5; b++) {
		for (unsigned j = 0; j < 7; j++) {
			open_ends(secoc_bench_demo(false));
			ck_assert_int_eq(secoc_set_freshness(ends.receiver, begins[b]), PORT_OK);
			ck_assert_int_eq(offer(begins[b] + jumps[j].jump), jumps[j].accepted ? SECOC_OK : SECOC_VERIFICATION_FAILED);
			ck_assert_uint_eq(freshness(), begins[b] + (jumps[j].accepted ? jumps[j].jump : 0));
			ck_assert_int_eq(offer(freshness() + 1), SECOC_OK);
		}
	}
}
END_TEST

START_TEST(window_and_attempts)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);

	config.acceptance_window = 10;
	open_ends(config);
	ck_assert_int_eq(offer(10), SECOC_OK);
	ck_assert_int_eq(offer(21), SECOC_FRESHNESS_FAILED);
	ck_assert_int_eq(offer(20), SECOC_OK);
	config.acceptance_window = 0;
	config.attempts = 3;
	open_ends(config);
	ck_assert_int_eq(offer(769), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(offer(768), SECOC_OK);
	config = secoc_bench_profile_2();
	open_ends(config);
	ck_assert_int_eq(offer(2), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(offer(1), SECOC_OK);
	config.attempts = 3;
	open_ends(config);
	ck_assert_int_eq(offer(4), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(offer(3), SECOC_OK);
}
END_TEST

START_TEST(exhausted)
{
	uint64_t maximum = (UINT64_C(1) << 48) - 1;

	open_ends(secoc_bench_demo(false));
	ck_assert_int_eq(secoc_set_freshness(ends.receiver, maximum - 1), PORT_OK);
	ck_assert_int_eq(offer(maximum), SECOC_OK);
	ck_assert_int_eq(offer(maximum), SECOC_FRESHNESS_FAILED);
	ck_assert_int_eq(offer(1), SECOC_FRESHNESS_FAILED);
	ck_assert_uint_eq(freshness(), maximum);
}
END_TEST

static void flip_every_bit(struct secoc_pdu_config config)
{
	uint8_t secured[SECOC_MAX_BYTES];
	size_t length;

	open_ends(config);
	length = make(1, secured);
	for (size_t bit = 0; bit < length * 8; bit++) {
		secured[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		ck_assert_int_ne(secoc_verify(ends.receiver, secured, length), SECOC_OK);
		ck_assert_uint_eq(freshness(), 0);
		secured[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	for (size_t wrong = 0; wrong <= SECOC_MAX_BYTES; wrong++) {
		uint8_t padded[SECOC_MAX_BYTES] = {0};

		memcpy(padded, secured, length);
		if (wrong != length)
			ck_assert_int_eq(secoc_verify(ends.receiver, padded, wrong), SECOC_VERIFICATION_FAILED);
	}
	ck_assert_int_eq(secoc_verify(ends.receiver, secured, length), SECOC_OK);
}

START_TEST(every_bit_and_length)
{
	struct secoc_pdu_config odd = secoc_bench_profile_1(3);

	flip_every_bit(secoc_bench_demo(false));
	flip_every_bit(secoc_bench_demo(true));
	flip_every_bit(secoc_bench_profile_1(4));
	flip_every_bit(secoc_bench_profile_2());
	/* A free layout with bits to spare: those behind the MAC count too. */
	odd.freshness_bits = 13;
	odd.freshness_sent_bits = 5;
	odd.mac_bits = 37;
	flip_every_bit(odd);
}
END_TEST

/* Every width of freshness and MAC that fits. */
START_TEST(free_layouts)
{
	for (unsigned sent = 0; sent <= 64; sent++) {
		for (unsigned mac_bits = 8; mac_bits <= 128; mac_bits++) {
			struct secoc_pdu_config config = secoc_bench_profile_1(3);

			config.freshness_bits = 64;
			config.freshness_sent_bits = (uint8_t)sent;
			config.mac_bits = (uint8_t)mac_bits;
			open_ends(config);
			ck_assert_int_eq(secoc_set_freshness(ends.receiver, 99), PORT_OK);
			ck_assert_int_eq(offer(100), SECOC_OK);
			ck_assert_int_ne(offer(100), mac_bits > 16 ? SECOC_OK : SECOC_BUILD_FAILED);
		}
	}
}
END_TEST

START_TEST(impossible_layouts)
{
	struct secoc_pdu_config wrong[10];
	uint8_t pdu;

	for (unsigned i = 0; i < 10; i++)
		wrong[i] = i < 8 ? secoc_bench_profile_1(4) : secoc_bench_profile_3();
	for (unsigned i = 0; i < 10; i++)
		wrong[i].nvm_offset = SECOC_NOT_KEPT;
	wrong[0].freshness_bits = 65;
	wrong[1].freshness_sent_bits = 65;
	wrong[2].mac_bits = 7;
	wrong[3].mac_bits = 129;
	wrong[4].authentic_bytes = 62;
	wrong[5].mac_bytes = 6;
	wrong[6].nvm_offset = SECOC_NVM_BASE;
	wrong[7].attempts = 0;
	wrong[8].counter_bits = 21;
	wrong[9].freshness_sent_bits = 25;
	secoc_bench_setup(NULL);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_msg(secoc_open(&wrong[i], &pdu) == PORT_INVALID, "layout %u", i);
	wrong[7].attempts = 1;
	for (unsigned i = 0; i < SECOC_MAX_PDUS; i++)
		ck_assert_int_eq(secoc_open(&wrong[7], &pdu), PORT_OK);
	ck_assert_int_eq(secoc_open(&wrong[7], &pdu), PORT_FULL);
}
END_TEST

static void expect_override(enum secoc_override code, uint16_t limit, bool good, enum secoc_result result, bool passed)
{
	uint8_t secured[SECOC_MAX_BYTES];
	size_t length;

	open_ends(secoc_bench_demo(false));
	length = make(1, secured);
	secured[0] ^= good ? 0 : 1;
	ck_assert_int_eq(secoc_override(ends.receiver, code, limit), PORT_OK);
	for (unsigned i = 0; i < 3; i++) {
		bool over = limit != 0 && i >= limit;

		ck_assert_int_eq(secoc_verify(ends.receiver, secured, length), over ? SECOC_VERIFICATION_FAILED : result);
		ck_assert_int_eq(secoc_passed(ends.receiver), over ? false : passed);
		if (good)
			return;
	}
	ck_assert_int_eq(secoc_override(ends.receiver, SECOC_OVERRIDE_CANCEL, 0), PORT_OK);
	ck_assert_int_eq(secoc_verify(ends.receiver, secured, length), SECOC_VERIFICATION_FAILED);
	ck_assert_uint_eq(freshness(), 0);
	ck_assert_int_eq(offer(1), SECOC_OK);
	ck_assert(secoc_passed(ends.receiver));
}

START_TEST(overrides)
{
	expect_override(SECOC_DROP_UNTIL_NOTICE, 0, false, SECOC_NOT_VERIFIED, false);
	expect_override(SECOC_DROP_UNTIL_LIMIT, 2, false, SECOC_NOT_VERIFIED, false);
	expect_override(SECOC_PASS_UNTIL_NOTICE, 0, false, SECOC_FAILURE_OVERWRITTEN, true);
	expect_override(SECOC_PASS_UNTIL_LIMIT, 2, false, SECOC_FAILURE_OVERWRITTEN, true);
	expect_override(SECOC_SKIP_UNTIL_NOTICE, 0, false, SECOC_NOT_VERIFIED, true);
	expect_override(SECOC_SKIP_UNTIL_LIMIT, 2, false, SECOC_NOT_VERIFIED, true);
	expect_override(SECOC_DROP_UNTIL_NOTICE, 0, true, SECOC_NOT_VERIFIED, false);
	expect_override(SECOC_PASS_UNTIL_NOTICE, 0, true, SECOC_OK, true);
	expect_override(SECOC_SKIP_UNTIL_NOTICE, 0, true, SECOC_NOT_VERIFIED, true);
	ck_assert_int_eq(secoc_override(ends.receiver, SECOC_PASS_UNTIL_LIMIT, 0), PORT_INVALID);
	ck_assert_int_eq(secoc_override(ends.receiver, (enum secoc_override)3, 1), PORT_INVALID);
	ck_assert_int_eq(secoc_override(ends.receiver, (enum secoc_override)0x44, 1), PORT_INVALID);
}
END_TEST

/* ---- trip and reset ----------------------------------------------------------------------------------------- */

#define FV(trip, reset, count) ((uint64_t)(trip) << 40 | (uint64_t)(reset) << 24 | (uint64_t)(count) << 2 | ((reset) & 3))

/* A PDU of any trip, reset and counter: a single counter of the same width counts to any value. */
static size_t make_trip(uint64_t value, uint8_t *secured)
{
	static const uint8_t data[4] = {0x11, 0x22, 0x33, 0x44};
	size_t length;

	ck_assert_int_eq(secoc_set_freshness(ends.counter, value - 1), PORT_OK);
	ck_assert_int_eq(secoc_make(ends.counter, data, secured, SECOC_MAX_BYTES, &length), PORT_OK);
	return length;
}

static enum secoc_result offer_trip(unsigned trip, unsigned reset, unsigned count)
{
	uint8_t secured[SECOC_MAX_BYTES];
	size_t length = make_trip(FV(trip, reset, count), secured);

	return secoc_verify(ends.receiver, secured, length);
}

static void receive_sync(unsigned trip, unsigned reset)
{
	uint32_t now_trip, now_reset;

	for (;;) {
		secoc_trip_read(&now_trip, &now_reset);
		if (now_trip < trip)
			secoc_trip_begin();
		else if (now_reset < reset)
			secoc_reset_tick();
		else
			return;
	}
}

START_TEST(trip_candidates)
{
	open_ends(secoc_bench_profile_3());
	ck_assert_int_eq(offer_trip(1, 1, 1), SECOC_FRESHNESS_FAILED); /* nothing is known yet */
	receive_sync(1, 8);
	ck_assert_int_eq(offer_trip(1, 8, 1), SECOC_OK);
	ck_assert_int_eq(offer_trip(1, 8, 1), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(offer_trip(1, 8, 5), SECOC_OK);                   /* 2^2 ahead */
	ck_assert_int_eq(offer_trip(1, 8, 10), SECOC_VERIFICATION_FAILED); /* one more */
	ck_assert_int_eq(offer_trip(1, 7, 6), SECOC_FRESHNESS_FAILED);     /* before what was accepted */
	ck_assert_int_eq(offer_trip(1, 9, 1), SECOC_OK);                   /* the sender is one reset ahead */
	ck_assert_int_eq(offer_trip(1, 8, 6), SECOC_FRESHNESS_FAILED);
	ck_assert_int_eq(offer_trip(1, 10, 1), SECOC_OK); /* two ahead */
	ck_assert_int_ne(offer_trip(1, 11, 1), SECOC_OK); /* three */
	ck_assert_int_ne(offer_trip(2, 8, 1), SECOC_OK);  /* a trip that no sync told of */
	receive_sync(2, 3);
	ck_assert_int_eq(offer_trip(2, 2, 1), SECOC_OK); /* the sender is one reset behind */
	ck_assert_int_eq(offer_trip(2, 2, 2), SECOC_OK);
	ck_assert_int_eq(offer_trip(2, 3, 3), SECOC_OK);
	ck_assert_uint_eq(freshness(), FV(2, 3, 3));
}
END_TEST

START_TEST(trip_counter_is_pinned)
{
	open_ends(secoc_bench_profile_3());
	receive_sync(1, 1);
	ck_assert_int_eq(secoc_set_freshness(ends.sender, FV(1, 1, 0x3FFFFE)), PORT_OK);
	ck_assert_int_eq(secoc_set_freshness(ends.receiver, FV(1, 1, 0x3FFFFE)), PORT_OK);
	uint8_t secured[SECOC_MAX_BYTES];
	size_t length;
	ck_assert_int_eq(secoc_make(ends.sender, (const uint8_t *)"abcd", secured, sizeof(secured), &length), PORT_OK);
	ck_assert_int_eq(secoc_verify(ends.receiver, secured, length), SECOC_OK);
	ck_assert_int_eq(secoc_make(ends.sender, (const uint8_t *)"abcd", secured, sizeof(secured), &length), PORT_FAILED);
	ck_assert_int_eq(secoc_verify(ends.receiver, secured, length), SECOC_FRESHNESS_FAILED);
	secoc_reset_tick();
	ck_assert_int_eq(secoc_make(ends.sender, (const uint8_t *)"abcd", secured, sizeof(secured), &length), PORT_OK);
	ck_assert_int_eq(secoc_verify(ends.receiver, secured, length), SECOC_OK);
}
END_TEST

/* ---- anything ----------------------------------------------------------------------------------------------- */

START_TEST(random_pdus)
{
	uint64_t seed = (uint64_t)time(NULL);
	uint8_t bytes[SECOC_MAX_BYTES + 1];
	struct secoc_counters counters;

	printf("random PDUs: seed %llu\n", (unsigned long long)seed);
	open_ends(_i == 0 ? secoc_bench_profile_1(4) : secoc_bench_profile_3());
	receive_sync(1, 3);
	fake_random_seed(seed);
	for (unsigned i = 0; i < RANDOM_PDUS / 2; i++) {
		port_random(bytes, sizeof(bytes));
		(void)secoc_verify(ends.receiver, bytes, (bytes[64] & 3) != 0 ? 8 : bytes[64] % 65);
		(void)secoc_verify_sync(secoc_bench_key, 0x0100, 24, bytes, bytes[64] % 17);
	}
	secoc_counters_read(ends.receiver, &counters);
	/* 24 bits or more: one false accept in 300 such tests. */
	ck_assert_uint_eq(counters.accepted, 0);
	ck_assert_uint_eq(counters.rejected, RANDOM_PDUS / 2);
	ck_assert_int_eq(_i == 0 ? offer(1) : offer_trip(1, 3, 1), SECOC_OK);
}
END_TEST

TCase *secoc_rules_case(void)
{
	TCase *tc = tcase_create("rules");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, counter_jumps);
	tcase_add_test(tc, window_and_attempts);
	tcase_add_test(tc, exhausted);
	tcase_add_test(tc, every_bit_and_length);
	tcase_add_test(tc, free_layouts);
	tcase_add_test(tc, impossible_layouts);
	tcase_add_test(tc, overrides);
	tcase_add_test(tc, trip_candidates);
	tcase_add_test(tc, trip_counter_is_pinned);
	tcase_add_loop_test(tc, random_pdus, 0, 2);
	return tc;
}
