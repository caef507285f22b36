/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_diagnostic.h"

#include "../faults/fault.h"

static void acknowledge(struct doip_slot *slot, uint16_t source, uint16_t target, uint8_t code)
{
	uint8_t *place = doip_outbox_add_ack(&slot->outbox, slot->version, source, target);
	if (place != NULL)
		doip_outbox_settle(place, code);
}

static uint8_t hand_over(struct doip_context *context, struct doip_slot *slot, const uint8_t *payload, uint32_t length)
{
	const struct doip_entity_handlers *handlers = &context->handlers;
	if (handlers->diagnostic == NULL)
		return DOIP_DIAG_UNKNOWN_TARGET;
	slot->handling = true;
	enum doip_diag_nack code = handlers->diagnostic(handlers->context, doip_get_u16(payload), doip_get_u16(payload + 2),
	                                                payload + DOIP_DIAGNOSTIC_HEAD, length - DOIP_DIAGNOSTIC_HEAD);
	slot->handling = false;
	return (uint8_t)code;
}

void doip_diagnostic_receive(struct doip_context *context, struct doip_slot *slot, const uint8_t *payload, uint32_t length)
{
	uint16_t source = doip_get_u16(payload), target = doip_get_u16(payload + 2);
	if (slot->state != DOIP_SLOT_REGISTERED || source != slot->address) {
		acknowledge(slot, source, target, DOIP_DIAG_INVALID_SOURCE);
		doip_slot_finish(context, slot);
		return;
	}
	/* The place of the ACK is kept before the handler speaks, so that no response can stand before it. */
	bool late = fault_active(FAULT_ACK_AFTER_RESPONSE);
	uint8_t *place = late ? NULL : doip_outbox_add_ack(&slot->outbox, slot->version, source, target);
	uint8_t code = hand_over(context, slot, payload, length);
	if (slot->state != DOIP_SLOT_REGISTERED)
		return; /* the application stopped the entity */
	if (late)
		acknowledge(slot, source, target, code);
	else if (place != NULL)
		doip_outbox_settle(place, code);
	doip_slot_flush(context, slot);
}
