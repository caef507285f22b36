/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket's full receive queue swallowed: the kernel counts it (SO_RXQ_OVFL, SO_MEMINFO). */
#ifndef HARNESS_LINK_CAN_DROPS_H
#define HARNESS_LINK_CAN_DROPS_H

#include "can.h"

struct can_drops {
	uint32_t seen; /* the kernel's counter, which wraps */
};

/* Asks for the counter and for a large queue. Neither is sure to be granted. */
void can_drops_enable(int fd, int receive_bytes);
/* What was lost since the last call, by the counter that came with a message, or by asking the socket. */
uint32_t can_drops_of_message(struct can_drops *, struct msghdr *);
uint32_t can_drops_of_socket(struct can_drops *, int fd);

#endif
