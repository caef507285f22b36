/* SPDX-License-Identifier: Apache-2.0 */
#include "can_load.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define LOAD_KIND  "can-load"
#define TICK_USEC  1000
#define QUEUED_MAX 3u /* enough that the bus never idles, few enough that frames of steps come soon */

struct can_load {
	struct bus_watch *watch;
	struct can_message message;
	unsigned percent, queued;
	uint64_t tickets[QUEUED_MAX];
	int64_t frame_ns;
	int64_t begin_ns, spent_ns;
	sd_event_source *timer;
};

/* 100 %: always something queued. Below: as much as the time that has passed allows. */
static void load_fill(struct can_load *load)
{
	struct can *can = rig_bus_channel(load->watch->bus);
	struct error ignored;

	while (can && load->queued < QUEUED_MAX) {
		if (load->percent < 100 && load->spent_ns * 100 >= (loop_now_ns() - load->begin_ns) * load->percent)
			return;
		if (can_send(can, &load->message, &load->tickets[load->queued], &ignored) < 0)
			return;
		load->queued++;
		load->spent_ns += load->frame_ns;
	}
}

static void load_on_frame(const struct can_message *message, bool transmitted, void *context)
{
	struct can_load *load = context;

	for (unsigned i = 0; transmitted && i < load->queued; i++)
		if (load->tickets[i] == message->ticket) {
			load->tickets[i] = load->tickets[--load->queued];
			load_fill(load);
			return;
		}
}

static int load_on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	load_fill(context);
	sd_event_source_set_time(source, usec + TICK_USEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void load_free(void *object)
{
	struct can_load *load = object;

	rig_bus_unobserve(load->watch->bus, load_on_frame, load);
	sd_event_source_disable_unref(load->timer);
	free(load);
}

static int load_begin(struct step_context *context, struct can_load *load, struct error *err)
{
	struct can_counters counters;
	struct can *can;
	int r = bus_channel(load->watch, &can, err);

	if (r < 0)
		return r;
	can_counters_read(can, &counters);
	if (counters.nominal_bit_rate == 0)
		return error_set(err, ERROR_TESTCASE, ENOTSUP, "the bit rates of %s are unknown", load->watch->channel);
	load->frame_ns = can_frame_time_ns(&load->message, counters.nominal_bit_rate, counters.data_bit_rate);
	load->begin_ns = loop_now_ns();
	r = sd_event_add_time(loop_event(context->loop), &load->timer, CLOCK_MONOTONIC, (uint64_t)load->begin_ns / 1000 + TICK_USEC, 1,
	                      load_on_timer, load);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "no timer for the load");
	return rig_bus_observe(load->watch->bus, load_on_frame, load, err);
}

int can_load_set(struct step_context *context, struct bus_watch *watch, unsigned percent, const struct can_message *message,
                 struct error *err)
{
	struct can_load *load;
	int r;

	step_object_remove(context, LOAD_KIND, watch->channel);
	if (percent == 0)
		return 0;
	load = calloc(1, sizeof(*load));
	if (!load)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	load->watch = watch;
	load->percent = percent;
	load->message = *message;
	r = load_begin(context, load, err);
	if (r == 0 && step_object_add(context, LOAD_KIND, watch->channel, load, load_free) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r < 0) {
		load_free(load);
		return r;
	}
	load_fill(load);
	return 0;
}
