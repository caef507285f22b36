/* SPDX-License-Identifier: Apache-2.0 */
/* Right packages: their bytes as docs/reference/package.md has them, and every bit of them that counts. */
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "swpg_maker.h"
#include "test_proto.h"

static struct swpg_key *key;
static struct bytes package;

static void setup(void)
{
	key = maker_key(1);
	package = (struct bytes){0};
}

static void teardown(void)
{
	swpg_key_free(key);
	bytes_free(&package);
}

static void assert_findings(const struct bytes *bytes, const struct swpg_key *with, uint32_t counter, const char *wanted)
{
	char *findings = maker_findings(bytes, with, counter);

	ck_assert_str_eq(findings, wanted);
	free(findings);
}

/* IEEE 802.3, bit by bit. */
static uint32_t crc_bitwise(uint32_t crc, const uint8_t *data, size_t length)
{
	crc = ~crc;
	for (size_t i = 0; i < length; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

START_TEST(bytes_are_those_of_the_format)
{
	static const char *const header = "47505753" /* magic */
	                                  "9100 01 00 05000000 05000000"
	                                  "01020304 0000000000000000 00000000" /* time, serial, crc: below */
	                                  "01000000 60000000 09000000"
	                                  "110e 0000 05000000 07000000 0000000000000000";
	const uint8_t software[5] = {1, 2, 3, 4, 5};
	struct swpg_options options = maker_options(key, 0);
	struct bytes wanted = {0};
	struct error err;
	uint32_t crc;

	options.source = 0x0e11;
	swpg_key_set_id(key, 9);
	ck_assert_int_eq(swpg_build(&options, software, sizeof(software), &package, &err), 0);
	ck_assert_uint_eq(package.length, 64 + 5 + 96);
	ck_assert_int_eq(bytes_parse_hex(header, &wanted), 0);
	ck_assert_uint_eq(wanted.length, 64);
	memcpy(wanted.data + 20, (const uint8_t[]){0x00, 0xb9, 0x55, 0x69}, 4); /* 1767225600 */
	memcpy(wanted.data + 24, (const uint8_t[]){4, 3, 2, 1}, 4);             /* 0x01020304 */
	crc = crc_bitwise(crc_bitwise(0, wanted.data, 64), software, sizeof(software));
	for (int i = 0; i < 4; i++)
		wanted.data[28 + i] = (uint8_t)(crc >> i * 8);
	ck_assert_mem_eq(package.data, wanted.data, 64);
	ck_assert_mem_eq(package.data + 64, software, sizeof(software));
	bytes_free(&wanted);
}
END_TEST

/* The trailer by OpenSSL's own SHA-256 and ECDSA over the bytes that it covers. */
START_TEST(trailer_is_that_of_the_header_and_the_software)
{
	uint8_t software[100], covered[164], digest[32];
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	BIO *pem = BIO_new(BIO_s_mem());
	ECDSA_SIG *signature = ECDSA_SIG_new();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	char *text, *path;
	struct error err;
	int length;

	ck_assert(PEM_write_bio_PrivateKey(pem, pair, NULL, NULL, 0, NULL, NULL) && BIO_write(pem, "", 1) == 1);
	(void)BIO_get_mem_data(pem, &text);
	path = maker_file(text);
	swpg_key_free(key);
	ck_assert_int_eq(swpg_key_load(&key, path, 1, &err), 0);
	ck_assert_int_eq(unlink(path), 0);
	maker_software(software, sizeof(software));
	maker_package(&package, key, _i != 0, sizeof(software));
	package.data[46] = 3; /* hop_count is not covered */
	memcpy(covered, package.data, 64);
	covered[46] = 0;
	memcpy(covered + 64, software, sizeof(software));
	ck_assert(EVP_Digest(covered, sizeof(covered), digest, NULL, EVP_sha256(), NULL));
	ck_assert_mem_eq(package.data + package.length - 96, digest, 32);
	swpg_digest(package.data, software, sizeof(software), covered);
	ck_assert_mem_eq(covered, digest, 32);
	memcpy(covered, package.data, 64);
	covered[46] = 0;
	ck_assert(ECDSA_SIG_set0(signature, BN_bin2bn(package.data + package.length - 64, 32, NULL),
	                         BN_bin2bn(package.data + package.length - 32, 32, NULL)));
	length = i2d_ECDSA_SIG(signature, &der);
	ck_assert_int_gt(length, 60);
	ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pair), 1);
	ck_assert_int_eq(EVP_DigestVerify(context, der, (size_t)length, covered, sizeof(covered)), 1);
	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pair);
	BIO_free(pem);
	free(path);
}
END_TEST

