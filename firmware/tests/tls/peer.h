/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of the firmware's TLS in these tests: OpenSSL over a real loopback socket, both in one process.
 * Who is who and with which certificates is data.
 */
#ifndef FIRMWARE_TESTS_TLS_PEER_H
#define FIRMWARE_TESTS_TLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "../../core/tls.h"

struct peer {
	bool server;             /* OpenSSL is the server, the firmware the client */
	const char *certificate; /* name in the fixtures, NULL none */
	int version;             /* TLS1_2_VERSION or TLS1_3_VERSION */
	SSL_CTX *context;
	SSL *ssl;
	int fd;
	int alert;               /* description of the alert it received, -1 none */
	char secrets[4096];      /* its key log */
	struct stream stream;    /* the firmware's end */
	enum port_status status; /* of the firmware's handshake */
	bool established;        /* OpenSSL's handshake is complete */
};

/* Loads the firmware's credentials and faults and starts its TLS. */
void peer_firmware(const char *authority, const char *certificate, const char *faults);
/* Connects both ends; expected: the name a firmware client wants. */
void peer_connect(struct peer *peer, const char *expected);
/* Runs until both sides are done, one way or the other. */
void peer_handshake(struct peer *peer);
/* One non-blocking turn of OpenSSL: handshake or read; bytes read, 0 none, -1 end. */
int peer_turn(struct peer *peer, void *buffer, size_t size);
void peer_free(struct peer *peer);

/* What the firmware wrote to its console and its key log so far. */
const char *peer_console(void);
const char *peer_firmware_secrets(void);

#endif
