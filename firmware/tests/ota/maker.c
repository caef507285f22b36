/* SPDX-License-Identifier: Apache-2.0 */
#include "maker.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void require(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "maker: %s\n", what);
	abort();
}

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

struct maker_fields maker_defaults(uint32_t size)
{
	return (struct maker_fields){
	        .magic = 0x53575047,
	        .target = MAKER_TARGET,
	        .type = 1,
	        .payload_size = size,
	        .uncompressed_size = size,
	        .version = {1, 1, 0, 7},
	        .timestamp = 1735689600,
	        .serial = 0x01010007,
	        .kind = 1,
	        .trailer_length = MAKER_TRAILER,
	        .key_id = 1,
	        .sequence = 42,
	        .security_counter = 5,
	};
}

void maker_header(const struct maker_fields *fields, uint8_t ret_header[MAKER_HEADER])
{
	uint8_t *at = ret_header;

	at = put(at, fields->magic, 4);
	at = put(at, fields->target, 2);
	at = put(at, fields->type, 1);
	at = put(at, fields->compression, 1);
	at = put(at, fields->payload_size, 4);
	at = put(at, fields->uncompressed_size, 4);
	memcpy(at, fields->version, 4);
	at = put(at + 4, fields->timestamp, 4);
	at = put(at, fields->serial, 4);
	at = put(at, fields->crc32, 4);
	at = put(at, fields->kind, 4);
	at = put(at, fields->trailer_length, 4);
	at = put(at, fields->key_id, 4);
	at = put(at, fields->source, 2);
	at = put(at, fields->hop_count, 2);
	at = put(at, fields->sequence, 4);
	at = put(at, fields->security_counter, 4);
	memcpy(at, fields->reserved, 8);
	require(at + 8 == ret_header + MAKER_HEADER, "layout");
}

uint32_t maker_crc(const uint8_t header[MAKER_HEADER], const uint8_t *software, size_t size)
{
	uint8_t covered[MAKER_HEADER];

	memcpy(covered, header, sizeof(covered));
	memset(covered + 28, 0, 4);
	memset(covered + 46, 0, 2);
	return (uint32_t)crc32_z(crc32_z(0, covered, sizeof(covered)), software, size);
}

void maker_digest(const uint8_t header[MAKER_HEADER], const uint8_t *software, size_t size, uint8_t ret_digest[32])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t covered[MAKER_HEADER];

	memcpy(covered, header, sizeof(covered));
	memset(covered + 46, 0, 2);
	require(context != NULL && EVP_DigestInit(context, EVP_sha256()) && EVP_DigestUpdate(context, covered, sizeof(covered)) &&
	                EVP_DigestUpdate(context, software, size) && EVP_DigestFinal(context, ret_digest, NULL),
	        "digest");
	EVP_MD_CTX_free(context);
}

void maker_sign(EVP_PKEY *key, const uint8_t digest[32], uint8_t ret_signature[64])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	uint8_t der[160];
	const uint8_t *at = der;
	size_t length = sizeof(der);
	ECDSA_SIG *signature;

	require(context != NULL && EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_sign(context, der, &length, digest, 32) == 1, "sign");
	signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
	require(signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, 32) == 32 &&
	                BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + 32, 32) == 32,
	        "r and s");
	ECDSA_SIG_free(signature);
	EVP_PKEY_CTX_free(context);
}

void maker_trailer(EVP_PKEY *key, const uint8_t header[MAKER_HEADER], const uint8_t *software, size_t size,
                   uint8_t ret_trailer[MAKER_TRAILER])
{
	maker_digest(header, software, size, ret_trailer);
	maker_sign(key, ret_trailer, ret_trailer + 32);
}

size_t maker_image(EVP_PKEY *key, const struct maker_fields *fields, const uint8_t *software, size_t size, uint8_t *ret_image)
{
	maker_header(fields, ret_image);
	put(ret_image + 28, maker_crc(ret_image, software, size), 4);
	memcpy(ret_image + MAKER_HEADER, software, size);
	maker_trailer(key, ret_image, software, size, ret_image + MAKER_HEADER + size);
	return MAKER_HEADER + size + MAKER_TRAILER;
}

EVP_PKEY *maker_key(const char *curve)
{
	EVP_PKEY *key = strcmp(curve, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(curve);

	require(key != NULL, "key");
	return key;
}

static size_t take_text(BIO *bio, uint8_t *ret_text)
{
	int length = BIO_read(bio, ret_text, MAKER_KEY_SIZE - 1);

	require(length > 0, "key text");
	ret_text[length] = '\0';
	BIO_free(bio);
	return (size_t)length + 1;
}

size_t maker_public_pem(EVP_PKEY *key, uint8_t *ret_text)
{
	BIO *bio = BIO_new(BIO_s_mem());

	require(bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1, "public key");
	return take_text(bio, ret_text);
}

size_t maker_private_pem(EVP_PKEY *key, uint8_t *ret_text)
{
	BIO *bio = BIO_new(BIO_s_mem());

	require(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, "private key");
	return take_text(bio, ret_text);
}

size_t maker_public_der(EVP_PKEY *key, uint8_t *ret_data)
{
	uint8_t *at = ret_data;
	int length = i2d_PUBKEY(key, NULL);

	require(length > 0 && length <= (int)MAKER_KEY_SIZE && i2d_PUBKEY(key, &at) == length, "public key");
	return (size_t)length;
}

void maker_software(uint32_t seed, uint8_t *ret_software, size_t size)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		ret_software[i] = i / 64 % 2 == 0 ? (uint8_t)state : (uint8_t)(i / 64);
	}
}
