/* SPDX-License-Identifier: Apache-2.0 */
/* The reference vectors, made and verified. */
#include "../../core/cmac.h"
#include "suites.h"

#include <string.h>

/* RFC 4493 section 4 and SP 800-38B appendix D.1. */
static const struct {
	const char *message, *tag;
} cmacs[] = {
        {"", "bb1d6929e95937287fa37d129b756746"},
        {"6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c"},
        {"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411", "dfa66747de9ae63030ca32611497c827"},
        {"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
         "51f0bebf7e3b9d92fc49741779363cfe"},
        {"6bc1bee22e409f96e93d7e117393172aae2d8a57", "7d85449ea6ea19c823a7bf78837dfade"},
};

START_TEST(cmac_vectors)
{
	uint8_t message[64], mac[CMAC_LENGTH], handle;
	size_t length = secoc_bench_bytes(cmacs[_i].message, message);

	secoc_bench_setup(NULL);
	ck_assert_int_eq(cmac_open(secoc_bench_key, &handle), PORT_OK);
	for (unsigned again = 0; again < 2; again++) {
		ck_assert(cmac_make(handle, message, length, mac));
		ck_assert_str_eq(secoc_bench_hex(mac, CMAC_LENGTH), cmacs[_i].tag);
	}
	ck_assert(cmac_once(secoc_bench_key, message, length, mac));
	ck_assert_str_eq(secoc_bench_hex(mac, CMAC_LENGTH), cmacs[_i].tag);
}
END_TEST

enum layout { P1_4, P1_ID, P1_32, P1_12, P1_28, P2, P2_NONE, P3, DEMO_A, DEMO_B };

static struct secoc_pdu_config layout(enum layout which)
{
	struct secoc_pdu_config config;

	if (which == P2 || which == P2_NONE) {
		config = secoc_bench_profile_2();
		if (which == P2_NONE)
			config.freshness_bits = 0;
		return config;
	}
	if (which == P3)
		return secoc_bench_profile_3();
	if (which == DEMO_A || which == DEMO_B)
		return secoc_bench_demo(which == DEMO_B);
	config = secoc_bench_profile_1(which == P1_12 ? 12 : which == P1_28 ? 28 : 4);
	if (which == P1_ID)
		config.data_id = 0x0102;
	if (which == P1_32)
		config.freshness_bits = 32;
	return config;
}

#define DATA_28 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b"
static const struct {
	const char *name;
	enum layout layout;
	uint64_t freshness;
	uint16_t trip, reset;
	const char *secured;
} rows[] = {
        {"P1.1", P1_4, 1, 0, 0, "1122334401bc02b5"},
        {"P1.2", P1_4, 0xff, 0, 0, "11223344ff9bae86"},
        {"P1.3", P1_4, 0x100, 0, 0, "1122334400674088"},
        {"P1.4", P1_4, UINT64_MAX, 0, 0, "11223344ff0d96bc"},
        {"P1.5", P1_ID, 1, 0, 0, "1122334401410a58"},
        {"P1.6", P1_32, 1, 0, 0, "1122334401c1f687"},
        {"P1.7", P1_12, 0x1234, 0, 0, "000102030405060708090a0b343ef7af"},
        {"P1.8", P1_28, 0x1234, 0, 0, DATA_28 "348a8b48"},
        {"P2.1", P2, 1, 0, 0, "1122334455ea8182"},
        {"P2.2", P2, 2, 0, 0, "1122334455f3d762"},
        {"P2.3", P2_NONE, 0, 0, 0, "1122334455501610"},
        {"P3.1", P3, 0x0000010001000005, 1, 1, "112233445cdeb665"},
        {"P3.2", P3, 0x000001000100000d, 1, 1, "11223344dc54ce04"},
        {"P3.3", P3, 0x0000010001000011, 1, 1, "1122334412c26a17"},
        {"P3.4", P3, 0x0000010002000006, 1, 2, "1122334466a996c5"},
        {"P3.5", P3, 0x0000020001000005, 2, 1, "112233445a1f4e8e"},
        {"demo A 1", DEMO_A, 1, 0, 0, "000102030405060708090a0b0c010f8a"},
        {"demo A ff", DEMO_A, 0xff, 0, 0, "000102030405060708090a0b0cff2398"},
        {"demo A 100", DEMO_A, 0x100, 0, 0, "000102030405060708090a0b0c0070b1"},
        {"demo B 1", DEMO_B, 1, 0, 0, "000102030405060708090a0b0c018901"},
        {"demo B ff", DEMO_B, 0xff, 0, 0, "000102030405060708090a0b0cff1574"},
        {"demo B 100", DEMO_B, 0x100, 0, 0, "000102030405060708090a0b0c009d05"},
};

/* The manager in a trip and reset, as its own master. */
static void enter(unsigned trip, unsigned reset)
{
	for (unsigned i = 0; i < trip; i++)
		secoc_trip_begin();
	for (unsigned i = 1; i < reset; i++)
		secoc_reset_tick();
}

/* The state just before the row's: one less, or nothing sent yet in this reset. */
static uint64_t before(unsigned row)
{
	if (rows[row].layout != P3)
		return rows[row].freshness == 0 ? 0 : rows[row].freshness - 1;
	return (rows[row].freshness >> 2 & 0x3FFFFF) == 1 ? 0 : rows[row].freshness - 4;
}

