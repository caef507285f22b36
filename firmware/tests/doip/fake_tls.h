/* SPDX-License-Identifier: Apache-2.0 */
/* In place of firmware/core/tls.c: bytes pass as they are, the test decides about the handshake. */
#ifndef FIRMWARE_TESTS_DOIP_FAKE_TLS_H
#define FIRMWARE_TESTS_DOIP_FAKE_TLS_H

#include "../../core/tls.h"

/* A configuration to hand to the code under test. */
struct tls_config *fake_tls_config(void);
/* What stream_establish() answers (PORT_OK after a reset), and what tls_stream() answers. */
void fake_tls_handshake(enum port_status status);
void fake_tls_sessions(enum port_status status);

#endif
