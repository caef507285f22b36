/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutual TLS 1.2 / 1.3 on the target (mbedTLS). Both roles require and verify the peer's certificate
 * (ISO 13400-2:2019 clause on TLS; MBEDTLS_SSL_VERIFY_REQUIRED on both sides), but for a client that says `unverified`.
 * Certificates come from port_object(): "tls.ca", "tls.certificate", "tls.key".
 */
#ifndef FIRMWARE_CORE_TLS_H
#define FIRMWARE_CORE_TLS_H

#include "stream.h"

enum tls_role { TLS_SERVER, TLS_CLIENT };

struct tls_config_options {
	enum tls_role role;
	uint16_t minimum_version, maximum_version; /* 0x0303 TLS 1.2, 0x0304 TLS 1.3 */
	const char *peer_name;                     /* client: the name the server's certificate must carry; NULL for a server */
	bool unverified; /* client, in development: takes any server's certificate; peer_name may be NULL, else it is only asked for */
};

/* Library, entropy, credentials. Called once at start, before any connection; makes no handshake.
 * PORT_ABSENT: a credential is missing; PORT_INVALID: it does not parse. */
enum port_status tls_start(void);

/* Static configurations: at most TLS_MAX_CONFIGS. */
#define TLS_MAX_CONFIGS 3
struct tls_config;
enum port_status tls_config_make(const struct tls_config_options *options, struct tls_config **ret_config);

/* Wraps a socket. PORT_FULL when all TLS_MAX_SESSIONS static sessions are in use. The handshake runs in
 * stream_establish(), never blocks, and is logged to the console: "tls: server handshake ok TLSv1.3 CN=…" or
 * "tls: client handshake failed: …". */
#ifndef TLS_MAX_SESSIONS
#define TLS_MAX_SESSIONS 10 /* server and client together; smaller saves RAM */
#endif
enum port_status tls_stream(struct stream *ret_stream, struct tls_config *config, port_socket socket);

/* "TLSv1.3", "TLSv1.2" or "none". */
const char *tls_version_name(const struct stream *);

#endif
