/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_CORE_UDS_CMAC_H
#define FIRMWARE_CORE_UDS_CMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* AES-128-CMAC (RFC 4493). False when the crypto library has no memory; mac is then untouched. */
bool uds_cmac(const uint8_t key[16], const uint8_t *data, size_t length, uint8_t mac[16]);

#endif
