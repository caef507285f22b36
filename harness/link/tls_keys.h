/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record protection of one direction of a TLS connection, made from exported secrets: AES-GCM and ChaCha20-Poly1305
 * of TLS 1.2 (RFC 5246, 5288, 7905) and 1.3 (RFC 8446 clauses 5.2, 5.3, 7.1, 7.3).
 */
#ifndef HARNESS_LINK_TLS_KEYS_H
#define HARNESS_LINK_TLS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/error.h"

#define TLS_SECRET_MAX         48
#define TLS_RECORD_MAX         (16384 + 2048) /* RFC 5246 clause 6.2.3; TLS 1.3 has less */
#define TLS_MASTER_SECRET_SIZE 48

struct tls_suite {
	uint16_t number;
	const char *name;
	bool sha384, chacha;
	uint8_t key_size;
};
/* NULL: not one that can be decrypted. */
const struct tls_suite *tls_suite_find(uint16_t number);
size_t tls_suite_hash_size(const struct tls_suite *);

struct tls_keys; /* secret: wiped when freed */
/* NULL: out of memory. secret: hash size bytes. */
struct tls_keys *tls_keys_new_13(const struct tls_suite *, const uint8_t *secret);
struct tls_keys *tls_keys_new_12(const struct tls_suite *, const uint8_t master[TLS_MASTER_SECRET_SIZE], const uint8_t client_random[32],
                                 const uint8_t server_random[32], bool client_side);
void tls_keys_free(struct tls_keys *);
/* The next application traffic secret (RFC 8446 clause 7.2), in place. */
int tls_secret_update(const struct tls_suite *, uint8_t *secret) WARN_UNUSED;
/* Opens the next record of this direction. TLS 1.3: the type is the inner one. out: room for `length` bytes.
 * 0 or -EBADMSG; then the sequence number does not move. */
int tls_keys_open(struct tls_keys *, uint8_t type, const uint8_t *record, size_t length, uint8_t *out, size_t *ret_length,
                  uint8_t *ret_type) WARN_UNUSED;

#endif
