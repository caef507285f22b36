/* SPDX-License-Identifier: Apache-2.0 */
/* What zgw, ecu and vmg have in common: start in order, then the main loop. */
#ifndef FIRMWARE_APP_NODE_H
#define FIRMWARE_APP_NODE_H

#include "../core/uds_server.h"
#include "diag_router.h"

/* One face of a node towards the network. */
struct node_side {
	const struct diag_link *link;
	/* Reads its parameters and begins; PORT_ABSENT: not configured on this board. */
	enum port_status (*start)(uint16_t address);
	void (*poll)(uint64_t now_us, uint64_t *ret_deadline_us);
	void (*stop)(void); /* orderly, before a reset */
};

/* server_side.c: the DoIP entity. client_side.c: the DoIP client. A program that names one of them links it. */
extern const struct node_side server_side;
extern const struct node_side client_side;

#define NODE_MAX_DIDS 4u
struct node_options {
	const char *name; /* for the serial number */
	const char *part_number;
	uint16_t address;                        /* doip.logical_address when the parameter is not set */
	const char *routes;                      /* of route.nodes, likewise */
	uint16_t subnode;                        /* CommunicationControl 04/05 may name it; 0 none */
	const struct node_side *server, *client; /* NULL: the node has none */
	const struct node_side *can;             /* likewise */
	bool recovery;                           /* no image runs: the bootloader's face (node_recover()) */
	const struct uds_did *dids;              /* of this node alone, at most NODE_MAX_DIDS */
	size_t did_count;
};

/* Boot stages, start, main loop. Does not return. */
int node_main(const struct node_options *options);
/* The same within the bootloader's stage: nothing is counted as a start of the application. Does not return. */
int node_recover(const struct node_options *options);

#endif
