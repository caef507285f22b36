/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig can: how the buses are. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "rig.h"

static void print_bus(struct rig_bus *bus)
{
	struct can_counters counters = {0};
	struct error error = {0};
	struct can *can = rig_bus_channel(bus);
	if (rig_bus_check(bus, &error) < 0 || !can) {
		(void)printf("%-10s gone: %s\n", rig_bus_name(bus), error.message);
		return;
	}
	can_counters_read(can, &counters);
	(void)printf("%-10s %-13s tec %-3u rec %-3u received %-8" PRIu64 " sent %-8" PRIu64 " errors %-6" PRIu64 " lost %-6" PRIu64,
	             rig_bus_name(bus), can_state_name(counters.state), counters.tec, counters.rec, counters.received, counters.sent,
	             counters.errors, counters.lost);
	if (counters.nominal_bit_rate)
		(void)printf(" load %u.%u %%  %" PRIu32, counters.load_per_mille / 10, counters.load_per_mille % 10,
		             counters.nominal_bit_rate);
	else
		(void)printf(" load unknown  bit rate unknown");
	if (counters.nominal_bit_rate && counters.data_bit_rate)
		(void)printf("/%" PRIu32, counters.data_bit_rate);
	(void)puts(counters.nominal_bit_rate ? " bit/s" : "");
}

static void print_buses(struct rig *rig)
{
	for (unsigned i = 0; i < rig_bus_count(rig); i++)
		print_bus(rig_bus_at(rig, i));
	(void)fflush(stdout);
}

#define INTERRUPTED 130 /* exit status */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	loop_cancel(context);
	return 0;
}

/* Ctrl-C ends the watching, not the program in the middle of it. */
static void catch_signals(struct loop *loop)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		(void)sd_event_add_signal(loop_event(loop), NULL, signals[i], on_signal, loop);
}

/* Load is known after the first whole second. */
static int show(struct rig *rig, struct loop *loop, bool watch)
{
	int64_t next_ns = (loop_now_ns() / RIG_SECOND_NS + 2) * RIG_SECOND_NS + RIG_SECOND_NS / 10;
	do {
		if (loop_until(loop, NULL, NULL, next_ns) == -ECANCELED)
			return INTERRUPTED;
		print_buses(rig);
		next_ns += RIG_SECOND_NS;
	} while (watch && !ferror(stdout));
	return rig_check(rig, NULL) < 0 ? EXIT_BENCH : 0;
}

static int can_in(const struct rig_file *file, const char *folder, bool watch)
{
	const struct rig_options options = {.run_directory = folder, .buses_only = true};
	struct timeline *timeline = NULL;
	struct loop *loop = NULL;
	struct rig *rig = NULL;
	struct error error = {0};
	int status = 0, r = loop_new(&loop, &error);
	if (r == 0)
		r = timeline_new(&timeline, NULL, 1, &error);
	if (r == 0)
		catch_signals(loop);
	if (r == 0)
		r = rig_start(file, loop, timeline, &options, &rig, &error);
	status = r < 0 ? rig_fail(&error) : show(rig, loop, watch);
	rig_stop(rig);
	timeline_free(timeline);
	loop_free(loop);
	return status;
}

static int can(const struct rig_call *call)
{
	struct bus_folder *folder;
	struct error error = {0};
	if (!value_get(rig_file_root(call->file), "buses")) {
		(void)puts("the rig has no CAN bus");
		return 0;
	}
	/* Opening a bus may set its bit rates, under the hands of whoever has the rig. */
	struct rig_lock *lock;
	if (rig_lock_take(&lock, call->file, "hilbench rig can", &error) < 0)
		return rig_fail(&error);
	int r = bus_folder_new(&folder, "/tmp", "hilbench-rig", &error);
	int status = r < 0 ? rig_fail(&error) : can_in(call->file, bus_folder_path(folder), call->watch);
	if (r == 0)
		bus_folder_free(folder);
	rig_lock_release(lock);
	return status;
}

const struct rig_verb rig_verb_can = {.name = "can", .options = "w", .run = can};