START_TEST(rows_made_and_verified)
{
	struct secoc_pdu_config config = layout(rows[_i].layout);
	struct secoc_counters counters;
	uint8_t expected[SECOC_MAX_BYTES], made[SECOC_MAX_BYTES], sender, receiver;
	size_t length = secoc_bench_bytes(rows[_i].secured, expected), made_length;

	secoc_bench_setup(NULL);
	sender = secoc_bench_open(&config, 0);
	receiver = secoc_bench_open(&config, 1);
	enter(rows[_i].trip, rows[_i].reset);
	ck_assert_int_eq(secoc_set_freshness(sender, before((unsigned)_i)), PORT_OK);
	ck_assert_int_eq(secoc_set_freshness(receiver, before((unsigned)_i)), PORT_OK);
	ck_assert_int_eq(secoc_make(sender, expected, made, sizeof(made), &made_length), PORT_OK);
	ck_assert_msg(made_length == length && memcmp(made, expected, length) == 0, "%s: made %s", rows[_i].name,
	              secoc_bench_hex(made, made_length));
	ck_assert_msg(secoc_verify(receiver, expected, length) == SECOC_OK, "%s", rows[_i].name);
	secoc_counters_read(receiver, &counters);
	ck_assert_uint_eq(counters.freshness, rows[_i].freshness);
	ck_assert_uint_eq(counters.accepted, 1);
	/* Again it is a replay, but where there is no freshness at all. */
	ck_assert_int_eq(secoc_verify(receiver, expected, length) == SECOC_OK, rows[_i].layout == P2_NONE);
}
END_TEST

/* Freshness 0 is before the first one: its frames are never accepted, nor made by a wrap. */
START_TEST(demo_after_wrap)
{
	struct secoc_pdu_config config = secoc_bench_demo(_i != 0);
	static const char *const frames[] = {"000102030405060708090a0b0c002db0", "000102030405060708090a0b0c009a3f"};
	uint8_t bytes[16], out[16], pdu;
	size_t length;

	secoc_bench_setup(NULL);
	pdu = secoc_bench_open(&config, 0);
	secoc_bench_bytes(frames[_i], bytes);
	ck_assert_int_eq(secoc_verify(pdu, bytes, 16), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(secoc_set_freshness(pdu, (UINT64_C(1) << 48) - 1), PORT_OK);
	ck_assert_int_eq(secoc_verify(pdu, bytes, 16), SECOC_FRESHNESS_FAILED);
	ck_assert_int_eq(secoc_make(pdu, bytes, out, sizeof(out), &length), PORT_FAILED);
	ck_assert_int_eq(secoc_set_freshness(pdu, UINT64_C(1) << 48), PORT_INVALID);
}
END_TEST

START_TEST(coordination_frame)
{
	struct secoc_pdu_config config = secoc_bench_demo(false);
	uint8_t bytes[16], pdu;

	secoc_bench_setup(NULL);
	pdu = secoc_bench_open(&config, 0);
	secoc_bench_bytes("010101010203040506000000000144d6", bytes);
	ck_assert_int_eq(secoc_verify(pdu, bytes, 16), SECOC_OK);
	ck_assert_int_eq(secoc_verify(pdu, bytes, 16), SECOC_VERIFICATION_FAILED);
	secoc_bench_bytes("01010101020304050600000000000000", bytes);
	ck_assert_int_eq(secoc_verify(pdu, bytes, 16), SECOC_VERIFICATION_FAILED);
}
END_TEST

static const char *const syncs[] = {"0000010001474c3a", "0000010002822ec1", "0000020001ad7ee4", "ffffff00014b3690"};

static enum secoc_result sync(const char *hex)
{
	uint8_t bytes[16];
	size_t length = secoc_bench_bytes(hex, bytes);

	return secoc_verify_sync(secoc_bench_key, 0x0100, 24, bytes, length);
}

START_TEST(sync_messages)
{
	struct secoc_pdu_config config = secoc_bench_profile_3();
	uint8_t made[16];
	uint32_t trip, reset;
	size_t length;

	secoc_bench_setup(NULL);
	(void)secoc_bench_open(&config, 0);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_msg(sync(syncs[i]) == SECOC_OK, "S.%u", i + 1);
		ck_assert_int_eq(secoc_make_sync(secoc_bench_key, 0x0100, 24, made, sizeof(made), &length), PORT_OK);
		ck_assert_str_eq(secoc_bench_hex(made, length), syncs[i]);
		for (unsigned old = 0; old < i; old++) /* equal and older; but small trips after the last are the wrap */
			ck_assert_int_eq(sync(syncs[old]), i == 3 ? SECOC_OK : SECOC_FRESHNESS_FAILED);
		if (i < 3)
			ck_assert_int_eq(sync(syncs[i]), SECOC_FRESHNESS_FAILED);
		secoc_trip_read(&trip, &reset);
		if (i == 3)
			break;
		secoc_bench_power_cycle(NULL);
		(void)secoc_bench_open(&config, 0);
		ck_assert_int_eq(sync(syncs[i]), SECOC_FRESHNESS_FAILED);
	}
	secoc_bench_setup(NULL);
	ck_assert_int_eq(sync("0000010001474c3b"), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(sync("0000020001474c3a"), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(sync("0000010001474c"), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(sync("0000010001474c3a00"), SECOC_VERIFICATION_FAILED);
	ck_assert_int_eq(secoc_make_sync(secoc_bench_key, 0x0100, 24, made, sizeof(made), &length), PORT_FAILED);
	ck_assert_int_eq(sync(syncs[0]), SECOC_OK);
}
END_TEST

TCase *secoc_vectors_case(void)
{
	TCase *tc = tcase_create("vectors");

	tcase_add_loop_test(tc, cmac_vectors, 0, sizeof(cmacs) / sizeof(*cmacs));
	tcase_add_loop_test(tc, rows_made_and_verified, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_loop_test(tc, demo_after_wrap, 0, 2);
	tcase_add_test(tc, coordination_frame);
	tcase_add_test(tc, sync_messages);
	return tc;
}
