/* SPDX-License-Identifier: Apache-2.0 */
#include "swpg_maker.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static EVP_PKEY *last;

char *maker_file(const char *text)
{
	char *path = strdup("/tmp/test-swpg-XXXXXX");
	int fd = path ? mkstemp(path) : -1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
	return path;
}

static struct swpg_key *load(BIO *pem, uint32_t id)
{
	struct swpg_key *key = NULL;
	struct error err = {0};
	char *path;

	ck_assert_int_eq(BIO_write(pem, "", 1), 1);
	char *text;
	(void)BIO_get_mem_data(pem, &text);
	path = maker_file(text);
	ck_assert_msg(swpg_key_load(&key, path, id, &err) == 0, "%s", err.message);
	ck_assert_int_eq(unlink(path), 0);
	free(path);
	BIO_free(pem);
	return key;
}

struct swpg_key *maker_key(uint32_t id)
{
	BIO *pem = BIO_new(BIO_s_mem());

	EVP_PKEY_free(last);
	last = EVP_EC_gen("P-256");
	ck_assert_ptr_nonnull(last);
	ck_assert(PEM_write_bio_PrivateKey(pem, last, NULL, NULL, 0, NULL, NULL));
	return load(pem, id);
}

struct swpg_key *maker_public(uint32_t id)
{
	BIO *pem = BIO_new(BIO_s_mem());

	ck_assert(PEM_write_bio_PUBKEY(pem, last));
	return load(pem, id);
}

struct swpg_options maker_options(const struct swpg_key *key, uint8_t compression)
{
	return (struct swpg_options){
	        .target = 0x0091,
	        .compression = compression,
	        .version = {1, 2, 3, 4},
	        .timestamp = MAKER_TIME,
	        .sequence = 5,
	        .security_counter = 7,
	        .key = key,
	};
}

void maker_software(uint8_t *software, size_t length)
{
	uint32_t state = 1;

	for (size_t i = 0; i < length; i++) {
		state = state * 1664525u + 1013904223u;
		software[i] = i % 3 ? (uint8_t)(state >> 30) : (uint8_t)(i / 64);
	}
}

void maker_package(struct bytes *ret, const struct swpg_key *key, uint8_t compression, size_t length)
{
	struct swpg_options options = maker_options(key, compression);
	uint8_t *software = malloc(length);
	struct error err = {0};

	ck_assert_ptr_nonnull(software);
	maker_software(software, length);
	ck_assert_msg(swpg_build(&options, software, length, ret, &err) == 0, "%s", err.message);
	free(software);
}

char *maker_findings(const struct bytes *package, const struct swpg_key *key, uint32_t counter)
{
	struct bytes findings = {0};
	struct error err = {0};
	struct swpg_view view;
	char *text = NULL;

	if (swpg_parse(package->data, package->length, &view, &err) < 0) {
		ck_assert_int_eq(err.domain, ERROR_USAGE);
		ck_assert_int_ge(asprintf(&text, "parse: %s", err.message), 0);
		return text;
	}
	ck_assert_int_eq(swpg_verify(&view, key, counter, &findings, &err), 0);
	text = calloc(1, findings.length + 1);
	ck_assert_ptr_nonnull(text);
	if (findings.length > 0)
		memcpy(text, findings.data, findings.length);
	bytes_free(&findings);
	return text;
}
