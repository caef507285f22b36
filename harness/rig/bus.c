/* SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rig_private.h"

#define SIGN_OF_LIFE_NS 6000000000 /* a virtual bus tells its load every second; on a loaded machine it may come seconds late */
#define SECOND_LOOK_NS  100000000
#define LOOK_USEC       200000

#define HARNESS_NODE "harness" /* the harness's own node on a virtual bus */

/* ---- can.log ---- */

static void log_failed(struct rig *rig, const char *why)
{
	if (rig->can_log_failed)
		return;
	rig->can_log_failed = true;
	timeline_emit_now(rig->timeline, "run", "note", json_pack("{s:o}", "text", json_sprintf("can.log is not whole: %s", why)));
}

/* One file for all buses: each line names its own. */
static void log_open(struct rig *rig)
{
	char path[PATH_MAX];
	if (rig->can_log >= 0 || rig->can_log_failed)
		return;
	snprintf(path, sizeof(path), "%s/can.log", rig->directory);
	rig->can_log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (rig->can_log < 0)
		log_failed(rig, strerror(errno));
}

static void log_frame(struct rig_bus *bus, const struct can_message *message)
{
	char line[CAN_LOG_LINE_MAX];
	int length = can_log_format(message, bus->name, line, sizeof(line));
	if (bus->rig->can_log < 0 || length < 0)
		return;
	if (write(bus->rig->can_log, line, (size_t)length) != length)
		log_failed(bus->rig, strerror(errno));
}

/* ---- events ---- */

static json_t *flags_json(uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} names[] = {{CAN_MESSAGE_EXTENDED, "ext"},
	             {CAN_MESSAGE_REMOTE, "rtr"},
	             {CAN_MESSAGE_FD, "fd"},
	             {CAN_MESSAGE_BRS, "brs"},
	             {CAN_MESSAGE_ESI, "esi"}};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (flags & names[i].flag)
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

static json_t *frame_json(const struct can_message *message)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * CAN_MESSAGE_MAX + 1];
	unsigned count = message->flags & CAN_MESSAGE_REMOTE ? 0 : message->length;
	for (unsigned i = 0; i < count; i++) {
		hex[2 * i] = digits[message->data[i] >> 4];
		hex[2 * i + 1] = digits[message->data[i] & 15];
	}
	hex[2 * count] = '\0';
	json_t *data = json_pack("{s:I,s:o,s:i,s:s}", "id", (json_int_t)message->id, "flags", flags_json(message->flags), "length",
	                         message->length, "hex", hex);
	if (message->begin_ns)
		json_object_set_new(data, "begin_ns", json_integer(message->begin_ns));
	return data;
}

static void tell(struct rig_bus *bus, const struct can_message *message, bool transmitted)
{
	bus->telling++;
	for (unsigned i = 0; i < bus->observer_count; i++)
		if (bus->observers[i].notify)
			bus->observers[i].notify(message, transmitted, bus->observers[i].context);
	if (--bus->telling > 0)
		return;
	unsigned kept = 0;
	for (unsigned i = 0; i < bus->observer_count; i++)
		if (bus->observers[i].notify)
			bus->observers[kept++] = bus->observers[i];
	bus->observer_count = kept;
}

static void on_frame(struct rig_bus *bus, const struct can_message *message, bool transmitted)
{
	timeline_emit(bus->rig->timeline, message->at, bus->channel, transmitted ? "can.tx" : "can.rx", frame_json(message));
	log_frame(bus, message);
	capture_can(bus->rig->capture, bus->name, message);
	tell(bus, message, transmitted);
}

static void on_received(struct can *can, const struct can_message *message, void *context)
{
	on_frame(context, message, false);
}

static void on_sent(struct can *can, const struct can_message *message, void *context)
{
	on_frame(context, message, true);
}

static void on_not_sent(struct can *can, uint64_t ticket, const char *reason, void *context)
{
	struct rig_bus *bus = context;
	timeline_emit_now(
	        bus->rig->timeline, bus->channel, "note",
	        json_pack("{s:o}", "text", json_sprintf("%s: frame %llu was not sent: %s", bus->name, (unsigned long long)ticket, reason)));
}

