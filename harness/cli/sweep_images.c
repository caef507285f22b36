/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep_images.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/swpg.h"

#define KEY_ID        1u
#define POINT_SIZE    65u
#define TIMESTAMP     1704067200u /* 2024-01-01: the same bytes every day */
#define FIRST_COUNTER 1u

/* Noise that is a function of seed and place (splitmix64). */
static uint64_t noise(uint64_t seed, uint64_t index)
{
	uint64_t x = seed * 0xD1342543DE82EF95u + (index + 1) * 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

/* ---- the key -------------------------------------------------------------------------------------------------------- */

/* Public point of a private scalar. */
static int public_point(const BIGNUM *scalar, unsigned char point[POINT_SIZE])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *product = group ? EC_POINT_new(group) : NULL;
	int ok = product && EC_POINT_mul(group, product, scalar, NULL, NULL, NULL) == 1 &&
	         EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, point, POINT_SIZE, NULL) == POINT_SIZE;

	EC_POINT_free(product);
	EC_GROUP_free(group);
	return ok;
}

static EVP_PKEY *key_of(const BIGNUM *scalar)
{
	unsigned char point[POINT_SIZE];
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *parameters = NULL;

	if (context && build && public_point(scalar, point) &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
		parameters = OSSL_PARAM_BLD_to_param(build);
	if (!parameters || EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
		key = NULL;
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	return key;
}

/* A key that everybody can compute: of a sweep's images only. Below the group's order with its first byte zero. */
static EVP_PKEY *key_of_seed(uint64_t seed)
{
	unsigned char scalar[32] = {0};
	BIGNUM *number;
	EVP_PKEY *key;

	for (unsigned i = 1; i < sizeof(scalar); i++)
		scalar[i] = (unsigned char)noise(seed, UINT64_MAX - i);
	number = BN_bin2bn(scalar, sizeof(scalar), NULL);
	key = number ? key_of(number) : NULL;
	BN_free(number);
	return key;
}

static int write_pem(const char *path, EVP_PKEY *key, int private, struct error *err)
{
	FILE *file = fopen(path, "we");
	int ok = file && (private ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) : PEM_write_PUBKEY(file, key));

	if (file && fclose(file) != 0)
		ok = 0;
	return ok ? 0 : error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
}

static int make_key(const struct sweep_images *images, uint64_t seed, struct swpg_key **ret, struct error *err)
{
	char path[PATH_MAX];
	EVP_PKEY *key = key_of_seed(seed);
	int r = key ? 0 : error_set(err, ERROR_BENCH, EIO, "cannot make a key");

	snprintf(path, sizeof(path), "%s/private.pem", bus_folder_path(images->folder));
	if (r == 0)
		r = write_pem(path, key, 1, err);
	if (r == 0)
		r = write_pem(images->key, key, 0, err);
	if (r == 0)
		r = swpg_key_load(ret, path, KEY_ID, err);
	EVP_PKEY_free(key);
	unlink(path);
	return r;
}

/* ---- the packages --------------------------------------------------------------------------------------------------- */

static int write_file(const char *path, const struct bytes *bytes, struct error *err)
{
	FILE *file = fopen(path, "we");
	int ok = file && fwrite(bytes->data, 1, bytes->length, file) == bytes->length;

	if (file && fclose(file) != 0)
		ok = 0;
	return ok ? 0 : error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
}

struct plan {
	uint16_t target;
	uint32_t size;
	uint64_t seed;
	const struct swpg_key *key;
};

/* generation 0, 1, 2: older, old, new. */
static int make_package(const struct plan *plan, unsigned generation, const char *path, struct error *err)
{
	static const uint8_t versions[][4] = {{0, 9, 0, 0}, {1, 0, 0, 0}, {1, 1, 0, 0}};
	struct swpg_options options = {.target = plan->target,
	                               .timestamp = TIMESTAMP,
	                               .sequence = generation + 1,
	                               .security_counter = FIRST_COUNTER + generation,
	                               .key = plan->key};
	struct bytes package = {0};
	uint8_t *software = malloc(plan->size);
	int r;

	if (!software)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < plan->size; i++)
		software[i] = (uint8_t)noise(plan->seed * 3 + generation, i);
	memcpy(options.version, versions[generation], sizeof(options.version));
	r = swpg_build(&options, software, plan->size, &package, err);
	if (r == 0)
		r = write_file(path, &package, err);
	bytes_free(&package);
	free(software);
	return r;
}

int sweep_images_make(struct sweep_images *ret, uint16_t target, uint32_t size, uint64_t seed, struct error *err)
{
	struct plan plan = {.target = target, .size = size, .seed = seed};
	struct swpg_key *key = NULL;
	const char *base = getenv("TMPDIR");
	int r;

	r = bus_folder_new(&ret->folder, base && *base ? base : "/tmp", "hilbench-sweep", err);
	if (r < 0)
		return r;
	snprintf(ret->older, sizeof(ret->older), "%s/older.swpg", bus_folder_path(ret->folder));
	snprintf(ret->old, sizeof(ret->old), "%s/old.swpg", bus_folder_path(ret->folder));
	snprintf(ret->new, sizeof(ret->new), "%s/new.swpg", bus_folder_path(ret->folder));
	snprintf(ret->key, sizeof(ret->key), "%s/key.pem", bus_folder_path(ret->folder));
	r = make_key(ret, seed, &key, err);
	plan.key = key;
	if (r == 0)
		r = make_package(&plan, 0, ret->older, err);
	if (r == 0)
		r = make_package(&plan, 1, ret->old, err);
	if (r == 0)
		r = make_package(&plan, 2, ret->new, err);
	swpg_key_free(key);
	return r;
}

void sweep_images_remove(struct sweep_images *images)
{
	bus_folder_free(images->folder);
	images->folder = NULL;
}
