/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many PDUs a second are made and verified, beside bare mbedTLS with a reused context in the same run: the demo
 * layout, with the freshness kept in (the fake port's) memory for each one. Fails below SHARE of the bare rate.
 */
#include "bench.h"

#include <mbedtls/cipher.h>
#include <mbedtls/cmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PDUS   200000u
#define ROUNDS 7
#define SHARE  0.6
#define INPUT  19u /* 13 bytes of data and 6 of freshness */

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
	fprintf(stderr, "bench_secoc: %s\n", what);
	exit(EXIT_FAILURE);
}

static double bare(void)
{
	mbedtls_cipher_context_t cipher;
	uint8_t input[INPUT] = {0}, mac[16];
	double begin;

	mbedtls_cipher_init(&cipher);
	require(mbedtls_cipher_setup(&cipher, mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_ECB)) == 0, "setup");
	require(mbedtls_cipher_cmac_starts(&cipher, secoc_bench_key, 128) == 0, "key");
	begin = seconds();
	for (unsigned i = 0; i < PDUS; i++) {
		memcpy(input, &i, sizeof(i));
		require(mbedtls_cipher_cmac_reset(&cipher) == 0 && mbedtls_cipher_cmac_update(&cipher, input, INPUT) == 0 &&
		                mbedtls_cipher_cmac_finish(&cipher, mac) == 0,
		        "cmac");
	}
	begin = seconds() - begin;
	mbedtls_cipher_free(&cipher);
	return PDUS / begin;
}

static void both(double *make, double *verify)
{
	static uint8_t pdus[PDUS][16];
	struct secoc_pdu_config config = secoc_bench_demo(false);
	uint8_t data[16] = {0}, sender, receiver;
	size_t length;
	double begin;

	secoc_bench_setup(NULL);
	sender = secoc_bench_open(&config, 0);
	receiver = secoc_bench_open(&config, 1);
	memset(pdus, 1, sizeof(pdus)); /* no page is taken while the clock runs */
	begin = seconds();
	for (unsigned i = 0; i < PDUS; i++)
		require(secoc_make(sender, data, pdus[i], 16, &length) == PORT_OK, "make");
	*make = PDUS / (seconds() - begin);
	begin = seconds();
	for (unsigned i = 0; i < PDUS; i++)
		require(secoc_verify(receiver, pdus[i], 16) == SECOC_OK, "verify");
	*verify = PDUS / (seconds() - begin);
}

static void keep_best(double *best, double value)
{
	if (value > *best)
		*best = value;
}

int main(void)
{
	double floor = 0, make = 0, verify = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double made, verified;

		keep_best(&floor, bare());
		both(&made, &verified);
		keep_best(&make, made);
		keep_best(&verify, verified);
	}
	printf("bare mbedTLS: %.0f MAC/s, reused context, best of %d rounds of %u\n", floor, ROUNDS, PDUS);
	printf("secoc make:   %.0f PDU/s, %.2f of it\n", make, make / floor);
	printf("secoc verify: %.0f PDU/s, %.2f of it (wanted: %.2f)\n", verify, verify / floor, SHARE);
	return make >= SHARE * floor && verify >= SHARE * floor ? EXIT_SUCCESS : EXIT_FAILURE;
}
