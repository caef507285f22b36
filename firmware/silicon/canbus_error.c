/* SPDX-License-Identifier: Apache-2.0 */
/* Error frames, and what they do to the counters (ISO 11898-1, 12.1.4.2, rules a to h). */
#include "canbus_private.h"

#define NOBODY CANBUS_MAX_NODES

/* Who sees an error, and who can make the others see it. */
struct scene {
	bool sender, active_sender, receiver, active_receiver;
};

static bool takes_part(const struct canbus *bus, unsigned number, unsigned segment)
{
	const struct node *node = &bus->nodes[number];
	return node->used && node->segment == segment && (node->sending || (node->hears && !node->listen_only));
}

static struct scene scene_of(const struct canbus *bus, unsigned segment)
{
	struct scene scene = {0};
	for (unsigned i = 0; i < bus->limit; i++) {
		const struct node *node = &bus->nodes[i];
		if (!takes_part(bus, i, segment))
			continue;
		const bool active = !canbus_passive(node);
		if (node->sending) {
			scene.sender = true;
			scene.active_sender |= active;
		} else {
			scene.receiver = true;
			scene.active_receiver |= active;
		}
	}
	return scene;
}

static void tell(struct canbus *bus, unsigned segment, uint64_t at_ns, enum canbus_error error, unsigned sender)
{
	const struct segment *s = &bus->segments[segment];
	struct node *node = &bus->nodes[sender];
	const struct canbus_frame frame = canbus_head(node)->frame;
	bus->counts.errors += segment == 0;
	canbus_emit(bus, &(struct canbus_event){.kind = CANBUS_FAILED,
	                                        .node = sender,
	                                        .sender = sender,
	                                        .begin_ns = s->begin_ns,
	                                        .end_ns = at_ns,
	                                        .frame = &frame,
	                                        .error = error});
}

void canbus_after_try(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		if (!node->used || node->segment != segment || !node->sending)
			continue;
		node->sending = false;
		if (canbus_passive(node)) {
			const uint64_t free_ns = bus->segments[segment].free_ns + canbus_bits_ns(bus, BITS_SUSPEND);
			if (free_ns > node->suspended_ns)
				node->suspended_ns = free_ns;
		}
		if (node->last_try)
			canbus_give_up(bus, i, at_ns, CANBUS_REASON_CANCELLED);
	}
}

void canbus_settle_dropped(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		if (!node->used || node->segment != segment || !node->dropped)
			continue;
		tell(bus, segment, at_ns, CANBUS_ERROR_BIT, i);
		node->dropped = false;
		node->tec += 8;
		node->suspended_ns = bus->segments[segment].free_ns + canbus_bits_ns(bus, BITS_SUSPEND);
		if (node->last_try)
			canbus_give_up(bus, i, at_ns, CANBUS_REASON_CANCELLED);
		canbus_node_update(bus, i, at_ns);
	}
}

/* Adds to the counters of all that take part, then tells the states; `sparing` keeps the senders' counters. */
static void count(struct canbus *bus, unsigned segment, uint64_t at_ns, bool sparing, unsigned victim)
{
	bool part[CANBUS_MAX_NODES];
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		part[i] = takes_part(bus, i, segment);
		if (!part[i])
			continue;
		if (node->sending)
			node->tec += sparing ? 0 : 8;
		else
			node->rec += i == victim ? 9 : 1;
	}
	canbus_after_try(bus, segment, at_ns);
	for (unsigned i = 0; i < bus->limit; i++) {
		bus->nodes[i].hears = bus->nodes[i].hears && bus->nodes[i].segment != segment;
		if (part[i])
			canbus_node_update(bus, i, at_ns);
	}
	canbus_settle_dropped(bus, segment, at_ns);
}

/* Equal bits that end with the wrong one, as everybody saw them. */
static unsigned run_before(const struct canbus_wire *wire, unsigned damage_at, uint8_t level)
{
	unsigned run = 0;
	uint8_t seen = !wire->bits[damage_at];
	while (seen == level && run < BITS_FLAG - 1) {
		run++;
		if (run > damage_at)
			break;
		seen = wire->bits[damage_at - run];
	}
	return run;
}

/* Bits from the detection to the first recessive bit of the delimiter: the flag of those who saw the error first, and
 * those of the others, who see it when six equal bits have passed. */
static unsigned flag_bits(const struct scene *scene, const struct canbus_wire *wire, int damage_at)
{
	const uint8_t level = scene->active_sender ? 0 : 1;
	if (!scene->receiver || (scene->active_sender && !scene->active_receiver))
		return BITS_FLAG;
	if (damage_at < 0) /* in the place of the ACK delimiter a dominant bit is enough */
		return BITS_FLAG + 1;
	return 2 * BITS_FLAG - run_before(wire, (unsigned)damage_at, level);
}