START_TEST(right_packages_verify_and_open)
{
	static const size_t lengths[] = {1, 2, 3, 31, 64, 100, 4096, 65535, 65536, 70001, 1000000};
	size_t length = lengths[_i / 2];
	uint8_t *software = malloc(length);
	struct bytes opened = {0}, installed = {0};
	struct swpg_view view;
	struct error err;

	maker_software(software, length);
	maker_package(&package, key, _i % 2, length);
	assert_findings(&package, key, 7, "");
	ck_assert_int_eq(swpg_parse(package.data, package.length, &view, &err), 0);
	ck_assert_uint_eq(view.fields.compression, _i % 2);
	ck_assert_int_eq(swpg_software(&view, SWPG_SOFTWARE_MAX, &opened, &err), 0);
	ck_assert_uint_eq(opened.length, length);
	ck_assert_mem_eq(opened.data, software, length);
	ck_assert_int_eq(swpg_software(&view, length, &opened, &err), 0);
	ck_assert_int_lt(swpg_software(&view, length - 1, &opened, &err), 0);
	ck_assert_uint_eq(opened.length, length); /* untouched by the failure */
	ck_assert_int_eq(swpg_installed(&view, &installed, &err), 0);
	ck_assert_uint_eq(installed.length, 64 + length + 96);
	ck_assert_mem_eq(installed.data, package.data, 64);
	ck_assert_mem_eq(installed.data + 64, software, length);
	ck_assert_mem_eq(installed.data + 64 + length, package.data + package.length - 96, 96);
	bytes_free(&opened);
	bytes_free(&installed);
	free(software);
}
END_TEST

START_TEST(same_input_gives_the_same_bytes)
{
	struct bytes again = {0};

	maker_package(&package, key, _i != 0, 10000);
	maker_package(&again, key, _i != 0, 10000);
	ck_assert_uint_eq(package.length, again.length);
	ck_assert_mem_eq(package.data, again.data, package.length);
	bytes_free(&again);
}
END_TEST

START_TEST(time_is_that_of_the_environment_or_now)
{
	struct swpg_options options = maker_options(key, 0);
	time_t before = time(NULL);
	struct swpg_view view;
	struct error err;

	options.timestamp = 0;
	ck_assert_int_eq(unsetenv("SOURCE_DATE_EPOCH"), 0);
	ck_assert_int_eq(swpg_build(&options, "x", 1, &package, &err), 0);
	ck_assert_int_eq(swpg_parse(package.data, package.length, &view, &err), 0);
	ck_assert(view.fields.timestamp >= before && view.fields.timestamp <= time(NULL));
	ck_assert_int_eq(setenv("SOURCE_DATE_EPOCH", "1600000000", 1), 0);
	ck_assert_int_eq(swpg_build(&options, "x", 1, &package, &err), 0);
	ck_assert_int_eq(swpg_parse(package.data, package.length, &view, &err), 0);
	ck_assert_uint_eq(view.fields.timestamp, 1600000000);
	ck_assert_int_eq(setenv("SOURCE_DATE_EPOCH", "yesterday", 1), 0);
	ck_assert_int_lt(swpg_build(&options, "x", 1, &package, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "SOURCE_DATE_EPOCH"));
	ck_assert_int_eq(unsetenv("SOURCE_DATE_EPOCH"), 0);
}
END_TEST

static void assert_build_refused(const struct swpg_options *options, size_t length, const char *field)
{
	struct bytes made = {0};
	struct error err = {0};

	ck_assert_int_lt(swpg_build(options, "0123456789abcdef", length, &made, &err), 0);
	ck_assert_int_eq(err.domain, ERROR_USAGE);
	ck_assert_msg(strstr(err.message, field) != NULL, "%s: %s", field, err.message);
	ck_assert_uint_eq(made.length, 0);
}

