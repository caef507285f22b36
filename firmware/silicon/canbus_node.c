/* SPDX-License-Identifier: Apache-2.0 */
/* One controller: its queue, counters and fault confinement (ISO 11898-1, 12.1.4). */
#include "canbus_private.h"

struct waiting *canbus_head(struct node *node)
{
	return &node->queue[node->head];
}

void canbus_pop(struct node *node)
{
	node->head = (node->head + 1) % CANBUS_QUEUE;
	node->queued--;
	node->encoded = node->last_try = false;
}

void canbus_emit(struct canbus *bus, const struct canbus_event *event)
{
	if (bus->config.sink)
		bus->config.sink(bus->config.context, event);
}

void canbus_give_up(struct canbus *bus, unsigned number, uint64_t at_ns, enum canbus_reason reason)
{
	struct node *node = &bus->nodes[number];
	const struct canbus_event event = {.kind = CANBUS_NOT_SENT,
	                                   .node = number,
	                                   .ticket = canbus_head(node)->ticket,
	                                   .begin_ns = at_ns,
	                                   .end_ns = at_ns,
	                                   .reason = reason};
	canbus_pop(node);
	canbus_emit(bus, &event);
}

static enum canbus_state state_of(const struct node *node)
{
	if (node->state == CANBUS_BUS_OFF || node->tec >= LIMIT_BUS_OFF)
		return CANBUS_BUS_OFF;
	if (canbus_passive(node))
		return CANBUS_PASSIVE;
	return node->tec >= LIMIT_WARNING || node->rec >= LIMIT_WARNING ? CANBUS_WARNING : CANBUS_ACTIVE;
}

static void tell(struct canbus *bus, unsigned number, uint64_t at_ns)
{
	struct node *node = &bus->nodes[number];
	if (node->state == node->told_state && node->tec == node->told_tec && node->rec == node->told_rec)
		return;
	node->told_state = node->state;
	node->told_tec = node->tec;
	node->told_rec = node->rec;
	canbus_emit(bus, &(struct canbus_event){.kind = CANBUS_CHANGED,
	                                        .node = number,
	                                        .sender = number,
	                                        .begin_ns = at_ns,
	                                        .end_ns = at_ns,
	                                        .state = node->state,
	                                        .tec = node->tec,
	                                        .rec = node->rec});
}

void canbus_node_update(struct canbus *bus, unsigned number, uint64_t at_ns)
{
	struct node *node = &bus->nodes[number];
	if (node->rec > LIMIT_REC)
		node->rec = LIMIT_REC;
	const bool went_off = node->state != CANBUS_BUS_OFF && state_of(node) == CANBUS_BUS_OFF;
	node->state = state_of(node);
	if (went_off)
		node->sending = node->hears = node->recovering = false;
	tell(bus, number, at_ns);
	while (went_off && node->queued > 0)
		canbus_give_up(bus, number, at_ns, CANBUS_REASON_BUS_OFF);
}

void canbus_node_recovered(struct canbus *bus, unsigned number, uint64_t at_ns)
{
	struct node *node = &bus->nodes[number];
	node->recovering = false;
	node->tec = node->rec = 0;
	node->state = CANBUS_ACTIVE;
	node->integrated_ns = at_ns;
	node->suspended_ns = 0;
	tell(bus, number, at_ns);
}
