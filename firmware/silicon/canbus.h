/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of one CAN (FD) bus after ISO 11898-1: arbitration, frame times with the real stuff bits, acknowledgement,
 * error frames, error counters, bus-off and recovery. It knows no clock and no operating system: time is a parameter,
 * in ns on any scale, and every call that takes `now_ns` first lets happen what lies before it. One thread.
 *
 * What is simplified: bits change the rate at the end of BRS and of the CRC delimiter instead of at their sample
 * points, there is no propagation delay, and nobody sends overload frames.
 */
#ifndef FIRMWARE_SILICON_CANBUS_H
#define FIRMWARE_SILICON_CANBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANBUS_MAX_NODES 64u
#define CANBUS_QUEUE     16u /* frames that wait in a node */
#define CANBUS_MAX_RULES 32u
#define CANBUS_NEVER     UINT64_MAX

enum canbus_flag { CANBUS_EXTENDED = 1, CANBUS_REMOTE = 2, CANBUS_FD = 4, CANBUS_BRS = 8, CANBUS_ESI = 16 };
enum canbus_state { CANBUS_ACTIVE, CANBUS_WARNING, CANBUS_PASSIVE, CANBUS_BUS_OFF };
enum canbus_error { CANBUS_ERROR_BIT = 1, CANBUS_ERROR_STUFF, CANBUS_ERROR_FORM, CANBUS_ERROR_ACK, CANBUS_ERROR_CRC };
enum canbus_reason { CANBUS_REASON_BUS_OFF = 1, CANBUS_REASON_QUEUE_FULL, CANBUS_REASON_CANCELLED, CANBUS_REASON_ILLEGAL };

struct canbus_frame {
	uint32_t id;
	uint8_t flags;  /* enum canbus_flag; ESI is set by the model and ignored on input */
	uint8_t length; /* bytes; of a remote frame the requested number */
	uint8_t data[64];
};

enum canbus_event_kind {
	CANBUS_RECEIVED,  /* node took a frame of sender */
	CANBUS_CONFIRMED, /* node's own frame was acknowledged */
	CANBUS_NOT_SENT,  /* node's own frame was given up: reason */
	CANBUS_FAILED,    /* sender's frame was destroyed at end_ns: error; told once, node is the sender */
	CANBUS_CHANGED,   /* node's state or counters */
};
struct canbus_event {
	enum canbus_event_kind kind;
	unsigned node, sender;
	uint64_t begin_ns, end_ns;        /* start of frame; end of frame, or the instant of anything else */
	const struct canbus_frame *frame; /* received, confirmed, failed; valid during the call */
	uint32_t ticket;                  /* confirmed, not sent */
	enum canbus_reason reason;
	enum canbus_error error;
	enum canbus_state state;
	uint16_t tec, rec;
};

struct canbus_config {
	uint32_t nominal, data; /* bit/s, 1000 .. 20,000,000; data 0: a classic bus, FD frames are illegal */
	/* Called for every event in the order of their instants. It may call canbus_transmit() and nothing else. */
	void (*sink)(void *context, const struct canbus_event *event);
	void *context;
};

enum canbus_damage {
	CANBUS_DAMAGE_BIT, /* a bit behind the DLC is flipped for everybody */
	CANBUS_DAMAGE_CRC, /* one receiver (the lowest number) sees a wrong CRC */
	CANBUS_DAMAGE_ACK, /* nobody acknowledges */
};

struct canbus_corruption {
	uint32_t id;
	bool extended;
	uint32_t nth;   /* from 1: how manieth further frame of this identifier on the bus, retries included */
	uint32_t count; /* so many in a row */
	enum canbus_damage damage;
};

struct canbus_node_status {
	enum canbus_state state;
	uint16_t tec, rec;
	unsigned queued;
	bool silenced;
};

struct canbus_counts {
	uint64_t busy_ns; /* time the bus was not idle (intermission is part of a frame) */
	uint32_t frames, errors;
};

struct canbus;

/* NULL: a bit rate is out of range, or no memory. */
struct canbus *canbus_new(const struct canbus_config *config);
void canbus_free(struct canbus *bus);

/* A node takes part after 11 recessive bits. Its number, or -1 when CANBUS_MAX_NODES are attached. A node that only
 * listens sends nothing, no acknowledgement and no error flag either. */
int canbus_attach(struct canbus *bus, uint64_t now_ns, bool listen_only);
/* Its power is cut: a frame that it was sending ends there. */
void canbus_detach(struct canbus *bus, uint64_t now_ns, unsigned node);
void canbus_listen_only(struct canbus *bus, uint64_t now_ns, unsigned node, bool on);

/* Queues a frame; the answer is a CONFIRMED or NOT_SENT event (perhaps at once). Frames of a node keep their order. */
void canbus_transmit(struct canbus *bus, uint64_t now_ns, unsigned node, const struct canbus_frame *frame, uint32_t ticket);
/* Empties the queue; a frame that is on the bus gets its try to the end, but no other. */
void canbus_cancel(struct canbus *bus, uint64_t now_ns, unsigned node);
/* The same for one frame of the queue; nothing happens when it is not there. */
void canbus_cancel_one(struct canbus *bus, uint64_t now_ns, unsigned node, uint32_t ticket);
/* Begins recovery from bus-off: 128 times 11 recessive bits. */
void canbus_recover(struct canbus *bus, uint64_t now_ns, unsigned node);

/* Faults. silence: the node's stub is cut off, it sees itself only. short: both lines together, always recessive.
 * corrupt: false when there are CANBUS_MAX_RULES already. */
void canbus_silence(struct canbus *bus, uint64_t now_ns, unsigned node, bool on);
void canbus_short(struct canbus *bus, uint64_t now_ns, bool on);
bool canbus_corrupt(struct canbus *bus, uint64_t now_ns, const struct canbus_corruption *corruption);
/* Undoes all of them: corruptions that have not struck yet are forgotten, the short and every cut are mended. */
void canbus_restore(struct canbus *bus, uint64_t now_ns);

/* When something happens next, CANBUS_NEVER: never by itself. */
uint64_t canbus_next_ns(const struct canbus *bus);
/* Lets everything happen up to and including that instant. */
void canbus_advance(struct canbus *bus, uint64_t until_ns);

void canbus_node_status(const struct canbus *bus, unsigned node, struct canbus_node_status *ret_status);
void canbus_counts(const struct canbus *bus, uint64_t now_ns, struct canbus_counts *ret_counts);
bool canbus_shorted(const struct canbus *bus);

/* A frame that this bus can carry. */
bool canbus_frame_legal(const struct canbus *bus, const struct canbus_frame *frame);
/* Its time on the bus, start of frame to the end of the intermission. */
uint64_t canbus_frame_ns(const struct canbus *bus, const struct canbus_frame *frame);

#endif