static void on_error(struct can *can, enum can_error_kind kind, uint32_t id, struct instant at, void *context)
{
	struct rig_bus *bus = context;
	timeline_emit(bus->rig->timeline, at, bus->channel, "can.error",
	              json_pack("{s:s,s:I}", "kind", can_error_name(kind), "id", (json_int_t)id));
}

static void emit_state(struct rig_bus *bus, const char *node, enum can_bus_state state, unsigned tec, unsigned rec, struct instant at)
{
	timeline_emit(bus->rig->timeline, at, bus->channel, "can.state",
	              json_pack("{s:s,s:s,s:i,s:i}", "node", node, "state", can_state_name(state), "tec", (int)tec, "rec", (int)rec));
}

static void on_state(struct can *can, enum can_bus_state state, struct instant at, void *context)
{
	struct rig_bus *bus = context;
	struct can_counters counters = {0};
	bool deaf = state == CAN_BUS_OFF || state == CAN_BUS_STOPPED;
	if (bus->deaf && !deaf)
		bus->deaf_ns = at.ns;
	bus->deaf = deaf;
	/* While the channel is being opened it is not known here yet; asking it then is of no use either. */
	if (bus->can && state != CAN_BUS_STOPPED)
		can_counters_read(bus->can, &counters);
	emit_state(bus, HARNESS_NODE, state, counters.tec, counters.rec, at);
}

void bus_names_known(struct rig_bus *bus)
{
	for (unsigned i = 0; i < bus->held_count; i++) {
		const struct bus_change *change = &bus->held[i];
		char unnamed[24];
		snprintf(unnamed, sizeof(unnamed), "node %u", change->node);
		emit_state(bus, bus->nodes[change->node].name[0] ? bus->nodes[change->node].name : unnamed, change->state, change->tec,
		           change->rec, change->at);
	}
	bus->held_count = 0;
}

/* Counters move with every error; what is told is the change of state, with the name that the node has now: numbers are
 * given anew. */
static void on_node_state(struct can *can, unsigned node, enum can_bus_state state, unsigned tec, unsigned rec, struct instant at,
                          void *context)
{
	struct rig_bus *bus = context;
	if (node >= BUS_NODES_MAX || bus->nodes[node].state == state)
		return;
	bus->nodes[node].state = state;
	if (bus->held_count == BUS_HELD_MAX)
		bus_names_known(bus);
	bus->held[bus->held_count++] = (struct bus_change){node, tec, rec, state, at};
	if (bus->driver->ask_names)
		bus->driver->ask_names(bus);
	else
		bus_names_known(bus);
}

static void on_lost(struct can *can, uint64_t count, void *context)
{
	struct rig_bus *bus = context;
	timeline_emit_now(bus->rig->timeline, bus->channel, "can.lost", json_pack("{s:I}", "count", (json_int_t)count));
}

static void on_closed(struct can *can, const char *reason, void *context)
{
	struct rig_bus *bus = context;
	bus->gone = true;
	bus_names_known(bus);
	snprintf(bus->reason, sizeof(bus->reason), "%s", reason);
	timeline_emit_now(bus->rig->timeline, "case", "note", json_pack("{s:o}", "text", json_sprintf("bus %s: %s", bus->name, reason)));
}

/* ---- signs of life ---- */

/* The first sign of life may be the one that never comes: until then it counts from the begin. 0: none is due. */
static int64_t heard(const struct rig_bus *bus)
{
	int64_t heard_ns = bus->can ? can_heard_ns(bus->can) : 0;
	return heard_ns == 0 && bus->can && bus->driver->gives_life ? bus->opened_ns : heard_ns;
}

/* A bus that stands still looks like one on which nobody sends: its sign of life, every second, tells them apart. Found
 * missing once is not enough: this process itself may have been stopped, and the sign may lie unread. */
