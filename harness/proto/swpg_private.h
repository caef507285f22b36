/* SPDX-License-Identifier: Apache-2.0 */
/* What the files swpg*.c share. */
#ifndef HARNESS_PROTO_SWPG_PRIVATE_H
#define HARNESS_PROTO_SWPG_PRIVATE_H

#include <openssl/types.h>

#include "swpg.h"

#define SWPG_MAGIC_WORD     0x53575047u
#define SWPG_CAMPAIGN_MAGIC 0x46504b47u
#define SWPG_HOPS_MAX       8u

static inline uint16_t le16_read(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t le32_read(const uint8_t *p)
{
	return le16_read(p) | (uint32_t)le16_read(p + 2) << 16;
}
static inline void le16_write(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void le32_write(uint8_t *p, uint32_t v)
{
	le16_write(p, (uint16_t)v);
	le16_write(p + 2, (uint16_t)(v >> 16));
}

/* Offsets of the fields that are written alone. */
enum {
	SWPG_AT_TARGET = 4,
	SWPG_AT_TYPE = 6,
	SWPG_AT_COMPRESSION = 7,
	SWPG_AT_PAYLOAD_SIZE = 8,
	SWPG_AT_UNCOMPRESSED_SIZE = 12,
	SWPG_AT_CRC32 = 28,
	SWPG_AT_KIND = 32,
	SWPG_AT_TRAILER_LENGTH = 36,
	SWPG_AT_KEY_ID = 40,
	SWPG_AT_HOP_COUNT = 46,
};

struct swpg_field {
	const char *name; /* of docs/reference/package.md */
	unsigned offset, width;
};
extern const struct swpg_field swpg_field_table[]; /* ends with a NULL name */

void swpg_header_read(const uint8_t header[SWPG_HEADER_BYTES], struct swpg_fields *ret_fields);
void swpg_header_write(const struct swpg_fields *, uint8_t ret_header[SWPG_HEADER_BYTES]);
/* As the header's field says it has to be. */
uint32_t swpg_crc(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length);
int swpg_digest_make(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length,
                     uint8_t ret_digest[SWPG_DIGEST_BYTES]) WARN_UNUSED; /* 0 or -ENOMEM */

/* Room for `more` bytes behind what is there, in one allocation. 0 or -ENOMEM. */
int swpg_reserve(struct bytes *, size_t more) WARN_UNUSED;
int swpg_no_memory(struct error *err);
/* A number (decimal, 0x) that fits into `width` bytes; +N and -N are added to `now`, modulo the width. NULL now: no such form. */
int swpg_number(const char *text, unsigned width, const uint32_t *now, uint32_t *ret, struct error *err) WARN_UNUSED;

/* Appends one gzip member (zlib's level, no name, no time). */
int swpg_gzip(const void *data, size_t length, int level, struct bytes *stream, struct error *err) WARN_UNUSED;
/* Exactly one member and nothing behind it; more than limit bytes of output are an error (-EFBIG), a broken stream -EBADMSG. */
int swpg_gunzip(const uint8_t *stream, size_t length, size_t limit, struct bytes *ret_data, struct error *err) WARN_UNUSED;
/* The streams of `gzip=NAME` in swpg_mutate(). ERROR_USAGE for a name that is not there; software NULL: only the
 * name is looked at. */
int swpg_gzip_variant(const char *name, const struct bytes *software, struct bytes *ret_stream, struct error *err) WARN_UNUSED;

/* A kind of trailer. */
struct swpg_kind {
	uint32_t number, length;
	const char *name;
	int (*sign)(const struct swpg_key *, const uint8_t digest[SWPG_DIGEST_BYTES], uint8_t *trailer, struct error *err);
	/* Appends findings; digest NULL: unknown, the trailer's own is taken. key NULL: not checked. */
	int (*judge)(const struct swpg_key *key, const uint8_t *digest, const uint8_t *trailer, struct bytes *findings);
};
const struct swpg_kind *swpg_kind_find(uint32_t number); /* NULL: unknown, or unsigned */
int swpg_finding(struct bytes *findings, const char *format, ...) WARN_UNUSED PRINTF_LIKE(2, 3);

/* r and s, 32 bytes each. A nonce of RFC 6979, or a random one. */
int swpg_ecdsa_sign(const struct swpg_key *, const uint8_t digest[SWPG_DIGEST_BYTES], bool random,
                    uint8_t ret_signature[SWPG_SIGNATURE_BYTES], struct error *err) WARN_UNUSED;
bool swpg_ecdsa_verify(const struct swpg_key *, const uint8_t digest[SWPG_DIGEST_BYTES], const uint8_t signature[SWPG_SIGNATURE_BYTES]);
/* DER (SEQUENCE of two INTEGERs) of r and s; the length, at most 72. 0: out of memory. */
size_t swpg_ecdsa_der(const uint8_t signature[SWPG_SIGNATURE_BYTES], uint8_t ret_der[80]);
extern const uint8_t swpg_p256_order[32];

/* Takes "NAME", "NAME=VALUE" words of a comma-separated list one after the other: 1, 0 at the end, or -EINVAL. */
struct swpg_word {
	char name[32], value[64];
	bool has_value;
};
int swpg_word_next(const char **at, struct swpg_word *ret, struct error *err) WARN_UNUSED;
/* Flips bit `value` (text) of data. */
int swpg_flip(uint8_t *data, size_t length, const struct swpg_word *, struct error *err) WARN_UNUSED;
/* A length in bytes of at most `most`. */
int swpg_length(const struct swpg_word *, size_t most, size_t *ret, struct error *err) WARN_UNUSED;
/* What is wrong on purpose still has an end. */
#define SWPG_WRONG_MAX ((size_t)SWPG_SOFTWARE_MAX * 4)
int swpg_pad(struct bytes *, const struct swpg_word *, struct error *err) WARN_UNUSED;

#endif
