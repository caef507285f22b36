/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/port.h in memory: virtual time, scripted sockets in which the test plays the peer, and every n-th
 * operation failing on demand. Needs no operating system. State is static: fake_port_clear() before each test.
 *
 * Endpoints are written as text ("10.0.0.1:13400", "[fe80::1%2]:13400"); a text that does not parse traps.
 */
#ifndef FIRMWARE_TESTS_FAKE_PORT_H
#define FIRMWARE_TESTS_FAKE_PORT_H

#include "../port.h"

#define FAKE_PIPE_SIZE     32768u /* bytes under way in each direction of a connection */
#define FAKE_DATAGRAM_SIZE 2048u

/* Everything as after power-on: time 0, no parameters, no sockets, link up, nothing fails. */
void fake_port_clear(void);

/* ---- time, link, console, parameters ------------------------------------------------------------------------ */
void fake_time_set(uint64_t time_us);
void fake_time_advance(uint64_t us);
void fake_link_set(bool up);
/* What the firmware wrote so far, NUL terminated; the oldest text is dropped when 16 KiB are full. */
const char *fake_console(void);
void fake_console_clear(void);
/* value NULL removes it. Texts up to 255 characters are copied. */
void fake_param_set(const char *name, const char *value);
/* The data is not copied. */
void fake_object_set(const char *name, const void *data, size_t length);
/* The sequence that port_random() gives begins anew. */
void fake_random_seed(uint64_t seed);
void fake_reset_reason_set(enum port_reset_reason reason);
uint8_t *fake_ram(void); /* PORT_RAM_SIZE bytes of debug RAM, 0 after fake_port_clear() */
uint8_t *fake_nvm(void); /* PORT_NVM_SIZE bytes, 0xFF after fake_port_clear() */
/* Last line given to port_trace_secret(), "" when none. */
const char *fake_secret(void);
/* Called at the begin of every port_wait(); NULL: none. port_wait() itself moves time to the deadline. */
void fake_wait_hook(void (*hook)(void *context), void *context);

/* ---- control flow ------------------------------------------------------------------------------------------- */
enum fake_end { FAKE_RETURNED, FAKE_RESET_SYSTEM, FAKE_RESET_APPLICATION, FAKE_HALTED, FAKE_STARTED, FAKE_POWER_LOST };
/* Runs a function of the firmware that may end in port_reset(), in port_start_application() (with fake_flash.h), by a
 * cut of the power (with fake_flash.h), or wait for ever with nothing to wait for. */
enum fake_end fake_run(void (*function)(void *context), void *context);

/* What was handed the CPU when fake_run() ended with FAKE_STARTED. */
void fake_started(uint32_t *ret_address, uint32_t *ret_length);
_Noreturn void fake_application_started(uint32_t address, uint32_t length);
_Noreturn void fake_power_lost(void);
/* A device that ends port_wait(): next_us() gives when, in the port's time (UINT64_MAX: never); after() is called at the
 * end of each wait. NULL: none. Not forgotten by fake_port_clear(). */
void fake_wait_device(uint64_t (*next_us)(void), void (*after)(void));
/* The board's supply; 12000 mV after fake_port_clear(). */
void fake_supply_set(uint32_t millivolts);

/* ---- failures ----------------------------------------------------------------------------------------------- */
enum fake_operation {
	FAKE_OPEN, /* listen, connect, udp_open */
	FAKE_ACCEPT,
	FAKE_SEND,
	FAKE_RECEIVE,
	FAKE_UDP_SEND,
	FAKE_UDP_RECEIVE,
	FAKE_JOIN,
	FAKE_NVM,
	FAKE_CAN_SEND,
	FAKE_OPERATIONS
};
/* Every n-th operation from now on gives `status` instead; n = 0: none. */
void fake_fail_every(enum fake_operation operation, unsigned n, enum port_status status);

/* ---- TCP peers ---------------------------------------------------------------------------------------------- */
/* Connects to a listener of the firmware; -1 when nobody listens there. */
int fake_peer_connect(const char *from, const char *to);
/* The oldest connection that the firmware has begun with port_tcp_connect() and that is not answered; -1: none. */
int fake_peer_incoming(void);
void fake_peer_accept(int peer);
void fake_peer_refuse(int peer);
/* Bytes to the firmware; returns what fitted. Bytes for a socket that the firmware has closed cause a reset. */
size_t fake_peer_send(int peer, const void *data, size_t length);
/* Bytes that the firmware has sent; returns the count, at most size. */
size_t fake_peer_take(int peer, void *buffer, size_t size);
size_t fake_peer_available(int peer);
void fake_peer_close(int peer); /* FIN */
void fake_peer_abort(int peer); /* RST */
/* Unread bytes the peer's window takes (0: closed window). Default FAKE_PIPE_SIZE. */
void fake_peer_window(int peer, size_t window);
/* At most this many bytes for each call of send or receive of the firmware; 0: no limit. */
void fake_peer_segment(int peer, size_t segment);
enum fake_peer_state { FAKE_PEER_WAITING, FAKE_PEER_OPEN, FAKE_PEER_FINISHED, FAKE_PEER_RESET };
/* FINISHED: the firmware closed in an orderly way; RESET: it aborted, or closed with unread input (as TCP stacks do). */
enum fake_peer_state fake_peer_state(int peer);
/* Number of port sockets in use (listeners and UDP included): for leak checks. */
unsigned fake_sockets_open(void);

/* ---- UDP ---------------------------------------------------------------------------------------------------- */
struct fake_datagram {
	struct port_endpoint from, to;
	size_t length;
	uint8_t data[FAKE_DATAGRAM_SIZE];
};
/* To the firmware's socket that is bound to `to`; false when there is none or the queue is full. */
bool fake_udp_send(const char *from, const char *to, const void *data, size_t length);
/* The oldest datagram the firmware has sent; false: none. */
bool fake_udp_take(struct fake_datagram *ret_datagram);
/* Whether the firmware joined the group. */
bool fake_udp_joined(const char *group);

/* ---- CAN ---------------------------------------------------------------------------------------------------- */
/* Wires the board to bus `node`: without it port_can_open() answers PORT_ABSENT. */
void fake_can_wire(uint8_t node);
/* Whether the firmware has opened the node. */
bool fake_can_opened(uint8_t node);
/* The oldest frame that the firmware has sent and that the test has not taken; ret_ticket may be NULL. false: none.
 * At most FAKE_CAN_SENT frames are kept: a test that lets more pass without taking them traps. */
#define FAKE_CAN_SENT 256u
bool fake_can_take(uint8_t node, struct port_can_frame *ret_frame, uint32_t *ret_ticket);
/* A frame on the bus, received by the firmware; its time_us is the present. false: the receive queue (64) is full and
 * port_can_lost() counts one more. */
bool fake_can_inject(uint8_t node, const struct port_can_frame *frame);
void fake_can_state_set(uint8_t node, enum port_can_state state, uint8_t transmit_errors, uint8_t receive_errors);
/* on (default): every frame is acknowledged at once. off: it waits in the controller's queue (16 places) until the
 * test confirms its ticket. */
void fake_can_automatic(uint8_t node, bool on);
/* The frame's end: acknowledged, or given up. */
void fake_can_confirm(uint8_t node, uint32_t ticket, bool acknowledged);
/* How many frames the firmware took out of the queue again. */
unsigned fake_can_cancelled(uint8_t node);
/* How often the firmware asked to leave bus-off. */
unsigned fake_can_recoveries(uint8_t node);

#endif
