/* SPDX-License-Identifier: Apache-2.0 */
/* UDP endpoints of the harness, with kernel receive stamps. */
#ifndef HARNESS_LINK_DATAGRAM_H
#define HARNESS_LINK_DATAGRAM_H

#include "stream.h"

struct datagram_socket;
typedef void (*datagram_received)(struct datagram_socket *, const uint8_t *data, size_t length, const char *from, struct instant at,
                                  void *context);
/* Kinds of the timeline are the caller's; the capture gets every datagram. received() may free the socket.
 * broadcast: may send to broadcast addresses and shares the address with others. */
int datagram_open(struct datagram_socket **ret, const struct stream_environment *, const char *local, bool broadcast, datagram_received,
                  void *context, struct error *) WARN_UNUSED;
int datagram_send(struct datagram_socket *, const char *to, const void *data, size_t length, struct error *) WARN_UNUSED;
const char *datagram_local(const struct datagram_socket *, char text[static 64]); /* "127.1.9.1:40001"; returns text */
void datagram_free(struct datagram_socket *);

#endif
