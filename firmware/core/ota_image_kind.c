/* SPDX-License-Identifier: Apache-2.0 */
/* The key ring and the kinds of signatures. */
#include "../faults/fault.h"
#include "ota_image_private.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <string.h>

#define MAX_KEYS 8u
#define P256     32u /* bytes of a coordinate, of r and of s */

/* Order of the group of P-256 (FIPS 186-5 / SP 800-186, 3.2.1.3), big-endian. */
static const uint8_t p256_order[P256] = {
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
};

static const struct {
	uint32_t kind;
	enum ota_image_status (*check)(const uint8_t *key, size_t key_length, const uint8_t *trailer);
} kinds[] = {
#define KIND_ENTRY(symbol, length, name) {symbol, ota_image_kind_##name},
        SWPG_KIND_LIST(KIND_ENTRY)
#undef KIND_ENTRY
};

static bool in_range(const uint8_t scalar[P256])
{
	static const uint8_t zero[P256];

	return memcmp(scalar, zero, P256) != 0 && memcmp(scalar, p256_order, P256) < 0;
}

static bool verify_p256(const mbedtls_ecp_keypair *key, const uint8_t *digest, const uint8_t *signature)
{
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi r, s;
	bool good;

	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	good = mbedtls_ecp_export(key, &group, NULL, &point) == 0 && mbedtls_mpi_read_binary(&r, signature, P256) == 0 &&
	       mbedtls_mpi_read_binary(&s, signature + P256, P256) == 0 &&
	       mbedtls_ecdsa_verify(&group, digest, SWPG_DIGEST_SIZE, &point, &r, &s) == 0;
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&r);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_group_free(&group);
	return good;
}

static bool is_p256(const mbedtls_pk_context *key)
{
	return mbedtls_pk_get_type(key) == MBEDTLS_PK_ECKEY &&
	       mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key)) == MBEDTLS_ECP_DP_SECP256R1;
}

enum ota_image_status ota_image_kind_ecdsa_p256(const uint8_t *key, size_t key_length, const uint8_t *trailer)
{
	const uint8_t *signature = trailer + SWPG_DIGEST_SIZE;
	enum ota_image_status status = OTA_IMAGE_KEY;
	mbedtls_pk_context parsed;

	if (!in_range(signature) || !in_range(signature + P256))
		return OTA_IMAGE_MALFORMED;
	if (key == NULL)
		return OTA_IMAGE_KEY;
	mbedtls_pk_init(&parsed);
	if (mbedtls_pk_parse_public_key(&parsed, key, key_length) == 0 && is_p256(&parsed))
		status = verify_p256(mbedtls_pk_ec(parsed), trailer, signature) ? OTA_IMAGE_OK : OTA_IMAGE_SIGNATURE;
	mbedtls_pk_free(&parsed);
	return status;
}

static const uint8_t *find_key(uint32_t key_id, size_t *ret_length)
{
	char name[] = "ota.key.N";
	const uint8_t *data;

	if (key_id < 1 || key_id > MAX_KEYS || ota_image_key_revoked(key_id))
		return NULL;
	name[sizeof(name) - 2] = (char)('0' + key_id);
	return port_object(name, &data, ret_length) == PORT_OK ? data : NULL;
}

enum ota_image_status ota_image_check_signature(const struct swpg_header *header, const uint8_t *trailer)
{
	size_t key_length = 0;
	const uint8_t *key = find_key(header->key_id, &key_length);

	if (fault_active(FAULT_OTA_NO_SIGNATURE))
		return OTA_IMAGE_OK;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == header->kind)
			return kinds[i].check(key, key_length, trailer);
	return OTA_IMAGE_MALFORMED;
}
