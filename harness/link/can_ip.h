/* SPDX-License-Identifier: Apache-2.0 */
/* What the back ends over IP share: their addresses, and datagrams with stamp and what was lost before them. */
#ifndef HARNESS_LINK_CAN_IP_H
#define HARNESS_LINK_CAN_IP_H

#include "address.h"
#include "can_drops.h"

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
/* Length or -errno. */
ssize_t can_ip_receive(int fd, void *buffer, size_t size, struct can_drops *, struct can_ip_datagram *ret);

#endif
