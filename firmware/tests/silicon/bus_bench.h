/* SPDX-License-Identifier: Apache-2.0 */
/* A bus in virtual time, and a list of everything that happened on it. */
#ifndef FIRMWARE_TESTS_SILICON_BUS_BENCH_H
#define FIRMWARE_TESTS_SILICON_BUS_BENCH_H

#include "../../silicon/canbus.h"

#define LOG_MAX 20000

struct logged {
	struct canbus_event event; /* its frame pointer is NULL */
	struct canbus_frame frame;
};

struct bus_bench {
	struct canbus *bus;
	struct logged log[LOG_MAX];
	int count;
	uint64_t now_ns;
};

extern struct bus_bench bench;

/* A bus of 500 kbit/s and 2 Mbit/s with `nodes` nodes that take part; the log is empty. */
void bench_open(unsigned nodes);
void bench_close(void);
/* Queues at the present; the ticket is the identifier. */
void bench_send(unsigned node, uint32_t id);
void bench_send_frame(unsigned node, const struct canbus_frame *frame);
void bench_run(uint64_t ns);
/* Runs until nothing happens any more, for a second at most. */
void bench_settle(void);
void bench_clear(void);
/* The n-th (from 0) event of the kind at the node (-1: any); NULL when there are fewer. */
const struct logged *bench_find(enum canbus_event_kind kind, int node, int nth);
int bench_count(enum canbus_event_kind kind, int node);
struct canbus_node_status bench_status(unsigned node);
/* ns of n bits at 500 kbit/s. */
#define BITS(n) ((uint64_t)(n) * 2000u)

#endif
