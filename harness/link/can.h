/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One CAN channel of the harness, whatever is beneath: the virtual bus (docs/reference/virtual-bus.md), SocketCAN, or
 * CAN over IP (cannelloni UDP and TCP, python-can udp_multicast). Non-blocking on the loop; every frame that is seen is
 * stamped with the best clock there is. A back end is one file (can_*.c) plus one line in can.c's table.
 */
#ifndef HARNESS_LINK_CAN_H
#define HARNESS_LINK_CAN_H

#include "../base/loop.h"
#include "../base/timeline.h"

#define CAN_MESSAGE_MAX 64

enum can_message_flag { CAN_MESSAGE_EXTENDED = 1, CAN_MESSAGE_REMOTE = 2, CAN_MESSAGE_FD = 4, CAN_MESSAGE_BRS = 8, CAN_MESSAGE_ESI = 16 };
struct can_message {
	uint32_t id;
	uint8_t flags;  /* enum can_message_flag */
	uint8_t length; /* bytes; a remote frame: requested DLC */
	uint8_t data[CAN_MESSAGE_MAX];
	struct instant at; /* end of frame (arrival where the back end does not know it) */
	int64_t begin_ns;  /* start of frame, 0 unknown */
	uint64_t ticket;   /* transmitted frames: of can_send() */
};
enum can_bus_state { CAN_BUS_ACTIVE, CAN_BUS_WARNING, CAN_BUS_PASSIVE, CAN_BUS_OFF, CAN_BUS_STOPPED };
enum can_error_kind { CAN_ERROR_BIT, CAN_ERROR_STUFF, CAN_ERROR_FORM, CAN_ERROR_ACK, CAN_ERROR_CRC, CAN_ERROR_OTHER };
struct can_counters {
	uint64_t received, sent, errors, lost; /* lost: frames that overflowed a queue, counted by bus or kernel, never silent */
	unsigned load_per_mille;               /* of the last second; 0 when unknown */
	enum can_bus_state state;
	unsigned tec, rec;
	uint32_t nominal_bit_rate, data_bit_rate; /* 0 unknown */
};

struct can; /* opaque */
struct can_handlers {
	void *context;
	void (*received)(struct can *, const struct can_message *, void *context);
	void (*sent)(struct can *, const struct can_message *, void *context); /* it was on the bus: stamp of its end of frame */
	void (*not_sent)(struct can *, uint64_t ticket, const char *reason, void *context);
	void (*error)(struct can *, enum can_error_kind, uint32_t id, struct instant at, void *context);
	void (*state)(struct can *, enum can_bus_state, struct instant at, void *context);
	void (*lost)(struct can *, uint64_t count, void *context);       /* overflow: count since the last call */
	void (*closed)(struct can *, const char *reason, void *context); /* interface gone, bus gone: nothing follows */
	/* Virtual bus: the state of every other node, by its number there. */
	void (*node_state)(struct can *, unsigned node, enum can_bus_state, unsigned tec, unsigned rec, struct instant at, void *context);
};
struct can_options {
	const char *driver; /* "virtual", "socketcan", "cannelloni-udp", "cannelloni-tcp", "udp-multicast" */
	/* virtual: socket path; socketcan: interface name; cannelloni-udp: "local:port,remote:port"; cannelloni-tcp:
	 * "[local:port,]remote:port" connects, "local:port," listens; udp-multicast: "group:port[,interface name or address]". */
	const char *address;
	const char *name; /* node name on a virtual bus; channel "can:NAME" on the timeline */
	bool listen_only, fd;
	uint32_t nominal_bit_rate, data_bit_rate; /* socketcan: set when not 0 (needs the privilege) */
};
int can_open(struct can **ret, struct loop *, struct timeline *, const struct can_options *, const struct can_handlers *,
             struct error *) WARN_UNUSED;
void can_close(struct can *); /* NULL allowed */
/* Queues a frame; *ret_ticket may be NULL. -EINVAL illegal frame (err says why), -ENOBUFS queue full, -ENETDOWN bus-off or interface down.
 */
int can_send(struct can *, const struct can_message *, uint64_t *ret_ticket, struct error *) WARN_UNUSED;
void can_counters_read(struct can *, struct can_counters *ret);
/* When a bus that gives a sign of life every second gave the last one (CLOCK_MONOTONIC ns); 0: it never gave one. */
int64_t can_heard_ns(const struct can *);
int can_recover(struct can *, struct error *) WARN_UNUSED; /* leave bus-off */
const char *can_state_name(enum can_bus_state);            /* "error-active" "error-warning" "error-passive" "bus-off" "stopped" */
const char *can_error_name(enum can_error_kind);

/* Frame check: 0, or -EINVAL with the reason (length that no DLC has, BRS without FD, remote FD, id out of range). */
int can_message_check(const struct can_message *, struct error *) WARN_UNUSED;
/* Time of the frame on the bus with its stuff bits, from start of frame to the end of the interframe space, ns, by
 * ISO 11898-1 with sample points at 80 %. data_bit_rate 0: no faster phase. nominal_bit_rate > 0. */
int64_t can_frame_time_ns(const struct can_message *, uint32_t nominal_bit_rate, uint32_t data_bit_rate);
/* Checks the form of can_options.address for a driver without opening anything: 0 or -EINVAL with the reason. */
int can_address_check(const char *driver, const char *address, struct error *err) WARN_UNUSED;
/* One candump -L line ("(1436509052.249713) can0 123##1DEADBEEF", stamp with 9 digits) of a message; newline included.
 * Returns its length, or -ENOSPC (CAN_LOG_LINE_MAX always suffices for interface names up to 63 characters). The wall
 * clock's offset is taken once a process, so that a clock that is set does not bend the log. */
#define CAN_LOG_LINE_MAX 256
int can_log_format(const struct can_message *, const char *interface, char *buffer, size_t size);

#endif
