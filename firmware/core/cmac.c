/* SPDX-License-Identifier: Apache-2.0 */
#include "cmac.h"

#include <mbedtls/cipher.h>
#include <mbedtls/cmac.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#define KEY_LENGTH 16u
#define KEY_BITS   128

static struct {
	uint8_t key[KEY_LENGTH];
	mbedtls_cipher_context_t cipher;
} keys[CMAC_MAX_KEYS];
static uint8_t key_count;

static bool start(mbedtls_cipher_context_t *cipher, const uint8_t *key)
{
	const mbedtls_cipher_info_t *aes = mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_ECB);

	return aes != NULL && mbedtls_cipher_setup(cipher, aes) == 0 && mbedtls_cipher_cmac_starts(cipher, key, KEY_BITS) == 0;
}

enum port_status cmac_open(const uint8_t key[16], uint8_t *ret_handle)
{
	mbedtls_cipher_context_t *cipher;

	for (uint8_t i = 0; i < key_count; i++) {
		if (memcmp(keys[i].key, key, KEY_LENGTH) != 0)
			continue;
		*ret_handle = i;
		return PORT_OK;
	}
	if (key_count == CMAC_MAX_KEYS)
		return PORT_FULL;
	cipher = &keys[key_count].cipher;
	mbedtls_cipher_init(cipher);
	if (!start(cipher, key)) {
		mbedtls_cipher_free(cipher);
		return PORT_FAILED;
	}
	memcpy(keys[key_count].key, key, KEY_LENGTH);
	*ret_handle = key_count++;
	return PORT_OK;
}

bool cmac_make(uint8_t handle, const uint8_t *data, size_t length, uint8_t mac[CMAC_LENGTH])
{
	mbedtls_cipher_context_t *cipher;

	if (handle >= key_count)
		return false;
	cipher = &keys[handle].cipher;
	return mbedtls_cipher_cmac_reset(cipher) == 0 && mbedtls_cipher_cmac_update(cipher, data, length) == 0 &&
	       mbedtls_cipher_cmac_finish(cipher, mac) == 0;
}

void cmac_close_all(void)
{
	for (uint8_t i = 0; i < key_count; i++)
		mbedtls_cipher_free(&keys[i].cipher);
	mbedtls_platform_zeroize(keys, sizeof(keys));
	key_count = 0;
}

bool cmac_once(const uint8_t key[16], const uint8_t *data, size_t length, uint8_t mac[CMAC_LENGTH])
{
	const mbedtls_cipher_info_t *aes = mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_ECB);
	uint8_t result[CMAC_LENGTH];

	if (aes == NULL || mbedtls_cipher_cmac(aes, key, KEY_BITS, data, length, result) != 0)
		return false;
	memcpy(mac, result, sizeof(result));
	return true;
}
