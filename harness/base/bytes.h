/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_BASE_BYTES_H
#define HARNESS_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* A growable byte string, owned by whoever holds the struct; zero-initialise, release with bytes_free(). */
struct bytes {
	uint8_t *data;
	size_t length, capacity;
};
void bytes_free(struct bytes *);
void bytes_clear(struct bytes *);                                              /* keeps the storage */
int bytes_append(struct bytes *, const void *data, size_t length) WARN_UNUSED; /* 0 or -ENOMEM */
int bytes_append_u8(struct bytes *, uint8_t) WARN_UNUSED;
int bytes_append_be16(struct bytes *, uint16_t) WARN_UNUSED;
int bytes_append_be32(struct bytes *, uint32_t) WARN_UNUSED;
void bytes_drop_front(struct bytes *, size_t length); /* length <= bytes->length */

static inline uint16_t be16_read(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t be32_read(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void be16_write(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void be32_write(uint8_t *p, uint32_t v)
{
	be16_write(p, (uint16_t)(v >> 16));
	be16_write(p + 2, (uint16_t)v);
}

/* Value of a hex digit, -1: none. */
int bytes_hex_digit(char);
/* "02 10 03", "021003" -> bytes (spaces between bytes optional). 0, -EINVAL (odd digit, other character) or -ENOMEM. */
int bytes_parse_hex(const char *text, struct bytes *ret_bytes) WARN_UNUSED;
/* Newly allocated "02 10 03" (at most limit bytes, then " … (+n)"); limit 0 = all. NULL when out of memory. */
char *bytes_to_hex(const void *data, size_t length, size_t limit);

#endif
