/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of a case's buses, from the case's begin on: a step that comes late still knows what was before it, also on a
 * bus that no step has named yet.
 */
#ifndef HARNESS_RUN_BUS_RECORD_H
#define HARNESS_RUN_BUS_RECORD_H

#include "../link/can.h"
#include "../rig/rig.h"
#include "step_context.h"

#define BUS_RECORD 65536u /* newest frames that are kept */

struct bus_frame {
	struct can_message message;
	bool transmitted; /* by the harness */
	bool taken;       /* given out by can.expect */
};
struct bus_watch {
	struct rig_bus *bus;
	char channel[64]; /* "can:NAME" */
	struct timeline *timeline;
	struct bus_frame *frames; /* a ring: frame n stands at n % capacity */
	uint64_t capacity, next;  /* next: number of the frame that comes next, from 0 */
};

/* Begins the record of every bus of the rig; it ends with the case's objects. */
int bus_watch_all(struct step_context *, struct error *err) WARN_UNUSED;
/* NULL: the rig has no such bus. */
struct bus_watch *bus_watch_find(struct step_context *, const char *bus);
/* Number of the oldest frame that is still kept and did not end before this. */
uint64_t bus_watch_since(const struct bus_watch *, int64_t since_ns);
struct bus_frame *bus_watch_frame(struct bus_watch *, uint64_t number); /* number: kept and < next */

#endif
