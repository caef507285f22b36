/* SPDX-License-Identifier: Apache-2.0 */
/* The model's interface: time, nodes that come and go, faults. */
#include "canbus_private.h"

#include <stdlib.h>
#include <string.h>

#define RATE_MIN 1000u
#define RATE_MAX 20000000u

static uint64_t duration_ns(uint64_t bits, uint32_t rate)
{
	return (bits * 1000000000u + rate / 2) / rate;
}

uint64_t canbus_bits_ns(const struct canbus *bus, uint64_t bits)
{
	return duration_ns(bits, bus->config.nominal);
}

uint64_t canbus_wire_ns(const struct canbus *bus, const struct canbus_wire *wire, unsigned bits)
{
	unsigned fast = 0;
	if (bits > wire->fast_begin)
		fast = (bits < wire->fast_end ? bits : wire->fast_end) - wire->fast_begin;
	return canbus_bits_ns(bus, bits - fast) + (fast ? duration_ns(fast, bus->config.data) : 0);
}

uint64_t canbus_frame_ns(const struct canbus *bus, const struct canbus_frame *frame)
{
	struct canbus_wire wire;
	canbus_wire_encode(&wire, frame);
	return canbus_wire_ns(bus, &wire, wire.count + 1u + BITS_TAIL + BITS_INTERMISSION);
}

static bool rate_valid(uint32_t rate)
{
	return rate >= RATE_MIN && rate <= RATE_MAX;
}

struct canbus *canbus_new(const struct canbus_config *config)
{
	if (!rate_valid(config->nominal) || (config->data && !rate_valid(config->data)))
		return NULL;
	struct canbus *bus = calloc(1, sizeof *bus);
	if (bus)
		bus->config = *config;
	return bus;
}

void canbus_free(struct canbus *bus)
{
	free(bus);
}

/* ---- time ---------------------------------------------------------------------------------------------------- */

/* The piece of copper where something happens next. */
static uint64_t next(const struct canbus *bus, unsigned *ret_segment)
{
	uint64_t first_ns = canbus_segment_next_ns(bus, 0);
	*ret_segment = 0;
	for (unsigned i = 0; bus->cut > 0 && i < bus->limit; i++) {
		if (!bus->nodes[i].used || bus->nodes[i].segment == 0)
			continue;
		uint64_t at_ns = canbus_segment_next_ns(bus, bus->nodes[i].segment);
		if (at_ns < first_ns) {
			first_ns = at_ns;
			*ret_segment = bus->nodes[i].segment;
		}
	}
	return first_ns;
}

uint64_t canbus_next_ns(const struct canbus *bus)
{
	unsigned segment;
	return next(bus, &segment);
}

void canbus_advance(struct canbus *bus, uint64_t until_ns)
{
	unsigned segment;
	uint64_t at_ns;
	if (bus->running)
		return;
	bus->running = true;
	while ((at_ns = next(bus, &segment)) <= until_ns && at_ns != CANBUS_NEVER) {
		if (at_ns > bus->now_ns)
			bus->now_ns = at_ns;
		canbus_segment_step(bus, segment, at_ns);
	}
	if (until_ns > bus->now_ns)
		bus->now_ns = until_ns;
	bus->running = false;
}

/* Everything before that instant; what is due at it has to wait for others who do something at the same time. */
static uint64_t reach(struct canbus *bus, uint64_t now_ns)
{
	if (now_ns > bus->now_ns && !bus->running) {
		canbus_advance(bus, now_ns - 1);
		bus->now_ns = now_ns;
	}
	return bus->now_ns;
}

/* ---- nodes --------------------------------------------------------------------------------------------------- */

