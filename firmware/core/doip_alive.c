/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_alive.h"

#include "doip_activation.h"

void doip_alive_receive(struct doip_slot *slot, uint16_t source)
{
	/* Only the registered address itself proves that its tester is alive. */
	if (slot->alive_asked && source == slot->address)
		slot->alive_answered = true;
}

uint64_t doip_alive_deadline(const struct doip_context *context)
{
	return context->round.running ? context->round.deadline_us : UINT64_MAX;
}

static void ask(struct doip_context *context, struct doip_slot *slot)
{
	slot->alive_asked = true;
	slot->alive_answered = false;
	context->round.asked++;
	/* A full outbox is a peer that does not read: it counts as silent. */
	(void)doip_outbox_add(&slot->outbox, slot->version, DOIP_ALIVE_REQUEST, 0);
	doip_slot_flush(context, slot);
}

static void round_begin(struct doip_context *context, struct doip_slot *newcomer)
{
	struct doip_round *round = &context->round;
	struct doip_slot *holder = doip_slot_by_address(context, newcomer->activation.source);
	round->running = true;
	round->newcomer = (uint8_t)(newcomer - context->slots);
	round->order = newcomer->order;
	round->asked = 0;
	round->deadline_us = context->now_us + (uint64_t)context->config.alive_check_ms * 1000;
	if (holder != NULL) {
		ask(context, holder);
		return;
	}
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++)
		if (doip_slot_registered(&context->slots[i]))
			ask(context, &context->slots[i]);
}

static void round_end(struct doip_context *context)
{
	context->round.running = false;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		context->slots[i].alive_asked = false;
		context->slots[i].alive_answered = false;
	}
}

struct tally {
	unsigned asked, answered;
};

static struct tally count(const struct doip_context *context)
{
	struct tally tally = {0, 0};
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		const struct doip_slot *slot = &context->slots[i];
		tally.asked += slot->alive_asked;
		tally.answered += slot->alive_asked && slot->alive_answered;
	}
	return tally;
}

static void close_silent(struct doip_context *context)
{
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		struct doip_slot *slot = &context->slots[i];
		if (slot->alive_asked && !slot->alive_answered)
			doip_slot_close(context, slot);
	}
}

static struct doip_slot *round_newcomer(struct doip_context *context)
{
	struct doip_slot *slot = &context->slots[context->round.newcomer];
	return slot->state == DOIP_SLOT_WAITING && slot->order == context->round.order ? slot : NULL;
}

/* True when the round has ended. */
static bool round_poll(struct doip_context *context)
{
	struct doip_slot *newcomer = round_newcomer(context);
	struct tally tally = count(context);
	bool somebody_left = tally.asked < context->round.asked;
	if (newcomer == NULL || somebody_left) {
		round_end(context); /* the newcomer went, or there is a place without more waiting */
		return true;
	}
	if (tally.answered == tally.asked) {
		bool same = doip_slot_by_address(context, newcomer->activation.source) != NULL;
		round_end(context);
		doip_activation_answer(context, newcomer, same ? DOIP_ACTIVATION_SOURCE_IN_USE : DOIP_ACTIVATION_NO_SOCKET);
		return true;
	}
	if (context->turn_us < context->round.deadline_us)
		return false;
	close_silent(context);
	round_end(context);
	return true;
}

static struct doip_slot *next_newcomer(struct doip_context *context)
{
	struct doip_slot *first = NULL;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		struct doip_slot *slot = &context->slots[i];
		if (slot->state == DOIP_SLOT_WAITING && (first == NULL || (int32_t)(slot->order - first->order) < 0))
			first = slot;
	}
	return first;
}

void doip_alive_poll(struct doip_context *context)
{
	if (context->round.running && !round_poll(context))
		return;
	for (struct doip_slot *newcomer = next_newcomer(context); newcomer != NULL; newcomer = next_newcomer(context)) {
		if (doip_activation_decide(context, newcomer))
			continue;
		round_begin(context, newcomer);
		return;
	}
}
