/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual bus: one vbus process a bus (docs/reference/virtual-bus.md). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../bus.h"
#include "../bus_folder.h"
#include "../child.h"
#include "../rig_private.h"
#include "../words.h"

#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

struct vbus {
	struct child *child;
	struct bus_folder *folder; /* made for the socket because the run directory's name is too long, or NULL */
	bool asked;                /* the names of the nodes are on their way */
};

static int vbus_check(const struct value *map, struct error *err)
{
	if (value_get(map, "nominal"))
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "a bus with driver vbus lacks `nominal`: its bit rate");
}

/* ---- names of the nodes ---- */

static void take_names(struct rig_bus *bus, json_t *answer)
{
	json_t *node;
	size_t index;
	json_array_foreach (json_object_get(answer, "nodes"), index, node) {
		json_t *number = json_object_get(node, "node");
		const char *name = json_string_value(json_object_get(node, "name"));
		json_int_t at = json_is_integer(number) ? json_integer_value(number) : (json_int_t)index;
		if (name && at >= 0 && at < BUS_NODES_MAX)
			snprintf(bus->nodes[at].name, sizeof(bus->nodes[at].name), "%s", name);
	}
}

static void on_event(const char *event, json_t *message, void *context)
{
	struct rig_bus *bus = context;
	struct vbus *vbus = bus->state;
	if (!vbus || strcmp(event, "answer"))
		return;
	vbus->asked = false;
	take_names(bus, message);
	bus_names_known(bus);
}

static void vbus_ask_names(struct rig_bus *bus)
{
	struct vbus *vbus = bus->state;
	if (vbus->asked)
		return;
	vbus->asked = true;
	child_tell(vbus->child, json_pack("{s:s}", "cmd", "status"));
}

/* ---- requests ---- */

/* On the control channel `id` is the request's number: there the identifier of a frame is `can_id`. */
static int vbus_request(struct rig_bus *bus, json_t *stolen, json_t **ret_answer, struct error *err)
{
	struct vbus *vbus = bus->state;
	json_t *id = json_object_get(stolen, "id");
	if (id)
		json_object_set(stolen, "can_id", id);
	return child_request(vbus->child, stolen, INT64_MAX, ret_answer, err);
}

static int vbus_alive(const struct rig_bus *bus, struct error *err)
{
	const struct vbus *vbus = bus->state;
	return child_alive(vbus->child, err);
}

/* ---- start and end ---- */

static int choose_socket(struct rig_bus *bus, struct vbus *vbus, struct error *err)
{
	if (asprintf(&bus->socket, "%s/%s.sock", bus->rig->directory, bus->name) < 0) {
		bus->socket = NULL;
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	/* Absolute, so that a board finds it wherever it runs. */
	if (bus->socket[0] == '/' && strlen(bus->socket) <= SOCKET_PATH_MAX) {
		unlink(bus->socket); /* of an earlier rack in this run */
		return 0;
	}
	free(bus->socket);
	bus->socket = NULL;
	int r = bus_folder_new(&vbus->folder, "/tmp", "hilbench-bus", err);
	if (r < 0)
		return r;
	if (asprintf(&bus->socket, "%s/%s.sock", bus_folder_path(vbus->folder), bus->name) < 0) {
		bus->socket = NULL;
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	return 0;
}

static void word_number(struct words *words, const char *option, const struct value *value)
{
	if (!value)
		return;
	words_add(words, "%s", option);
	words_add(words, "%lld", (long long)value->integer);
}

static void word_text(struct words *words, const char *option, const char *text)
{
	if (!text)
		return;
	words_add(words, "%s", option);
	words_add(words, "%s", text);
}

static int build_words(struct words *words, const struct rig_bus *bus, struct error *err)
{
	char path[PATH_MAX];
	int r = program_find("vbus", path, sizeof(path), err);
	if (r < 0)
		return r;
	words_add(words, "%s", path);
	word_text(words, "--name", bus->name);
	word_text(words, "--listen", bus->socket);
	word_number(words, "--nominal", value_get(bus->map, "nominal"));
	word_number(words, "--data", value_get(bus->map, "data"));
	words_add(words, "--control-fd");
	words_add(words, "%d", CHILD_CONTROL_FD);
	word_text(words, "--cannelloni-udp", map_text(bus->map, "cannelloni_udp"));
	word_text(words, "--cannelloni-tcp", map_text(bus->map, "cannelloni_tcp"));
	word_text(words, "--multicast", map_text(bus->map, "multicast"));
	return words->failed ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

static int start(struct rig_bus *bus, struct vbus *vbus, char *const *arguments, struct error *err)
{
	char title[64], log[PATH_MAX];
	snprintf(title, sizeof(title), "bus %s", bus->name);
	snprintf(log, sizeof(log), "%s/vbus-%s.log", bus->rig->directory, bus->name);
	const struct child_options options = {
	        .title = title, .program = "vbus", .arguments = arguments, .log = log, .event = on_event, .context = bus};
	return child_start(&vbus->child, bus->rig->loop, bus->rig->timeline, &options, err);
}

static int vbus_open(struct rig_bus *bus, struct error *err)
{
	struct words words = {0};
	struct vbus *vbus = calloc(1, sizeof(*vbus));
	if (!vbus)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bus->state = vbus;
	int r = choose_socket(bus, vbus, err);
	if (r == 0)
		r = build_words(&words, bus, err);
	if (r == 0)
		r = start(bus, vbus, words.items, err);
	words_free(&words);
	return r;
}

static void vbus_close(struct rig_bus *bus)
{
	struct vbus *vbus = bus->state;
	if (!vbus)
		return;
	child_end(vbus->child);
	if (bus->socket)
		unlink(bus->socket);
	bus_folder_free(vbus->folder);
	free(vbus);
	bus->state = NULL;
}

const struct bus_driver driver_vbus = {
        .name = "vbus",
        .channel = "virtual",
        .gives_life = true,
        .check = vbus_check,
        .open = vbus_open,
        .close = vbus_close,
        .request = vbus_request,
        .ask_names = vbus_ask_names,
        .alive = vbus_alive,
};
