/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128-CMAC (RFC 4493, NIST SP 800-38B) by mbedTLS. */
#ifndef FIRMWARE_CORE_CMAC_H
#define FIRMWARE_CORE_CMAC_H

#include "../port.h"

#define CMAC_LENGTH   16u
#define CMAC_MAX_KEYS 4u

/* Makes a key ready for cmac_make(): its schedule is computed once. The same key again gives the same handle.
 * PORT_FULL: CMAC_MAX_KEYS are open; PORT_FAILED: the crypto library has no memory. */
enum port_status cmac_open(const uint8_t key[16], uint8_t *ret_handle);
/* False when the library fails; mac is then undefined. */
bool cmac_make(uint8_t handle, const uint8_t *data, size_t length, uint8_t mac[CMAC_LENGTH]);
/* Forgets all keys. */
void cmac_close_all(void);

/* With a key used once. False when the library has no memory; mac is then untouched. */
bool cmac_once(const uint8_t key[16], const uint8_t *data, size_t length, uint8_t mac[CMAC_LENGTH]);

#endif
