/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of can_send() that wait: first those that were handed to the bus and are not confirmed, then those that were not
 * taken yet. Bounded. */
#ifndef HARNESS_LINK_CAN_PENDING_H
#define HARNESS_LINK_CAN_PENDING_H

#include "can.h"

#define CAN_PENDING_MAX 1024

struct can_pending_entry {
	uint64_t ticket;
	struct can_message message;
};
struct can_pending {
	struct can_pending_entry *entries; /* a ring of CAN_PENDING_MAX */
	unsigned first, count, handed;
};

int can_pending_init(struct can_pending *) WARN_UNUSED; /* 0 or -ENOMEM */
void can_pending_free(struct can_pending *);
int can_pending_add(struct can_pending *, uint64_t ticket, const struct can_message *) WARN_UNUSED; /* 0 or -ENOBUFS */
/* Takes back the newest. */
void can_pending_drop_newest(struct can_pending *);
/* The oldest that was not handed over, NULL: none. */
struct can_pending_entry *can_pending_next(struct can_pending *);
void can_pending_was_handed(struct can_pending *);
/* Removes a handed one: the oldest, that with this ticket (low 32 bits), or the oldest of equal content. false: none. */
bool can_pending_take_oldest(struct can_pending *, struct can_pending_entry *ret);
bool can_pending_take_ticket(struct can_pending *, uint32_t ticket, struct can_pending_entry *ret);
bool can_pending_take_equal(struct can_pending *, const struct can_message *, struct can_pending_entry *ret);
/* Removes the oldest, handed or not. */
bool can_pending_take_any(struct can_pending *, struct can_pending_entry *ret);

#endif
