/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DoIP client on the target: connects to a DoIP entity (TLS or plain), activates routing, answers alive checks,
 * carries diagnostic messages both ways, and reconnects with exponential back-off after any loss.
 */
#ifndef FIRMWARE_CORE_DOIP_CLIENT_H
#define FIRMWARE_CORE_DOIP_CLIENT_H

#include "connection.h"

struct doip_client_config {
	struct port_endpoint remote;
	uint16_t source_address;     /* own logical address */
	uint8_t activation_type;     /* 0x00 */
	uint32_t connect_timeout_ms; /* TCP + TLS + activation, 2000 */
	uint32_t backoff_first_ms;   /* 100 */
	uint32_t backoff_limit_ms;   /* 3200 */
	uint32_t keep_alive_ms;      /* time without reception after which an alive check request (0x0007) asks the
	                              * server whether it lives; no answer within 2 s: reconnect. 2000, 0 off */
};
/* Parameters "client.*"; source_address is preset by the caller and overridden by "doip.logical_address".
 * remote.port is 0 when the board has no client. */
void doip_client_config_load(struct doip_client_config *config);

enum doip_client_state {
	DOIP_CLIENT_IDLE = CONNECTION_IDLE,
	DOIP_CLIENT_BACKOFF = CONNECTION_BACKOFF,
	DOIP_CLIENT_CONNECTING = CONNECTION_CONNECTING,
	DOIP_CLIENT_HANDSHAKING = CONNECTION_HANDSHAKING,
	DOIP_CLIENT_ACTIVATING = CONNECTION_INTRODUCING,
	DOIP_CLIENT_ACTIVE = CONNECTION_UP,
};

struct doip_client_handlers {
	void *context;
	/* A diagnostic message arrived for this node (or one behind it): return a doip_diag_nack code. The client
	 * sends 0x8002 or 0x8003 before what is sent from inside this call. */
	uint8_t (*diagnostic)(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length);
	void (*state_changed)(void *context, enum doip_client_state state); /* may be NULL */
};

/* client_tls NULL: plain TCP. Begins to connect at the next poll. */
enum port_status doip_client_start(const struct doip_client_config *, const struct doip_client_handlers *, struct tls_config *client_tls);
void doip_client_poll(uint64_t now_us, uint64_t *ret_deadline_us);
/* Sends a diagnostic message over the connection. PORT_FAILED when not active, PORT_FULL when the buffer is full. */
enum port_status doip_client_send(uint16_t source, uint16_t target, const uint8_t *data, size_t length);
enum doip_client_state doip_client_state(void);
void doip_client_stop(void);

#endif