int canbus_attach(struct canbus *bus, uint64_t now_ns, bool listen_only)
{
	unsigned i = 0;
	now_ns = reach(bus, now_ns);
	while (i < CANBUS_MAX_NODES && bus->nodes[i].used)
		i++;
	if (i == CANBUS_MAX_NODES)
		return -1;
	memset(&bus->nodes[i], 0, sizeof bus->nodes[i]);
	bus->nodes[i].used = true;
	bus->nodes[i].listen_only = listen_only;
	if (i >= bus->limit)
		bus->limit = i + 1;
	canbus_join(bus, i, 0, now_ns);
	return (int)i;
}

void canbus_detach(struct canbus *bus, uint64_t now_ns, unsigned node)
{
	now_ns = reach(bus, now_ns);
	canbus_leave(bus, node, now_ns);
	bus->cut -= bus->nodes[node].segment != 0;
	bus->nodes[node].used = false;
	while (bus->limit > 0 && !bus->nodes[bus->limit - 1].used)
		bus->limit--;
}

void canbus_listen_only(struct canbus *bus, uint64_t now_ns, unsigned node, bool on)
{
	reach(bus, now_ns);
	bus->nodes[node].listen_only = on;
}

bool canbus_frame_legal(const struct canbus *bus, const struct canbus_frame *frame)
{
	const bool fd = frame->flags & CANBUS_FD;
	const uint8_t n = frame->length;
	if (frame->flags > 31 || frame->id > (frame->flags & CANBUS_EXTENDED ? 0x1FFFFFFFu : 0x7FFu))
		return false;
	if (fd ? (frame->flags & CANBUS_REMOTE || bus->config.data == 0) : (frame->flags & CANBUS_BRS) != 0)
		return false;
	return n <= 8 || (fd && (n == 64 || n == 48 || n == 32 || (n <= 24 && n % 4 == 0)));
}

void canbus_transmit(struct canbus *bus, uint64_t now_ns, unsigned number, const struct canbus_frame *frame, uint32_t ticket)
{
	struct node *node = &bus->nodes[number];
	struct canbus_event refusal = {.kind = CANBUS_NOT_SENT, .node = number, .ticket = ticket};
	now_ns = reach(bus, now_ns);
	if (!canbus_frame_legal(bus, frame) || node->listen_only)
		refusal.reason = CANBUS_REASON_ILLEGAL;
	else if (node->state == CANBUS_BUS_OFF)
		refusal.reason = CANBUS_REASON_BUS_OFF;
	else if (node->queued == CANBUS_QUEUE)
		refusal.reason = CANBUS_REASON_QUEUE_FULL;
	if (refusal.reason) {
		refusal.begin_ns = refusal.end_ns = now_ns;
		canbus_emit(bus, &refusal);
		return;
	}
	struct waiting *w = &node->queue[(node->head + node->queued++) % CANBUS_QUEUE];
	*w = (struct waiting){.frame = *frame, .ticket = ticket, .since_ns = now_ns};
	w->frame.flags &= (uint8_t)~CANBUS_ESI;
}

/* Takes the place out of the queue, those behind it move up. */
static void drop(struct canbus *bus, uint64_t now_ns, unsigned number, unsigned place)
{
	struct node *node = &bus->nodes[number];
	const uint32_t ticket = node->queue[(node->head + place) % CANBUS_QUEUE].ticket;
	for (unsigned i = place; i + 1 < node->queued; i++)
		node->queue[(node->head + i) % CANBUS_QUEUE] = node->queue[(node->head + i + 1) % CANBUS_QUEUE];
	node->queued--;
	node->encoded = node->encoded && place > 0;
	canbus_emit(bus, &(struct canbus_event){.kind = CANBUS_NOT_SENT,
	                                        .node = number,
	                                        .ticket = ticket,
	                                        .begin_ns = now_ns,
	                                        .end_ns = now_ns,
	                                        .reason = CANBUS_REASON_CANCELLED});
}

void canbus_cancel(struct canbus *bus, uint64_t now_ns, unsigned number)
{
	struct node *node = &bus->nodes[number];
	now_ns = reach(bus, now_ns);
	const unsigned kept = node->sending ? 1 : 0;
	while (node->queued > kept) /* oldest first, behind the one that is kept */
		drop(bus, now_ns, number, kept);
	node->last_try = kept;
	node->encoded = node->encoded && kept;
}

