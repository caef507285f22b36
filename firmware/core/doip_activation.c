/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_activation.h"

#include <string.h>

#include "../faults/fault.h"

#define RESPONSE_SIZE 9u
#define UNDECIDED     0xFFu

static bool source_known(const struct doip_entity_config *config, uint16_t source)
{
	for (unsigned i = 0; i < config->tester_count; i++)
		if (config->testers[i] == source)
			return true;
	return false;
}

static bool type_needs(const struct doip_entity_config *config, uint8_t type, uint8_t *ret_needs)
{
	for (unsigned i = 0; i < config->activation_count; i++) {
		if (config->activations[i].type != type)
			continue;
		*ret_needs = config->activations[i].needs;
		return true;
	}
	return false;
}

/* What can be said without looking at other sockets: source first, then type, then security of the connection. */
static uint8_t check_request(const struct doip_context *context, const struct doip_slot *slot)
{
	uint8_t needs;
	if (!source_known(&context->config, slot->activation.source))
		return DOIP_ACTIVATION_UNKNOWN_SOURCE;
	if (!type_needs(&context->config, slot->activation.type, &needs))
		return DOIP_ACTIVATION_TYPE_UNSUPPORTED;
	if ((needs & DOIP_NEEDS_TLS) == 0 || slot->stream.secured)
		return UNDECIDED;
	/* "Come back over TLS" is an answer only where TLS is offered. */
	return context->config.tcp_tls.port != 0 ? DOIP_ACTIVATION_NEEDS_TLS : DOIP_ACTIVATION_TYPE_UNSUPPORTED;
}

static uint8_t check_consent(const struct doip_context *context, const struct doip_slot *slot)
{
	const struct doip_entity_handlers *handlers = &context->handlers;
	const struct doip_activation *request = &slot->activation;
	uint8_t needs = 0;
	(void)type_needs(&context->config, request->type, &needs);
	if ((needs & DOIP_NEEDS_AUTHENTICATION) != 0 && handlers->authenticate != NULL) {
		int granted =
		        handlers->authenticate(handlers->context, request->source, request->oem, request->has_oem ? DOIP_OEM_SIZE : 0);
		if (granted == 0)
			return DOIP_ACTIVATION_NOT_AUTHENTICATED;
		if (granted == 2)
			return DOIP_ACTIVATION_PENDING;
	}
	if ((needs & DOIP_NEEDS_CONFIRMATION) != 0 && handlers->confirm != NULL) {
		int granted = handlers->confirm(handlers->context, request->source);
		if (granted == 0)
			return DOIP_ACTIVATION_REJECTED;
		if (granted == 2)
			return DOIP_ACTIVATION_PENDING;
	}
	return DOIP_ACTIVATION_DONE;
}

static void register_source(struct doip_context *context, struct doip_slot *slot, bool routing)
{
	bool was_routing = slot->state == DOIP_SLOT_REGISTERED;
	slot->address = slot->activation.source;
	slot->state = routing || was_routing ? DOIP_SLOT_REGISTERED : DOIP_SLOT_CONFIRMING;
	slot->activity_us = context->now_us;
	if (routing && !was_routing && context->handlers.node_changed != NULL)
		context->handlers.node_changed(context->handlers.context, slot->address, true);
}

static void send_response(struct doip_context *context, struct doip_slot *slot, uint8_t code)
{
	const struct doip_activation *request = &slot->activation;
	uint32_t length = RESPONSE_SIZE + (request->has_oem ? DOIP_OEM_SIZE : 0);
	uint8_t *payload = doip_outbox_add(&slot->outbox, slot->version, DOIP_ACTIVATION_RESPONSE, length);
	if (payload == NULL)
		return;
	memset(payload, 0, length);
	doip_put_u16(payload, request->source);
	doip_put_u16(payload + 2, context->config.logical_address);
	payload[4] = code;
	if (request->has_oem)
		memcpy(payload + RESPONSE_SIZE, request->oem, DOIP_OEM_SIZE);
}

/* The bench plays external test equipment (0x0E00..0x0FFF); the nodes must still come up, or the fault hides all else. */
static bool is_tester(uint16_t source)
{
	return source >= 0x0E00u && source <= 0x0FFFu;
}

void doip_activation_answer(struct doip_context *context, struct doip_slot *slot, uint8_t code)
{
	uint8_t shown = code;
	if (code == DOIP_ACTIVATION_DONE && is_tester(slot->activation.source) && fault_active(FAULT_ACTIVATION_CODE))
		shown = DOIP_ACTIVATION_PENDING;
	send_response(context, slot, shown);
	switch (code) {
	case DOIP_ACTIVATION_DONE:
	case DOIP_ACTIVATION_PENDING:
		register_source(context, slot, code == DOIP_ACTIVATION_DONE);
		break;
	case DOIP_ACTIVATION_NOT_AUTHENTICATED: /* may try again on the same socket */
		if (slot->state == DOIP_SLOT_WAITING)
			slot->state = DOIP_SLOT_OPEN;
		break;
	default:
		doip_slot_finish(context, slot);
		return;
	}
	doip_slot_flush(context, slot);
	context->again = true; /* messages may wait behind the request */
}

bool doip_activation_decide(struct doip_context *context, struct doip_slot *slot)
{
	struct doip_slot *holder = doip_slot_by_address(context, slot->activation.source);
	if (doip_slot_registered(slot)) {
		bool same = slot->address == slot->activation.source;
		doip_activation_answer(context, slot, same ? check_consent(context, slot) : DOIP_ACTIVATION_OTHER_SOURCE);
		return true;
	}
	if (holder != NULL && fault_active(FAULT_ALIVE_CHECK_MISSING)) {
		doip_slot_finish(context, holder);
		holder = NULL;
	}
	if (holder != NULL || doip_sockets_registered(context) >= context->config.max_sockets)
		return false;
	doip_activation_answer(context, slot, check_consent(context, slot));
	return true;
}

void doip_activation_receive(struct doip_context *context, struct doip_slot *slot, const uint8_t *payload, uint32_t length)
{
	struct doip_activation *request = &slot->activation;
	memset(request, 0, sizeof *request);
	request->source = doip_get_u16(payload);
	request->type = payload[2];
	if (length == 7 + DOIP_OEM_SIZE) { /* payload[3..6] is reserved by ISO and not looked at */
		request->has_oem = true;
		memcpy(request->oem, payload + 7, DOIP_OEM_SIZE);
	}
	uint8_t code = check_request(context, slot);
	if (code != UNDECIDED) {
		doip_activation_answer(context, slot, code);
		return;
	}
	if (doip_activation_decide(context, slot))
		return;
	slot->state = DOIP_SLOT_WAITING; /* doip_alive_poll() sees it */
	slot->order = ++context->order;
}
