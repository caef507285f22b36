/* SPDX-License-Identifier: Apache-2.0 */
/* SecOC against RFC 4493, the reference vectors (computed by two other programs) and its own mutations. */
#include "../../proto/secoc.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test_proto.h"

static const uint8_t rfc_key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static struct secoc_key *key;

static void setup(void)
{
	ck_assert_int_eq(secoc_key_new(&key, rfc_key), 0);
}

static void teardown(void)
{
	secoc_key_free(key);
	key = NULL;
}

static void assert_hex(const struct bytes *bytes, const char *hex)
{
	struct bytes wanted = {0};

	ck_assert_int_eq(bytes_parse_hex(hex, &wanted), 0);
	ck_assert_uint_eq(bytes->length, wanted.length);
	ck_assert_mem_eq(bytes->data, wanted.data, wanted.length);
	bytes_free(&wanted);
}

/* ---- RFC 4493, SP 800-38B ---------------------------------------------------------------------------------- */

static const struct {
	const char *message, *tag;
} cmac_vectors[] = {
        {"", "bb1d6929e95937287fa37d129b756746"},
        {"6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c"},
        {"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411", "dfa66747de9ae63030ca32611497c827"},
        {"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c37"
         "10",
         "51f0bebf7e3b9d92fc49741779363cfe"},
        {"6bc1bee22e409f96e93d7e117393172aae2d8a57", "7d85449ea6ea19c823a7bf78837dfade"},
};

START_TEST(cmac_is_that_of_the_standard)
{
	struct bytes message = {0}, tag = {0};
	uint8_t mac[16];

	ck_assert_int_eq(bytes_parse_hex(cmac_vectors[_i].message, &message), 0);
	/* Twice with the same context: nothing of the first may be left in the second. */
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(secoc_cmac(key, message.data ? message.data : (const uint8_t *)"", message.length, mac), 0);
	ck_assert_int_eq(bytes_append(&tag, mac, sizeof(mac)), 0);
	assert_hex(&tag, cmac_vectors[_i].tag);
	bytes_free(&message);
	bytes_free(&tag);
}
END_TEST