START_TEST(values_out_of_range_are_refused)
{
	const struct swpg_options right = maker_options(key, 0);
	struct swpg_options options;

#define REFUSED(field, change)                                                                                                             \
	options = right;                                                                                                                   \
	options.change;                                                                                                                    \
	assert_build_refused(&options, 16, field)
	REFUSED("target_ecu_id", target = 0);
	REFUSED("target_ecu_id", target = 0xffff);
	REFUSED("source_ecu_id", source = 0xffff);
	REFUSED("software_type", type = 4);
	REFUSED("compression", compression = 2);
	REFUSED("sequence_number", sequence = 0);
	REFUSED("security_counter", security_counter = 0);
	REFUSED("version_timestamp", timestamp = SWPG_OLDEST_TIME - 1);
	REFUSED("version_timestamp", timestamp = (uint32_t)time(NULL) + 1000);
	assert_build_refused(&right, 0, "empty");
	assert_build_refused(&right, (size_t)SWPG_SOFTWARE_MAX + 1, "67108865 bytes");
}
END_TEST

START_TEST(every_length_but_the_right_one_is_refused)
{
	struct swpg_view view = {.payload_length = 77};
	struct error err;

	maker_package(&package, key, _i != 0, 40);
	for (size_t length = 0; length < package.length; length++) {
		/* Its own allocation: a read past the end shows in the sanitizer. */
		uint8_t *copy = malloc(length ? length : 1);
		memcpy(copy, package.data, length);
		ck_assert_int_lt(swpg_parse(copy, length, &view, &err), 0);
		ck_assert_ptr_nonnull(strstr(err.message, "offset "));
		free(copy);
	}
	ck_assert_uint_eq(view.payload_length, 77);
	ck_assert_int_eq(bytes_append_u8(&package, 0), 0);
	ck_assert_int_lt(swpg_parse(package.data, package.length, &view, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "1 too many"));
}
END_TEST

/* "Text", modification time, extra flags and system of gzip's own header, and what fills up the last byte of its deflate data,
 * mean nothing to a reader. */
static bool is_idle_bit(size_t byte, uint8_t mask)
{
	return (byte == 64 + 3 && mask == 1) || (byte >= 64 + 4 && byte < 64 + 10) || byte == package.length - 96 - 8 - 1;
}

/* hop_count changes on the way and is judged by its value alone; nothing else may change unseen. */
START_TEST(every_bit_counts)
{
	char *findings;
	unsigned accepted = 0;

	maker_package(&package, key, _i != 0, 40);
	for (size_t bit = 0; bit < package.length * 8; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		bool hops = bit / 8 == 46 && mask <= 8;

		if (_i != 0 && is_idle_bit(bit / 8, mask))
			continue;
		package.data[bit / 8] ^= mask;
		findings = maker_findings(&package, key, 7);
		ck_assert_msg((*findings == '\0') == hops, "bit %zu: \"%s\"", bit, findings);
		accepted += *findings == '\0';
		free(findings);
		package.data[bit / 8] ^= mask;
	}
	ck_assert_uint_eq(accepted, 4); /* 1, 2, 4, 8 hops */
}
END_TEST

START_TEST(sizes_that_wrap_are_refused)
{
	static const uint32_t sizes[] = {
	        0, 1, 39, 41, 0xffffffff, 0xffffffc0, 0xffffff60, 0x7fffffff, SWPG_SOFTWARE_MAX, SWPG_SOFTWARE_MAX + 1};
	struct swpg_view view;
	struct error err;

	maker_package(&package, key, 0, 40);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (int j = 0; j < 4; j++)
			package.data[8 + j] = (uint8_t)(sizes[i] >> j * 8);
		ck_assert_int_lt(swpg_parse(package.data, package.length, &view, &err), 0);
		ck_assert_ptr_nonnull(strstr(err.message, "payload_size"));
	}
}
END_TEST

START_TEST(keys_are_told_apart)
{
	struct swpg_key *public = maker_public(1), *other = maker_key(1), *other_id = maker_key(2);
	struct swpg_options options = maker_options(public, 0);
	struct error err;

	maker_package(&package, key, 0, 40);
	ck_assert(swpg_key_is_private(key) && !swpg_key_is_private(public));
	assert_findings(&package, public, 0, "");
	assert_findings(&package, other, 0, "signature: is not one of this key over the trailer's digest\n");
	assert_findings(&package, other_id, 0,
	                "key_id: 1, the key at hand is 2\nsignature: is not one of this key over the trailer's digest\n");
	assert_findings(&package, NULL, 0, "signature: not checked, no key is given\n");
	assert_findings(&package, key, 8, "security_counter: 7, at least 8 is needed\n");
	assert_findings(&package, key, 7, "");
	ck_assert_int_lt(swpg_build(&options, "x", 1, &package, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "private"));
	swpg_key_free(public);
	swpg_key_free(other);
	swpg_key_free(other_id);
}
END_TEST

