/* SPDX-License-Identifier: Apache-2.0 */
/* The wire: who begins when, who wins, and how a good frame ends. */
#include "canbus_private.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When a node would begin its next frame, were the wire free. */
static uint64_t ready_ns(const struct node *node)
{
	if (node->queued == 0 || node->state == CANBUS_BUS_OFF)
		return CANBUS_NEVER;
	return later(node->queue[node->head].since_ns, later(node->suspended_ns, node->integrated_ns));
}

static uint64_t recovery_ns(const struct canbus *bus, const struct segment *s, const struct node *node)
{
	if (!node->recovering)
		return CANBUS_NEVER;
	return later(node->recover_from_ns, s->recessive_since_ns) + canbus_bits_ns(bus, (uint64_t)node->recover_left * BITS_IDLE);
}

uint64_t canbus_segment_next_ns(const struct canbus *bus, unsigned segment)
{
	const struct segment *s = &bus->segments[segment];
	if (s->phase != PHASE_IDLE)
		return s->until_ns;
	uint64_t first_ns = CANBUS_NEVER;
	for (unsigned i = 0; i < bus->limit; i++) {
		const struct node *node = &bus->nodes[i];
		if (!node->used || node->segment != segment || (node->queued == 0 && !node->recovering))
			continue;
		uint64_t at_ns = ready_ns(node);
		at_ns = at_ns == CANBUS_NEVER ? recovery_ns(bus, s, node) : later(at_ns, s->free_ns);
		if (at_ns < first_ns)
			first_ns = at_ns;
	}
	return first_ns;
}

/* ---- beginning ----------------------------------------------------------------------------------------------- */

/* The head's bits, with ESI as the node's state has it now. */
static void encode(struct node *node)
{
	struct canbus_frame *frame = &canbus_head(node)->frame;
	uint8_t flags = frame->flags & (uint8_t)~CANBUS_ESI;
	if (flags & CANBUS_FD && canbus_passive(node))
		flags |= CANBUS_ESI;
	if (node->encoded && flags == frame->flags)
		return;
	frame->flags = flags;
	canbus_wire_encode(&node->wire, frame);
	node->encoded = true;
}

/* Sorts the nodes into senders and receivers; returns the number of senders. */
static unsigned muster(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	unsigned senders = 0;
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		if (!node->used || node->segment != segment)
			continue;
		node->dropped = false;
		node->sending = ready_ns(node) <= at_ns;
		node->hears = !node->sending && node->state != CANBUS_BUS_OFF && node->integrated_ns <= at_ns;
		if (node->integrated_ns > at_ns)
			node->integrated_ns = CANBUS_NEVER;
		if (!node->sending)
			continue;
		encode(node);
		senders++;
		bus->segments[segment].sender = i;
	}
	return senders;
}

/* Recessive time so far counts for those that recover. */
static void count_recovery(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	const struct segment *s = &bus->segments[segment];
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		const uint64_t from_ns = later(node->recover_from_ns, s->recessive_since_ns);
		if (!node->used || node->segment != segment || !node->recovering || at_ns <= from_ns)
			continue;
		uint64_t times = (at_ns - from_ns) / canbus_bits_ns(bus, BITS_IDLE);
		node->recover_left -= times < node->recover_left ? (unsigned)times : node->recover_left - 1;
	}
}

static uint8_t level_at(const struct canbus *bus, unsigned segment, unsigned at)
{
	uint8_t level = 1;
	for (unsigned i = 0; i < bus->limit; i++) {
		const struct node *node = &bus->nodes[i];
		if (node->used && node->segment == segment && node->sending)
			level &= node->wire.bits[at];
	}
	return level;
}

/* Those that send recessive into a dominant bit: they lose the arbitration, or behind it have a bit error. Error
 * passive ones then fall silent unheard. Returns true when an error flag follows. */
static bool lose_at(struct canbus *bus, unsigned segment, unsigned at, unsigned *senders)
{
	bool flagged = false;
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		if (!node->used || node->segment != segment || !node->sending || node->wire.bits[at] == 0)
			continue;
		if (at >= node->wire.arbitration_end && !canbus_passive(node)) {
			bus->segments[segment].sender = i;
			flagged = true;
			continue;
		}
		node->sending = false;
		(*senders)--;
		if (at < node->wire.arbitration_end)
			node->hears = true;
		else
			node->dropped = true;
	}
	return flagged;
}

