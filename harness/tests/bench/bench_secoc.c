/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SecOC of the bench beside the bare library: CMAC by EVP_MAC with one context that is used again and again, over an input
 * of the same length. The two take turns.
 *
 *   make, verify a second      wanted: at least 0.60 of the bare library, and 20 times the fastest bus of the table
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/loop.h"
#include "../../proto/secoc.h"

#define ROUNDS        9
#define PDUS          400000
#define BUS_FRAMES_NS 49100 /* shortest 16-byte frame at 1M/8M */

static const uint8_t bytes[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static volatile uint8_t sink;

static _Noreturn void give_up(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	exit(1);
}

/* Freshness written into the input, MAC cut: what nobody can do without. */
static double bare(EVP_MAC_CTX *context)
{
	uint8_t input[19] = {0}, mac[16];
	int64_t begin_ns = loop_now_ns();
	size_t length;

	for (uint32_t i = 0; i < PDUS; i++) {
		be32_write(input + 15, i);
		if (!EVP_MAC_init(context, NULL, 0, NULL) || !EVP_MAC_update(context, input, sizeof(input)) ||
		    !EVP_MAC_final(context, mac, &length, sizeof(mac)))
			give_up("EVP_MAC");
		sink = mac[0];
	}
	return PDUS * 1e9 / (double)(loop_now_ns() - begin_ns);
}

static double make(struct secoc_key *key, const struct secoc_layout *layout)
{
	uint8_t authentic[13] = {0};
	struct bytes pdu = {0};
	int64_t begin_ns = loop_now_ns();

	for (uint32_t i = 0; i < PDUS; i++) {
		bytes_clear(&pdu);
		if (secoc_make(key, layout, authentic, i, NULL, &pdu) < 0)
			give_up("make");
	}
	bytes_free(&pdu);
	return PDUS * 1e9 / (double)(loop_now_ns() - begin_ns);
}

static double verify(struct secoc_key *key, const struct secoc_layout *layout)
{
	uint8_t authentic[13] = {0};
	struct bytes pdu = {0};
	int64_t begin_ns;

	if (secoc_make(key, layout, authentic, 7, NULL, &pdu) < 0)
		give_up("make");
	begin_ns = loop_now_ns();
	for (uint32_t i = 0; i < PDUS; i++)
		if (!secoc_is_right(key, layout, pdu.data, pdu.length, secoc_candidate(layout, pdu.data, pdu.length, 6)))
			give_up("verify");
	bytes_free(&pdu);
	return PDUS * 1e9 / (double)(loop_now_ns() - begin_ns);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *rates, double *floors)
{
	double ratios[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ratios[i] = rates[i] / floors[i];
	qsort(ratios, ROUNDS, sizeof(*ratios), by_size);
	qsort(rates, ROUNDS, sizeof(*rates), by_size);
	printf("%-28s hilbench %6.2f M/s   ratio to the bare library p50 %.2f (min %.2f max %.2f)   %.0f times the fastest bus\n", what,
	       rates[ROUNDS / 2] / 1e6, ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1], rates[ROUNDS / 2] * BUS_FRAMES_NS / 1e9);
}

int main(void)
{
	char cipher[] = "AES-128-CBC";
	OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0), OSSL_PARAM_construct_end()};
	double floors[ROUNDS], made[ROUNDS], verified[ROUNDS];
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	struct secoc_layout layout = {0};
	struct secoc_key *key;

	if (!context || !EVP_MAC_init(context, bytes, sizeof(bytes), parameters) || secoc_key_new(&key, bytes) < 0 ||
	    secoc_layout_preset("demo", &layout) < 0)
		give_up("no CMAC");
	for (int i = 0; i < ROUNDS; i++) {
		floors[i] = bare(context);
		made[i] = make(key, &layout);
		verified[i] = verify(key, &layout);
	}
	print("SecOC make (wanted 0.60)", made, floors);
	print("SecOC verify (wanted 0.60)", verified, floors);
	secoc_key_free(key);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return 0;
}
