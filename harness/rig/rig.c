/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/suggest.h"
#include "bus.h"
#include "link_tap.h"
#include "network.h"
#include "rack.h"
#include "rig_keys.h"
#include "rig_private.h"
#include "supply.h"

/* ---- ${rack} ---- */

static int expand(struct value *value, unsigned number, bool *ret_used)
{
	int r = 0;
	if (value->type == VALUE_TEXT && strstr(value->text, "${rack}")) {
		char *text = rack_expand(value->text, number);
		if (!text)
			return -ENOMEM;
		free(value->text);
		value->text = text;
		*ret_used = true;
	}
	for (unsigned i = 0; value->type == VALUE_LIST && r == 0 && i < value->list.count; i++)
		r = expand(value->list.items[i], number, ret_used);
	for (unsigned i = 0; value->type == VALUE_MAP && r == 0 && i < value->map.count; i++)
		r = expand(value->map.entries[i].value, number, ret_used);
	return r;
}

static int expand_root(struct rig *rig, unsigned number, bool *ret_used, struct error *err)
{
	value_free(rig->root);
	rig->root = value_copy(rig->file->root);
	*ret_used = false;
	if (!rig->root || expand(rig->root, number, ret_used) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return 0;
}

/* ---- endpoints ---- */

static int endpoint_free(const struct value *map, const char *name, const char *key, int type, struct error *err)
{
	const struct value *value = value_get(map, key);
	struct sockaddr_in address = {.sin_family = AF_INET};
	char host[16];
	unsigned port;
	int one = 1;
	if (!value || rig_parse_endpoint(value->text, host, &port) < 0)
		return 0;
	address.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, host, &address.sin_addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	int r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	if (r == 0 && type == SOCK_STREAM && listen(fd, 1) < 0)
		r = -errno;
	close(fd);
	if (r == 0)
		return 0;
	return error_set_place(err, ERROR_BENCH, -r, value->place, "%s of %s: %s cannot be used: %s", key, name, value->text, strerror(-r));
}

static int endpoints_free(const struct value *root, struct error *err)
{
	const struct value *roles = value_get(root, "roles"), *links = value_get(root, "links"), *buses = value_get(root, "buses");
	int r = 0;
	for (unsigned i = 0; r == 0 && i < roles->map.count; i++) {
		const struct value_entry *role = &roles->map.entries[i];
		if (board_driver_find(map_text(role->value, "driver"))->external)
			continue;
		r = endpoint_free(role->value, role->key, "udp", SOCK_DGRAM, err);
		if (r == 0)
			r = endpoint_free(role->value, role->key, "plain", SOCK_STREAM, err);
		if (r == 0)
			r = endpoint_free(role->value, role->key, "tls", SOCK_STREAM, err);
	}
	for (unsigned i = 0; r == 0 && links && i < links->map.count; i++)
		r = endpoint_free(links->map.entries[i].value, links->map.entries[i].key, "listen", SOCK_STREAM, err);
	for (unsigned i = 0; r == 0 && buses && i < buses->map.count; i++)
		r = endpoint_free(buses->map.entries[i].value, buses->map.entries[i].key, "cannelloni_tcp", SOCK_STREAM, err);
	return r;
}

/* A number of our own whose addresses nobody else uses (another user's racks hold other lock files). */
static int take_number(struct rig *rig, struct error *err)
{
	bool used;
	struct error busy = {0};
	int r = expand_root(rig, 0, &used, err);
	if (r < 0 || !used)
		return r < 0 ? r : endpoints_free(rig->root, err);
	for (unsigned after = 0;;) {
		r = rack_take(after, &rig->number, &rig->number_fd, err);
		if (r == -EBUSY && busy.code) {
			*err = busy;
			return r;
		}
		if (r == 0)
			r = expand_root(rig, rig->number, &used, err);
		if (r < 0)
			return r;
		if (endpoints_free(rig->root, &busy) == 0)
			return 0;
		after = rig->number;
		close(rig->number_fd);
		rig->number_fd = -1;
	}
}

/* ---- values for ${rig.…} ---- */

static int put_scalars(struct value *group, const struct value *map)
{
	int r = 0;
	for (unsigned i = 0; map && r == 0 && i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		struct value *copy = NULL;
		if (entry->value->type == VALUE_MAP || entry->value->type == VALUE_LIST)
			continue;
		if ((!strcmp(entry->key, "eid") || !strcmp(entry->key, "gid")) && value_convert(entry->value, VALUE_BYTES, &copy, NULL) < 0)
			return -ENOMEM;
		r = map_put(group, entry->key, copy ? copy : value_copy(entry->value));
	}
	return r;
}

static int put_group(struct value *values, const char *name, const struct value *map)
{
	struct value *group = map_new();
	int r = group ? put_scalars(group, map) : -ENOMEM;
	if (r == 0)
		r = put_scalars(group, value_get(map, "profile"));
	if (r < 0) {
		value_free(group);
		return r;
	}
	return map_put(values, name, group);
}

static int build_values(struct rig *rig)
{
	const struct value *roles = value_get(rig->root, "roles"), *links = value_get(rig->root, "links"),
	                   *buses = value_get(rig->root, "buses");
	if (!(rig->values = map_new()))
		return -ENOMEM;
	int r = put_group(rig->values, "tester", value_get(rig->root, "tester"));
	for (unsigned i = 0; r == 0 && i < roles->map.count; i++)
		r = put_group(rig->values, roles->map.entries[i].key, roles->map.entries[i].value);
	for (unsigned i = 0; r == 0 && links && i < links->map.count; i++)
		r = put_group(rig->values, links->map.entries[i].key, links->map.entries[i].value);
	for (unsigned i = 0; r == 0 && buses && i < buses->map.count; i++)
		r = put_group(rig->values, buses->map.entries[i].key, buses->map.entries[i].value);
	return r;
}

const struct value *rig_value(const struct rig *rig, const char *role, const char *key)
{
	const struct value *group = value_get(rig->values, role);
	return group ? value_get(group, key) : NULL;
}

int rig_each_value(const struct rig *rig, int (*callback)(const char *, const char *, const struct value *, void *), void *context)
{
	for (unsigned i = 0; i < rig->values->map.count; i++) {
		const struct value_entry *group = &rig->values->map.entries[i];
		for (unsigned k = 0; k < group->value->map.count; k++) {
			int r = callback(group->key, group->value->map.entries[k].key, group->value->map.entries[k].value, context);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int identity_path(const struct rig *rig, const struct value *map, const char *key, const char **ret, struct error *err)
{
	const struct value *value = value_get(map, key);
	char path[PATH_MAX];
	*ret = NULL;
	if (!value)
		return 0;
	int r = rig_file_find(rig->file, value, path, sizeof(path), err);
	if (r == 0)
		*ret = rig_intern(path);
	return r;
}

int rig_identity(const struct rig *rig, const char *name, struct tls_identity *ret, struct error *err)
{
	const struct value *all = value_get(rig->root, "identities"), *map = all ? value_get(all, name) : NULL;
	struct tls_identity identity = {.minimum_version = 0x0303, .maximum_version = 0x0304};
	if (!map) {
		const char *words[64];
		char hint[128];
		unsigned count = 0;
		for (; all && count < all->map.count && count < 63; count++)
			words[count] = all->map.entries[count].key;
		words[count] = NULL;
		return error_set(err, ERROR_TESTCASE, ENOENT, "the rig has no identity \"%s\"%s", name,
		                 suggest_text(name, words, hint, sizeof(hint)));
	}
	int r = identity_path(rig, map, "ca", &identity.ca, err);
	if (r == 0)
		r = identity_path(rig, map, "certificate", &identity.certificate, err);
	if (r == 0)
		r = identity_path(rig, map, "key", &identity.key, err);
	if (r < 0)
		return r;
	identity.verify_peer = identity.ca != NULL;
	identity.peer_name = map_text(map, "name") ? rig_intern(map_text(map, "name")) : NULL;
	*ret = identity;
	return 0;
}

/* ---- start and end ---- */

static void link_sees(struct rig_link *link, const struct event *event)
{
	if (!strcmp(event->kind, "tcp.syn") && !strcmp(event->channel, link->channel))
		link->syn_ns = event->at.ns;
	if (strcmp(event->kind, "boot.stage") || !link->client || strcmp(event->channel, link->client->channel))
		return;
	const char *stage = json_string_value(json_object_get(event->data, "stage"));
	if (stage && !strcmp(stage, "activated"))
		link->activated_ns = event->at.ns;
}

static void on_event(const struct event *event, void *context)
{
	struct rig *rig = context;
	for (unsigned i = 0; i < rig->link_count; i++)
		link_sees(&rig->links[i], event);
	for (unsigned i = 0; i < rig->board_count && !strcmp(event->kind, "board.fault"); i++)
		if (!strcmp(event->channel, rig->boards[i].channel))
			board_fault(&rig->boards[i], json_string_value(json_object_get(event->data, "text")));
}

static int open_capture(struct rig *rig, struct error *err)
{
	const struct value *settings = value_get(rig->root, "capture"), *secrets = settings ? value_get(settings, "secrets") : NULL;
	char path[PATH_MAX];
	/* A rack that is built again in the same run must not write over what the first one captured. */
	snprintf(path, sizeof(path), "%s/capture.pcapng", rig->directory);
	for (unsigned i = 2; access(path, F_OK) == 0; i++)
		snprintf(path, sizeof(path), "%s/capture-%u.pcapng", rig->directory, i);
	return capture_open(&rig->capture, rig->loop, path, secrets && secrets->boolean, err);
}

static void capture_devices(struct rig *rig)
{
	const struct value *settings = value_get(rig->root, "capture"), *devices = settings ? value_get(settings, "devices") : NULL;
	for (unsigned i = 0; devices && i < devices->list.count; i++) {
		struct error why;
		const char *device = devices->list.items[i]->text;
		/* Kernel capture is a bonus where the user may: its absence is said, not an error. */
		if (capture_device(rig->capture, device, -1, map_text(settings, "prefix"), NULL, NULL, &why) < 0)
			timeline_emit_now(rig->timeline, "run", "note",
			                  json_pack("{s:o}", "text", json_sprintf("device %s is not captured: %s", device, why.message)));
	}
}

static int open_relay(struct rig *rig, struct rig_link *link, struct error *err)
{
	const char *source = map_text(link->map, "source");
	const struct value *segments = value_get(rig->root, "journal_segments");
	if (!source)
		source = map_text(link->client->map, "address");
	int r = relay_new(&link->relay, rig->loop, rig->timeline, rig->capture, link->channel, map_text(link->map, "listen"),
	                  map_text(link->map, "target"), source, err);
	if (r < 0)
		return r;
	relay_on_doip(link->relay, rig->describe, NULL);
	relay_journal_segments(link->relay, segments && segments->boolean);
	return 0;
}

static int open_tap(struct rig *rig, struct rig_link *link, struct error *err)
{
	const char *device = network_device(rig->network, link->name);
	if (!device)
		return error_set_place(err, ERROR_USAGE, EINVAL, link->map->place, "link %s: driver veth needs `network: netns`",
		                       link->name);
	link->tap = link_tap_new(rig->timeline, link->channel, map_text(link->map, "target"), rig->describe);
	if (!link->tap)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return capture_device(rig->capture, device, -1, NULL, link_tap_frame, link->tap, err);
}

static int open_link(struct rig *rig, struct rig_link *link, const struct value_entry *entry, struct error *err)
{
	link->rig = rig;
	link->map = entry->value;
	link->name = strdup(entry->key);
	if (!link->name || asprintf(&link->channel, "link:%s", entry->key) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	link->client = rig_board_find(rig, map_text(entry->value, "client"));
	link->server = rig_board_find(rig, map_text(entry->value, "server"));
	int r = strcmp(map_text(entry->value, "driver"), "veth") ? open_relay(rig, link, err) : open_tap(rig, link, err);
	if (r < 0)
		error_prefix(err, "link %s", link->name);
	return r;
}

/* Before the boards, which connect to them. */
static int open_buses(struct rig *rig, struct error *err)
{
	const struct value *buses = value_get(rig->root, "buses");
	int r = 0;
	for (unsigned i = 0; r == 0 && buses && i < buses->map.count; i++)
		r = bus_open(rig, &rig->buses[rig->bus_count++], &buses->map.entries[i], err);
	return r;
}

static int open_parts(struct rig *rig, bool buses_only, struct error *err)
{
	const struct value *roles = value_get(rig->root, "roles"), *links = value_get(rig->root, "links"),
	                   *buses = value_get(rig->root, "buses");
	rig->boards = calloc(roles->map.count, sizeof(*rig->boards));
	rig->links = calloc(links ? links->map.count + 1 : 1, sizeof(*rig->links));
	rig->buses = calloc(buses ? buses->map.count + 1 : 1, sizeof(*rig->buses));
	if (!rig->boards || !rig->links || !rig->buses || build_values(rig) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (buses_only)
		return open_buses(rig, err);
	int r = open_capture(rig, err);
	if (r == 0)
		capture_devices(rig);
	if (r == 0)
		r = open_buses(rig, err);
	for (unsigned i = 0; r == 0 && i < roles->map.count; i++)
		r = board_open(rig, &rig->boards[rig->board_count++], &roles->map.entries[i], err);
	for (unsigned i = 0; r == 0 && links && i < links->map.count; i++)
		r = open_link(rig, &rig->links[rig->link_count++], &links->map.entries[i], err);
	return r;
}

static int open_network(struct rig *rig, struct error *err)
{
	const char *network = map_text(rig->file->root, "network");
	bool used;
	if (!network || strcmp(network, "netns"))
		return take_number(rig, err);
	int r = expand_root(rig, 1, &used, err);
	return r < 0 ? r : network_open(&rig->network, rig->root, err);
}

int rig_start(const struct rig_file *file, struct loop *loop, struct timeline *timeline, const struct rig_options *options,
              struct rig **ret, struct error *err)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	if (!rig)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	rig->file = file;
	rig->loop = loop;
	rig->timeline = timeline;
	rig->directory = options->run_directory;
	rig->seed = options->seed;
	rig->describe = options->describe;
	rig->number_fd = rig->can_log = -1;
	int r = open_network(rig, err);
	if (r == 0)
		r = open_parts(rig, options->buses_only, err);
	if (r == 0 && timeline_observe(timeline, on_event, rig) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r < 0) {
		rig_stop(rig);
		return r;
	}
	*ret = rig;
	return 0;
}

void rig_stop(struct rig *rig)
{
	if (!rig)
		return;
	timeline_unobserve(rig->timeline, on_event, rig);
	for (unsigned i = 0; i < rig->board_count; i++)
		board_close(&rig->boards[i]);
	for (unsigned i = 0; i < rig->bus_count; i++)
		bus_close(&rig->buses[i]);
	if (rig->can_log >= 0)
		close(rig->can_log);
	for (unsigned i = 0; i < rig->link_count; i++) {
		relay_free(rig->links[i].relay);
		free(rig->links[i].name);
		free(rig->links[i].channel);
	}
	if (rig->capture)
		capture_close(rig->capture, NULL);
	/* The capture hands frames to the taps: they go after it. */
	for (unsigned i = 0; i < rig->link_count; i++)
		link_tap_free(rig->links[i].tap);
	network_close(rig->network);
	free(rig->boards);
	free(rig->links);
	free(rig->buses);
	value_free(rig->values);
	value_free(rig->root);
	if (rig->number_fd >= 0)
		close(rig->number_fd);
	free(rig);
}

/* ---- parts ---- */

unsigned rig_board_count(const struct rig *rig)
{
	return rig->board_count;
}

struct rig_board *rig_board_at(struct rig *rig, unsigned index)
{
	return &rig->boards[index];
}

unsigned rig_link_count(const struct rig *rig)
{
	return rig->link_count;
}

struct rig_link *rig_link_at(struct rig *rig, unsigned index)
{
	return &rig->links[index];
}

struct rig_board *rig_board_find(struct rig *rig, const char *role)
{
	for (unsigned i = 0; i < rig->board_count; i++)
		if (rig->boards[i].role && !strcmp(rig->boards[i].role, role))
			return &rig->boards[i];
	return NULL;
}

unsigned rig_bus_count(const struct rig *rig)
{
	return rig->bus_count;
}

struct rig_bus *rig_bus_at(struct rig *rig, unsigned index)
{
	return &rig->buses[index];
}

struct rig_bus *rig_bus_find(struct rig *rig, const char *name)
{
	for (unsigned i = 0; i < rig->bus_count; i++)
		if (!strcmp(rig_bus_name(&rig->buses[i]), name))
			return &rig->buses[i];
	return NULL;
}

struct rig_link *rig_link_find(struct rig *rig, const char *link)
{
	for (unsigned i = 0; i < rig->link_count; i++)
		if (!strcmp(rig->links[i].name, link))
			return &rig->links[i];
	return NULL;
}

struct capture *rig_capture(struct rig *rig)
{
	return rig->capture;
}

const char *rig_link_name(const struct rig_link *link)
{
	return link->name;
}

struct relay *rig_link_relay(struct rig_link *link)
{
	return link->relay;
}

const char *rig_link_address(const struct rig_link *link)
{
	const char *listen = map_text(link->map, "listen");
	return listen ? listen : map_text(link->map, "target");
}

int rig_link_set(struct rig_link *link, bool up, struct error *err)
{
	if (!link->relay) {
		int r = network_set_link(link->rig->network, link->name, up, err);
		if (r == 0)
			timeline_emit_now(link->rig->timeline, link->channel, "link.fault",
			                  json_pack("{s:s}", "action", up ? "up" : "down"));
		return r;
	}
	if (up)
		relay_restore(link->relay);
	else
		relay_down(link->relay);
	return 0;
}

bool rig_going(const struct rig *rig)
{
	for (unsigned i = 0; i < rig->board_count; i++)
		if (rig->boards[i].driver->going && rig->boards[i].driver->going(&rig->boards[i]))
			return true;
	return false;
}

bool rig_suspect(const struct rig *rig)
{
	for (unsigned i = 0; i < rig->bus_count; i++)
		if (rig->buses[i].silent_ns != 0)
			return true;
	return false;
}

int rig_check(const struct rig *rig, struct error *err)
{
	for (unsigned i = 0; i < rig->board_count; i++) {
		int r = rig_board_check(&rig->boards[i], err);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < rig->bus_count; i++) {
		int r = rig_bus_check(&rig->buses[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int restore_board(struct rig_board *board, struct error *err)
{
	const int64_t deadline_ns = loop_now_ns() + INT64_C(5000000000);
	int r = board->supply ? supply_restore(board->supply, deadline_ns, err) : 0;
	if (r == 0)
		r = board_flash_look(board, err);
	bool unusable = board->altered || board->held || board->dead || board->halted || board->flash_changed || board->debugged;
	if (r == 0 && board->altered)
		r = rig_board_restore_params(board, err);
	if (r == 0 && unusable && board->powered)
		r = rig_board_power(board, false, deadline_ns, err);
	if (r == 0 && board->flash_changed)
		r = rig_flash_factory(board, err);
	if (r == 0 && board->held)
		r = rig_board_hold(board, false, deadline_ns, err);
	if (r == 0)
		board->altered = board->debugged = false;
	return r;
}

int rig_restore(struct rig *rig, struct error *err)
{
	int r = rig_check(rig, err);
	for (unsigned i = 0; r == 0 && i < rig->bus_count; i++)
		rig_bus_restore(&rig->buses[i]);
	for (unsigned i = 0; r == 0 && i < rig->board_count; i++)
		r = restore_board(&rig->boards[i], err);
	for (unsigned i = 0; r == 0 && i < rig->link_count; i++) {
		if (rig->links[i].relay)
			relay_restore(rig->links[i].relay);
		else
			r = network_set_link(rig->network, rig->links[i].name, true, err);
	}
	return r;
}
