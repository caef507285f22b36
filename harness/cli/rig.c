/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig: what a rig file holds, and how its parts are. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../rig/bus_folder.h"
#include "../rig/rig.h"
#include "commands.h"

#define SECOND_NS INT64_C(1000000000)

static int fail(const struct error *error)
{
	char text[2048];
	(void)fprintf(stderr, "hilbench: %s\n", error_describe(error, text, sizeof(text)));
	return error->domain == ERROR_USAGE ? EXIT_USAGE : error->domain == ERROR_OPERATOR ? 130 : EXIT_BENCH;
}

/* ---- rig list ---- */

static const char *text_of(const struct value *map, const char *key)
{
	const struct value *value = value_get(map, key);
	return value && value->type == VALUE_TEXT ? value->text : NULL;
}

static void print_keys(const struct value *map, const char *const *keys)
{
	for (; *keys; keys++) {
		const struct value *value = value_get(map, *keys);
		char *text = value ? value_describe(value) : NULL;
		if (text)
			(void)printf("  %s %s", *keys, value->type == VALUE_TEXT ? value->text : text);
		free(text);
	}
	(void)putchar('\n');
}

static void print_group(const struct value *root, const char *group, const char *title, const char *const *keys)
{
	const struct value *map = value_get(root, group);
	for (unsigned i = 0; map && i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		const char *driver = text_of(entry->value, "driver");
		(void)printf("%-9s %-22s %-14s", title, entry->key, driver ? driver : "");
		print_keys(entry->value, keys);
	}
}

static int list(const struct rig_file *file)
{
	static const char *const role_keys[] = {"application", "address", "logical_address", "plain", "tls", NULL};
	static const char *const link_keys[] = {"client", "server", "target", NULL};
	static const char *const bus_keys[] = {"interface", "address", "nominal", "data", "boards", NULL};
	static const char *const identity_keys[] = {"certificate", "ca", NULL};
	const struct value *root = rig_file_root(file);
	(void)printf("rig       %s%s\n", rig_file_name(file), rig_file_is_virtual(file) ? " (virtual)" : "");
	print_group(root, "roles", "role", role_keys);
	print_group(root, "links", "link", link_keys);
	print_group(root, "buses", "bus", bus_keys);
	print_group(root, "identities", "identity", identity_keys);
	return 0;
}

/* ---- rig can ---- */

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

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	loop_cancel(context);
	return 0;
}

/* Ctrl-C ends the watching, not the program in the middle of it. */
static void catch_signals(struct loop *loop)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)sd_event_add_signal(loop_event(loop), NULL, SIGINT, on_signal, loop);
	(void)sd_event_add_signal(loop_event(loop), NULL, SIGTERM, on_signal, loop);
}

/* Load is known after the first whole second. */
static int show(struct rig *rig, struct loop *loop, bool watch)
{
	int64_t next_ns = (loop_now_ns() / SECOND_NS + 2) * SECOND_NS + SECOND_NS / 10;
	do {
		if (loop_until(loop, NULL, NULL, next_ns) == -ECANCELED)
			return 0;
		print_buses(rig);
		next_ns += SECOND_NS;
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
	status = r < 0 ? fail(&error) : show(rig, loop, watch);
	rig_stop(rig);
	timeline_free(timeline);
	loop_free(loop);
	return status;
}

static int can(const struct rig_file *file, bool watch)
{
	struct bus_folder *folder;
	struct error error = {0};
	if (!value_get(rig_file_root(file), "buses")) {
		(void)puts("the rig has no CAN bus");
		return 0;
	}
	if (bus_folder_new(&folder, "/tmp", "hilbench-rig", &error) < 0)
		return fail(&error);
	int status = can_in(file, bus_folder_path(folder), watch);
	bus_folder_free(folder);
	return status;
}

/* ---- the command ---- */

static int run_verb(const char *name, const char *path, const char *verb, bool watch)
{
	struct rig_file *file;
	struct error error = {0};
	bool lists = !strcmp(verb, "list");
	if (!lists && strcmp(verb, "can"))
		return command_usage_error(name, "there is no \"%s\"", verb);
	if (lists && watch)
		return command_usage_error(name, "--watch goes with can");
	if (rig_file_load(path, &file, &error) < 0)
		return fail(&error);
	int status = lists ? list(file) : can(file, watch);
	rig_file_free(file);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"rig", required_argument, NULL, 'r'}, {"watch", no_argument, NULL, 'w'}, {0}};
	const char *path = "rigs/virtual.yaml";
	bool watch = false;
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			path = optarg;
		else if (option == 'w')
			watch = true;
		else
			return command_usage_error(argv[0], "wrong or incomplete option %s", argv[optind - 1]);
	}
	if (argc - optind != 1)
		return command_usage_error(argv[0], "say one of list, can");
	return run_verb(argv[0], path, argv[optind], watch);
}

const struct command command_rig = {
        .name = "rig",
        .summary = "shows the parts of a rig and the state of its CAN buses",
        .usage = "rig [--rig FILE] list|can [--watch]\n"
                 "  --rig FILE  the rig (rigs/virtual.yaml)\n"
                 "  list        roles, links, buses and identities of the rig file\n"
                 "  can         state, counters, load and bit rates of each bus; the buses of a virtual rig are\n"
                 "              started for it, without boards\n"
                 "  --watch     again every second until Ctrl-C",
        .run = run,
};
