/* SPDX-License-Identifier: Apache-2.0 */
/* CAN frames as Wireshark reads them: LINKTYPE_CAN_SOCKETCAN, the identifier and its flags in network byte order. */
#include <linux/can.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "can.h"
#include "capture_private.h"
#include "pcapng.h"

struct capture_bus {
	struct capture_bus *next;
	unsigned interface;
	char name[];
};

static struct capture_bus *bus_find(struct capture *capture, const char *name)
{
	for (struct capture_bus *bus = capture->buses; bus; bus = bus->next)
		if (strcmp(bus->name, name) == 0)
			return bus;
	return NULL;
}

static struct capture_bus *bus_add(struct capture *capture, const char *name)
{
	size_t size = strlen(name) + 1;
	struct capture_bus *bus = malloc(sizeof(*bus) + size);
	if (!bus)
		return NULL;
	int interface = capture_interface(capture, PCAPNG_LINKTYPE_CAN, name, "CAN bus as the bench saw it");
	if (interface < 0) {
		free(bus);
		return NULL;
	}
	memcpy(bus->name, name, size);
	bus->interface = (unsigned)interface;
	bus->next = capture->buses;
	capture->buses = bus;
	return bus;
}

/* The layout of struct can_frame and struct canfd_frame; the flag FDF tells them apart. */
static size_t frame_encode(const struct can_message *message, uint8_t *p)
{
	uint32_t id = message->id | (message->flags & CAN_MESSAGE_EXTENDED ? CAN_EFF_FLAG : 0) |
	              (message->flags & CAN_MESSAGE_REMOTE ? CAN_RTR_FLAG : 0);
	size_t length = message->flags & CAN_MESSAGE_REMOTE ? 0 : message->length;
	be32_write(p, id);
	p[4] = message->length;
	p[5] = 0;
	if (message->flags & CAN_MESSAGE_FD)
		p[5] = (uint8_t)(CANFD_FDF | (message->flags & CAN_MESSAGE_BRS ? CANFD_BRS : 0) |
		                 (message->flags & CAN_MESSAGE_ESI ? CANFD_ESI : 0));
	p[6] = p[7] = 0;
	memcpy(p + 8, message->data, length);
	return 8 + length;
}

void capture_can(struct capture *capture, const char *bus_name, const struct can_message *message)
{
	uint8_t frame[8 + CAN_MESSAGE_MAX];
	if (!capture)
		return;
	struct capture_bus *bus = bus_find(capture, bus_name);
	if (!bus)
		bus = bus_add(capture, bus_name);
	if (!bus)
		return;
	size_t length = frame_encode(message, frame);
	capture_packet(capture, bus->interface, frame, length, length, message->at);
}

void capture_buses_free(struct capture *capture)
{
	while (capture->buses) {
		struct capture_bus *bus = capture->buses;
		capture->buses = bus->next;
		free(bus);
	}
}