static bool stands_still(struct rig_bus *bus)
{
	int64_t heard_ns = heard(bus), now_ns = loop_now_ns();
	if (heard_ns == 0 || now_ns - heard_ns < SIGN_OF_LIFE_NS) {
		bus->silent_ns = 0;
		return false;
	}
	if (bus->silent_ns == 0)
		bus->silent_ns = now_ns;
	return now_ns - bus->silent_ns >= SECOND_LOOK_NS;
}

static int on_look(sd_event_source *source, uint64_t usec, void *context)
{
	struct rig_bus *bus = context;
	(void)stands_still(bus);
	sd_event_source_set_time(source, usec + LOOK_USEC);
	return 0;
}

static int look_regularly(struct rig_bus *bus, struct error *err)
{
	int r = sd_event_add_time_relative(loop_event(bus->rig->loop), &bus->look, CLOCK_MONOTONIC, LOOK_USEC, 0, on_look, bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->look, SD_EVENT_ON);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "no timer for the bus: %s", strerror(-r)) : 0;
}

/* ---- start and end ---- */

static uint32_t map_rate(const struct value *map, const char *key)
{
	const struct value *value = value_get(map, key);
	return value ? (uint32_t)value->integer : 0;
}

static int open_channel(struct rig_bus *bus, struct error *err)
{
	const struct value *listen_only = value_get(bus->map, "listen_only");
	const struct can_options options = {.driver = bus->driver->channel,
	                                    .address = bus->driver->address ? map_text(bus->map, bus->driver->address) : bus->socket,
	                                    .name = bus->driver->address ? bus->name : HARNESS_NODE,
	                                    .listen_only = listen_only && listen_only->boolean,
	                                    .fd = bus_map_is_fd(bus->map),
	                                    .nominal_bit_rate = map_rate(bus->map, "nominal"),
	                                    .data_bit_rate = map_rate(bus->map, "data")};
	const struct can_handlers handlers = {bus,      on_received, on_sent,   on_not_sent,  on_error,
	                                      on_state, on_lost,     on_closed, on_node_state};
	bus->opened_ns = loop_now_ns();
	return can_open(&bus->can, bus->rig->loop, bus->rig->timeline, &options, &handlers, err);
}

