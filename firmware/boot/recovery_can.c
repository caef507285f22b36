/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery_can.h"

#include "../app/can_bus.h"

#define ENDPOINT_SIZE 64u

static struct {
	bool running;
	uint8_t channel;
} can;

static bool is_server(void)
{
	char text[ENDPOINT_SIZE];

	return port_param_text("doip.plain", text, sizeof(text)) != PORT_ABSENT ||
	       port_param_text("doip.tls", text, sizeof(text)) != PORT_ABSENT;
}

static void on_request(void *context, const uint8_t *data, size_t length)
{
	(void)context;
	/* What finds no room is lost, as on any bus; the tester's timer says so. */
	(void)diag_router_from_can(DIAG_CAN_TESTER, false, data, length);
}

static enum port_status answer(uint16_t via, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	enum port_status status;

	(void)via;
	(void)source;
	(void)target;
	if (!can.running)
		return PORT_ABSENT;
	status = isotp_send(can.channel, data, length);
	return status == PORT_WOULD_BLOCK ? PORT_FULL : status;
}

static enum port_status start(uint16_t address)
{
	static const struct isotp_handlers handlers = {.received = on_request};
	struct isotp_config config;
	enum port_status status;

	(void)address;
	can.running = false;
	if (is_server())
		return PORT_ABSENT;
	status = can_bus_start(NULL);
	if (status != PORT_OK)
		return status;
	can_bus_isotp_config(&config);
	can_bus_isotp_ids(&config, CAN_BUS_RESPONSE, CAN_BUS_REQUEST);
	status = can_bus_isotp_open(&config, &handlers, &can.channel);
	can.running = status == PORT_OK;
	return status;
}

static void stop(void)
{
	can.running = false;
}

static const struct diag_link link = {.send = answer};

const struct node_side recovery_can = {.link = &link, .start = start, .poll = can_bus_poll, .stop = stop};
