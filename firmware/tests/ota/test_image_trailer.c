/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and keys: forged, out of range, of other kinds, revoked. */
#include "image_bench.h"

#include <stdlib.h>
#include <string.h>

/* n of P-256, n - 1, and others at the edge. */
static const struct {
	const char *what;
	uint8_t bytes[32];
	enum ota_image_status status;
} scalars[] = {
        {"0", {0}, OTA_IMAGE_MALFORMED},
        {"n",
         {0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
          0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51},
         OTA_IMAGE_MALFORMED},
        {"n - 1",
         {0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
          0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x50},
         OTA_IMAGE_SIGNATURE},
        {"n + 1",
         {0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
          0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x52},
         OTA_IMAGE_MALFORMED},
        {"all ones",
         {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
          0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
         OTA_IMAGE_MALFORMED},
        {"1", {[31] = 1}, OTA_IMAGE_SIGNATURE},
        {"1, little-endian", {1}, OTA_IMAGE_SIGNATURE},
};

START_TEST(r_and_s_have_a_range)
{
	for (unsigned place = 32; place < 96; place += 32) {
		bench_make();
		memcpy(bench_trailer() + place, scalars[_i].bytes, 32);
		ck_assert_msg(bench_offer(0) == scalars[_i].status, "%s at %u", scalars[_i].what, place);
		ck_assert_msg(bench_verify(0) == scalars[_i].status, "%s at %u", scalars[_i].what, place);
	}
	memcpy(bench_trailer() + 32, scalars[_i].bytes, 32); /* r and s the same */
	ck_assert_int_eq(bench_offer(0), scalars[_i].status);
}
END_TEST

START_TEST(no_flipped_trailer_bit_is_accepted)
{
	for (unsigned bit = 0; bit < 8 * MAKER_TRAILER; bit++) {
		bench_trailer()[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_ne(bench_offer(0), OTA_IMAGE_OK);
		ck_assert_int_ne(bench_verify(0), OTA_IMAGE_OK);
		bench_trailer()[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_OK);
}
END_TEST

START_TEST(a_trailer_has_its_length)
{
	static uint8_t trailer[4096];
	struct ota_image image;

	memcpy(trailer, bench_trailer(), MAKER_TRAILER);
	for (size_t length = 0; length < sizeof(trailer); length += length < 200 ? 1 : 311)
		ck_assert_int_eq(ota_image_check_offer(bench.image, trailer, length, 0, &image),
		                 length == MAKER_TRAILER ? OTA_IMAGE_OK : OTA_IMAGE_MALFORMED);
	ck_assert_int_eq(ota_image_check_offer(bench.image, trailer, SIZE_MAX, 0, &image), OTA_IMAGE_MALFORMED);
}
END_TEST

START_TEST(another_key_is_a_forgery)
{
	bench_make_with(bench.keys[1]); /* says key 1 */
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_SIGNATURE);
	ck_assert_int_eq(bench_verify(0), OTA_IMAGE_SIGNATURE);
}
END_TEST

/* A signature is tied to its digest: none of another digest, and not r and s the other way round. */
START_TEST(a_signature_of_something_else_is_a_forgery)
{
	uint8_t other[32] = {1}, half[32];

	maker_sign(bench.keys[0], other, bench_trailer() + 32);
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_SIGNATURE);
	bench_make();
	memcpy(half, bench_trailer() + 32, 32);
	memmove(bench_trailer() + 32, bench_trailer() + 64, 32);
	memcpy(bench_trailer() + 64, half, 32);
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_SIGNATURE);
	memset(bench_trailer() + 32, 0, 64);
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_MALFORMED);
}
END_TEST

static enum ota_image_status with_object(const void *data, size_t length)
{
	enum ota_image_status status;

	fake_object_set("ota.key.1", data, length);
	status = bench_offer(0);
	ck_assert_int_eq(bench_verify(0), status);
	return status;
}