static void arbitrate(struct canbus *bus, unsigned segment, unsigned senders)
{
	struct segment *s = &bus->segments[segment];
	for (unsigned at = 0; senders > 1 && !s->damaged; at++) {
		const struct node *any = &bus->nodes[s->sender];
		if (at == any->wire.count)
			return; /* all of them send the same frame */
		if (level_at(bus, segment, at) == 1)
			continue;
		if (lose_at(bus, segment, at, &senders)) {
			s->damaged = true;
			s->damage_at = at;
		}
		for (unsigned i = 0; i < bus->limit && !s->damaged; i++) {
			if (bus->nodes[i].used && bus->nodes[i].segment == segment && bus->nodes[i].sending)
				s->sender = i;
		}
	}
}

static bool rule_matches(const struct rule *rule, const struct canbus_frame *frame)
{
	return rule->used && rule->what.id == frame->id && rule->what.extended == ((frame->flags & CANBUS_EXTENDED) != 0);
}

static void damage(struct segment *s, const struct canbus_wire *wire, enum canbus_damage kind)
{
	if (kind == CANBUS_DAMAGE_ACK)
		s->ack_lost = true;
	else if (kind == CANBUS_DAMAGE_CRC)
		s->crc_wrong = true;
	else if (!s->damaged) {
		s->damaged = true;
		s->damage_at = wire->payload;
	}
}

static void apply_rules(struct canbus *bus, struct segment *s)
{
	const struct node *node = &bus->nodes[s->sender];
	for (unsigned i = 0; bus->rule_count > 0 && i < CANBUS_MAX_RULES; i++) {
		struct rule *rule = &bus->rules[i];
		if (!rule_matches(rule, &node->queue[node->head].frame))
			continue;
		if (rule->what.nth > 1) {
			rule->what.nth--;
			continue;
		}
		damage(s, &node->wire, rule->what.damage);
		if (--rule->what.count == 0) {
			rule->used = false;
			bus->rule_count--;
		}
	}
}

