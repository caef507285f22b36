/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a software package and the kinds of its trailer (docs/reference/package.md). Pure: no port, no state. */
#ifndef FIRMWARE_CORE_SWPG_H
#define FIRMWARE_CORE_SWPG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWPG_MAGIC       0x53575047u
#define SWPG_HEADER_SIZE 64u
#define SWPG_DIGEST_SIZE 32u
#define SWPG_MAX_TRAILER 128u /* of the longest kind in the table */
#define SWPG_MAX_HOPS    8u

enum swpg_type { SWPG_APPLICATION = 1, SWPG_BOOTLOADER = 2, SWPG_CALIBRATION = 3 };
enum swpg_compression { SWPG_NONE = 0, SWPG_GZIP = 1 };
enum swpg_kind { SWPG_UNSIGNED = 0, SWPG_ECDSA_P256 = 1 };
/* X(kind, bytes of its trailer, name). Another kind is a line here and the function ota_image_kind_NAME(). Every trailer
 * begins with the digest. */
#define SWPG_KIND_LIST(X) X(SWPG_ECDSA_P256, 96u, ecdsa_p256)
/* 2020-01-01: nothing that this format carries is older. */
#define SWPG_EARLIEST 1577836800u
/* A gzip stream may be longer than what is in it by its header fields and what stored blocks cost: this, and 1/1024. */
#define SWPG_MAX_GROWTH 66560u
/* Shortest gzip stream: header 10, an empty block 2, CRC-32 and length 8. */
#define SWPG_MIN_GZIP 20u

struct swpg_header {
	uint16_t target, source, hop_count;
	uint8_t type, compression;
	uint32_t payload_size, uncompressed_size;
	uint8_t version[4];
	uint32_t timestamp, serial, crc32;
	uint32_t kind, trailer_length, key_id;
	uint32_t sequence, security_counter;
	uint8_t reserved[8];
};

enum swpg_status {
	SWPG_OK,
	SWPG_BAD_MAGIC,
	SWPG_BAD_TARGET,
	SWPG_BAD_TYPE,
	SWPG_BAD_COMPRESSION,
	SWPG_BAD_SIZE,
	SWPG_BAD_VERSION,
	SWPG_BAD_TIME,
	SWPG_BAD_KIND,
	SWPG_BAD_COUNTER,
	SWPG_BAD_SEQUENCE,
	SWPG_BAD_HOPS,
	SWPG_BAD_RESERVED
};

void swpg_decode(const uint8_t bytes[SWPG_HEADER_SIZE], struct swpg_header *ret_header, uint32_t *ret_magic);
/* Everything that the header says against itself; area_size: bytes for header, software and trailer in the bank. Signed kinds only. */
enum swpg_status swpg_check(uint32_t magic, const struct swpg_header *header, uint32_t area_size);
/* Length of a kind's trailer, 0 for an unknown kind. */
uint32_t swpg_trailer_length(uint32_t kind);
/* The header as CRC and digest see it: hop_count zero; for the CRC also crc32 zero. */
void swpg_canonical(const uint8_t bytes[SWPG_HEADER_SIZE], bool for_crc, uint8_t ret_bytes[SWPG_HEADER_SIZE]);
/* -1, 0, 1: by major, minor, patch, build. */
int swpg_compare_versions(const uint8_t a[4], const uint8_t b[4]);
/* CRC-32 (IEEE 802.3), begun with 0, continued with the last result. */
uint32_t swpg_crc32(uint32_t crc, const uint8_t *data, size_t length);

#endif
