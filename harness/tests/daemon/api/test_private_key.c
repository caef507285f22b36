/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys among the bytes of files, wherever the portions end. The keys are OpenSSL's. */
#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "../../../base/private_key.h"

static bool seen(const void *data, size_t length, size_t portion)
{
	struct private_key_search search = {0};
	for (size_t at = 0; at < length; at += portion)
		private_key_look(&search, (const char *)data + at, length - at < portion ? length - at : portion);
	return private_key_seen(&search);
}

static const char *const keys[] = {
        "-----BEGIN PRIVATE KEY-----\nM",
        "-----BEGIN EC PRIVATE KEY-----\r\nM",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nM",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb",
        "-----BEGIN PRIVATE KEY-----  \n      \tM",
        "{\"key\": \"-----BEGIN PRIVATE KEY-----\\nMC4C\"}",
        "-----BEGIN PRIVATE KEY-----        \\r\\n                                M", /* the longest sign */
};

/* Every place against every boundary near it. */
START_TEST(texts)
{
	const char *key = keys[_i];
	char text[400];
	size_t length = strlen(key);
	for (size_t place = 0; place < 140; place++) {
		memset(text, 'x', sizeof(text));
		memcpy(text + place, key, length);
		for (size_t portion = 1; portion < 200; portion++)
			ck_assert_msg(seen(text, sizeof(text), portion), "%s at %zu in portions of %zu", key, place, portion);
		ck_assert_msg(seen(text, place + length, 64), "%s at the end", key);
	}
}
END_TEST

static const char *const no_keys[] = {
        "",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\r\n\1M",
        "-----BEGIN EC PRIVATE KEY----- is what it begins with\nM",
        "-----BEGIN PUBLIC KEY-----\nMFkw",
        "-----BEGIN CERTIFICATE-----\nMIIB",
        "a PRIVATE KEY\nM",
        "\x30\x06\x02\x01\x01\x04\x01p", /* an octet string that is too short for a key */
        "\x30\x03\x02\x01\x01",
        "\x30\x84\xff",
        "\x30\x80",
};

START_TEST(what_is_no_key)
{
	for (size_t portion = 1; portion < 80; portion++)
		ck_assert_msg(!seen(no_keys[_i], strlen(no_keys[_i]), portion), "%s in portions of %zu", no_keys[_i], portion);
}
END_TEST

/* Of this key: PKCS#8, PKCS#1 or SEC 1, and PKCS#8 under a password. */
static void check_forms(EVP_PKEY *key)
{
	char *text;
	unsigned char *der = NULL;
	BIO *forms[] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	ck_assert_int_eq(i2d_PKCS8_PRIV_KEY_INFO_bio(forms[0], info), 1);
	ck_assert_int_eq(i2d_PrivateKey_bio(forms[1], key), 1);
	ck_assert_int_eq(i2d_PKCS8PrivateKey_bio(forms[2], key, EVP_aes_256_cbc(), "word", 4, NULL, NULL), 1);
	ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(forms[3], key, EVP_aes_256_cbc(), "word", 4, NULL, NULL), 1);
	for (size_t i = 0; i < 4; i++) {
		size_t length = (size_t)BIO_get_mem_data(forms[i], &text);
		for (size_t portion = 1; portion < 100; portion++)
			ck_assert_msg(seen(text, length, portion), "form %zu in portions of %zu", i, portion);
		if (i < 3) /* a part of something else */
			ck_assert(!seen(text, length - 1, 4096));
		BIO_free(forms[i]);
	}
	int length = i2d_PUBKEY(key, &der);
	ck_assert_int_gt(length, 0);
	ck_assert(!seen(der, (size_t)length, 4096));
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(key);
}

START_TEST(der)
{
	check_forms(EVP_EC_gen("P-256"));
	check_forms(EVP_EC_gen("P-521"));
	check_forms(EVP_RSA_gen(2048));
	check_forms(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("private keys");
	TCase *cases = tcase_create("private keys");
	tcase_add_loop_test(cases, texts, 0, sizeof(keys) / sizeof(*keys));
	tcase_add_loop_test(cases, what_is_no_key, 0, sizeof(no_keys) / sizeof(*no_keys));
	tcase_add_test(cases, der);
	tcase_set_timeout(cases, 60);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
