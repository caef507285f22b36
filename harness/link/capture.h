/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.pcapng: interface "tap" holds what the relay and the harness's own streams and datagrams carried, as IP
 * packets rebuilt from the segments (SYN, data, FIN, RST with right sequence numbers and checksums); with the
 * privilege to capture, one further interface a watched device holds the kernel's own packets. TLS secrets go in as
 * Decryption Secrets Blocks at once, so that the file of a run that crashed has them; capture_close() writes the file
 * anew with all of them in front, because a reader decrypts only what follows the secret in the file.
 *
 * To read DoIP inside TLS on port 13400 (Wireshark knows that port as plain DoIP, and 3496 as DoIP over TLS):
 *     tshark -r capture.pcapng -o tcp.try_heuristic_first:TRUE -d tls.port==13400,doip -Y doip
 * The same hint is in the comment of the file.
 */
#ifndef HARNESS_LINK_CAPTURE_H
#define HARNESS_LINK_CAPTURE_H

#include "../base/loop.h"
#include "../base/timeline.h"

struct capture;
/* Creates the file (which must not exist); mode 0600 when it may hold secrets. loop may be NULL: then packets reach
 * the file at capture_close() or when 64 KiB have gathered; with a loop, within 100 ms too. */
int capture_open(struct capture **ret, struct loop *, const char *path, bool allow_secrets, struct error *) WARN_UNUSED;
int capture_close(struct capture *,
                  struct error *); /* writes what is left; frees (also the flows that are still open); the first failure */
bool capture_failed(const struct capture *, struct error *); /* a write failed (full disk): nothing more is written, the file is whole */

/* Rebuilt TCP. Addresses "1.2.3.4:5". A flow is one connection. NULL flows and captures are allowed everywhere. */
struct capture_flow;
/* Writes SYN, SYN-ACK, ACK. NULL: out of memory, no capture, or this very connection is being captured already (the
 * harness's own stream through the harness's own relay is seen twice and written once). */
struct capture_flow *capture_flow_new(struct capture *, const char *client, const char *server, struct instant at);
void capture_flow_data(struct capture_flow *, bool from_client, const void *data, size_t length, struct instant at);
void capture_flow_end(struct capture_flow *, bool by_client, bool reset, struct instant at); /* frees */
/* A connection attempt that was answered with RST. */
void capture_refused(struct capture *, const char *client, const char *server, struct instant at);
void capture_datagram(struct capture *, const char *from, const char *to, const void *data, size_t length, struct instant at);
/* A CAN frame, on an interface of the bus's own (link type CAN_SOCKETCAN). */
struct can_message;
void capture_can(struct capture *, const char *bus, const struct can_message *);
/* One key log line. Ignored (and wiped) unless secrets are allowed. */
void capture_secret(struct capture *, const char *line);

/* AF_PACKET on a device of the given network namespace (fd, or -1 for ours), kernel stamps; filter: only packets with
 * an address inside prefix ("127.1.0.0/16", IPv4) or NULL. -EPERM without the privilege. Frames are also handed to
 * observer (may be NULL): Ethernet frame, stamp. What goes over the loopback device is taken once. */
typedef void (*capture_frame_observer)(const uint8_t *frame, size_t length, struct instant at, void *context);
int capture_device(struct capture *, const char *device, int netns_fd, const char *prefix, capture_frame_observer, void *context,
                   struct error *) WARN_UNUSED;

#endif
