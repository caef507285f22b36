/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a bank is verified (read, CRC-32, SHA-256, one signature), beside the libraries' bare SHA-256 and CRC-32 over the same
 * bytes in the same run. What an offer costs (the signature and little else) is taken off, so that the rate is that of the bytes.
 * The best of many rounds each: what else the machine does only ever adds. Fails below SHARE of the bare rate.
 */
#include "image_bench.h"

#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#define IMAGE     262144u
#define MEGABYTES (IMAGE / 1e6)
#define ROUNDS    100
#define SHARE     0.8

enum work { BARE, VERIFY, OFFER, CRC, WORKS };

static volatile uint32_t sink;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_image: %s\n", what);
	exit(EXIT_FAILURE);
}

static void once(enum work work)
{
	struct ota_image image;
	uint8_t digest[32];

	switch (work) {
	case BARE:
		sink ^= (uint32_t)crc32_z(0, bench.software, IMAGE);
		require(mbedtls_sha256(bench.software, IMAGE, digest, 0) == 0, "sha256");
		break;
	case VERIFY:
		require(ota_image_verify(BANK_B, 1, &image) == OTA_IMAGE_OK, "verify");
		break;
	case OFFER:
		require(bench_offer(1) == OTA_IMAGE_OK, "offer");
		break;
	default:
		sink ^= swpg_crc32(0, bench.software, IMAGE);
	}
}

int main(void)
{
	double best[WORKS] = {1e9, 1e9, 1e9, 1e9}, bytes, share;

	bench_setup();
	bench.fields = maker_defaults(IMAGE);
	bench_make();
	bench_install(BANK_B);
	for (int i = 0; i < ROUNDS * WORKS; i++) { /* in turn, so that a busy machine meets all */
		double begin = seconds(), took;

		once((enum work)(i % WORKS));
		took = seconds() - begin;
		if (took < best[i % WORKS])
			best[i % WORKS] = took;
	}
	bytes = best[VERIFY] - best[OFFER];
	share = best[BARE] / bytes;
	printf("%u KiB verified in %.2f ms: %.2f ms for key and signature, %.0f MB/s for the bytes; CRC-32 alone %.0f MB/s\n", IMAGE / 1024,
	       best[VERIFY] * 1e3, best[OFFER] * 1e3, MEGABYTES / bytes, MEGABYTES / best[CRC]);
	printf("%.2f of bare SHA-256 and CRC-32 (%.0f MB/s)\n", share, MEGABYTES / best[BARE]);
	require(share >= SHARE, "slower than its share");
	return EXIT_SUCCESS;
}
