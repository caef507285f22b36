/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DoIP entity, server side (ISO 13400-2): vehicle identification and status over UDP, routing activation and
 * diagnostic messages over TCP and TLS. One static instance an application; all calls from the main loop.
 */
#ifndef FIRMWARE_CORE_DOIP_ENTITY_H
#define FIRMWARE_CORE_DOIP_ENTITY_H

#include "stream.h"
#include "tls.h"

#ifndef DOIP_MAX_SOCKETS
#define DOIP_MAX_SOCKETS 8 /* registered TCP_DATA sockets a configuration may ask for (MCTS); smaller saves RAM */
#endif
#define DOIP_MAX_TESTERS     8
#define DOIP_MAX_ACTIVATIONS 6
/* Largest payload that the static buffers hold: the longest UDS message (4095 bytes) with its addresses, and a little
 * more, so that one which is too long for a node behind this entity can be told so (7.DoIP-072). */
#define DOIP_MAX_MESSAGE 4104u

enum doip_activation_need { /* bits */
	                    DOIP_NEEDS_TLS = 1,
	                    DOIP_NEEDS_AUTHENTICATION = 2,
	                    DOIP_NEEDS_CONFIRMATION = 4,
};

/* Configuration: filled from parameters by doip_entity_config_load() (names in docs/reference/virtual-board.md). */
struct doip_entity_config {
	uint16_t logical_address;
	uint8_t vin[17];
	bool vin_programmed;
	uint8_t eid[6], gid[6];
	uint8_t further_action; /* Table 6: 0x00, 0x10 */
	uint8_t sync_status;    /* 0x00, 0x10 */
	uint8_t node_type;      /* 0 gateway, 1 node */
	uint8_t power_mode;     /* 0 not ready, 1 ready, 2 not supported */
	uint8_t max_sockets;    /* MCTS, 1..DOIP_MAX_SOCKETS */
	uint32_t max_data_size; /* payload bytes, <= DOIP_MAX_MESSAGE */
	uint16_t testers[DOIP_MAX_TESTERS];
	uint8_t tester_count;
	struct {
		uint8_t type, needs;
	} activations[DOIP_MAX_ACTIVATIONS];
	uint8_t activation_count;
	struct port_endpoint udp, udp_broadcast, announce_to; /* udp_broadcast.port 0: none (a multicast group is joined);
	                                                       * announce_to.port 0: no announcements */
	struct port_endpoint tcp_plain, tcp_tls;              /* port 0: not offered */
	uint32_t initial_inactivity_ms;                       /* 2000 */
	uint32_t general_inactivity_ms;                       /* 300000 */
	uint32_t alive_check_ms;                              /* 500 */
	uint32_t announce_wait_max_ms;                        /* 500 */
	uint32_t announce_interval_ms;                        /* 500 */
	uint8_t announce_count;                               /* 3 */
};
/* Sets every field but logical_address, which the caller presets and "doip.logical_address" overrides. A parameter
 * that is not understood is reported on the console (a line that begins with '!') and its default is used. */
void doip_entity_config_load(struct doip_entity_config *config);

enum doip_diag_nack { /* ISO 13400-2 table of diagnostic message negative acknowledge codes; 0 = accepted */
	              DOIP_DIAG_ACCEPTED = 0x00,
	              DOIP_DIAG_INVALID_SOURCE = 0x02,
	              DOIP_DIAG_UNKNOWN_TARGET = 0x03,
	              DOIP_DIAG_TOO_LARGE = 0x04,
	              DOIP_DIAG_OUT_OF_MEMORY = 0x05,
	              DOIP_DIAG_UNREACHABLE = 0x06,
	              DOIP_DIAG_UNKNOWN_NETWORK = 0x07,
	              DOIP_DIAG_TRANSPORT_ERROR = 0x08,
};

/* What the application gives the entity. All callbacks run inside doip_entity_poll(). */
struct doip_entity_handlers {
	void *context;
	/* A diagnostic message from an activated tester. Return DOIP_DIAG_ACCEPTED to have it acknowledged (the
	 * entity sends 0x8002 BEFORE any response given from inside this call is put on the wire). */
	enum doip_diag_nack (*diagnostic)(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length);
	/* A node's routing activation succeeded or its registered socket went away. May be NULL. */
	void (*node_changed)(void *context, uint16_t address, bool connected);
	/* Authentication / confirmation of an activation: 0 refused, 1 granted, 2 pending. May be NULL (granted). */
	int (*authenticate)(void *context, uint16_t source, const uint8_t *oem, size_t oem_length);
	int (*confirm)(void *context, uint16_t source);
};

/* Opens the sockets and begins to announce. No handshake is made here. server_tls may be NULL if tcp_tls is off. */
enum port_status doip_entity_start(const struct doip_entity_config *, const struct doip_entity_handlers *, struct tls_config *server_tls);
/* Does all that can be done now; *ret_deadline_us = when it wants to be called again at the latest. */
void doip_entity_poll(uint64_t now_us, uint64_t *ret_deadline_us);

/* Sends a diagnostic message (0x8001) from `source` (this entity or a node behind it) to tester `target`.
 * PORT_ABSENT: that tester is not registered; PORT_FULL: its send buffer is full (ask again later). */
enum port_status doip_entity_send(uint16_t source, uint16_t target, const uint8_t *data, size_t length);

/* The same over the socket that is registered for `node`, with any target in the message: a functional address, or a
 * node behind that node. */
enum port_status doip_entity_send_via(uint16_t node, uint16_t source, uint16_t target, const uint8_t *data, size_t length);
/* Registered source addresses, for the application's list of nodes. Returns the count written (<= limit). */
uint8_t doip_entity_nodes(uint16_t *addresses, uint8_t limit);
/* Closes everything in an orderly way (before a reset). */
void doip_entity_stop(void);

#endif