START_TEST(an_object_that_is_no_p256_key_is_no_key)
{
	static const char *const curves[] = {"P-384", "P-521", "secp256k1", "brainpoolP256r1", "RSA"};
	uint8_t data[MAKER_KEY_SIZE];
	size_t length;

	for (unsigned i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		EVP_PKEY *key = maker_key(curves[i]);

		ck_assert_msg(with_object(data, maker_public_pem(key, data)) == OTA_IMAGE_KEY, "%s", curves[i]);
		ck_assert_msg(with_object(data, maker_public_der(key, data)) == OTA_IMAGE_KEY, "%s", curves[i]);
		EVP_PKEY_free(key);
	}
	ck_assert_int_eq(with_object(data, maker_private_pem(bench.keys[0], data)), OTA_IMAGE_KEY);
	ck_assert_int_eq(with_object("", 0), OTA_IMAGE_KEY);
	ck_assert_int_eq(with_object("rubbish", 8), OTA_IMAGE_KEY);
	length = maker_public_der(bench.keys[0], data);
	for (size_t cut = 0; cut < length; cut++)
		ck_assert_int_eq(with_object(data, cut), OTA_IMAGE_KEY);
	data[length - 1] ^= 1; /* a point that is not on the curve */
	ck_assert_int_eq(with_object(data, length), OTA_IMAGE_KEY);
	data[length - 1] ^= 1;
	ck_assert_int_eq(with_object(data, length), OTA_IMAGE_OK);
}
END_TEST

START_TEST(revoked_keys_are_no_keys)
{
	static const struct {
		const char *list;
		enum ota_image_status status;
	} rows[] = {
	        {NULL, OTA_IMAGE_OK},         {"", OTA_IMAGE_OK},
	        {"2", OTA_IMAGE_OK},          {"2,3,11", OTA_IMAGE_OK},
	        {"1", OTA_IMAGE_KEY},         {"3,1", OTA_IMAGE_KEY},
	        {"0x1", OTA_IMAGE_KEY},       {"1,", OTA_IMAGE_KEY},
	        {"2,", OTA_IMAGE_KEY},        {",", OTA_IMAGE_KEY},
	        {" 2", OTA_IMAGE_KEY},        {"two", OTA_IMAGE_KEY},
	        {"-2", OTA_IMAGE_KEY},        {"4294967296", OTA_IMAGE_KEY},
	        {"4294967295", OTA_IMAGE_OK}, {"2 3", OTA_IMAGE_KEY},
	        {"2,,3", OTA_IMAGE_KEY},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_console_clear();
		fake_param_set("ota.revoked", rows[i].list);
		ota_image_start(MAKER_TARGET);
		ck_assert_msg(bench_offer(0) == rows[i].status, "\"%s\"", rows[i].list);
		ck_assert_msg(bench_verify(0) == rows[i].status, "\"%s\"", rows[i].list);
	}
	ck_assert_ptr_nonnull(strstr(fake_console(), "! parameter ota.revoked cannot be used"));
}
END_TEST

START_TEST(parameters_are_read_once)
{
	fake_param_set("ota.revoked", "1");
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_OK); /* in force from the next start */
	ota_image_start(MAKER_TARGET);
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_KEY);
	ota_image_start(0x0011);
	ck_assert_int_eq(bench_offer(0), OTA_IMAGE_FOREIGN);
}
END_TEST

TCase *image_trailer_case(void)
{
	TCase *cases = tcase_create("signatures");

	tcase_set_timeout(cases, 90);
	tcase_add_checked_fixture(cases, bench_setup, NULL);
	tcase_add_loop_test(cases, r_and_s_have_a_range, 0, sizeof(scalars) / sizeof(scalars[0]));
	tcase_add_test(cases, no_flipped_trailer_bit_is_accepted);
	tcase_add_test(cases, a_trailer_has_its_length);
	tcase_add_test(cases, another_key_is_a_forgery);
	tcase_add_test(cases, a_signature_of_something_else_is_a_forgery);
	tcase_add_test(cases, an_object_that_is_no_p256_key_is_no_key);
	tcase_add_test(cases, revoked_keys_are_no_keys);
	tcase_add_test(cases, parameters_are_read_once);
	return cases;
}
