/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway with one trusted key, and a package for it that a test spoils. */
#ifndef FIRMWARE_TESTS_OTA_IMAGE_BENCH_H
#define FIRMWARE_TESTS_OTA_IMAGE_BENCH_H

#include "../../core/ota_image.h"
#include "../fake_port.h"
#include "bank.h"
#include "maker.h"

#include <check.h>

#define BENCH_SIZE  5000u
#define BENCH_LARGE 100001u

struct image_bench {
	EVP_PKEY *keys[2]; /* the first is object ota.key.1; the second is nobody's */
	struct maker_fields fields;
	uint8_t software[BANK_SIZE];
	uint8_t image[BANK_SIZE + MAKER_HEADER + MAKER_TRAILER];
	size_t length;
};
extern struct image_bench bench;

/* A package of BENCH_SIZE bytes of software, made and signed; banks erased. */
void bench_setup(void);
/* bench.image anew from bench.fields, with right CRC, digest and signature whatever the fields say. */
void bench_make(void);
void bench_make_with(EVP_PKEY *key);
uint8_t *bench_trailer(void);
void bench_seal_crc(void); /* the CRC alone */
void bench_seal_trailer(EVP_PKEY *key);
void bench_install(uint32_t address);
/* Header and trailer of bench.image; nothing is given back unless it is approved. */
enum ota_image_status bench_offer(uint32_t counter);
/* bench.image in bank B. */
enum ota_image_status bench_verify(uint32_t counter);

TCase *image_field_case(void);
TCase *image_trailer_case(void);
TCase *image_flash_case(void);

#endif
