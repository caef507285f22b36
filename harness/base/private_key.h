/* SPDX-License-Identifier: Apache-2.0 */
/* Whether bytes that come in portions hold a private key: what must not be kept where others can fetch it. */
#ifndef HARNESS_BASE_PRIVATE_KEY_H
#define HARNESS_BASE_PRIVATE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRIVATE_KEY_SIGN_MAX  64 /* bytes that show a key in a text, at most */
#define PRIVATE_KEY_FIRST_MAX 40 /* of a file, that show a key in DER */

/* Zero-initialise; nothing to release. */
struct private_key_search {
	uint64_t size;
	size_t kept;
	bool in_text;
	uint8_t first[PRIVATE_KEY_FIRST_MAX];
	char last[PRIVATE_KEY_SIGN_MAX - 1]; /* a sign may begin there */
};

/* The next portion, of any length. */
void private_key_look(struct private_key_search *, const void *data, size_t length);
/*
 * In what was looked at so far. In a text, wherever it lies: the header of RFC 7468 or OpenSSH, also encrypted, with something of the key
 * in the line below (software that reads keys holds the bare header). In DER, when all that was looked at is one key: PKCS#8 (RFC 5958),
 * PKCS#1, SEC 1 (RFC 5915), PKCS#12.
 */
bool private_key_seen(const struct private_key_search *);

#endif