static void begin(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	count_recovery(bus, segment, at_ns);
	*s = (struct segment){.phase = PHASE_FRAME, .begin_ns = at_ns, .recessive_since_ns = CANBUS_NEVER};
	unsigned senders = muster(bus, segment, at_ns);
	if (segment == 0 && bus->shorted) {
		s->damaged = true; /* the start of frame already; still so if the short ends within it */
		s->until_ns = at_ns + canbus_bits_ns(bus, 1);
		return;
	}
	arbitrate(bus, segment, senders);
	if (segment == 0)
		apply_rules(bus, s);
	const struct canbus_wire *wire = &bus->nodes[s->sender].wire;
	if (s->damaged)
		s->until_ns = at_ns + canbus_wire_ns(bus, wire, s->damage_at + 1);
	else
		s->until_ns = at_ns + canbus_wire_ns(bus, wire, wire->count + 1u);
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

void canbus_idle(struct canbus *bus, struct segment *s, uint64_t end_ns, uint64_t recessive_ns)
{
	s->phase = PHASE_IDLE;
	s->free_ns = end_ns + canbus_bits_ns(bus, BITS_INTERMISSION);
	s->recessive_since_ns = recessive_ns;
	const unsigned segment = (unsigned)(s - bus->segments);
	if (segment == 0)
		bus->counts.busy_ns += s->free_ns - s->begin_ns;
	for (unsigned i = 0; i < bus->limit; i++) { /* what is recessive now is also the end of waiting for new ones */
		struct node *node = &bus->nodes[i];
		if (node->used && node->segment == segment && node->integrated_ns == CANBUS_NEVER)
			node->integrated_ns = s->free_ns;
	}
}

static bool acknowledged(const struct canbus *bus, unsigned segment)
{
	const unsigned victim = canbus_victim(bus, segment);
	if (bus->segments[segment].ack_lost)
		return false;
	for (unsigned i = 0; i < bus->limit; i++) {
		const struct node *node = &bus->nodes[i];
		if (node->used && node->segment == segment && node->hears && !node->listen_only && i != victim)
			return true;
	}
	return false;
}

static void at_acknowledge(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	if (!acknowledged(bus, segment)) {
		canbus_fail(bus, segment, at_ns, s->crc_wrong ? CANBUS_ERROR_CRC : CANBUS_ERROR_ACK, -1);
	} else if (s->crc_wrong) {
		s->phase = PHASE_CRC;
		s->until_ns = at_ns + canbus_bits_ns(bus, 1);
	} else {
		s->phase = PHASE_TAIL;
		s->until_ns = at_ns + canbus_bits_ns(bus, BITS_TAIL);
	}
}

static void confirm(struct canbus *bus, unsigned number, uint64_t begin_ns, uint64_t end_ns)
{
	struct node *node = &bus->nodes[number];
	struct waiting done = *canbus_head(node);
	node->sending = false;
	node->tec -= node->tec > 0;
	if (canbus_passive(node))
		node->suspended_ns = end_ns + canbus_bits_ns(bus, BITS_INTERMISSION + BITS_SUSPEND);
	canbus_pop(node);
	canbus_emit(bus, &(struct canbus_event){.kind = CANBUS_CONFIRMED,
	                                        .node = number,
	                                        .sender = number,
	                                        .begin_ns = begin_ns,
	                                        .end_ns = end_ns,
	                                        .frame = &done.frame,
	                                        .ticket = done.ticket});
	canbus_node_update(bus, number, end_ns);
}

static void deliver(struct canbus *bus, unsigned number, const struct canbus_event *event)
{
	struct node *node = &bus->nodes[number];
	struct canbus_event own = *event;
	own.node = number;
	if (node->rec >= LIMIT_PASSIVE)
		node->rec = LIMIT_PASSIVE - 1; /* a value between 119 and 127 */
	else
		node->rec -= node->rec > 0;
	node->hears = false;
	canbus_emit(bus, &own);
	canbus_node_update(bus, number, event->end_ns);
}

static void complete(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	const struct canbus_frame frame = canbus_head(&bus->nodes[s->sender])->frame;
	const struct canbus_event received = {
	        .kind = CANBUS_RECEIVED, .sender = s->sender, .begin_ns = s->begin_ns, .end_ns = at_ns, .frame = &frame};
	const bool unseen = s->unseen;
	bus->counts.frames += segment == 0;
	canbus_idle(bus, s, at_ns, at_ns - canbus_bits_ns(bus, BITS_TAIL));
	for (unsigned i = 0; i < bus->limit; i++) {
		if (bus->nodes[i].used && bus->nodes[i].segment == segment && bus->nodes[i].sending && !unseen)
			confirm(bus, i, s->begin_ns, at_ns);
	}
	for (unsigned i = 0; i < bus->limit; i++) {
		if (bus->nodes[i].used && bus->nodes[i].segment == segment && bus->nodes[i].hears)
			deliver(bus, i, &received);
	}
	canbus_settle_dropped(bus, segment, at_ns);
	if (unseen)
		canbus_after_try(bus, segment, at_ns);
}

static void recover_due(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	for (unsigned i = 0; i < bus->limit; i++) {
		struct node *node = &bus->nodes[i];
		if (node->used && node->segment == segment && recovery_ns(bus, &bus->segments[segment], node) <= at_ns)
			canbus_node_recovered(bus, i, at_ns);
	}
}

static bool begin_due(const struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	for (unsigned i = 0; i < bus->limit; i++) {
		const struct node *node = &bus->nodes[i];
		if (node->used && node->segment == segment && ready_ns(node) <= at_ns)
			return bus->segments[segment].free_ns <= at_ns;
	}
	return false;
}

void canbus_segment_step(struct canbus *bus, unsigned segment, uint64_t at_ns)
{
	struct segment *s = &bus->segments[segment];
	if (s->phase == PHASE_TAIL) {
		complete(bus, segment, at_ns);
	} else if (s->phase == PHASE_CRC) {
		canbus_fail_crc(bus, segment, at_ns);
	} else if (s->phase == PHASE_IDLE) {
		recover_due(bus, segment, at_ns);
		if (begin_due(bus, segment, at_ns))
			begin(bus, segment, at_ns);
	} else if (segment == 0 && bus->shorted) {
		canbus_fail_shorted(bus, segment, at_ns);
	} else if (s->damaged) {
		canbus_fail(bus, segment, at_ns, CANBUS_ERROR_BIT, (int)s->damage_at);
	} else {
		at_acknowledge(bus, segment, at_ns);
	}
}

/* ---- coming and going ---------------------------------------------------------------------------------------- */

void canbus_join(struct canbus *bus, unsigned number, unsigned segment, uint64_t now_ns)
{
	struct node *node = &bus->nodes[number];
	const bool busy = bus->segments[segment].phase != PHASE_IDLE;
	node->segment = segment;
	node->sending = node->hears = node->dropped = false;
	node->integrated_ns = busy ? CANBUS_NEVER : now_ns + canbus_bits_ns(bus, BITS_IDLE);
	if (node->recovering)
		node->recover_from_ns = now_ns;
}

void canbus_leave(struct canbus *bus, unsigned number, uint64_t now_ns)
{
	struct node *node = &bus->nodes[number];
	struct segment *s = &bus->segments[node->segment];
	const bool was_sending = node->sending && s->phase != PHASE_IDLE;
	node->sending = node->hears = node->dropped = false;
	if (!was_sending)
		return;
	for (unsigned i = 0; i < bus->limit; i++) {
		if (i != number && bus->nodes[i].used && bus->nodes[i].segment == node->segment && bus->nodes[i].sending) {
			s->sender = i; /* another one sends the same bits */
			return;
		}
	}
	canbus_fail_vanished(bus, node->segment, now_ns, number);
}
