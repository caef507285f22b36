/* SPDX-License-Identifier: Apache-2.0 */
/* gzip members for the tests, with every field of RFC 1952 settable. */
#ifndef FIRMWARE_TESTS_OTA_GZIP_MAKER_H
#define FIRMWARE_TESTS_OTA_GZIP_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gzip_flag { GZIP_TEXT = 1, GZIP_HEADER_CRC = 2, GZIP_EXTRA = 4, GZIP_NAME = 8, GZIP_COMMENT = 16 };

struct gzip_options {
	uint8_t flags;  /* of FLG; any bit */
	uint8_t method; /* 0: 8, deflate */
	int level;      /* 0 stored blocks only .. 9 */
	size_t extra, name, comment;
	bool wrong_header_crc;
};

/* Returns the length of the member, at most size + 70000 + 1000 (with fields of the largest size). */
size_t gzip_make(const struct gzip_options *options, const uint8_t *data, size_t size, uint8_t *ret_member);
/* The same around a deflate stream that is given; CRC and length of `data`. */
size_t gzip_wrap(const struct gzip_options *options, const uint8_t *deflated, size_t length, const uint8_t *data, size_t size,
                 uint8_t *ret_member);

#endif
