/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection to its server, from the first attempt to the next one: connect, TLS handshake, introduction, talk,
 * and after any loss a growing wait. What is said over it is its owner's. A value in the owner's static storage; it never
 * calls its owner, so that the worst stack stays a path without pointers. A turn of the owner:
 *
 *	connection_turn(&c, now_us);
 *	while (connection_advance(&c))
 *		entered();                            prepares what the new state needs
 *	while (connection_goes_on(&c) && step())      sends and receives over c.stream
 *		;
 *	...                                           the owner's own timers
 *	if (connection_is_late(&c))
 *		lose();                               connection_lose(), and entered()
 *	deadline_us = connection_deadline_us(&c, own_us);
 */
#ifndef FIRMWARE_CORE_CONNECTION_H
#define FIRMWARE_CORE_CONNECTION_H

#include "doip_backoff.h"
#include "tls.h"

/* The owners' public states have the same values. */
enum connection_state {
	CONNECTION_IDLE,
	CONNECTION_BACKOFF, /* waits for its next attempt */
	CONNECTION_CONNECTING,
	CONNECTION_HANDSHAKING,
	CONNECTION_INTRODUCING, /* established, but the server has not agreed yet: the attempt's time still runs */
	CONNECTION_UP,
};

struct connection_config {
	const char *owner;           /* begins the console's lines about losses; kept by the caller */
	const char *verify;          /* of the boot marker "tls", NULL: the marker does not tell; kept by the caller */
	struct tls_config *tls;      /* NULL: plain TCP */
	struct port_endpoint remote; /* port 0 is refused */
	uint32_t attempt_ms;         /* for TCP, TLS and the introduction together */
	uint32_t backoff_first_ms, backoff_limit_ms;
};

struct connection {
	struct connection_config config;
	enum connection_state state;
	struct stream stream; /* for the owner to talk over while connection_talks() */
	bool broken;          /* set by the owner when a send failed: it is lost as soon as nobody is in the middle of anything */
	uint64_t now_us;      /* of the turn */
	/* Its own business. */
	bool link_up, due, again;
	uint8_t steps;
	port_socket socket; /* while connecting; afterwards the stream owns it */
	uint64_t retry_us, limit_us;
	struct doip_backoff backoff;
};

/* Only while idle, else PORT_INVALID; the first turn connects. */
enum port_status connection_start(struct connection *connection, const struct connection_config *config);
/* Begins a turn. A link that came back since the last one ends the wait for the next attempt. */
void connection_turn(struct connection *connection, uint64_t now_us);
/* Goes at most one state on; true: it did, so ask again. Writes the boot markers "connected" and "tls". */
bool connection_advance(struct connection *connection);
/* Introducing or up. */
bool connection_talks(const struct connection *connection);
/* True while the turn has a step left for talking. When it has not, connection_deadline_us() is now. */
bool connection_goes_on(struct connection *connection);
/* The server agreed: introducing becomes up, and the next wait is the shortest again. */
void connection_agreed(struct connection *connection);
/* The attempt took longer than attempt_ms. */
bool connection_is_late(const struct connection *connection);
/* Ends it, in order or by a reset, says why and when the next attempt is, and waits for that. Not while idle. */
void connection_lose(struct connection *connection, const char *reason, bool orderly);
/* Ends it in order for good: idle. */
void connection_stop(struct connection *connection);
/* When the next turn is due; own_us: when the owner wants one while introducing or up. */
uint64_t connection_deadline_us(const struct connection *connection, uint64_t own_us);

#endif
