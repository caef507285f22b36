/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and verifying packages beside what nobody can do without: gzip (zlib, the same level), SHA-256 (OpenSSL) and CRC-32
 * (zlib) over the same software, into buffers that are there already. The two take turns.
 *
 *   build, verify, MB of software a second      wanted: at least 0.80 of the libraries alone
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../../base/loop.h"
#include "../../proto/swpg.h"

#define ROUNDS         9
#define SOFTWARE_BYTES (3u << 20) /* a bank */

static uint8_t software[SOFTWARE_BYTES], stream[SOFTWARE_BYTES + 65536], opened[SOFTWARE_BYTES];
static volatile uint32_t sink;

static _Noreturn void give_up(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	exit(1);
}

/* This program's own code, again and again with another byte here and there: compresses like code. */
static void make_software(void)
{
	FILE *file = fopen("/proc/self/exe", "rb");
	size_t length = file ? fread(software, 1, sizeof(software), file) : 0;
	uint32_t state = 1;

	if (length == 0)
		give_up("/proc/self/exe");
	(void)fclose(file);
	for (size_t i = length; i < sizeof(software); i++) {
		state = state * 1664525u + 1013904223u;
		software[i] = software[i - length] ^ (uint8_t)(state >> 24 < 24 ? state >> 16 : 0);
	}
}

static struct swpg_key *make_key(void)
{
	char path[] = "/tmp/bench-swpg-XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	struct swpg_key *key;

	if (!file || !pair || !PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL) || fclose(file) != 0 ||
	    swpg_key_load(&key, path, 1, NULL) < 0)
		give_up("key");
	(void)unlink(path);
	EVP_PKEY_free(pair);
	return key;
}

static void bare_sums(const void *data)
{
	uint8_t digest[32];

	sink = (uint32_t)crc32_z(0, data, SOFTWARE_BYTES);
	if (!EVP_Digest(data, SOFTWARE_BYTES, digest, NULL, EVP_sha256(), NULL))
		give_up("EVP_Digest");
	sink = digest[0];
}

static void bare_build(bool gzip)
{
	z_stream z = {.next_in = software, .avail_in = SOFTWARE_BYTES, .next_out = stream, .avail_out = sizeof(stream)};

	if (gzip) {
		if (deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY) != Z_OK || deflate(&z, Z_FINISH) != Z_STREAM_END)
			give_up("deflate");
		deflateEnd(&z);
	} else {
		memcpy(stream, software, SOFTWARE_BYTES);
	}
	bare_sums(software);
}

static void bare_verify(const struct swpg_view *view)
{
	z_stream z = {.next_in = (z_const Bytef *)view->payload,
	              .avail_in = (uInt)view->payload_length,
	              .next_out = opened,
	              .avail_out = sizeof(opened)};

	if (view->fields.compression == 0) {
		bare_sums(view->payload);
		return;
	}
	if (inflateInit2(&z, 31) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
		give_up("inflate");
	inflateEnd(&z);
	bare_sums(opened);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, bool gzip, double *rates, double *floors)
{
	double ratios[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ratios[i] = rates[i] / floors[i];
	qsort(ratios, ROUNDS, sizeof(*ratios), by_size);
	qsort(rates, ROUNDS, sizeof(*rates), by_size);
	printf("%-7s %-5s hilbench %7.1f MB/s   ratio to the libraries alone p50 %.2f (min %.2f max %.2f)\n", what, gzip ? "gzip" : "plain",
	       rates[ROUNDS / 2] / 1e6, ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
}

static double rate(int64_t begin_ns)
{
	return SOFTWARE_BYTES * 1e9 / (double)(loop_now_ns() - begin_ns);
}

static void measure(const struct swpg_key *key, bool gzip)
{
	const struct swpg_options options = {.target = 0x91,
	                                     .compression = gzip,
	                                     .version = {1},
	                                     .timestamp = 1767225600,
	                                     .sequence = 1,
	                                     .security_counter = 1,
	                                     .key = key};
	double build[ROUNDS], verify[ROUNDS], bare_build_rate[ROUNDS], bare_verify_rate[ROUNDS];
	struct bytes package = {0}, findings = {0};
	struct swpg_view view;
	int64_t begin_ns;

	for (int i = 0; i < ROUNDS; i++) {
		begin_ns = loop_now_ns();
		if (swpg_build(&options, software, SOFTWARE_BYTES, &package, NULL) < 0)
			give_up("build");
		build[i] = rate(begin_ns);
		begin_ns = loop_now_ns();
		bare_build(gzip);
		bare_build_rate[i] = rate(begin_ns);
		if (swpg_parse(package.data, package.length, &view, NULL) < 0)
			give_up("parse");
		begin_ns = loop_now_ns();
		if (swpg_verify(&view, key, 1, &findings, NULL) < 0 || findings.length > 0)
			give_up("verify");
		verify[i] = rate(begin_ns);
		begin_ns = loop_now_ns();
		bare_verify(&view);
		bare_verify_rate[i] = rate(begin_ns);
	}
	print("build", gzip, build, bare_build_rate);
	print("verify", gzip, verify, bare_verify_rate);
	bytes_free(&package);
	bytes_free(&findings);
}

int main(void)
{
	struct swpg_key *key = make_key();

	make_software();
	measure(key, true);
	measure(key, false);
	swpg_key_free(key);
	return 0;
}