/* An error passive sender misses the acknowledgement, which nobody else notices: the receivers take the frame. */
static void fail_unseen(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	const uint64_t again_ns = at_ns + canbus_bits_ns(bus, BITS_FLAG + BITS_DELIMITER + BITS_INTERMISSION + BITS_SUSPEND);
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		if (node->used && node->segment == segment && node->sending)
			node->suspended_ns = again_ns;
	}
	s->phase = PHASE_TAIL;
	s->unseen = true;
	s->until_ns = at_ns + canbus_bits_ns(bus, BITS_TAIL);
}

void canbus_fail(struct canbus *bus, unsigned segment, uint64_t at_ns, enum canbus_error error, int damage_at)
{
	struct segment *s = &bus->segments[segment];
	const struct scene scene = scene_of(bus, segment);
	tell(bus, segment, at_ns, error, s->sender);
	if (error == CANBUS_ERROR_ACK && !scene.active_sender && scene.receiver) {
		fail_unseen(bus, segment, at_ns);
		return;
	}
	const unsigned flag = flag_bits(&scene, &bus->nodes[s->sender].wire, damage_at);
	const uint64_t recessive_ns = at_ns + canbus_bits_ns(bus, flag);
	/* Nobody acknowledges an error passive node: no dominant bit, no count (exception 1 of rule c). */
	const bool sparing = damage_at < 0 && !scene.active_sender && !scene.active_receiver;
	canbus_idle(bus, s, recessive_ns + canbus_bits_ns(bus, BITS_DELIMITER), recessive_ns);
	count(bus, segment, at_ns, sparing, NOBODY);
}

unsigned canbus_victim(const struct canbus *bus, unsigned segment)
{
	for (unsigned i = 0; bus->segments[segment].crc_wrong && i < bus->limit; i++) {
		if (!bus->nodes[i].sending && takes_part(bus, i, segment))
			return i;
	}
	return NOBODY;
}

void canbus_fail_crc(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	const unsigned victim = canbus_victim(bus, segment);
	if (victim == NOBODY || canbus_passive(&bus->nodes[victim])) { /* its flag is not heard: the others take the frame */
		s->phase = PHASE_TAIL;
		s->until_ns = at_ns + canbus_bits_ns(bus, BITS_TAIL - 1);
		if (victim == NOBODY)
			return;
		bus->nodes[victim].hears = false;
		bus->nodes[victim].rec++;
		canbus_node_update(bus, victim, at_ns);
		return;
	}
	tell(bus, segment, at_ns, CANBUS_ERROR_CRC, s->sender);
	/* The others answer one bit later, so the victim sees a dominant bit behind its own flag (rule b). */
	const uint64_t recessive_ns = at_ns + canbus_bits_ns(bus, BITS_FLAG + 1);
	canbus_idle(bus, s, recessive_ns + canbus_bits_ns(bus, BITS_DELIMITER), recessive_ns);
	count(bus, segment, at_ns, false, victim);
}

void canbus_fail_vanished(struct canbus *bus, unsigned segment, uint64_t at_ns, unsigned sender)
{
	struct segment *s = &bus->segments[segment];
	const struct scene scene = scene_of(bus, segment);
	const unsigned flag = scene.receiver ? 2 * BITS_FLAG - 1 : 0;
	const uint64_t recessive_ns = at_ns + canbus_bits_ns(bus, flag);
	tell(bus, segment, at_ns, CANBUS_ERROR_STUFF, sender);
	canbus_idle(bus, s, recessive_ns + canbus_bits_ns(bus, BITS_DELIMITER), recessive_ns);
	count(bus, segment, at_ns, false, NOBODY);
}

/* An active error flag that cannot be made dominant is an error again, bit by bit, until the node is error passive
 * (rules d and e). Returns the bits that took. */
static unsigned flag_unheard(struct node *node, uint16_t *counter)
{
	unsigned bits = 0;
	while (!canbus_passive(node)) {
		*counter += 8;
		bits++;
	}
	return bits;
}

void canbus_fail_shorted(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	unsigned most = 0;
	tell(bus, segment, at_ns, CANBUS_ERROR_BIT, s->sender);
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		/* Receivers notice only if they had seen a frame begin. */
		const bool affected = node->sending || at_ns > s->begin_ns + canbus_bits_ns(bus, 1);
		if (!takes_part(bus, i, segment) || !affected)
			continue;
		uint16_t *counter = node->sending ? &node->tec : &node->rec;
		*counter += node->sending ? 8 : 1;
		const unsigned bits = flag_unheard(node, counter);
		most = bits > most ? bits : most;
	}
	const uint64_t end_ns = at_ns + canbus_bits_ns(bus, most + BITS_FLAG + BITS_DELIMITER);
	canbus_idle(bus, s, end_ns, at_ns);
	canbus_after_try(bus, segment, at_ns);
	for (unsigned i = 0; i < bus->limit; i++) {
		if (bus->nodes[i].used && bus->nodes[i].segment == segment) {
			bus->nodes[i].hears = false;
			canbus_node_update(bus, i, at_ns);
		}
	}
}
