/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: what makes a package or the content of a bank one that may run. Keys are the objects "ota.key.1".."ota.key.8"
 * (public keys, PEM or DER; the number is the key id); "ota.revoked" is a parameter, a comma-separated list of ids.
 * "ota.sources" lists who may send besides the OEM; this board itself never may (a loop). A list that cannot be read is
 * reported on the console and taken at its strictest: no source but the OEM, every key revoked.
 * mbedTLS needs its memory for keys and signatures (tls_start() or the port has given it).
 */
#ifndef FIRMWARE_CORE_OTA_IMAGE_H
#define FIRMWARE_CORE_OTA_IMAGE_H

#include "../port.h"
#include "swpg.h"

enum ota_image_status {
	OTA_IMAGE_OK,
	OTA_IMAGE_ABSENT,    /* no header there: the magic number is not, or (erased) cannot be read */
	OTA_IMAGE_MALFORMED, /* swpg_check(), or a trailer that is not of its kind (r or s out of range) */
	OTA_IMAGE_FOREIGN,   /* target, type or source is not of this board */
	OTA_IMAGE_OLD,       /* security counter below `counter` */
	OTA_IMAGE_KEY,       /* key unknown or revoked */
	OTA_IMAGE_SIGNATURE,
	OTA_IMAGE_CRC,
	OTA_IMAGE_DIGEST,
	OTA_IMAGE_UNREADABLE, /* ECC error behind the magic number */
};

struct ota_image {
	struct swpg_header header;
	uint8_t digest[SWPG_DIGEST_SIZE];
	uint32_t software; /* mapped address of the software */
};

/* Parameters (address of this board, sources, revoked keys) are read once. `target` is the board's logical address. */
void ota_image_start(uint16_t target);

/* Header and trailer alone: form, target, type, sizes, counter (at least `counter`), key, signature over the digest. */
enum ota_image_status ota_image_check_offer(const uint8_t header[SWPG_HEADER_SIZE], const uint8_t *trailer, size_t trailer_length,
                                            uint32_t counter, struct ota_image *ret_image);

/* The whole image that begins at a mapped address, in steps, so that a server stays alive: begin, then step until it is not
 * PORT_WOULD_BLOCK. A step reads at most 16 KiB. PORT_OK: *ret_status says what it is; *ret_image is filled for OTA_IMAGE_OK.
 * One verification at a time; a bank that is busy is asked again by the next step, without limit. */
void ota_image_verify_begin(uint32_t address, uint32_t counter);
enum port_status ota_image_verify_step(enum ota_image_status *ret_status, struct ota_image *ret_image);
/* All steps at once: for the bootloader. A bank that is busy for more than 3 s is OTA_IMAGE_UNREADABLE. */
enum ota_image_status ota_image_verify(uint32_t address, uint32_t counter, struct ota_image *ret_image);
/* Header only, unverified: false when there is none that decodes. The digest is the trailer's, zero when it cannot be read. */
bool ota_image_peek(uint32_t address, struct ota_image *ret_image);

#endif
