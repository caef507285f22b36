/* SPDX-License-Identifier: Apache-2.0 */
#include "doip_socket.h"

#include <string.h>

#define QUIET_US       20000u  /* no input for so long after the last answer: nothing more is in flight */
#define CLOSE_LIMIT_US 200000u /* a peer that goes on talking does not keep its slot */
#define DRAIN_SIZE     512u
#define DRAIN_READS    16u
#define ACCEPT_LIMIT   16u

uint8_t doip_sockets_open(const struct doip_context *context)
{
	uint8_t count = 0;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++) {
		enum doip_slot_state state = context->slots[i].state;
		count = (uint8_t)(count + (state != DOIP_SLOT_FREE && state != DOIP_SLOT_CLOSING));
	}
	return count;
}

uint8_t doip_sockets_registered(const struct doip_context *context)
{
	uint8_t count = 0;
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++)
		count = (uint8_t)(count + doip_slot_registered(&context->slots[i]));
	return count;
}

struct doip_slot *doip_slot_by_address(struct doip_context *context, uint16_t address)
{
	for (unsigned i = 0; i < DOIP_SLOT_COUNT; i++)
		if (doip_slot_registered(&context->slots[i]) && context->slots[i].address == address)
			return &context->slots[i];
	return NULL;
}

/* Takes the slot out of the table of source addresses and tells the application. */
static void slot_leave(struct doip_context *context, struct doip_slot *slot, enum doip_slot_state next)
{
	bool routing = slot->state == DOIP_SLOT_REGISTERED;
	slot->state = next;
	slot->alive_asked = false;
	slot->alive_answered = false;
	if (routing && context->handlers.node_changed != NULL)
		context->handlers.node_changed(context->handlers.context, slot->address, false);
}

static void slot_free(struct doip_context *context, struct doip_slot *slot)
{
	doip_inbox_close(&slot->inbox);
	doip_outbox_open(&slot->outbox);
	slot->failed = false;
	slot_leave(context, slot, DOIP_SLOT_FREE);
}

void doip_slot_abort(struct doip_context *context, struct doip_slot *slot)
{
	stream_abort(&slot->stream);
	slot_free(context, slot);
}

void doip_slot_close(struct doip_context *context, struct doip_slot *slot)
{
	/* The stack would keep what a silent peer does not take for minutes. */
	if (doip_outbox_empty(&slot->outbox))
		stream_close(&slot->stream);
	else
		stream_abort(&slot->stream);
	slot_free(context, slot);
}

void doip_slot_finish(struct doip_context *context, struct doip_slot *slot)
{
	slot->quiet_us = context->now_us;
	slot->close_by_us = context->now_us + CLOSE_LIMIT_US;
	doip_inbox_close(&slot->inbox);
	slot_leave(context, slot, DOIP_SLOT_CLOSING);
	doip_slot_flush(context, slot);
}

void doip_slot_flush(struct doip_context *context, struct doip_slot *slot)
{
	bool progress;
	if (slot->handling || slot->failed)
		return;
	if (doip_outbox_empty(&slot->outbox))
		return;
	enum port_status status = doip_outbox_flush(&slot->outbox, &slot->stream, &progress);
	if (progress)
		slot->activity_us = context->now_us;
	if (status == PORT_WOULD_BLOCK && (progress || !slot->stalled))
		slot->stalled_us = context->now_us;
	slot->stalled = status == PORT_WOULD_BLOCK;
	if (status != PORT_OK && status != PORT_WOULD_BLOCK)
		slot->failed = true;
}

void doip_slot_header_nack(struct doip_slot *slot, uint8_t code)
{
	uint8_t *payload = doip_outbox_add(&slot->outbox, slot->version, DOIP_HEADER_NACK, 1);
	if (payload != NULL)
		payload[0] = code;
}

/* Reads below TLS: what comes now is not looked at, and a broken session could not decrypt it. */
static enum port_status drain(struct doip_context *context, struct doip_slot *slot)
{
	uint8_t rubbish[DRAIN_SIZE];
	enum port_status status = PORT_OK;
	for (unsigned i = 0; i < DRAIN_READS && status == PORT_OK; i++) {
		size_t received;
		status = port_tcp_receive(slot->stream.socket, rubbish, sizeof rubbish, &received);
		if (status == PORT_OK)
			slot->quiet_us = context->now_us;
	}
	return status;
}

void doip_slot_finish_poll(struct doip_context *context, struct doip_slot *slot)
{
	doip_slot_flush(context, slot);
	enum port_status status = drain(context, slot);
	if (slot->failed || status == PORT_FAILED) {
		doip_slot_abort(context, slot);
		return;
	}
	bool silent = doip_outbox_empty(&slot->outbox) && context->now_us >= slot->quiet_us + QUIET_US;
	if (status == PORT_CLOSED || silent || context->now_us >= slot->close_by_us)
		doip_slot_close(context, slot);
}

uint64_t doip_slot_finish_deadline(const struct doip_slot *slot)
{
	uint64_t silent_us = slot->quiet_us + QUIET_US;
	if (!doip_outbox_empty(&slot->outbox) || silent_us > slot->close_by_us)
		return slot->close_by_us;
	return silent_us;
}

/* The first MCTS + 1 slots may be used; one that is only closing gives way. */
static struct doip_slot *slot_take(struct doip_context *context)
{
	unsigned limit = context->config.max_sockets + 1u;
	struct doip_slot *closing = NULL;
	for (unsigned i = 0; i < limit; i++) {
		if (context->slots[i].state == DOIP_SLOT_FREE)
			return &context->slots[i];
		if (context->slots[i].state == DOIP_SLOT_CLOSING)
			closing = &context->slots[i];
	}
	if (closing != NULL)
		doip_slot_close(context, closing);
	return closing;
}

static void slot_open(struct doip_context *context, port_socket socket, bool secured)
{
	struct stream stream;
	struct doip_slot *slot = slot_take(context);
	if (slot == NULL || (secured && tls_stream(&stream, context->server_tls, socket) != PORT_OK)) {
		port_tcp_close(socket);
		return;
	}
	if (!secured)
		stream_plain(&stream, socket);
	slot->stream = stream;
	slot->state = DOIP_SLOT_ESTABLISHING;
	slot->failed = false;
	slot->handling = false;
	slot->version = DOIP_VERSION_OWN;
	slot->stalled = false;
	slot->accepted_us = slot->activity_us = context->now_us;
	doip_inbox_open(&slot->inbox, &context->pool);
	doip_outbox_open(&slot->outbox);
}

static void accept_from(struct doip_context *context, port_socket listener, bool secured)
{
	if (listener == PORT_NO_SOCKET)
		return;
	for (unsigned i = 0; i < ACCEPT_LIMIT; i++) {
		port_socket socket;
		struct port_endpoint peer;
		if (port_tcp_accept(listener, &socket, &peer) != PORT_OK)
			return;
		slot_open(context, socket, secured);
	}
	context->again = true;
}

void doip_sockets_accept(struct doip_context *context)
{
	accept_from(context, context->listener_plain, false);
	accept_from(context, context->listener_tls, true);
}
