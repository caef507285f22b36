/* SPDX-License-Identifier: Apache-2.0 */
#include "can_pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct can_pending_entry *at(struct can_pending *pending, unsigned index)
{
	return &pending->entries[(pending->first + index) % CAN_PENDING_MAX];
}

int can_pending_init(struct can_pending *pending)
{
	*pending = (struct can_pending){.entries = calloc(CAN_PENDING_MAX, sizeof(*pending->entries))};
	return pending->entries ? 0 : -ENOMEM;
}

void can_pending_free(struct can_pending *pending)
{
	free(pending->entries);
	*pending = (struct can_pending){0};
}

int can_pending_add(struct can_pending *pending, uint64_t ticket, const struct can_message *message)
{
	if (pending->count == CAN_PENDING_MAX)
		return -ENOBUFS;
	*at(pending, pending->count++) = (struct can_pending_entry){ticket, *message};
	return 0;
}

void can_pending_drop_newest(struct can_pending *pending)
{
	pending->count--;
	if (pending->handed > pending->count)
		pending->handed = pending->count;
}

struct can_pending_entry *can_pending_next(struct can_pending *pending)
{
	return pending->handed < pending->count ? at(pending, pending->handed) : NULL;
}

void can_pending_was_handed(struct can_pending *pending)
{
	pending->handed++;
}

/* What is taken is mostly among the oldest: those before it move up by one, and the ring begins one later. */
static void take(struct can_pending *pending, unsigned index, struct can_pending_entry *ret)
{
	*ret = *at(pending, index);
	for (; index > 0; index--)
		*at(pending, index) = *at(pending, index - 1);
	pending->first = (pending->first + 1) % CAN_PENDING_MAX;
	pending->count--;
	if (pending->handed > 0)
		pending->handed--;
}

bool can_pending_take_any(struct can_pending *pending, struct can_pending_entry *ret)
{
	if (pending->count == 0)
		return false;
	take(pending, 0, ret);
	return true;
}

bool can_pending_take_oldest(struct can_pending *pending, struct can_pending_entry *ret)
{
	return pending->handed > 0 && can_pending_take_any(pending, ret);
}

bool can_pending_take_ticket(struct can_pending *pending, uint32_t ticket, struct can_pending_entry *ret)
{
	for (unsigned i = 0; i < pending->handed; i++) {
		if ((uint32_t)at(pending, i)->ticket != ticket)
			continue;
		take(pending, i, ret);
		return true;
	}
	return false;
}

/* ESI is the controller's own business: it may set the bit in what it sends. */
static bool equal(const struct can_message *a, const struct can_message *b)
{
	return a->id == b->id && ((a->flags ^ b->flags) & ~CAN_MESSAGE_ESI) == 0 && a->length == b->length &&
	       (a->flags & CAN_MESSAGE_REMOTE || memcmp(a->data, b->data, a->length) == 0);
}

bool can_pending_take_equal(struct can_pending *pending, const struct can_message *message, struct can_pending_entry *ret)
{
	for (unsigned i = 0; i < pending->handed; i++) {
		if (!equal(&at(pending, i)->message, message))
			continue;
		take(pending, i, ret);
		return true;
	}
	return false;
}
