/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network tap of the virtual rack: forwards TCP connections of one link between two nodes, stamps every segment
 * (kernel receive stamps), watches TLS and DoIP in it (link/watch.h), and can be told to misbehave as a cable would.
 */
#ifndef HARNESS_LINK_RELAY_H
#define HARNESS_LINK_RELAY_H

#include "capture.h"
#include "watch.h"

struct relay;
/* channel "link:zgw-vmg"; listen = the address the client connects to, target = the server's real one;
 * source (may be NULL) = address the forwarded connection comes from. timeline and capture may be NULL.
 * The kernel accepts a connection before the relay can ask the server: when that refuses, the client sees RST after a
 * connection that stood for an instant, and the journal has tcp.refused. tcp.syn is stamped when it is accepted.
 * The capture has each connection once, from the client's address to the listen address. */
int relay_new(struct relay **ret, struct loop *, struct timeline *, struct capture *, const char *channel, const char *listen,
              const char *target, const char *source, struct error *) WARN_UNUSED;
void relay_free(struct relay *);

const char *relay_address(const struct relay *); /* where it listens: "127.0.0.1:40001" when port 0 was asked for */
/* Fields of the doip events of connections to come (watch_on_doip()). */
void relay_on_doip(struct relay *, watch_doip_describe, void *context);
void relay_journal_segments(struct relay *, bool); /* tcp.segment events; off at first */

/* Faults. All take effect on present and future connections until relay_restore(). */
void relay_cut(struct relay *);  /* RST on both sides now; new connections still work */
void relay_down(struct relay *); /* cable unplugged: nothing passes, nobody is told (no FIN, no RST); new connections hang */
void relay_stall(struct relay *, bool from_client);               /* one direction stops passing bytes */
void relay_delay(struct relay *, int64_t ns);                     /* each segment, both directions */
void relay_split(struct relay *, unsigned bytes, int64_t gap_ns); /* forwards in pieces of n bytes with pauses */
/* Cuts (RST both sides) the next connection after n bytes from the client / from the server passed: exactly these reach
 * the other side. One connection only, whether it gets so far or not. */
void relay_cut_after(struct relay *, bool from_client, uint64_t bytes);
/* Cuts at a TLS event of the next connection: "client_hello", "server_hello", "client_finished". The segment that
 * completes the message is seen (captured, journalled), not forwarded. */
int relay_cut_at(struct relay *, const char *event, struct error *) WARN_UNUSED;
void relay_restore(struct relay *); /* undo all but relay_retarget(); connections that came while down, and silent ones, are reset */
/* Power of one node was cut: the connections that stand now go silent for good. Nothing passes, nobody is told (what the
 * dead node's kernel says, FIN or RST, is swallowed), they no longer count as open; NEW connections work as before.
 * relay_cut() and relay_restore() end the silent ones with RST; otherwise each lives until its living end gives up. */
void relay_silence(struct relay *);
/* Replace the server: new connections go to another target (the harness's own listener). NULL restores. */
int relay_retarget(struct relay *, const char *target, struct error *) WARN_UNUSED;
unsigned relay_connections(const struct relay *); /* open now */
/* A key log line of one of the two ends, so that the watch can decrypt; goes to the capture too. A second after the
 * end of a connection is not too late. */
void relay_secret(struct relay *, const char *line);

#endif
