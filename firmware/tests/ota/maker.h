/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages for the tests, right ones and wrong ones, from docs/reference/package.md alone: with OpenSSL and zlib, without
 * any code of the firmware. Fields are laid out as given, so a package can be wrong in one thing and signed all the same.
 */
#ifndef FIRMWARE_TESTS_OTA_MAKER_H
#define FIRMWARE_TESTS_OTA_MAKER_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#define MAKER_HEADER  64u
#define MAKER_TRAILER 96u
#define MAKER_TARGET  0x0091u

struct maker_fields {
	uint32_t magic;
	uint16_t target;
	uint8_t type, compression;
	uint32_t payload_size, uncompressed_size;
	uint8_t version[4];
	uint32_t timestamp, serial, crc32;
	uint32_t kind, trailer_length, key_id;
	uint16_t source, hop_count;
	uint32_t sequence, security_counter;
	uint8_t reserved[8];
};

/* Version 1.1.0.7, key 1, counter 5, uncompressed; all fields right for `size` bytes of software, but for the CRC. */
struct maker_fields maker_defaults(uint32_t size);
void maker_header(const struct maker_fields *fields, uint8_t ret_header[MAKER_HEADER]);

/* The CRC-32 that belongs to header and software; the digest. */
uint32_t maker_crc(const uint8_t header[MAKER_HEADER], const uint8_t *software, size_t size);
void maker_digest(const uint8_t header[MAKER_HEADER], const uint8_t *software, size_t size, uint8_t ret_digest[32]);
void maker_sign(EVP_PKEY *key, const uint8_t digest[32], uint8_t ret_signature[64]);
/* Digest and signature of header (as it is) and software. */
void maker_trailer(EVP_PKEY *key, const uint8_t header[MAKER_HEADER], const uint8_t *software, size_t size,
                   uint8_t ret_trailer[MAKER_TRAILER]);
/* Header with the right CRC, software and trailer, one after the other; returns their length. */
size_t maker_image(EVP_PKEY *key, const struct maker_fields *fields, const uint8_t *software, size_t size, uint8_t *ret_image);

/* A new key; public key as PEM (with its NUL) or DER, private key as PEM. Buffers of MAKER_KEY_SIZE. */
#define MAKER_KEY_SIZE 2048u
EVP_PKEY *maker_key(const char *curve);
size_t maker_public_pem(EVP_PKEY *key, uint8_t *ret_text);
size_t maker_public_der(EVP_PKEY *key, uint8_t *ret_data);
size_t maker_private_pem(EVP_PKEY *key, uint8_t *ret_text);

/* Bytes that look like a program: half of them compressible, the same for the same seed. */
void maker_software(uint32_t seed, uint8_t *ret_software, size_t size);

#endif
