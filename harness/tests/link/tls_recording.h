/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS session between two OpenSSL ends in memory, byte for byte, for those who look on. */
#ifndef HARNESS_TESTS_LINK_TLS_RECORDING_H
#define HARNESS_TESTS_LINK_TLS_RECORDING_H

#include <stdbool.h>

#include "../../base/bytes.h"

#define RECORDING_FLIGHTS 16
#define RECORDING_LINES   16

struct tls_recording {
	struct {
		bool from_client;
		struct bytes bytes;
	} flights[RECORDING_FLIGHTS];
	unsigned flight_count;
	unsigned client_finished; /* number of the flight that has it */
	unsigned finished;        /* and of the one that completes the handshake */
	char *lines[RECORDING_LINES];
	unsigned line_count;
};

/* Handshake with client certificate, activation request and response, close_notify of both. suite in OpenSSL's spelling. */
void tls_record(struct tls_recording *, int version, const char *suite, bool retry, bool key_update);
void tls_recording_free(struct tls_recording *);

#endif
