/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's connection to its gateway: connects (TLS or plain), says hello, keeps the connection by heartbeats that the
 * gateway acknowledges, answers echo requests, and connects again with a growing wait after any loss. One a program.
 */
#ifndef FIRMWARE_APP_DEVICE_CLIENT_H
#define FIRMWARE_APP_DEVICE_CLIENT_H

#include "../core/connection.h"

struct device_client_config {
	struct port_endpoint remote;
	const char *serial;          /* of the hello, 1..32 printable characters; kept by the caller */
	const char *verify;          /* "required", "none" or "plain": for the boot markers; kept by the caller */
	uint32_t connect_timeout_ms; /* TCP, TLS and the acknowledged hello together, 2000 */
	uint32_t backoff_first_ms;   /* 100 */
	uint32_t backoff_limit_ms;   /* 3200 */
	uint32_t heartbeat_ms;       /* 1000; 0 sends none */
};

enum device_client_state {
	DEVICE_CLIENT_IDLE = CONNECTION_IDLE,
	DEVICE_CLIENT_BACKOFF = CONNECTION_BACKOFF,
	DEVICE_CLIENT_CONNECTING = CONNECTION_CONNECTING,
	DEVICE_CLIENT_HANDSHAKING = CONNECTION_HANDSHAKING,
	DEVICE_CLIENT_GREETING = CONNECTION_INTRODUCING, /* the hello is not acknowledged yet */
	DEVICE_CLIENT_UP = CONNECTION_UP,
};

/* Parameters client.connect_timeout_ms, client.backoff_…_ms and device.heartbeat_ms over the defaults. */
void device_client_config_load(struct device_client_config *config);
/* tls NULL: plain TCP. Begins to connect at the next poll. PORT_INVALID: started already, or no endpoint or serial. */
enum port_status device_client_start(const struct device_client_config *config, struct tls_config *tls);
/* Does what can be done now; *ret_deadline_us: when to come back at the latest. */
void device_client_poll(uint64_t now_us, uint64_t *ret_deadline_us);
enum device_client_state device_client_state(void);
/* Closes in order. */
void device_client_stop(void);

#endif
