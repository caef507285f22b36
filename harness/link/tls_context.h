/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL contexts made from identities. They are kept, so that a handshake reads no file and parses no certificate;
 * a file that changed since (size, time or inode) is read again.
 */
#ifndef HARNESS_LINK_TLS_CONTEXT_H
#define HARNESS_LINK_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "stream.h"

/* A new reference: SSL_CTX_free(). Errors: a file that is missing or holds no certificate or key, a key that does not
 * fit, an unknown group (error domain testcase). */
int tls_context_get(const struct tls_identity *, bool server, SSL_CTX **ret, struct error *err) WARN_UNUSED;
/* Forgets all that are kept (tests; before the process ends). */
void tls_context_forget(void);

#endif
