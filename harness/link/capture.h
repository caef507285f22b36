/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.pcapng: interface "tap" holds what the relay and the harness's own streams and datagrams carried, as IP
 * packets rebuilt from the segments (SYN, data, FIN, RST with right sequence numbers and checksums); with the
 * privilege to capture, one further interface a watched device holds the kernel's own packets. TLS secrets go in as
 * Decryption Secrets Blocks, before the packets that need them as far as they are known in time.
 */
#ifndef HARNESS_LINK_CAPTURE_H
#define HARNESS_LINK_CAPTURE_H

#include "../base/loop.h"
#include "../base/timeline.h"

struct capture;
int capture_open(struct capture **ret, struct loop *, const char *path, bool allow_secrets, struct error *) WARN_UNUSED;
int capture_close(struct capture *, struct error *); /* writes what is left; frees */
bool capture_failed(const struct capture *, struct error *); /* a write failed (full disk): nothing more is written, the file is whole */

/* Rebuilt TCP. Addresses "1.2.3.4:5". A flow is one connection. */
struct capture_flow;
struct capture_flow *capture_flow_new(struct capture *, const char *client, const char *server, struct instant at); /* writes SYN, SYN-ACK, ACK; NULL: out of memory or no capture */
void capture_flow_data(struct capture_flow *, bool from_client, const void *data, size_t length, struct instant at);
void capture_flow_end(struct capture_flow *, bool by_client, bool reset, struct instant at); /* frees */
void capture_datagram(struct capture *, const char *from, const char *to, const void *data, size_t length, struct instant at);
/* One key log line. Ignored (and wiped) unless secrets are allowed. */
void capture_secret(struct capture *, const char *line);

/* AF_PACKET on a device of the given network namespace (fd, or -1 for ours), kernel stamps; filter: only packets with
 * an address inside prefix ("127.1.0.0/16") or NULL. -EPERM without the privilege. Frames are also handed to
 * observer (may be NULL): Ethernet frame, stamp. */
typedef void (*capture_frame_observer)(const uint8_t *frame, size_t length, struct instant at, void *context);
int capture_device(struct capture *, const char *device, int netns_fd, const char *prefix, capture_frame_observer, void *context, struct error *) WARN_UNUSED;

#endif
