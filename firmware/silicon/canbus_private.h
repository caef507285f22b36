/* SPDX-License-Identifier: Apache-2.0 */
/* Inner parts of the model. Only canbus*.c include this. */
#ifndef FIRMWARE_SILICON_CANBUS_PRIVATE_H
#define FIRMWARE_SILICON_CANBUS_PRIVATE_H

#include "canbus_wire.h"

enum {
	BITS_FLAG = 6,
	BITS_DELIMITER = 8, /* of an error frame */
	BITS_TAIL = 8,      /* ACK delimiter and end of frame */
	BITS_INTERMISSION = 3,
	BITS_SUSPEND = 8,
	BITS_IDLE = 11, /* recessive bits after which a node takes part; 128 times that after bus-off */
	RECOVERY_TIMES = 128,
	LIMIT_WARNING = 96,
	LIMIT_PASSIVE = 128,
	LIMIT_BUS_OFF = 256,
	LIMIT_REC = 255,
};

struct waiting {
	struct canbus_frame frame;
	uint32_t ticket;
	uint64_t since_ns;
};

struct node {
	bool used, listen_only;
	bool sending;  /* its head is on the wire */
	bool hears;    /* it receives what is on the wire */
	bool last_try; /* cancelled while sending */
	bool dropped;  /* stopped sending in the middle of another's identical start (error passive) */
	bool encoded;  /* wire is of the head */
	bool recovering;
	unsigned segment; /* 0 the bus, 1 + own number: the cut-off stub */
	enum canbus_state state;
	uint16_t tec, rec, told_tec, told_rec;
	enum canbus_state told_state;
	uint64_t integrated_ns; /* CANBUS_NEVER: waits for the end of what is on the wire */
	uint64_t suspended_ns;  /* may not begin a frame before */
	uint64_t recover_from_ns;
	unsigned recover_left;
	struct waiting queue[CANBUS_QUEUE];
	unsigned head, queued;
	struct canbus_wire wire;
};

/* A piece of copper: the bus, or the stub of a node that is cut off. */
enum phase { PHASE_IDLE, PHASE_FRAME, PHASE_TAIL, PHASE_CRC };
struct segment {
	enum phase phase;
	uint64_t until_ns;           /* end of the phase (not idle) */
	uint64_t free_ns;            /* idle: a frame may begin from here */
	uint64_t recessive_since_ns; /* idle */
	uint64_t begin_ns;           /* start of frame */
	unsigned sender;             /* one of those that send (all send the same bits) */
	bool damaged;                /* bit damage_at is wrong: the frame ends behind it */
	unsigned damage_at;
	bool crc_wrong, ack_lost;
	bool unseen; /* the sender, error passive, saw an error that nobody else saw */
};

struct rule {
	bool used;
	struct canbus_corruption what;
};

struct canbus {
	struct canbus_config config;
	uint64_t now_ns;
	bool running, shorted;
	unsigned limit, cut; /* highest node number in use + 1; number of nodes that are cut off */
	struct canbus_counts counts;
	struct rule rules[CANBUS_MAX_RULES];
	unsigned rule_count;
	struct segment segments[1 + CANBUS_MAX_NODES];
	struct node nodes[CANBUS_MAX_NODES];
};

/* ---- time (canbus.c) ---- */
uint64_t canbus_bits_ns(const struct canbus *bus, uint64_t bits);
/* From start of frame to the end of the first `bits` bits. */
uint64_t canbus_wire_ns(const struct canbus *bus, const struct canbus_wire *wire, unsigned bits);

/* ---- nodes (canbus_node.c) ---- */
struct waiting *canbus_head(struct node *node);
void canbus_pop(struct node *node);
void canbus_emit(struct canbus *bus, const struct canbus_event *event);
/* The head is given up. */
void canbus_give_up(struct canbus *bus, unsigned number, uint64_t at_ns, enum canbus_reason reason);
/* Tells what changed and enters bus-off. */
void canbus_node_update(struct canbus *bus, unsigned number, uint64_t at_ns);
void canbus_node_recovered(struct canbus *bus, unsigned number, uint64_t at_ns);
static inline bool canbus_passive(const struct node *node)
{
	return node->tec >= LIMIT_PASSIVE || node->rec >= LIMIT_PASSIVE;
}

/* ---- the wire (canbus_run.c) ---- */
uint64_t canbus_segment_next_ns(const struct canbus *bus, unsigned segment);
void canbus_segment_step(struct canbus *bus, unsigned segment, uint64_t at_ns);
/* The node takes part from now on, or no longer does. */
void canbus_join(struct canbus *bus, unsigned number, unsigned segment, uint64_t now_ns);
void canbus_leave(struct canbus *bus, unsigned number, uint64_t now_ns);

/* ---- errors (canbus_error.c) ---- */
/* An error at at_ns, seen by the senders. damage_at: the wrong bit, -1 at the acknowledgement. */
void canbus_fail(struct canbus *bus, unsigned segment, uint64_t at_ns, enum canbus_error error, int damage_at);
/* One receiver saw a wrong CRC; at_ns: end of the ACK delimiter. */
void canbus_fail_crc(struct canbus *bus, unsigned segment, uint64_t at_ns);
/* The sender is gone. */
void canbus_fail_vanished(struct canbus *bus, unsigned segment, uint64_t at_ns, unsigned sender);
/* The bus is shorted under the senders. */
void canbus_fail_shorted(struct canbus *bus, unsigned segment, uint64_t at_ns);
/* Error passive nodes that stopped in the middle of a frame are told at its end. */
void canbus_settle_dropped(struct canbus *bus, unsigned segment, uint64_t at_ns);
/* Senders that failed lose a cancelled frame, and wait longer when they are error passive. */
void canbus_after_try(struct canbus *bus, unsigned segment, uint64_t at_ns);
unsigned canbus_victim(const struct canbus *bus, unsigned segment);
void canbus_idle(struct canbus *bus, struct segment *s, uint64_t end_ns, uint64_t recessive_ns);

#endif
