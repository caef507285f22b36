/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by can.c and the back ends only. */
#ifndef HARNESS_LINK_CAN_PRIVATE_H
#define HARNESS_LINK_CAN_PRIVATE_H

#include "can.h"
#include "can_pending.h"

struct can_backend {
	const char *name;
	int (*check)(const char *address, struct error *err); /* of the form only; NULL: any text */
	/* Sets can->state; on failure close() is called with what there is. */
	int (*open)(struct can *, const struct can_options *, struct error *err);
	void (*close)(struct can *);
	/* The frame is checked and stands at the end of can->pending: hand over as much as goes. */
	int (*send)(struct can *, struct error *err);
	void (*refresh)(struct can *);                   /* brings can->counters up to date; may be NULL */
	int (*recover)(struct can *, struct error *err); /* may be NULL */
};

/* Bus load out of the frames that were seen. */
struct can_load {
	int64_t second; /* CLOCK_MONOTONIC second that is being filled */
	int64_t busy_ns;
	unsigned per_mille; /* of the second before it */
};

struct can {
	const struct can_backend *backend;
	void *state; /* the back end's */
	struct loop *loop;
	struct timeline *timeline; /* may be NULL */
	struct can_handlers handlers;
	char *name, *channel;
	bool listen_only, fd;
	bool load_is_told; /* the bus tells its load: none is computed */
	int64_t heard_ns;  /* when it last did, 0 never */
	bool closed;       /* said so to the handler */
	bool freed;        /* can_close() from inside a handler: can_leave() does the rest */
	unsigned busy;
	struct can_counters counters;
	struct can_load load;
	struct can_pending pending;
	uint64_t newest_ticket, garbage;
};

extern const struct can_backend can_virtual, can_socketcan, can_cannelloni_udp, can_cannelloni_tcp, can_udp_multicast;

/* Around everything that a back end does from the loop: a handler may close the channel. After can_leave() the channel
 * may be gone; between reports ask can->freed and can->closed. */
void can_enter(struct can *);
void can_leave(struct can *);

/* What back ends tell. None of them frees. */
void can_report_received(struct can *, const struct can_message *);
void can_report_sent(struct can *, struct can_pending_entry *, struct instant at);
void can_report_not_sent(struct can *, uint64_t ticket, const char *reason);
void can_report_all_not_sent(struct can *, const char *reason);
/* What came from another program and was decoded: an error frame, a frame that no bus carries, or a frame; its stamp is set. */
void can_report_decoded(struct can *, struct can_message *, bool error, struct instant at);
void can_report_error(struct can *, enum can_error_kind, uint32_t id, struct instant at);
void can_report_state(struct can *, enum can_bus_state, struct instant at); /* only changes reach the handler */
void can_report_lost(struct can *, uint64_t count);
void can_report_closed(struct can *, const char *reason);
/* What came and is no message: counted; the first is said on the timeline. */
void can_report_garbage(struct can *, const char *what);

#endif
