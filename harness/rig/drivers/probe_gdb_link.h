/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line to a server of the GDB remote protocol, over TCP or a UNIX socket: packets acknowledged until the server agrees to do
 * without, sent again when it asks for it. A connection whose answer did not come in time is given up: a late answer must never be taken
 * for that of the next question. Errors are ERROR_BENCH and name the server.
 */
#ifndef HARNESS_RIG_DRIVERS_PROBE_GDB_LINK_H
#define HARNESS_RIG_DRIVERS_PROBE_GDB_LINK_H

#include "../../base/loop.h"
#include "probe_gdb_packet.h"

struct gdb_link;
/* "127.0.0.1:3333", "[::1]:3333" or the path of a UNIX socket (with a `/`). 0 or -EINVAL, ERROR_USAGE without a place. */
int gdb_address_check(const char *address, struct error *err) WARN_UNUSED;
/* Connects by the deadline. */
int gdb_link_open(struct gdb_link **ret, struct loop *, const char *address, int64_t deadline_ns, struct error *err) WARN_UNUSED;
void gdb_link_close(struct gdb_link *); /* NULL allowed */
/* Whether the server still holds the connection, and it is of use. */
bool gdb_link_alive(const struct gdb_link *);
const char *gdb_link_address(const struct gdb_link *);
/* From the next packet on nothing is acknowledged (the server answered OK to QStartNoAckMode). */
void gdb_link_trust(struct gdb_link *);

/* Sends a packet, and waits until it is acknowledged where that is due. */
int gdb_link_send(struct gdb_link *, const void *data, size_t length, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* A byte outside packets. */
int gdb_link_send_byte(struct gdb_link *, uint8_t byte, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* The next packet, without notifications. Zero-terminated, valid until the next call. `what`: what is waited for, for messages. */
int gdb_link_receive(struct gdb_link *, const char *what, const char **ret, size_t *ret_length, int64_t deadline_ns,
                     struct error *err) WARN_UNUSED;
/* The next packet if one is there already: true. Never waits. */
bool gdb_link_poll(struct gdb_link *, const char **ret, size_t *ret_length);

#endif
