/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_cmac.h"

#include <mbedtls/cipher.h>
#include <mbedtls/cmac.h>
#include <string.h>

#define KEY_BITS 128

bool uds_cmac(const uint8_t key[16], const uint8_t *data, size_t length, uint8_t mac[16])
{
	const mbedtls_cipher_info_t *aes = mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_ECB);
	uint8_t result[16];

	if (aes == NULL || mbedtls_cipher_cmac(aes, key, KEY_BITS, data, length, result) != 0)
		return false;
	memcpy(mac, result, sizeof(result));
	return true;
}
