/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software packages as the bench makes and reads them (OpenSSL, zlib), independent of the firmware: right ones, and wrong ones on
 * purpose (docs/reference/package.md).
 */
#ifndef HARNESS_PROTO_SWPG_H
#define HARNESS_PROTO_SWPG_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/bytes.h"
#include "../base/error.h"

#define SWPG_HEADER_BYTES 64u
#define SWPG_DIGEST_BYTES 32u

struct swpg_fields {
	uint32_t magic;
	uint16_t target, source, hop_count;
	uint8_t type, compression;
	uint32_t payload_size, uncompressed_size;
	uint8_t version[4];
	uint32_t timestamp, serial, crc32;
	uint32_t kind, trailer_length, key_id;
	uint32_t sequence, security_counter;
	uint8_t reserved[8];
};

/* A signing key (P-256, PEM). */
struct swpg_key;
int swpg_key_load(struct swpg_key **ret, const char *path, uint32_t key_id, struct error *err) WARN_UNUSED; /* private or public */
void swpg_key_free(struct swpg_key *);
uint32_t swpg_key_id(const struct swpg_key *);

struct swpg_options {
	uint16_t target, source;
	uint8_t type;        /* 0: application */
	uint8_t compression; /* 1 gzip */
	uint8_t version[4];
	uint32_t timestamp, sequence, security_counter; /* timestamp 0: SOURCE_DATE_EPOCH, else now */
	const struct swpg_key *key;                     /* NULL: unsigned (kind 0, no trailer) */
};
/* The package of `software`. Same input, same bytes, but for the signature. ERROR_USAGE for values out of range. */
int swpg_build(const struct swpg_options *, const void *software, size_t length, struct bytes *ret_package, struct error *err) WARN_UNUSED;

/* The parts of a package; they point into it. */
struct swpg_view {
	struct swpg_fields fields;
	const uint8_t *header, *payload, *trailer;
	size_t payload_length, trailer_length;
};
/* ERROR_USAGE with offset and field when it does not decode: too short, wrong magic, sizes that do not add up. */
int swpg_parse(const void *package, size_t length, struct swpg_view *ret_view, struct error *err) WARN_UNUSED;
/* All findings, not only the first: one line each ("crc32: 1a2b3c4d, computed 5e6f7081"). 0 and no lines: a package
 * that a board of this target takes. key NULL: the signature is not checked, and that is a finding of its own. */
int swpg_verify(const struct swpg_view *, const struct swpg_key *key, uint32_t counter, struct bytes *ret_findings,
                struct error *err) WARN_UNUSED;
/* The software, decompressed; at most limit bytes. */
int swpg_software(const struct swpg_view *, size_t limit, struct bytes *ret_software, struct error *err) WARN_UNUSED;
/* What lies in a bank after it was installed: header, software, trailer. */
int swpg_installed(const struct swpg_view *, struct bytes *ret_image, struct error *err) WARN_UNUSED;
void swpg_digest(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length, uint8_t ret_digest[SWPG_DIGEST_BYTES]);

/* What is made wrong, after the package was built right. Text form for command line and cases, comma-separated:
 *   FIELD=VALUE       any header field by its name in docs/reference/package.md
 *   +crc +digest +sign   computed anew after the changes before it (in the order given)
 *   flip=BIT          one bit of the package (from 0, most significant first)
 *   header-flip=BIT payload-flip=BIT trailer-flip=BIT
 *   cut=BYTES  pad=BYTES  truncate-payload=BYTES
 *   gzip=truncated|trailer-crc|trailer-size|multi-member|dictionary|extra|bomb|stored|far-distance|empty|raw
 *   signature=zero|r-zero|s-zero|r-n|s-n|der|short|long|absent
 *   nested concatenated */
int swpg_mutate(struct bytes *package, const char *mutations, const struct swpg_key *key_or_null, struct error *err) WARN_UNUSED;

/* Campaigns: several packages behind a table. */
int swpg_campaign_build(const struct bytes *packages, size_t count, struct bytes *ret_campaign, struct error *err) WARN_UNUSED;
struct swpg_campaign_entry {
	uint16_t target;
	const uint8_t *package;
	size_t length;
};
/* At most max entries; ERROR_USAGE for a table that is not right (docs/reference/package.md). */
int swpg_campaign_parse(const void *campaign, size_t length, struct swpg_campaign_entry *ret_entries, size_t max, size_t *ret_count,
                        struct error *err) WARN_UNUSED;

#endif
