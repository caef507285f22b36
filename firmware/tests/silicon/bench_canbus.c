/* SPDX-License-Identifier: Apache-2.0 */
/* How many frames a second the model carries in virtual time, beside what the bus itself could. */
#include "../../silicon/canbus.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAMES 200000u

static struct canbus *bus;
static unsigned received;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Every confirmed frame is followed by the next one of its node: the bus is never idle. */
static void on_event(void *context, const struct canbus_event *event)
{
	const unsigned *senders = context;
	if (event->kind == CANBUS_RECEIVED && event->node == *senders)
		received++;
	if (event->kind != CANBUS_CONFIRMED)
		return;
	struct canbus_frame next = *event->frame;
	if (next.length > 0)
		next.data[0]++;
	canbus_transmit(bus, event->end_ns, event->node, &next, 0);
}

static void measure(unsigned senders, uint32_t nominal, uint32_t data, uint8_t flags, uint8_t length)
{
	bus = canbus_new(&(struct canbus_config){.nominal = nominal, .data = data, .sink = on_event, .context = &senders});
	if (!bus)
		exit(EXIT_FAILURE);
	received = 0;
	for (unsigned i = 0; i <= senders; i++)
		canbus_attach(bus, 0, false);
	for (unsigned i = 0; i < senders; i++)
		canbus_transmit(bus, 0, i, &(struct canbus_frame){.id = 0x100 + i, .flags = flags, .length = length}, 0);
	const double begin_s = now_s();
	uint64_t bus_ns = 0;
	while (received < FRAMES) {
		bus_ns = canbus_next_ns(bus);
		canbus_advance(bus, bus_ns);
	}
	const double took_s = now_s() - begin_s;
	printf("%2u senders, %u/%u kbit/s, %2u bytes: %9.0f frames/s in virtual time, the bus itself %7.0f: %.0f times real time\n",
	       senders, nominal / 1000, data / 1000, length, received / took_s, received / ((double)bus_ns * 1e-9),
	       (double)bus_ns * 1e-9 / took_s);
	canbus_free(bus);
}

int main(void)
{
	measure(1, 500000, 2000000, 0, 8);
	measure(1, 500000, 2000000, CANBUS_FD | CANBUS_BRS, 16);
	measure(1, 1000000, 8000000, CANBUS_FD | CANBUS_BRS, 64);
	measure(10, 500000, 2000000, CANBUS_FD | CANBUS_BRS, 64);
	return EXIT_SUCCESS;
}
