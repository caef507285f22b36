/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, and the kinds of trailers. */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swpg_private.h"

struct swpg_key {
	EVP_PKEY *pair;
	uint32_t id;
	bool private;
};

/* SEC 2, 2.4.2: n of secp256r1. */
const uint8_t swpg_p256_order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* Never asks at the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static bool is_p256(const EVP_PKEY *pair)
{
	char group[32];
	size_t length;

	return EVP_PKEY_is_a(pair, "EC") && EVP_PKEY_get_group_name(pair, group, sizeof(group), &length) &&
	       (!strcmp(group, "prime256v1") || !strcmp(group, "P-256"));
}

static EVP_PKEY *read_pair(FILE *file, bool *ret_private, bool *ret_asked)
{
	EVP_PKEY *pair;

	*ret_asked = false;
	pair = PEM_read_PrivateKey(file, NULL, no_passphrase, ret_asked);
	*ret_private = pair != NULL;
	if (!pair) {
		rewind(file);
		pair = PEM_read_PUBKEY(file, NULL, no_passphrase, ret_asked);
	}
	ERR_clear_error();
	return pair;
}

int swpg_key_load(struct swpg_key **ret, const char *path, uint32_t key_id, struct error *err)
{
	struct swpg_key *key = calloc(1, sizeof(*key));
	FILE *file = fopen(path, "re");
	bool asked = false;
	int r = 0;

	if (!file)
		r = error_set(err, ERROR_USAGE, errno, "cannot read the key %s: %s", path, strerror(errno));
	else if (!key)
		r = swpg_no_memory(err);
	if (r == 0) {
		key->id = key_id;
		key->pair = read_pair(file, &key->private, &asked);
		if (!key->pair)
			r = error_set(err, ERROR_USAGE, EBADMSG, "%s: %s", path,
			              asked ? "the key has a passphrase; only one without can be used" : "is no key in PEM form");
		else if (!is_p256(key->pair))
			r = error_set(err, ERROR_USAGE, EBADMSG, "%s: is not an EC key of the curve P-256", path);
	}
	if (file)
		(void)fclose(file);
	if (r < 0) {
		swpg_key_free(key);
		return r;
	}
	*ret = key;
	return 0;
}

void swpg_key_free(struct swpg_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pair);
	free(key);
}

uint32_t swpg_key_id(const struct swpg_key *key)
{
	return key->id;
}

void swpg_key_set_id(struct swpg_key *key, uint32_t key_id)
{
	key->id = key_id;
}

bool swpg_key_is_private(const struct swpg_key *key)
{
	return key->private;
}

/* ---- ECDSA ------------------------------------------------------------------------------------------------------- */

static bool from_der(const uint8_t *der, size_t length, uint8_t signature[SWPG_SIGNATURE_BYTES])
{
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)length);
	bool done = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
	            BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32;

	ECDSA_SIG_free(pair);
	return done;
}

size_t swpg_ecdsa_der(const uint8_t signature[SWPG_SIGNATURE_BYTES], uint8_t ret_der[80])
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
	int length = 0;

	if (pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
		r = NULL;
		s = NULL;
		length = i2d_ECDSA_SIG(pair, &(unsigned char *){ret_der});
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(pair);
	return length > 0 ? (size_t)length : 0;
}

int swpg_ecdsa_sign(const struct swpg_key *key, const uint8_t digest[SWPG_DIGEST_BYTES], bool random,
                    uint8_t ret_signature[SWPG_SIGNATURE_BYTES], struct error *err)
{
	unsigned int deterministic = random ? 0 : 1;
	OSSL_PARAM parameters[] = {OSSL_PARAM_construct_uint(OSSL_SIGNATURE_PARAM_NONCE_TYPE, &deterministic), OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *context;
	uint8_t der[80];
	size_t length = sizeof(der);
	bool done;

	if (!key->private)
		return error_set(err, ERROR_USAGE, EINVAL, "the key can verify only: signing needs the private one");
	context = EVP_PKEY_CTX_new(key->pair, NULL);
	done = context && EVP_PKEY_sign_init(context) > 0 && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0 &&
	       EVP_PKEY_CTX_set_params(context, parameters) > 0 && EVP_PKEY_sign(context, der, &length, digest, SWPG_DIGEST_BYTES) > 0 &&
	       from_der(der, length, ret_signature);
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return done ? 0 : error_set(err, ERROR_BENCH, EIO, "OpenSSL could not sign");
}

bool swpg_ecdsa_verify(const struct swpg_key *key, const uint8_t digest[SWPG_DIGEST_BYTES], const uint8_t signature[SWPG_SIGNATURE_BYTES])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pair, NULL);
	uint8_t der[80];
	size_t length = swpg_ecdsa_der(signature, der);
	bool right = context && length > 0 && EVP_PKEY_verify_init(context) > 0 &&
	             EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0 &&
	             EVP_PKEY_verify(context, der, length, digest, SWPG_DIGEST_BYTES) > 0;

	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return right;
}

/* ---- the kinds of trailers ----------------------------------------------------------------------------------------- */

static int ecdsa_trailer_sign(const struct swpg_key *key, const uint8_t digest[SWPG_DIGEST_BYTES], uint8_t *trailer, struct error *err)
{
	memcpy(trailer, digest, SWPG_DIGEST_BYTES);
	return swpg_ecdsa_sign(key, digest, false, trailer + SWPG_DIGEST_BYTES, err);
}

/* 1 when r or s (32 bytes) is in range, 0 with a finding, or -ENOMEM. */
static int judge_number(char name, const uint8_t *number, struct bytes *findings)
{
	static const uint8_t zero[32];
	int r = 1;

	if (memcmp(number, zero, sizeof(zero)) == 0)
		r = swpg_finding(findings, "signature: %c is 0", name);
	else if (memcmp(number, swpg_p256_order, sizeof(swpg_p256_order)) >= 0)
		r = swpg_finding(findings, "signature: %c is not below the order of the curve", name);
	return r;
}

static int ecdsa_trailer_judge(const struct swpg_key *key, const uint8_t *digest, const uint8_t *trailer, struct bytes *findings)
{
	const uint8_t *signature = trailer + SWPG_DIGEST_BYTES;
	int r = 0, in_range, also;

	if (digest && memcmp(digest, trailer, SWPG_DIGEST_BYTES) != 0) {
		char *told = bytes_to_hex(trailer, SWPG_DIGEST_BYTES, 8), *computed = bytes_to_hex(digest, SWPG_DIGEST_BYTES, 8);

		r = swpg_finding(findings, "digest: %s, computed %s", told ? told : "?", computed ? computed : "?");
		free(told);
		free(computed);
	}
	in_range = judge_number('r', signature, findings);
	also = judge_number('s', signature + 32, findings);
	if (r < 0 || in_range < 0 || also < 0)
		return -ENOMEM;
	if (!key)
		return swpg_finding(findings, "signature: not checked, no key is given");
	if (in_range && also && !swpg_ecdsa_verify(key, trailer, signature))
		return swpg_finding(findings, "signature: is not one of this key over the trailer's digest");
	return 0;
}

const struct swpg_kind *swpg_kind_find(uint32_t number)
{
	static const struct swpg_kind kinds[] = {
	        {1, SWPG_TRAILER_BYTES, "ECDSA P-256 with SHA-256", ecdsa_trailer_sign, ecdsa_trailer_judge},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].number == number)
			return &kinds[i];
	return NULL;
}