int bus_open(struct rig *rig, struct rig_bus *bus, const struct value_entry *entry, struct error *err)
{
	bus->rig = rig;
	bus->map = entry->value;
	bus->driver = bus_driver_find(map_text(entry->value, "driver"));
	bus->name = strdup(entry->key);
	if (!bus->name || asprintf(&bus->channel, "can:%s", entry->key) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	log_open(rig);
	int r = bus->driver->open ? bus->driver->open(bus, err) : 0;
	if (r == 0)
		r = open_channel(bus, err);
	if (r == 0 && bus->driver->gives_life)
		r = look_regularly(bus, err);
	if (r < 0)
		error_prefix(err, "bus %s", bus->name);
	return r;
}

void bus_close(struct rig_bus *bus)
{
	sd_event_source_disable_unref(bus->look);
	can_close(bus->can);
	if (bus->driver && bus->driver->close)
		bus->driver->close(bus);
	free(bus->observers);
	free(bus->socket);
	free(bus->name);
	free(bus->channel);
}

const char *bus_socket(const struct rig_bus *bus)
{
	return bus->socket;
}

int bus_node_of(const struct rig_bus *bus, const char *role)
{
	const struct value *boards = value_get(bus->map, "boards"), *node = boards ? value_get(boards, role) : NULL;
	return node ? (int)node->integer : -1;
}

/* ---- what the steps ask ---- */

const char *rig_bus_name(const struct rig_bus *bus)
{
	return bus->name;
}

int64_t rig_bus_deaf_ns(struct rig_bus *bus)
{
	return bus->deaf || bus->gone ? loop_now_ns() : bus->deaf_ns;
}

struct can *rig_bus_channel(struct rig_bus *bus)
{
	return bus->gone ? NULL : bus->can;
}

int rig_bus_observe(struct rig_bus *bus, rig_bus_observer observer, void *context, struct error *err)
{
	struct bus_observer *observers = realloc(bus->observers, (bus->observer_count + 1) * sizeof(*observers));
	if (!observers)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bus->observers = observers;
	observers[bus->observer_count++] = (struct bus_observer){observer, context};
	return 0;
}

void rig_bus_unobserve(struct rig_bus *bus, rig_bus_observer observer, void *context)
{
	for (unsigned i = 0; i < bus->observer_count; i++) {
		if (bus->observers[i].notify != observer || bus->observers[i].context != context)
			continue;
		bus->observers[i].notify = NULL;
		if (bus->telling)
			return; /* tell() closes the gap */
		memmove(&bus->observers[i], &bus->observers[i + 1], (bus->observer_count - i - 1) * sizeof(*bus->observers));
		bus->observer_count--;
		return;
	}
}

/* The request as the journal shows it: its "cmd" is the action. */
static json_t *fault_json(const json_t *command)
{
	json_t *data = json_deep_copy(command);
	json_object_set(data, "action", json_object_get(data, "cmd"));
	json_object_del(data, "cmd");
	return data;
}

int rig_bus_inject_answer(struct rig_bus *bus, json_t *command, json_t **ret_answer, struct error *err)
{
	const char *name = json_string_value(json_object_get(command, "cmd"));
	bool fault = name && strcmp(name, "status");
	if (!command || !bus->driver->request) {
		json_decref(command);
		return command ? error_set(err, ERROR_TESTCASE, ENOTSUP, "bus %s is real: nothing can be injected into it", bus->name)
		               : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	json_t *data = fault ? fault_json(command) : NULL;
	int r = bus->driver->request(bus, command, ret_answer, err);
	if (r < 0) {
		json_decref(data);
		error_prefix(err, "bus %s", bus->name);
		return r;
	}
	if (fault) {
		bus->altered = true;
		timeline_emit_now(bus->rig->timeline, bus->channel, "can.fault", data);
	}
	return 0;
}

int rig_bus_inject(struct rig_bus *bus, json_t *command, struct error *err)
{
	return rig_bus_inject_answer(bus, command, NULL, err);
}

/* Without the command "restore": what can be switched off is. */
static void switch_off(struct rig_bus *bus)
{
	json_t *answer = NULL, *node;
	size_t index;
	struct error why;
	int r = bus->driver->request(bus, json_pack("{s:s,s:b}", "cmd", "short", "on", 0), NULL, &why);
	if (r == 0)
		r = bus->driver->request(bus, json_pack("{s:s}", "cmd", "status"), &answer, &why);
	json_array_foreach (json_object_get(answer, "nodes"), index, node)
		if (r == 0)
			r = bus->driver->request(
			        bus, json_pack("{s:s,s:O,s:b}", "cmd", "silence", "node", json_object_get(node, "name"), "on", 0), NULL,
			        &why);
	json_decref(answer);
}

void rig_bus_restore(struct rig_bus *bus)
{
	struct can_counters counters;
	struct error why;
	if (!bus->altered || rig_bus_check(bus, NULL) < 0)
		return;
	if (bus->driver->request(bus, json_pack("{s:s}", "cmd", "restore"), NULL, &why) < 0)
		switch_off(bus);
	can_counters_read(bus->can, &counters);
	if (counters.state == CAN_BUS_OFF && can_recover(bus->can, &why) < 0)
		timeline_emit_now(bus->rig->timeline, bus->channel, "note", json_pack("{s:s}", "text", why.message));
	bus->altered = false;
	timeline_emit_now(bus->rig->timeline, bus->channel, "can.fault", json_pack("{s:s}", "action", "restore"));
}

int rig_bus_check(struct rig_bus *bus, struct error *err)
{
	int r = bus->driver->alive ? bus->driver->alive(bus, err) : 0;
	if (r == 0 && !bus->gone && stands_still(bus))
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "bus %s: the bus stands still, it gave no sign of life for %lld ms",
		                 bus->name, (long long)((loop_now_ns() - heard(bus)) / 1000000));
	if (r < 0 || !bus->gone)
		return r;
	return error_set(err, ERROR_BENCH, ENETDOWN, "bus %s: %s", bus->name, bus->reason);
}
