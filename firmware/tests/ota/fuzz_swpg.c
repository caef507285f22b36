/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a package as an offer and in a bank. Input: one byte of flags (1 the CRC is made right, 2 the digest, 4 the bank
 * is busy now and then, 8 signatures are ignored by a planted fault), one byte of the page with an ECC error (0 none), then the
 * bytes of the bank. Whoever is approved has a right CRC and digest, made here with other code, and without the fault nobody is:
 * the key is not there.
 */
#include "../../core/ota_image.h"
#include "../../faults/fault.h"
#include "../fake_port.h"
#include "bank.h"

#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TARGET  0x0091u
#define LARGEST (SWPG_HEADER_SIZE + 20000u)

enum flag { RIGHT_CRC = 1, RIGHT_DIGEST = 2, BUSY = 4, NO_SIGNATURE = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t package[LARGEST];
static size_t package_length;

static uint32_t number(size_t at)
{
	return package[at] | (uint32_t)package[at + 1] << 8 | (uint32_t)package[at + 2] << 16 | (uint32_t)package[at + 3] << 24;
}

static uint32_t right_crc(uint32_t software)
{
	uint8_t header[SWPG_HEADER_SIZE];

	memcpy(header, package, sizeof(header));
	memset(header + 28, 0, 4);
	memset(header + 46, 0, 2);
	return (uint32_t)crc32_z(crc32_z(0, header, sizeof(header)), package + sizeof(header), software);
}

static void right_digest(uint32_t software, uint8_t digest[32])
{
	uint8_t covered[LARGEST];

	memcpy(covered, package, SWPG_HEADER_SIZE + software);
	memset(covered + 46, 0, 2);
	if (mbedtls_sha256(covered, SWPG_HEADER_SIZE + software, digest, 0) != 0)
		abort();
}

/* What random bytes would never have right. False: the input is no header with all its software. */
static bool repair(uint8_t flags)
{
	uint32_t software, crc;

	if (package_length < SWPG_HEADER_SIZE)
		return false;
	software = number(12);
	if (software > package_length - SWPG_HEADER_SIZE)
		return false;
	crc = right_crc(software);
	for (unsigned i = 0; (flags & RIGHT_CRC) && i < 4; i++)
		package[28 + i] = (uint8_t)(crc >> 8 * i);
	if ((flags & RIGHT_DIGEST) && package_length - SWPG_HEADER_SIZE - software >= 32)
		right_digest(software, package + SWPG_HEADER_SIZE + software);
	return true;
}

static void judge(const struct ota_image *image)
{
	uint32_t software = image->header.uncompressed_size;
	uint8_t digest[32];

	if (!fault_active(FAULT_OTA_NO_SIGNATURE) || image->header.target != TARGET || image->header.type != 1 || image->header.source != 0)
		abort();
	/* What a page has behind the last byte reads as zero. */
	if (SWPG_HEADER_SIZE + (size_t)software + 96 > BANK_PAGE_UP(package_length) || right_crc(software) != number(28))
		abort();
	right_digest(software, digest);
	if (memcmp(digest, image->digest, sizeof(digest)) != 0 ||
	    memcmp(digest, package + SWPG_HEADER_SIZE + software, sizeof(digest)) != 0)
		abort();
}

static void offer(void)
{
	size_t trailer = package_length < SWPG_HEADER_SIZE ? 0 : package_length - SWPG_HEADER_SIZE;
	struct ota_image image;

	if (package_length < SWPG_HEADER_SIZE)
		return;
	trailer = trailer > SWPG_MAX_TRAILER ? 96 : trailer;
	if (ota_image_check_offer(package, package + package_length - trailer, trailer, 0, &image) == OTA_IMAGE_OK &&
	    !fault_active(FAULT_OTA_NO_SIGNATURE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ota_image image;

	if (size < 2)
		return 0;
	fake_port_clear();
	bank_clear();
	fake_param_set("fault", data[0] & NO_SIGNATURE ? "ota-signature-ignored" : NULL);
	fault_load();
	ota_image_start(TARGET);
	package_length = size - 2 < sizeof(package) ? size - 2 : sizeof(package);
	memset(package, 0, sizeof(package));
	memcpy(package, data + 2, package_length);
	(void)repair(data[0]);
	offer();
	bank_put(BANK_B, package, package_length);
	if (data[1] != 0)
		bank_ecc(BANK_B + (data[1] - 1u) * BANK_PAGE, true);
	bank_busy_every(data[0] & BUSY ? 3 : 0);
	(void)ota_image_peek(BANK_B, &image);
	if (ota_image_verify(BANK_B, 1, &image) == OTA_IMAGE_OK)
		judge(&image);
	return 0;
}
