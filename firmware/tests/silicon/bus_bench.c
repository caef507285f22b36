/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_bench.h"

#include <check.h>

struct bus_bench bench;

static void take(void *context, const struct canbus_event *event)
{
	ck_assert_int_lt(bench.count, LOG_MAX);
	struct logged *entry = &bench.log[bench.count++];
	entry->event = *event;
	entry->event.frame = NULL;
	if (event->frame)
		entry->frame = *event->frame;
}

void bench_open(unsigned nodes)
{
	bench.bus = canbus_new(&(struct canbus_config){.nominal = 500000, .data = 2000000, .sink = take});
	ck_assert_ptr_nonnull(bench.bus);
	bench.now_ns = 0;
	for (unsigned i = 0; i < nodes; i++)
		ck_assert_int_eq(canbus_attach(bench.bus, 0, false), (int)i);
	bench.count = 0;
	bench_run(BITS(11));
}

void bench_close(void)
{
	canbus_free(bench.bus);
}

void bench_send_frame(unsigned node, const struct canbus_frame *frame)
{
	canbus_transmit(bench.bus, bench.now_ns, node, frame, frame->id);
}

void bench_send(unsigned node, uint32_t id)
{
	bench_send_frame(node, &(struct canbus_frame){.id = id, .length = 8, .data = {(uint8_t)node, 2, 3, 4, 5, 6, 7, 8}});
}

void bench_run(uint64_t ns)
{
	bench.now_ns += ns;
	canbus_advance(bench.bus, bench.now_ns);
}

void bench_settle(void)
{
	const uint64_t end_ns = bench.now_ns + 1000000000u;
	uint64_t next_ns;
	while ((next_ns = canbus_next_ns(bench.bus)) <= end_ns) {
		if (next_ns > bench.now_ns)
			bench.now_ns = next_ns;
		canbus_advance(bench.bus, bench.now_ns);
	}
	bench_run(BITS(30));
}

void bench_clear(void)
{
	bench.count = 0;
}

const struct logged *bench_find(enum canbus_event_kind kind, int node, int nth)
{
	for (int i = 0; i < bench.count; i++) {
		if (bench.log[i].event.kind == kind && (node < 0 || bench.log[i].event.node == (unsigned)node) && nth-- == 0)
			return &bench.log[i];
	}
	return NULL;
}

int bench_count(enum canbus_event_kind kind, int node)
{
	int count = 0;
	while (bench_find(kind, node, count))
		count++;
	return count;
}

struct canbus_node_status bench_status(unsigned node)
{
	struct canbus_node_status status;
	canbus_node_status(bench.bus, node, &status);
	return status;
}
