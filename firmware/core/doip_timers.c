/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_timers.h"

#define STALL_US 10000000u /* a whole outbox without one byte taken */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t inactivity_deadline(const struct doip_context *context, const struct doip_slot *slot)
{
	switch (slot->state) {
	case DOIP_SLOT_ESTABLISHING:
	case DOIP_SLOT_OPEN:
		return slot->accepted_us + (uint64_t)context->config.initial_inactivity_ms * 1000;
	case DOIP_SLOT_CONFIRMING:
	case DOIP_SLOT_REGISTERED:
		return slot->activity_us + (uint64_t)context->config.general_inactivity_ms * 1000;
	default: /* a waiting activation has stopped the initial timer; the alive check bounds it */
		return UINT64_MAX;
	}
}

static uint64_t stall_deadline(const struct doip_slot *slot)
{
	return slot->stalled ? slot->stalled_us + STALL_US : UINT64_MAX;
}

static bool in_use(const struct doip_slot *slot)
{
	return slot->state != DOIP_SLOT_FREE && slot->state != DOIP_SLOT_CLOSING;
}

void doip_timers_poll(struct doip_context *context)
{
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		struct doip_slot *slot = &context->slots[i];
		if (in_use(slot) && context->turn_us >= earlier(inactivity_deadline(context, slot), stall_deadline(slot)))
			doip_slot_close(context, slot);
	}
}

uint64_t doip_timers_deadline(const struct doip_context *context)
{
	uint64_t deadline = UINT64_MAX;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		const struct doip_slot *slot = &context->slots[i];
		if (slot->state == DOIP_SLOT_CLOSING)
			deadline = earlier(deadline, doip_slot_finish_deadline(slot));
		else if (slot->state != DOIP_SLOT_FREE)
			deadline = earlier(deadline, earlier(inactivity_deadline(context, slot), stall_deadline(slot)));
	}
	return deadline;
}