/* ---- secured PDUs ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name, *preset;
	uint16_t data_id;
	unsigned freshness_bits; /* 255: the preset's own */
	const char *authentic;
	uint64_t freshness;
	const char *pdu;
} vectors[] = {
        {"P1.1", "profile1", 0x0101, 255, "11223344", 1, "1122334401bc02b5"},
        {"P1.2", "profile1", 0x0101, 255, "11223344", 0xff, "11223344ff9bae86"},
        {"P1.3", "profile1", 0x0101, 255, "11223344", 0x100, "1122334400674088"},
        {"P1.4", "profile1", 0x0101, 255, "11223344", UINT64_MAX, "11223344ff0d96bc"},
        {"P1.5", "profile1", 0x0102, 255, "11223344", 1, "1122334401410a58"},
        {"P1.6", "profile1", 0x0101, 32, "11223344", 1, "1122334401c1f687"},
        {"P1.7", "profile1", 0x0101, 255, "000102030405060708090a0b", 0x1234, "000102030405060708090a0b343ef7af"},
        {"P1.8", "profile1", 0x0101, 255, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b", 0x1234,
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b348a8b48"},
        {"P2.1", "profile2", 0x0101, 255, "1122334455", 1, "1122334455ea8182"},
        {"P2.2", "profile2", 0x0101, 255, "1122334455", 2, "1122334455f3d762"},
        {"P2.3", "profile2", 0x0101, 0, "1122334455", 0, "1122334455501610"},
        {"P3.1", "profile3", 0x0101, 255, "11223344", 0x0000010001000005, "112233445cdeb665"},
        {"P3.2", "profile3", 0x0101, 255, "11223344", 0x000001000100000d, "11223344dc54ce04"},
        {"P3.3", "profile3", 0x0101, 255, "11223344", 0x0000010001000011, "1122334412c26a17"},
        {"P3.4", "profile3", 0x0101, 255, "11223344", 0x0000010002000006, "1122334466a996c5"},
        {"P3.5", "profile3", 0x0101, 255, "11223344", 0x0000020001000005, "112233445a1f4e8e"},
        {"demo A 1", "demo", 0, 255, "000102030405060708090a0b0c", 1, "000102030405060708090a0b0c010f8a"},
        {"demo A ff", "demo", 0, 255, "000102030405060708090a0b0c", 0xff, "000102030405060708090a0b0cff2398"},
        {"demo A 100", "demo", 0, 255, "000102030405060708090a0b0c", 0x100, "000102030405060708090a0b0c0070b1"},
        {"demo A 0", "demo", 0, 255, "000102030405060708090a0b0c", 0, "000102030405060708090a0b0c002db0"},
        {"demo B 1", "demo-b", 0, 255, "000102030405060708090a0b0c", 1, "000102030405060708090a0b0c018901"},
        {"demo B ff", "demo-b", 0, 255, "000102030405060708090a0b0c", 0xff, "000102030405060708090a0b0cff1574"},
        {"demo B 100", "demo-b", 0, 255, "000102030405060708090a0b0c", 0x100, "000102030405060708090a0b0c009d05"},
        {"demo B 0", "demo-b", 0, 255, "000102030405060708090a0b0c", 0, "000102030405060708090a0b0c009a3f"},
        {"coordination", "demo", 0, 255, "01010101020304050600000000", 1, "010101010203040506000000000144d6"},
};

static struct secoc_layout vector_layout(unsigned i, struct bytes *authentic)
{
	struct secoc_layout layout = {.data_id = vectors[i].data_id};

	ck_assert_int_eq(bytes_parse_hex(vectors[i].authentic, authentic), 0);
	layout.authentic_bytes = (unsigned)authentic->length;
	ck_assert_int_eq(secoc_layout_preset(vectors[i].preset, &layout), 0);
	if (vectors[i].freshness_bits != 255)
		layout.freshness_bits = vectors[i].freshness_bits;
	return layout;
}

START_TEST(pdu_is_that_of_the_vectors)
{
	struct bytes authentic = {0}, pdu = {0};
	struct secoc_layout layout = vector_layout((unsigned)_i, &authentic);

	ck_assert_int_eq(secoc_make(key, &layout, authentic.data, vectors[_i].freshness, NULL, &pdu), 0);
	assert_hex(&pdu, vectors[_i].pdu);
	ck_assert(secoc_is_right(key, &layout, pdu.data, pdu.length, vectors[_i].freshness));
	if (layout.freshness_bits)
		ck_assert(!secoc_is_right(key, &layout, pdu.data, pdu.length, vectors[_i].freshness ^ 1));
	bytes_free(&authentic);
	bytes_free(&pdu);
}
END_TEST

START_TEST(no_flipped_bit_is_right)
{
	struct bytes authentic = {0}, pdu = {0};
	struct secoc_layout layout = vector_layout((unsigned)_i, &authentic);
	struct secoc_mutation mutation = {.has_flip_bit = true};
	unsigned bits = (unsigned)strlen(vectors[_i].pdu) * 4;

	for (mutation.flip_bit = 0; mutation.flip_bit < bits; mutation.flip_bit++) {
		bytes_clear(&pdu);
		ck_assert_int_eq(secoc_make(key, &layout, authentic.data, vectors[_i].freshness, &mutation, &pdu), 0);
		ck_assert(!secoc_is_right(key, &layout, pdu.data, pdu.length, vectors[_i].freshness));
	}
	ck_assert_int_eq(secoc_make(key, &layout, authentic.data, vectors[_i].freshness, &mutation, &pdu), -EINVAL);
	bytes_free(&authentic);
	bytes_free(&pdu);
}
END_TEST

static const struct {
	uint32_t trip, reset;
	uint64_t counter, freshness;
	const char *sync;
} trip_vectors[] = {
        {1, 1, 1, 0x0000010001000005, "0000010001474c3a"},
        {1, 2, 1, 0x0000010002000006, "0000010002822ec1"},
        {2, 1, 1, 0x0000020001000005, "0000020001ad7ee4"},
        {0xffffff, 1, 0, 0xffffff0001000001, "ffffff00014b3690"},
};

START_TEST(trip_and_reset)
{
	struct secoc_layout layout = {.authentic_bytes = 4};
	struct bytes pdu = {0};

	ck_assert_int_eq(secoc_layout_preset("profile3", &layout), 0);
	ck_assert_uint_eq(secoc_trip_reset(&layout, trip_vectors[_i].trip, trip_vectors[_i].reset, trip_vectors[_i].counter),
	                  trip_vectors[_i].freshness);
	ck_assert_int_eq(secoc_make_sync(key, 0x0100, 24, 16, 24, trip_vectors[_i].trip, trip_vectors[_i].reset, &pdu), 0);
	assert_hex(&pdu, trip_vectors[_i].sync);
	bytes_free(&pdu);
}
END_TEST

/* ---- freshness --------------------------------------------------------------------------------------------- */

static const struct {
	uint64_t last, sent, candidate;
} candidates[] = {
        {0, 1, 1},           {1, 1, 0x101},        {5, 4, 0x104},          {0xff, 0, 0x100},
        {0xff, 0xff, 0x1ff}, {0x100, 0xff, 0x1ff}, {0x1234, 0x35, 0x1235}, {0xffffffffffff, 0, 0},
};

START_TEST(candidate_of_the_single_counter)
{
	struct secoc_layout layout = {0};
	struct bytes pdu = {0};
	uint8_t authentic[13] = {0};

	ck_assert_int_eq(secoc_layout_preset("demo", &layout), 0);
	ck_assert_int_eq(secoc_make(key, &layout, authentic, candidates[_i].sent, NULL, &pdu), 0);
	ck_assert_uint_eq(secoc_sent_freshness(&layout, pdu.data, pdu.length), candidates[_i].sent & 0xff);
	ck_assert_uint_eq(secoc_candidate(&layout, pdu.data, pdu.length, candidates[_i].last), candidates[_i].candidate);
	bytes_free(&pdu);
}
END_TEST

/* Jumps of 1..2^T verify, others do not: what follows from the rule alone. */
START_TEST(jumps_that_can_verify)
{
	struct secoc_layout layout = {0};
	uint8_t authentic[13] = {0};

	ck_assert_int_eq(secoc_layout_preset("demo", &layout), 0);
	for (uint64_t jump = 0; jump <= 520; jump++) {
		struct bytes pdu = {0};
		uint64_t last = 0x3fe, candidate;

		ck_assert_int_eq(secoc_make(key, &layout, authentic, last + jump, NULL, &pdu), 0);
		candidate = secoc_candidate(&layout, pdu.data, pdu.length, last);
		ck_assert_int_eq(secoc_is_right(key, &layout, pdu.data, pdu.length, candidate), jump >= 1 && jump <= 256);
		bytes_free(&pdu);
	}
}
END_TEST

/* ---- mutations --------------------------------------------------------------------------------------------- */

static const uint8_t other_mac[16] = {1, 2, 3};
static const struct secoc_mutation mutations[] = {
        {.mac = other_mac},
        {.has_mac_bits_right = true, .mac_bits_right = 0},
        {.has_mac_bits_right = true, .mac_bits_right = 8},
        {.has_mac_bits_right = true, .mac_bits_right = 23},
        {.zero_mac = true},
        {.ones_mac = true},
        {.random_mac = true, .seed = 1},
        {.little_endian_freshness = true},
        {.without_data_id = true},
        {.has_data_id = true, .data_id = 0x0102},
};

START_TEST(mutations_are_not_right)
{
	struct secoc_layout layout = {.authentic_bytes = 4, .data_id = 0x0101};
	static const uint8_t authentic[4] = {0x11, 0x22, 0x33, 0x44};
	struct bytes pdu = {0};

	ck_assert_int_eq(secoc_layout_preset("profile1", &layout), 0);
	ck_assert_int_eq(secoc_make(key, &layout, authentic, 0x1234, &mutations[_i], &pdu), 0);
	ck_assert_uint_eq(pdu.length, 8);
	ck_assert_mem_eq(pdu.data, authentic, 4);
	ck_assert_uint_eq(pdu.data[4], 0x34);
	ck_assert(!secoc_is_right(key, &layout, pdu.data, pdu.length, 0x1234));
	bytes_free(&pdu);
}
END_TEST

START_TEST(first_bits_right_then_wrong)
{
	struct secoc_mutation mutation = {.has_mac_bits_right = true, .mac_bits_right = 10};
	struct secoc_layout layout = {.authentic_bytes = 4, .data_id = 0x0101};
	static const uint8_t authentic[4] = {0x11, 0x22, 0x33, 0x44};
	struct bytes pdu = {0};

	ck_assert_int_eq(secoc_layout_preset("profile1", &layout), 0);
	ck_assert_int_eq(secoc_make(key, &layout, authentic, 1, &mutation, &pdu), 0);
	/* bc 02 b5 with the last 14 bits inverted */
	assert_hex(&pdu, "1122334401bc3d4a");
	bytes_free(&pdu);
}
END_TEST

START_TEST(layouts_that_cannot_be)
{
	static const struct secoc_layout wrong[] = {
	        {.authentic_bytes = 4, .freshness_bits = 65, .mac_bits = 24},
	        {.authentic_bytes = 4, .freshness_bits = 8, .freshness_sent_bits = 9, .mac_bits = 24},
	        {.authentic_bytes = 4, .freshness_bits = 8, .mac_bits = 129},
	        {.authentic_bytes = 4, .freshness_bits = 8, .mac_bits = 0},
	        {.authentic_bytes = 60, .freshness_bits = 16, .freshness_sent_bits = 16, .mac_bits = 24},
	        {.authentic_bytes = 4, .mac_bytes = 5, .mac_bits = 24},
	        {.authentic_bytes = 4, .freshness_bits = 64, .trip_bits = 24, .reset_bits = 16, .counter_bits = 22, .mac_bits = 24},
	};
	struct secoc_layout layout = {.authentic_bytes = 3};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct error err = {0};

		ck_assert_int_eq(secoc_layout_check(&wrong[i], &err), -EINVAL);
		ck_assert_uint_ne(strlen(err.message), 0);
	}
	ck_assert_int_eq(secoc_layout_preset("profile9", &layout), -EINVAL);
	ck_assert_uint_eq(layout.authentic_bytes, 3);
}
END_TEST

