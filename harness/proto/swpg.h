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

#define SWPG_HEADER_BYTES    64u
#define SWPG_DIGEST_BYTES    32u
#define SWPG_SIGNATURE_BYTES 64u
#define SWPG_TRAILER_BYTES   96u         /* of kind 1 */
#define SWPG_SOFTWARE_MAX    (64u << 20) /* software, and a payload as it travels */
#define SWPG_CAMPAIGN_MAX    16u         /* packages */
#define SWPG_OLDEST_TIME     1577836800u /* 2020-01-01 */

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
void swpg_key_set_id(struct swpg_key *, uint32_t key_id);
bool swpg_key_is_private(const struct swpg_key *); /* can sign */

struct swpg_options {
	uint16_t target, source;
	uint8_t type;        /* 0: application */
	uint8_t compression; /* 1 gzip */
	uint8_t version[4];
	uint32_t timestamp, sequence, security_counter; /* timestamp 0: SOURCE_DATE_EPOCH, else now */
	const struct swpg_key *key;                     /* NULL: unsigned (kind 0, no trailer) */
};
/* The package of `software`, in place of what ret_package held. Same input, same bytes: the signature's nonce is that of
 * RFC 6979. ERROR_USAGE for values out of range; an own timestamp later than the clock is one. */
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
/* Signs a package anew, or for the first time: kind, length, key, CRC and trailer become right. ERROR_USAGE for software that does
 * not decompress to what the header says, and for a public key. The package is untouched on failure. */
int swpg_sign(struct bytes *package, const struct swpg_key *key, struct error *err) WARN_UNUSED;
void swpg_digest(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length, uint8_t ret_digest[SWPG_DIGEST_BYTES]);

/* What is made wrong, after the package was built right. Text form for command line and cases, comma-separated, done in the
 * order given (docs/how-to/make-a-package.md says what refuses each):
 *   FIELD=VALUE       any header field by its name in docs/reference/package.md; the words of `signature` are kind, trailer_length
 *                     and key_id. A number, or +N/-N added to what is there; version=1.2.3.4; reserved=16 hex digits
 *   +crc +digest +sign   computed anew after the changes before it, over the software that the payload then holds (the
 *                     original software when it holds none); +crc-of-payload, +digest-of-payload: over the payload as it travels
 *   flip=BIT          one bit of the package (from 0, most significant first)
 *   header-flip=BIT payload-flip=BIT trailer-flip=BIT
 *   cut=BYTES         so many bytes off the end, pad=BYTES so many more behind it
 *   truncate-payload=BYTES   the payload is shorter, payload_size says so
 *   gzip=truncated|trailer-crc|trailer-size|multi-member|dictionary|flags|extra|bomb|stored|far-distance|empty|raw
 *                     another stream of the same software; compression and payload_size say so. extra and stored are legal
 *   gzip-output=BYTES a right stream of exactly so many bytes: the software, cut or with zeros behind it
 *   signature=zero|r-zero|s-zero|r-n|s-n|der|short|long|absent   der, short and long also keep their form through +sign
 *   nested            the payload is the package itself
 *   concatenated      the package twice
 * ERROR_USAGE for words that are not there or cannot be done; the package is untouched then. */
int swpg_mutate(struct bytes *package, const char *mutations, const struct swpg_key *key_or_null, struct error *err) WARN_UNUSED;
/* Only reads the words: ERROR_USAGE for one that no package can take. What hangs on the package (its sizes, its software) is
 * left to swpg_mutate(). */
int swpg_mutation_check(const char *mutations, struct error *err) WARN_UNUSED;

/* Several packages behind a table; each has to decode, no target twice. Replaces what ret_campaign held. */
int swpg_campaign_build(const struct bytes *packages, size_t count, struct bytes *ret_campaign, struct error *err) WARN_UNUSED;
struct swpg_campaign_entry {
	uint16_t target;
	const uint8_t *package;
	size_t length;
};
/* At most max entries; ERROR_USAGE for a table that is not right (docs/reference/package.md). */
int swpg_campaign_parse(const void *campaign, size_t length, struct swpg_campaign_entry *ret_entries, size_t max, size_t *ret_count,
                        struct error *err) WARN_UNUSED;
/* What is made wrong in a right campaign, comma-separated, in the order given:
 *   magic= version= count=   and target.N= reserved.N= offset.N= length.N= crc32.N= of entry N (from 0): VALUE, +N or -N
 *   +crc                of the packages by the table, then of the table
 *   missing=N           the package of entry N is not there, the entry is
 *   dropped=N           neither is; the rest is right (a partial campaign: legal by itself)
 *   duplicate=N         entry and package N twice, otherwise right
 *   reversed            the packages lie in the other order, the table points at them
 *   flip=BIT cut=BYTES pad=BYTES */
int swpg_campaign_mutate(struct bytes *campaign, const char *mutations, struct error *err) WARN_UNUSED;

#endif
