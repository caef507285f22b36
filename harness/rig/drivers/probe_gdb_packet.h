/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of the GDB remote protocol ("Debugging with GDB", Remote Protocol, Overview): $DATA#SUM, acknowledged by + or -, with }
 * before what may not stand in DATA and * before a run length. Bytes to packets and back; no I/O.
 */
#ifndef HARNESS_RIG_DRIVERS_PROBE_GDB_PACKET_H
#define HARNESS_RIG_DRIVERS_PROBE_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../base/bytes.h"

#define GDB_PACKET_MAX 16384 /* largest DATA, packed and unpacked; servers announce at most about that */
#define GDB_NOISE_MAX  4096  /* bytes outside packets after which the other end is no GDB server */

#define GDB_INTERRUPT 0x03 /* outside packets: stops the target */

enum gdb_item {
	GDB_MORE, /* all bytes are taken, nothing is whole */
	GDB_ACK,
	GDB_NAK,
	GDB_PACKET,
	GDB_NOTIFICATION, /* %DATA#SUM: never acknowledged */
	GDB_BAD_SUM,      /* the packet has to be sent again */
	GDB_MALFORMED,    /* the sum is right, but an escape or a run length is not */
	GDB_TOO_LONG,     /* over GDB_PACKET_MAX */
	GDB_NOISE         /* over GDB_NOISE_MAX */
};

enum gdb_place { GDB_OUTSIDE, GDB_INSIDE, GDB_SUM_HIGH, GDB_SUM_LOW };
struct gdb_decoder {
	enum gdb_place place;
	char begin;             /* $ or % */
	uint8_t sum, told;      /* of the bytes, and what the packet says */
	bool too_long, strange; /* strange: a sum that is no hex */
	size_t raw_length, noise;
	uint8_t raw[GDB_PACKET_MAX];
	size_t length;                 /* of a packet or notification */
	char data[GDB_PACKET_MAX + 1]; /* zero-terminated as well */
};
/* Zero-initialised is ready. Takes bytes until an item is whole: *data and *length move on. The packet is valid until the next call. */
enum gdb_item gdb_decode(struct gdb_decoder *, const uint8_t **data, size_t *length);

/* Appends a packet. 0 or -ENOMEM. */
int gdb_encode(struct bytes *out, const void *data, size_t length) WARN_UNUSED;
/* How many bytes data takes within a packet. */
size_t gdb_escaped_length(const void *data, size_t length);

/* Pairs of hex digits to at most `limit` bytes; returns how many, or -EINVAL when something else stands there. */
ssize_t gdb_hex_bytes(const char *text, size_t length, uint8_t *ret, size_t limit) WARN_UNUSED;
/* Appends bytes as hex digits. 0 or -ENOMEM. */
int gdb_append_hex(struct bytes *out, const void *data, size_t length) WARN_UNUSED;

#endif