static void assert_no_key(const char *text, const char *wanted)
{
	struct swpg_key *none = NULL;
	struct error err = {0};
	char *path = maker_file(text);

	ck_assert_int_lt(swpg_key_load(&none, path, 1, &err), 0);
	ck_assert_msg(strstr(err.message, wanted) && strstr(err.message, path), "%s", err.message);
	ck_assert_int_eq(err.domain, ERROR_USAGE);
	ck_assert_ptr_null(none);
	(void)unlink(path);
	free(path);
}

static char *pem_of(const char *curve, const EVP_CIPHER *cipher)
{
	EVP_PKEY *pair = curve ? EVP_EC_gen(curve) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *pem = BIO_new(BIO_s_mem());
	char *text, *copy;

	ck_assert(PEM_write_bio_PrivateKey(pem, pair, cipher, (const unsigned char *)"secret", cipher ? 6 : 0, NULL, NULL));
	ck_assert_int_eq(BIO_write(pem, "", 1), 1);
	(void)BIO_get_mem_data(pem, &text);
	copy = strdup(text);
	BIO_free(pem);
	EVP_PKEY_free(pair);
	return copy;
}

START_TEST(files_that_are_no_key_are_refused)
{
	char *texts[] = {pem_of("P-384", NULL), pem_of(NULL, NULL), pem_of("P-256", EVP_aes_128_cbc())};
	struct swpg_key *none = NULL;
	struct error err;

	assert_no_key("", "PEM");
	assert_no_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM");
	assert_no_key(texts[0], "P-256");
	assert_no_key(texts[1], "P-256");
	assert_no_key(texts[2], "passphrase");
	ck_assert_int_lt(swpg_key_load(&none, "/nonexistent/key", 1, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/key"));
	for (int i = 0; i < 3; i++)
		free(texts[i]);
}
END_TEST

START_TEST(signing_makes_an_unsigned_package_right)
{
	struct swpg_key *other = maker_key(3);
	struct error err;

	maker_package(&package, NULL, _i != 0, 1000);
	assert_findings(&package, key, 0, "kind: 0, the package is not signed\n");
	ck_assert_int_eq(swpg_sign(&package, key, &err), 0);
	assert_findings(&package, key, 0, "");
	ck_assert_int_eq(swpg_sign(&package, other, &err), 0);
	assert_findings(&package, other, 0, "");
	package.data[64 + 20] ^= 1;
	if (_i != 0) {
		/* A stream that does not open has no digest. */
		ck_assert_int_lt(swpg_sign(&package, key, &err), 0);
		package.data[64 + 20] ^= 1;
		assert_findings(&package, other, 0, "");
	} else {
		ck_assert_int_eq(swpg_sign(&package, key, &err), 0);
		assert_findings(&package, key, 0, "");
	}
	swpg_key_free(other);
}
END_TEST

Suite *swpg_suite(void)
{
	Suite *suite = suite_create("swpg");
	TCase *tcase = tcase_create("right packages");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, bytes_are_those_of_the_format);
	tcase_add_loop_test(tcase, trailer_is_that_of_the_header_and_the_software, 0, 2);
	tcase_add_loop_test(tcase, right_packages_verify_and_open, 0, 22);
	tcase_add_loop_test(tcase, same_input_gives_the_same_bytes, 0, 2);
	tcase_add_test(tcase, time_is_that_of_the_environment_or_now);
	tcase_add_test(tcase, values_out_of_range_are_refused);
	tcase_add_loop_test(tcase, every_length_but_the_right_one_is_refused, 0, 2);
	tcase_add_loop_test(tcase, every_bit_counts, 0, 2);
	tcase_add_test(tcase, sizes_that_wrap_are_refused);
	tcase_add_test(tcase, keys_are_told_apart);
	tcase_add_test(tcase, files_that_are_no_key_are_refused);
	tcase_add_loop_test(tcase, signing_makes_an_unsigned_package_right, 0, 2);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}
