/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WATCH_KIND "bus-watch"

static void on_frame(const struct can_message *message, bool transmitted, void *context)
{
	struct bus_watch *watch = context;

	watch->frames[watch->next++ % watch->capacity] = (struct bus_frame){.message = *message, .transmitted = transmitted};
}

static void record_free(void *object)
{
	struct bus_watch *watch = object;

	if (watch->bus)
		rig_bus_unobserve(watch->bus, on_frame, watch);
	free(watch->frames);
	free(watch);
}

static int record_new(struct step_context *context, struct rig_bus *bus, struct error *err)
{
	struct bus_watch *watch = calloc(1, sizeof(*watch));
	const char *name = rig_bus_name(bus);
	int r;

	if (!watch || !(watch->frames = malloc(BUS_RECORD * sizeof(*watch->frames)))) {
		free(watch);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	watch->capacity = BUS_RECORD;
	watch->timeline = context->timeline;
	snprintf(watch->channel, sizeof(watch->channel), "can:%s", name);
	r = rig_bus_observe(bus, on_frame, watch, err);
	if (r == 0) {
		watch->bus = bus;
		if (step_object_add(context, WATCH_KIND, name, watch, record_free) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	if (r < 0)
		record_free(watch);
	return r;
}

int bus_watch_all(struct step_context *context, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && context->rig && i < rig_bus_count(context->rig); i++)
		r = record_new(context, rig_bus_at(context->rig, i), err);
	return r;
}

struct bus_watch *bus_watch_find(struct step_context *context, const char *bus)
{
	return step_object_find(context, WATCH_KIND, bus);
}

struct bus_frame *bus_watch_frame(struct bus_watch *watch, uint64_t number)
{
	return &watch->frames[number % watch->capacity];
}

uint64_t bus_watch_since(const struct bus_watch *watch, int64_t since_ns)
{
	uint64_t oldest = watch->next > watch->capacity ? watch->next - watch->capacity : 0, number = watch->next;

	while (number > oldest && watch->frames[(number - 1) % watch->capacity].message.at.ns >= since_ns)
		number--;
	return number;
}
