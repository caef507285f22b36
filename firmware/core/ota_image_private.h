/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_CORE_OTA_IMAGE_PRIVATE_H
#define FIRMWARE_CORE_OTA_IMAGE_PRIVATE_H

#include "ota_image.h"

/* ---- ota_image_policy.c: what this board takes ----------------------------------------------------------------- */
void ota_image_policy_load(uint16_t target);
/* Target, type and source. */
bool ota_image_is_for_us(const struct swpg_header *header);
bool ota_image_key_revoked(uint32_t key_id);

/* ---- ota_image_kind.c: the trailers ---------------------------------------------------------------------------- */
/* One function a kind: OTA_IMAGE_OK, _MALFORMED, _KEY or _SIGNATURE. key: the object of the trailer's key id, NULL when
 * there is none that counts; the trailer's form is judged before the key is needed. */
#define KIND_FUNCTION(symbol, length, name)                                                                                                \
	enum ota_image_status ota_image_kind_##name(const uint8_t *key, size_t key_length, const uint8_t *trailer);
SWPG_KIND_LIST(KIND_FUNCTION)
#undef KIND_FUNCTION
/* The trailer's signature, by its kind's function. The header has passed swpg_check(). */
enum ota_image_status ota_image_check_signature(const struct swpg_header *header, const uint8_t *trailer);

/* ---- ota_image.c ------------------------------------------------------------------------------------------------ */
/* All that header and trailer tell without the software. */
enum ota_image_status ota_image_check_ends(uint32_t magic, const struct swpg_header *header, const uint8_t *trailer, uint32_t area_size,
                                           uint32_t counter);
/* Bytes from a mapped address to the end of its bank, 0 when it is in none. */
uint32_t ota_image_room(uint32_t address);

#endif
