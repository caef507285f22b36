/* SPDX-License-Identifier: Apache-2.0 */
/* What the back ends over IP share: their addresses, and datagrams with stamp and what was lost before them. */
#ifndef HARNESS_LINK_CAN_IP_H
#define HARNESS_LINK_CAN_IP_H

#include "address.h"
#include "can_drops.h"
#include "can_private.h"

struct can_ip_pair {
	struct address local, remote;
	bool has_local, has_remote;
};
/* "local:port,remote:port", "remote:port", "local:port,": IPv4 with port. 0 or -EINVAL. */
int can_ip_pair_parse(const char *text, struct can_ip_pair *ret, struct error *err) WARN_UNUSED;
/* IPv4 address and port of length characters. 0 or -EINVAL. */
int can_ip_parse(const char *text, size_t length, struct address *ret, struct error *err) WARN_UNUSED;

struct can_ip_datagram {
	struct address from;
	struct instant at;
	uint32_t lost; /* by the full queue since the last one */
};
/* Reads what is there, at most so much that the loop gets on, tells what was lost, and hands over one datagram after the other until the
 * channel is freed or closed. Within can_enter(). */
void can_ip_read(struct can *, int fd, struct can_drops *,
                 void (*take)(struct can *, const struct can_ip_datagram *, const uint8_t *data, size_t length));

#endif