void canbus_cancel_one(struct canbus *bus, uint64_t now_ns, unsigned number, uint32_t ticket)
{
	struct node *node = &bus->nodes[number];
	unsigned place = 0;
	now_ns = reach(bus, now_ns);
	while (place < node->queued && node->queue[(node->head + place) % CANBUS_QUEUE].ticket != ticket)
		place++;
	if (place == node->queued)
		return;
	if (place == 0 && node->sending)
		node->last_try = true;
	else
		drop(bus, now_ns, number, place);
}

void canbus_recover(struct canbus *bus, uint64_t now_ns, unsigned number)
{
	struct node *node = &bus->nodes[number];
	now_ns = reach(bus, now_ns);
	if (node->state != CANBUS_BUS_OFF || node->recovering)
		return;
	node->recovering = true;
	node->recover_from_ns = now_ns;
	node->recover_left = RECOVERY_TIMES;
}

/* ---- faults -------------------------------------------------------------------------------------------------- */

void canbus_silence(struct canbus *bus, uint64_t now_ns, unsigned number, bool on)
{
	struct node *node = &bus->nodes[number];
	now_ns = reach(bus, now_ns);
	if ((node->segment != 0) == on)
		return;
	canbus_leave(bus, number, now_ns);
	if (on) {
		bus->segments[1 + number] = (struct segment){.free_ns = now_ns, .recessive_since_ns = now_ns};
		bus->cut++;
	} else {
		bus->cut--;
	}
	canbus_join(bus, number, on ? 1 + number : 0, now_ns);
}

void canbus_short(struct canbus *bus, uint64_t now_ns, bool on)
{
	now_ns = reach(bus, now_ns);
	if (on && !bus->shorted && bus->segments[0].phase != PHASE_IDLE) {
		bus->shorted = true;
		canbus_fail_shorted(bus, 0, now_ns);
	}
	bus->shorted = on;
}

void canbus_restore(struct canbus *bus, uint64_t now_ns)
{
	for (unsigned i = 0; i < CANBUS_MAX_RULES; i++)
		bus->rules[i].used = false;
	bus->rule_count = 0;
	canbus_short(bus, now_ns, false);
	for (unsigned i = 0; i < CANBUS_MAX_NODES; i++)
		canbus_silence(bus, now_ns, i, false);
}

bool canbus_corrupt(struct canbus *bus, uint64_t now_ns, const struct canbus_corruption *corruption)
{
	reach(bus, now_ns);
	for (unsigned i = 0; i < CANBUS_MAX_RULES; i++) {
		if (bus->rules[i].used)
			continue;
		bus->rules[i] = (struct rule){.used = true, .what = *corruption};
		bus->rule_count++;
		return true;
	}
	return false;
}

bool canbus_shorted(const struct canbus *bus)
{
	return bus->shorted;
}

/* ---- what is asked ------------------------------------------------------------------------------------------- */

void canbus_node_status(const struct canbus *bus, unsigned number, struct canbus_node_status *ret_status)
{
	const struct node *node = &bus->nodes[number];
	*ret_status = (struct canbus_node_status){
	        .state = node->state, .tec = node->tec, .rec = node->rec, .queued = node->queued, .silenced = node->segment != 0};
}

void canbus_counts(const struct canbus *bus, uint64_t now_ns, struct canbus_counts *ret_counts)
{
	const struct segment *s = &bus->segments[0];
	*ret_counts = bus->counts;
	if (s->phase != PHASE_IDLE && now_ns > s->begin_ns)
		ret_counts->busy_ns += now_ns - s->begin_ns;
	else if (s->phase == PHASE_IDLE && s->free_ns > now_ns && bus->counts.busy_ns >= s->free_ns - now_ns)
		ret_counts->busy_ns -= s->free_ns - now_ns; /* counted when it was known, not over yet */
}