/* ---- the interval ------------------------------------------------------------------------------------------ */

/* Computed by summing the binomial distribution itself. */
static const struct {
	uint64_t k, n;
	double low, high;
} intervals[] = {
        {0, 196608, 0, 1.876243513904141e-05},
        {3, 196608, 3.146740186921182e-06, 4.459200277334707e-05},
        {5, 10, 0.18708602844739847, 0.8129139715526013},
        {1, 1000, 2.5317487491294255e-05, 0.0055589242798267935},
        {100, 65536, 0.001241683108792857, 0.0018555712926484058},
        {10, 10, 0.6915028921812392, 1},
};

START_TEST(clopper_pearson)
{
	double low, high;

	secoc_interval(intervals[_i].k, intervals[_i].n, 0.95, &low, &high);
	ck_assert(fabs(low - intervals[_i].low) <= 1e-8 * intervals[_i].low);
	ck_assert(fabs(high - intervals[_i].high) <= 1e-8 * intervals[_i].high);
}
END_TEST

START_TEST(clopper_pearson_corners)
{
	double low, high;

	secoc_interval(0, 0, 0.95, &low, &high);
	ck_assert(low == 0 && high == 1);
	secoc_interval(0, UINT64_C(10000000000), 0.95, &low, &high);
	ck_assert(low == 0 && high > 3.68e-10 && high < 3.7e-10);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

Suite *secoc_suite(void)
{
	Suite *suite = suite_create("secoc");
	TCase *cases = tcase_create("secoc");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, cmac_is_that_of_the_standard, 0, COUNT(cmac_vectors));
	tcase_add_loop_test(cases, pdu_is_that_of_the_vectors, 0, COUNT(vectors));
	tcase_add_loop_test(cases, no_flipped_bit_is_right, 0, COUNT(vectors));
	tcase_add_loop_test(cases, trip_and_reset, 0, COUNT(trip_vectors));
	tcase_add_loop_test(cases, candidate_of_the_single_counter, 0, COUNT(candidates));
	tcase_add_test(cases, jumps_that_can_verify);
	tcase_add_loop_test(cases, mutations_are_not_right, 0, COUNT(mutations));
	tcase_add_test(cases, first_bits_right_then_wrong);
	tcase_add_test(cases, layouts_that_cannot_be);
	tcase_add_loop_test(cases, clopper_pearson, 0, COUNT(intervals));
	tcase_add_test(cases, clopper_pearson_corners);
	suite_add_tcase(suite, cases);
	return suite;
}
