/* SPDX-License-Identifier: Apache-2.0 */
#include "image_bench.h"

#include <string.h>

struct image_bench bench;
static uint8_t key_text[MAKER_KEY_SIZE];

void bench_setup(void)
{
	fake_port_clear();
	bank_clear();
	memset(&bench, 0, sizeof(bench));
	bench.keys[0] = maker_key("P-256");
	bench.keys[1] = maker_key("P-256");
	fake_object_set("ota.key.1", key_text, maker_public_pem(bench.keys[0], key_text));
	maker_software(11, bench.software, sizeof(bench.software));
	bench.fields = maker_defaults(BENCH_SIZE);
	bench_make();
	ota_image_start(MAKER_TARGET);
}

void bench_make_with(EVP_PKEY *key)
{
	/* A size that lies is not followed out of the buffer. */
	size_t size = bench.fields.uncompressed_size < sizeof(bench.software) ? bench.fields.uncompressed_size : BENCH_SIZE;

	bench.length = maker_image(key, &bench.fields, bench.software, size, bench.image);
}

void bench_make(void)
{
	bench_make_with(bench.keys[0]);
}

uint8_t *bench_trailer(void)
{
	return bench.image + bench.length - MAKER_TRAILER;
}

static size_t software_size(void)
{
	return bench.length - MAKER_HEADER - MAKER_TRAILER;
}

void bench_seal_crc(void)
{
	uint32_t crc = maker_crc(bench.image, bench.image + MAKER_HEADER, software_size());

	for (unsigned i = 0; i < 4; i++)
		bench.image[28 + i] = (uint8_t)(crc >> 8 * i);
}

void bench_seal_trailer(EVP_PKEY *key)
{
	maker_trailer(key, bench.image, bench.image + MAKER_HEADER, software_size(), bench_trailer());
}

void bench_install(uint32_t address)
{
	bank_put(address, bench.image, bench.length);
}

static enum ota_image_status untouched(enum ota_image_status status, const struct ota_image *image)
{
	static const struct ota_image none;

	if (status != OTA_IMAGE_OK && memcmp(image, &none, sizeof(none)) != 0)
		ck_abort_msg("an image that is refused is given back");
	return status;
}

enum ota_image_status bench_offer(uint32_t counter)
{
	struct ota_image image;

	memset(&image, 0, sizeof(image));
	return untouched(ota_image_check_offer(bench.image, bench_trailer(), MAKER_TRAILER, counter, &image), &image);
}

enum ota_image_status bench_verify(uint32_t counter)
{
	struct ota_image image;

	memset(&image, 0, sizeof(image));
	bench_install(BANK_B);
	return untouched(ota_image_verify(BANK_B, counter, &image), &image);
}
