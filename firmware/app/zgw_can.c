/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ISO-TP frames carry no logical addresses: an answer belongs to the tester that asked last. So one tester has the
 * channel until its answer came, or until none can come any more; others are told that the node is busy.
 */
#include "zgw_can.h"

#include "../core/console.h"
#include "can_bus.h"

#define NODE_ADDRESS 0x0011u
/* P2 of the node and what the bus takes, with plenty to spare; after a 0x78 P2* and the same. */
#define ANSWER_US         1000000u
#define ENHANCED_US       6000000u
#define TESTER_PRESENT    0x3Eu
#define SUPPRESS          0x80u
#define NEGATIVE_RESPONSE 0x7Fu
#define RESPONSE_PENDING  0x78u

static struct {
	bool running;
	uint8_t physical, functional;
	uint16_t node;
	uint16_t owner;         /* 0: nobody's answer is awaited */
	const uint8_t *sending; /* the channel that carries the owner's request, NULL: none does */
	bool receiving;
	uint64_t until_us;
} gateway;

static void say(const char *what, unsigned detail)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, "diagnostics: ");
	console_text(&line, what);
	console_decimal(&line, detail);
	console_end(&line);
}

static void wait_for_answer(uint64_t us)
{
	gateway.until_us = port_time_us() + us;
}

static void on_sent(void *context, enum isotp_result result)
{
	bool owners = gateway.sending == context;

	/* The tester's message was acknowledged already: it finds out by its own timer. */
	if (result != ISOTP_OK)
		say("a request did not reach the node over ISO-TP, N_Result ", result);
	if (!owners)
		return;
	gateway.sending = NULL;
	wait_for_answer(ANSWER_US);
	if (result != ISOTP_OK)
		gateway.owner = 0;
}

static void on_first_frame(void *context, size_t length)
{
	(void)context;
	(void)length;
	gateway.receiving = true;
}

static void on_receive_failed(void *context, enum isotp_result result)
{
	(void)context;
	gateway.receiving = false;
	wait_for_answer(ANSWER_US);
	say("an answer over ISO-TP broke off, N_Result ", result);
}

static void on_answer(void *context, const uint8_t *data, size_t length)
{
	bool pending = length == 3 && data[0] == NEGATIVE_RESPONSE && data[2] == RESPONSE_PENDING;
	uint8_t nack;

	(void)context;
	gateway.receiving = false;
	if (gateway.owner == 0) {
		say("an answer over ISO-TP that nobody waits for, bytes ", (unsigned)length);
		return;
	}
	nack = diag_router_answer_from_can(gateway.node, gateway.owner, data, length);
	if (nack != 0)
		say("an answer over ISO-TP could not be handed on, code ", nack);
	if (pending)
		wait_for_answer(ENHANCED_US);
	else
		gateway.owner = 0;
}

/* Nobody answers this one; it takes the channel from nobody. */
static bool is_silent(const uint8_t *data, size_t length)
{
	return length == 2 && data[0] == TESTER_PRESENT && (data[1] & SUPPRESS) != 0;
}

static enum port_status ask(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	uint8_t transmit_errors, receive_errors;
	const uint8_t *channel = via == DIAG_FUNCTIONAL ? &gateway.functional : &gateway.physical;
	bool silent = is_silent(data, length);
	enum port_status status;

	(void)target;
	if (!gateway.running || port_can_state(CAN_BUS_NODE, &transmit_errors, &receive_errors) == PORT_CAN_BUS_OFF)
		return PORT_ABSENT;
	if (gateway.owner != 0 && gateway.owner != source && !silent)
		return PORT_FULL;
	status = isotp_send(*channel, data, length);
	if (status != PORT_OK)
		return status == PORT_WOULD_BLOCK ? PORT_FULL : status;
	if (!silent) {
		gateway.owner = source;
		gateway.sending = channel;
	}
	return PORT_OK;
}

static uint8_t nodes(uint16_t *addresses, uint8_t limit)
{
	if (!gateway.running || limit == 0 || gateway.node == 0)
		return 0;
	addresses[0] = gateway.node;
	return 1;
}

static enum port_status open_channels(void)
{
	static const struct isotp_handlers physical = {.context = &gateway.physical,
	                                               .received = on_answer,
	                                               .first_frame = on_first_frame,
	                                               .receive_failed = on_receive_failed,
	                                               .sent = on_sent};
	static const struct isotp_handlers functional = {.context = &gateway.functional, .sent = on_sent};
	struct isotp_config config;
	enum port_status status;

	can_bus_isotp_config(&config);
	can_bus_isotp_ids(&config, CAN_BUS_REQUEST, CAN_BUS_RESPONSE);
	status = can_bus_isotp_open(&config, &physical, &gateway.physical);
	if (status != PORT_OK)
		return status;
	/* Only sends: what others send with this identifier goes nowhere. */
	can_bus_isotp_ids(&config, CAN_BUS_FUNCTIONAL, CAN_BUS_FUNCTIONAL);
	config.functional = true;
	return can_bus_isotp_open(&config, &functional, &gateway.functional);
}

/* One pair of identifiers is one node. */
static void load_node(void)
{
	uint32_t address = NODE_ADDRESS;
	struct console_line line;
	enum port_status status = port_param_u32("route.isotp", &address);

	if (status == PORT_OK && address <= UINT16_MAX) {
		gateway.node = (uint16_t)address;
		return;
	}
	gateway.node = NODE_ADDRESS;
	if (status == PORT_ABSENT)
		return;
	console_begin(&line);
	console_text(&line, "! route.isotp: wants one address like 0x0011 (0: none)");
	console_end(&line);
}

static enum port_status start(uint16_t address)
{
	enum port_status status = can_bus_start(NULL);

	(void)address;
	gateway.running = false;
	gateway.owner = 0;
	gateway.sending = NULL;
	gateway.receiving = false;
	if (status != PORT_OK)
		return status;
	load_node();
	status = open_channels();
	gateway.running = status == PORT_OK;
	return status;
}

static void poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	can_bus_poll(now_us, ret_deadline_us);
	if (gateway.owner == 0 || gateway.sending != NULL || gateway.receiving)
		return;
	if (now_us >= gateway.until_us)
		gateway.owner = 0;
	else if (gateway.until_us < *ret_deadline_us)
		*ret_deadline_us = gateway.until_us;
}

static void stop(void)
{
	gateway.running = false;
}

static const struct diag_link link = {.send = ask, .nodes = nodes};

const struct node_side zgw_can = {.link = &link, .start = start, .poll = poll, .stop = stop};
