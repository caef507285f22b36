/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "tls_name.h"

#define TAG_SIZE      16
#define NONCE_SIZE    12
#define EXPLICIT_SIZE 8 /* of the nonce, in each TLS 1.2 AES-GCM record */
#define HASH_MAX      48

struct tls_keys {
	const struct tls_suite *suite;
	bool tls13;
	EVP_CIPHER_CTX *cipher;
	uint8_t iv[NONCE_SIZE];
	uint64_t sequence;
};

static const struct tls_suite suites[] = {
        {0x1301, "TLS_AES_128_GCM_SHA256", false, false, 16},
        {0x1302, "TLS_AES_256_GCM_SHA384", true, false, 32},
        {0x1303, "TLS_CHACHA20_POLY1305_SHA256", false, true, 32},
        {0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", false, false, 16},
        {0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", true, false, 32},
        {0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", false, false, 16},
        {0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", true, false, 32},
        {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false, false, 16},
        {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", true, false, 32},
        {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", false, false, 16},
        {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", true, false, 32},
        {0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false, true, 32},
        {0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", false, true, 32},
        {0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false, true, 32},
};

const struct tls_suite *tls_suite_find(uint16_t number)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		if (suites[i].number == number)
			return &suites[i];
	}
	return NULL;
}

size_t tls_suite_hash_size(const struct tls_suite *suite)
{
	return suite->sha384 ? 48 : 32;
}

static int hmac(const struct tls_suite *suite, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length,
                uint8_t out[HASH_MAX])
{
	unsigned size = HASH_MAX;

	return HMAC(suite->sha384 ? EVP_sha384() : EVP_sha256(), key, (int)key_length, data, length, out, &size) ? 0 : -ENOMEM;
}

/* HKDF-Expand-Label with an empty context. Nothing here is longer than one hash, so one block of HKDF-Expand does. */
static int expand_label(const struct tls_suite *suite, const uint8_t *secret, const char *label, uint8_t *out, size_t length)
{
	uint8_t info[64], block[HASH_MAX];
	size_t label_length = strlen(label), n = 0;
	int r;

	be16_write(info, (uint16_t)length);
	info[2] = (uint8_t)(6 + label_length);
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, label_length);
	n = 9 + label_length;
	info[n++] = 0; /* context */
	info[n++] = 1; /* number of the block */
	r = hmac(suite, secret, tls_suite_hash_size(suite), info, n, block);
	if (r == 0)
		memcpy(out, block, length);
	OPENSSL_cleanse(block, sizeof(block));
	return r;
}

int tls_secret_update(const struct tls_suite *suite, uint8_t *secret)
{
	uint8_t next[HASH_MAX];
	int r = expand_label(suite, secret, "traffic upd", next, tls_suite_hash_size(suite));

	if (r == 0)
		memcpy(secret, next, tls_suite_hash_size(suite));
	OPENSSL_cleanse(next, sizeof(next));
	return r;
}

static const EVP_CIPHER *cipher_of(const struct tls_suite *suite)
{
	if (suite->chacha)
		return EVP_chacha20_poly1305();
	return suite->key_size == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

static struct tls_keys *keys_new(const struct tls_suite *suite, bool tls13, const uint8_t *key, const uint8_t iv[NONCE_SIZE])
{
	struct tls_keys *keys = calloc(1, sizeof(*keys));

	if (!keys)
		return NULL;
	keys->suite = suite;
	keys->tls13 = tls13;
	memcpy(keys->iv, iv, NONCE_SIZE);
	keys->cipher = EVP_CIPHER_CTX_new();
	if (!keys->cipher || EVP_DecryptInit_ex2(keys->cipher, cipher_of(suite), key, NULL, NULL) != 1) {
		tls_keys_free(keys);
		return NULL;
	}
	return keys;
}

struct tls_keys *tls_keys_new_13(const struct tls_suite *suite, const uint8_t *secret)
{
	uint8_t key[32], iv[NONCE_SIZE];
	struct tls_keys *keys = NULL;

	if (expand_label(suite, secret, "key", key, suite->key_size) == 0 && expand_label(suite, secret, "iv", iv, sizeof(iv)) == 0)
		keys = keys_new(suite, true, key, iv);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(iv, sizeof(iv));
	return keys;
}

/* The pseudo random function of TLS 1.2 (RFC 5246 clause 5) over the label "key expansion". */
static int expand_keys(const struct tls_suite *suite, const uint8_t *master, const uint8_t *client_random, const uint8_t *server_random,
                       uint8_t *out, size_t length)
{
	static const char label[] = "key expansion";
	enum { LABEL = sizeof(label) - 1, SEED = LABEL + 64 };
	size_t hash = tls_suite_hash_size(suite), n;
	uint8_t text[HASH_MAX + SEED], a[HASH_MAX], block[HASH_MAX];
	int r;

	memcpy(text + hash, label, LABEL);
	memcpy(text + hash + LABEL, server_random, 32);
	memcpy(text + hash + LABEL + 32, client_random, 32);
	r = hmac(suite, master, TLS_MASTER_SECRET_SIZE, text + hash, SEED, a);
	for (; r == 0 && length > 0; length -= n, out += n) {
		memcpy(text, a, hash);
		r = hmac(suite, master, TLS_MASTER_SECRET_SIZE, text, hash + SEED, block);
		n = length < hash ? length : hash;
		memcpy(out, block, n);
		if (r == 0)
			r = hmac(suite, master, TLS_MASTER_SECRET_SIZE, text, hash, a);
	}
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(a, sizeof(a));
	OPENSSL_cleanse(block, sizeof(block));
	return r;
}

struct tls_keys *tls_keys_new_12(const struct tls_suite *suite, const uint8_t master[TLS_MASTER_SECRET_SIZE],
                                 const uint8_t client_random[32], const uint8_t server_random[32], bool client_side)
{
	uint8_t block[2 * (32 + NONCE_SIZE)], iv[NONCE_SIZE] = {0};
	size_t key_size = suite->key_size, iv_size = suite->chacha ? 12 : 4, which = client_side ? 0 : 1;
	struct tls_keys *keys = NULL;

	if (expand_keys(suite, master, client_random, server_random, block, 2 * (key_size + iv_size)) == 0) {
		memcpy(iv, block + 2 * key_size + which * iv_size, iv_size);
		keys = keys_new(suite, false, block + which * key_size, iv);
	}
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(iv, sizeof(iv));
	return keys;
}

void tls_keys_free(struct tls_keys *keys)
{
	if (!keys)
		return;
	EVP_CIPHER_CTX_free(keys->cipher);
	OPENSSL_cleanse(keys, sizeof(*keys));
	free(keys);
}

/* The nonce of the next record; AES-GCM of TLS 1.2 has a part of it in the record. */
static void make_nonce(const struct tls_keys *keys, const uint8_t *record, uint8_t nonce[NONCE_SIZE])
{
	memcpy(nonce, keys->iv, NONCE_SIZE);
	if (!keys->tls13 && !keys->suite->chacha) {
		memcpy(nonce + 4, record, EXPLICIT_SIZE);
		return;
	}
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] ^= (uint8_t)(keys->sequence >> (8 * (7 - i)));
}

/* Additional data: of TLS 1.3 the record header, of 1.2 the sequence number, type, version and plain length. */
static size_t make_additional(const struct tls_keys *keys, uint8_t type, size_t record_length, size_t plain_length, uint8_t out[13])
{
	size_t n = 0;

	if (!keys->tls13) {
		be32_write(out, (uint32_t)(keys->sequence >> 32));
		be32_write(out + 4, (uint32_t)keys->sequence);
		n = 8;
	}
	out[n] = type;
	be16_write(out + n + 1, TLS_VERSION_1_2);
	be16_write(out + n + 3, (uint16_t)(keys->tls13 ? record_length : plain_length));
	return n + 5;
}

int tls_keys_open(struct tls_keys *keys, uint8_t type, const uint8_t *record, size_t length, uint8_t *out, size_t *ret_length,
                  uint8_t *ret_type)
{
	uint8_t nonce[NONCE_SIZE], additional[13], tag[TAG_SIZE];
	size_t skip = keys->tls13 || keys->suite->chacha ? 0 : EXPLICIT_SIZE, plain, additional_length;
	int n = 0, rest = 0;

	if (length < skip + TAG_SIZE || length > TLS_RECORD_MAX)
		return -EBADMSG;
	make_nonce(keys, record, nonce);
	plain = length - skip - TAG_SIZE;
	additional_length = make_additional(keys, type, length, plain, additional);
	memcpy(tag, record + length - TAG_SIZE, TAG_SIZE);
	if (EVP_DecryptInit_ex2(keys->cipher, NULL, NULL, nonce, NULL) != 1 ||
	    EVP_DecryptUpdate(keys->cipher, NULL, &n, additional, (int)additional_length) != 1 ||
	    EVP_DecryptUpdate(keys->cipher, out, &n, record + skip, (int)plain) != 1 ||
	    EVP_CIPHER_CTX_ctrl(keys->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) != 1 ||
	    EVP_DecryptFinal_ex(keys->cipher, out + n, &rest) != 1)
		return -EBADMSG;
	if (keys->tls13) {
		/* Zero padding, and the true type before it (RFC 8446 clause 5.2). */
		while (plain > 0 && out[plain - 1] == 0)
			plain--;
		if (plain == 0)
			return -EBADMSG;
		type = out[--plain];
	}
	keys->sequence++;
	*ret_length = plain;
	*ret_type = type;
	return 0;
}
