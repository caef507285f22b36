/* SPDX-License-Identifier: Apache-2.0 */
/* The program's parts: the bus in real time, the nodes on sockets, the gateways to other tools, the control channel. */
#ifndef FIRMWARE_SILICON_VBUS_H
#define FIRMWARE_SILICON_VBUS_H

#include <netinet/in.h>
#include <poll.h>

#include "canbus.h"
#include "control.h"
#include "vbus_message.h"

#define VBUS_MAX_GATEWAYS 12u
#define VBUS_MAX_POLL     (2u + CANBUS_MAX_NODES + VBUS_MAX_GATEWAYS + 1u)

/* ---- one connection of a node -------------------------------------------------------------------------------- */
struct vbus_slot {
	uint8_t length;
	uint8_t bytes[VBUS_MESSAGE_MAX];
};

struct vbus_client {
	bool used, closing;
	bool state_missed; /* its own state did not fit: told when there is room again */
	int fd;
	int node; /* -1: not attached yet */
	uint8_t flags;
	char name[VBUS_NAME_MAX + 1];
	struct vbus_slot *ring; /* what the socket had no room for; made when first needed */
	unsigned head, count;
	uint32_t lost, lost_total; /* not told yet, ever */
	uint32_t garbage;
};

/* ---- a gateway ----------------------------------------------------------------------------------------------- */
enum vbus_gateway_kind { VBUS_CANNELLONI_UDP, VBUS_CANNELLONI_TCP, VBUS_MULTICAST };
#define VBUS_PENDING 512u

struct vbus_gateway {
	bool used, closing;
	enum vbus_gateway_kind kind;
	int fd, out_fd; /* out_fd: multicast only */
	int node;
	bool heard;         /* a tool has sent something good: from then on the gateway acknowledges for it */
	bool bus_off;       /* to be recovered */
	uint64_t end_by_ns; /* closing: what still waits has until then */
	bool greeted;       /* stream: the other side's greeting has come */
	uint8_t sequence;
	struct sockaddr_in remote;    /* datagrams: where to, and for cannelloni the only sender that is heard */
	struct sockaddr_in own;       /* multicast: the sender address of our own datagrams */
	struct canbus_frame *pending; /* VBUS_PENDING frames that came and wait for a place in the node's queue */
	unsigned pending_head, pending_count;
	uint8_t in[4096];
	size_t in_length;
	uint8_t out[65536];
	size_t out_length;
	uint64_t received, sent;
	uint32_t garbage, lost;
};

struct vbus {
	const char *name, *path;
	uint32_t nominal, data;
	struct canbus *bus;
	struct control control;
	int listener;     /* of the nodes */
	int tcp_listener; /* of cannelloni streams, -1 none */
	struct vbus_client clients[CANBUS_MAX_NODES];
	struct vbus_gateway gateways[VBUS_MAX_GATEWAYS];
	struct vbus_client *client_of[CANBUS_MAX_NODES]; /* by node number */
	struct vbus_gateway *gateway_of[CANBUS_MAX_NODES];
	unsigned observers;
	uint64_t load_at_ns; /* next report, CANBUS_NEVER without observers */
	uint64_t load_from_ns, load_busy_ns;
	uint16_t load_permille; /* of the last full second */
	uint64_t now_ns;        /* of this turn of the loop */
};

/* ---- vbus_node.c --------------------------------------------------------------------------------------------- */
int vbus_listen(const char *path, char *error, size_t error_size);
void vbus_accept(struct vbus *vbus);
/* Events to poll for, 0: none. */
short vbus_client_events(const struct vbus_client *client);
void vbus_client_serve(struct vbus *vbus, struct vbus_client *client, short events);
void vbus_client_close(struct vbus *vbus, struct vbus_client *client);
/* Tells a node's and the observers' sockets. */
void vbus_nodes_event(struct vbus *vbus, const struct canbus_event *event);
void vbus_nodes_load(struct vbus *vbus, uint64_t at_ns, const struct canbus_counts *counts);

/* ---- vbus_gateway.c ------------------------------------------------------------------------------------------ */
/* Values of the options, as written there. -1: error[] tells why. */
int vbus_gateway_udp(struct vbus *vbus, const char *value, char *error, size_t error_size);
int vbus_gateway_tcp(struct vbus *vbus, const char *value, char *error, size_t error_size);
int vbus_gateway_multicast(struct vbus *vbus, const char *value, char *error, size_t error_size);
void vbus_gateway_accept(struct vbus *vbus);
short vbus_gateway_events(const struct vbus_gateway *gateway);
void vbus_gateway_serve(struct vbus *vbus, struct vbus_gateway *gateway, short events);
void vbus_gateway_event(struct vbus *vbus, struct vbus_gateway *gateway, const struct canbus_event *event);
/* Recovers those that are bus-off and ends those that are closing. */
void vbus_gateways_tend(struct vbus *vbus);

/* ---- vbus_request.c ------------------------------------------------------------------------------------------ */
void vbus_request(void *context, json_t *request);

#endif
