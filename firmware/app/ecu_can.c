/* SPDX-License-Identifier: Apache-2.0 */
#include "ecu_can.h"

#include "can_bus.h"
#include "secoc_node.h"

static struct {
	bool running;
	uint8_t physical;
} ecu;

/* Answers to physical and to functional requests have the same identifier: one tester, as far as the router knows. */
static void on_request(bool functional, const uint8_t *data, size_t length)
{
	/* What finds no room is lost, as on any bus; the tester's timer says so. */
	(void)diag_router_from_can(DIAG_CAN_TESTER, functional, data, length);
}

static void on_physical(void *context, const uint8_t *data, size_t length)
{
	(void)context;
	on_request(false, data, length);
}

static void on_functional(void *context, const uint8_t *data, size_t length)
{
	(void)context;
	on_request(true, data, length);
}

static enum port_status answer(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	enum port_status status;

	(void)via;
	(void)source;
	(void)target;
	if (!ecu.running)
		return PORT_ABSENT;
	status = isotp_send(ecu.physical, data, length);
	return status == PORT_WOULD_BLOCK ? PORT_FULL : status;
}

static enum port_status open_channels(void)
{
	static const struct isotp_handlers physical = {.received = on_physical}, functional = {.received = on_functional};
	struct isotp_config config;
	enum port_status status;
	uint8_t ignored;

	can_bus_isotp_config(&config);
	can_bus_isotp_ids(&config, CAN_BUS_RESPONSE, CAN_BUS_REQUEST);
	status = can_bus_isotp_open(&config, &physical, &ecu.physical);
	if (status != PORT_OK)
		return status;
	can_bus_isotp_ids(&config, CAN_BUS_RESPONSE, CAN_BUS_FUNCTIONAL);
	config.functional = true;
	return can_bus_isotp_open(&config, &functional, &ignored);
}

static enum port_status start(uint16_t address)
{
	enum port_status status = can_bus_start(secoc_node_frame);

	(void)address;
	ecu.running = false;
	if (status != PORT_OK)
		return status;
	status = open_channels();
	if (status == PORT_OK)
		status = secoc_node_start();
	ecu.running = status == PORT_OK;
	return status;
}

static void poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	uint64_t secoc_us;

	can_bus_poll(now_us, ret_deadline_us);
	secoc_node_poll(now_us, &secoc_us);
	if (secoc_us < *ret_deadline_us)
		*ret_deadline_us = secoc_us;
}

static void stop(void)
{
	ecu.running = false;
}

static const struct diag_link link = {.send = answer};

const struct node_side ecu_can = {.link = &link, .start = start, .poll = poll, .stop = stop};
