/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tls_*.c files only. */
#ifndef FIRMWARE_CORE_TLS_PRIVATE_H
#define FIRMWARE_CORE_TLS_PRIVATE_H

#include "tls.h"

#include <mbedtls/ssl.h>

#define TLS_NAME_SIZE 254u /* a DNS name has at most 253 characters */

struct tls_config {
	mbedtls_ssl_config ssl;
	enum tls_role role;
	char peer_name[TLS_NAME_SIZE]; /* client only; "" asks for none */
};

/* Holds a whole flight of a handshake with certificates of usual size; a longer one goes out in parts. */
#define TLS_FLIGHT_SIZE 2048u

enum tls_state { TLS_FREE, TLS_CONNECTING, TLS_DELAYED, TLS_HANDSHAKING, TLS_FLUSHING, TLS_OPEN, TLS_FAILED };

struct tls_session {
	enum tls_state state;
	port_socket socket;
	const struct tls_config *config;
	mbedtls_ssl_context ssl;
	uint64_t start_us;    /* end of the delay of FAULT_SLOW_HANDSHAKE */
	size_t write_pending; /* bytes in a record that could not leave yet */
	size_t write_ahead;   /* bytes that left, but that the caller has not been told of */
	size_t flight_length; /* bytes in flight[] … */
	size_t flight_sent;   /* … and how many of them have left */
	size_t flight_last;   /* length of the last record in it */
	uint8_t flight[TLS_FLIGHT_SIZE];
};

/* Gives the session its transport: records of a handshake flight are gathered and leave together. */
void tls_transport_attach(struct tls_session *session);
/* PORT_OK when nothing is left. */
enum port_status tls_transport_flush(struct tls_session *session);

/* Does what can be done of the handshake now: 0 complete, else an error of mbedTLS (also "want read", "want write"). */
int tls_handshake(struct tls_session *session);

/* Makes the session check its peer's certificate, with the faults of a test build applied. */
void tls_verify_attach(struct tls_session *session);

/* Sends the session's secrets to the trace port; nothing in a release build. */
void tls_key_log_attach(struct tls_session *session);

/* The console's line about a handshake's end, or about a session that broke (error: mbedTLS). */
void tls_report_handshake(struct tls_session *session);
void tls_report_failure(struct tls_session *session, const char *what, int error);

#endif
