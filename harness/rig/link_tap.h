/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A passive tap: takes Ethernet frames of one device, follows the TCP connections between one client and one server
 * endpoint, and gives the same events as the relay: SYN, established, in-order payload to link/watch, FIN, RST.
 */
#ifndef HARNESS_RIG_LINK_TAP_H
#define HARNESS_RIG_LINK_TAP_H

#include <stddef.h>

#include "../base/timeline.h"
#include "../link/watch.h"

struct link_tap;
/* server "192.168.1.1:13400". NULL: out of memory or no endpoint. */
struct link_tap *link_tap_new(struct timeline *, const char *channel, const char *server, watch_doip_describe);
void link_tap_free(struct link_tap *);
/* A capture_frame_observer. */
void link_tap_frame(const uint8_t *frame, size_t length, struct instant at, void *tap);
void link_tap_secret(struct link_tap *, const char *line);
unsigned link_tap_connections(const struct link_tap *); /* established and not ended */

#endif
