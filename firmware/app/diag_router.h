/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries diagnostic messages by logical address between the node's own UDS server, the nodes and testers that are
 * connected to its DoIP server (below), the DoIP entity that its client is connected to (above), and CAN (ISO-TP).
 */
#ifndef FIRMWARE_APP_DIAG_ROUTER_H
#define FIRMWARE_APP_DIAG_ROUTER_H

#include "../port.h"

#define DIAG_FUNCTIONAL 0xE400u /* ISO 13400-2: all nodes */
#define DIAG_CAN_TESTER 0xF000u /* who asks over ISO-TP, which knows no logical addresses */
#define DIAG_MAX_ROUTES 8u
#define DIAG_MAX_LENGTH 4095u /* the longest UDS message, and what a connection takes (DOIP_MAX_USER_DATA) */

/* How messages leave. */
struct diag_link {
	/* `via`: the connected address whose connection is used; source and target go into the message. */
	enum port_status (*send)(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length);
	/* Addresses connected, at most limit; NULL: this link has no list (the client). */
	uint8_t (*nodes)(uint16_t *addresses, uint8_t limit);
};

struct diag_router_config {
	uint16_t own_address;
	const struct diag_link *server; /* NULL: no DoIP server in this node */
	const struct diag_link *client; /* NULL: no client */
	/* NULL: no CAN. Its nodes are reached over it when they are not connected over DoIP, or always with the parameter
	 * route.prefer=isotp. Its send() keeps nothing for later: PORT_FULL says that the node is busy, PORT_ABSENT that
	 * the bus is off, PORT_INVALID that the message is too long for it. */
	const struct diag_link *can;
	const char *default_routes; /* of the parameter route.nodes: comma-separated addresses; "" = none */
};

/* Reads route.nodes and route.max_length (bytes a routed node takes, at most and by default 4095). */
void diag_router_start(const struct diag_router_config *config);

/* A message arrived from below or from above: 0 or a DoIP diagnostic message NACK code. */
uint8_t diag_router_from_server(uint16_t source, uint16_t target, const uint8_t *data, size_t length);
uint8_t diag_router_from_client(uint16_t source, uint16_t target, const uint8_t *data, size_t length);

/* From CAN: a request to this node (source: DIAG_CAN_TESTER), or a node's answer to a tester. 0 or a NACK code. */
uint8_t diag_router_from_can(uint16_t source, bool functional, const uint8_t *data, size_t length);
uint8_t diag_router_answer_from_can(uint16_t node, uint16_t tester, const uint8_t *data, size_t length);

/* The UDS server's answers (uds_respond). */
void diag_router_respond(void *context, uint16_t tester, const uint8_t *data, size_t length);

/* Sends what could not leave before. */
void diag_router_poll(uint64_t now_us, uint64_t *ret_deadline_us);
/* True once after messages moved: the links want another poll before the node sleeps. */
bool diag_router_take_activity(void);

/* External test equipment has 0x0E00..0x0FFF (ISO 13400-2, logical addresses); all else that connects is a node. */
static inline bool diag_is_node(uint16_t address)
{
	return address < 0x0E00u || address > 0x0FFFu;
}

#endif
