/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig net: links and their taps, addresses, and what answers a vehicle identification request (ISO 13400-2:2019, 7.4). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../link/datagram.h"
#include "../proto/doip.h"
#include "rig.h"

#define ANSWER_NS (2 * RIG_SECOND_NS) /* A_DoIP_Ctrl */
#define FOUND_MAX 64

struct found {
	char from[64], vin[18];
	uint8_t eid[6], gid[6], further_action;
	uint16_t address;
};
struct search {
	struct found found[FOUND_MAX];
	unsigned count, strange;
};

static void print_bytes(const char *name, const uint8_t *bytes, size_t length)
{
	(void)printf("  %s ", name);
	for (size_t i = 0; i < length; i++)
		(void)printf("%02x", bytes[i]);
}

/* ---- who answers ---- */

static void on_datagram(struct datagram_socket *socket, const uint8_t *data, size_t length, const char *from, struct instant at,
                        void *context)
{
	struct search *search = context;
	struct doip_message message;
	(void)socket;
	(void)at;
	if (doip_decode(data, length, UINT32_MAX, &message) <= 0 || message.type != DOIP_ANNOUNCEMENT || message.malformed) {
		search->strange++;
		return;
	}
	for (unsigned i = 0; i < search->count; i++)
		if (!strcmp(search->found[i].from, from))
			return;
	if (search->count == FOUND_MAX)
		return;
	struct found *found = &search->found[search->count++];
	*found = (struct found){.address = message.identity.address, .further_action = message.identity.further_action};
	(void)snprintf(found->from, sizeof(found->from), "%s", from);
	(void)snprintf(found->vin, sizeof(found->vin), "%s", message.identity.vin);
	(void)memcpy(found->eid, message.identity.eid, sizeof(found->eid));
	(void)memcpy(found->gid, message.identity.gid, sizeof(found->gid));
	for (char *c = found->vin; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static const char *text_at(const struct rig_live *live, const char *group, const char *key)
{
	const struct value *value, *root = rig_file_root(live->file);
	if (live->rig) {
		value = rig_value(live->rig, group, key);
	} else {
		const struct value *map = !strcmp(group, "tester") ? value_get(root, "tester") : value_get(value_get(root, "roles"), group);
		value = map ? value_get(map, key) : NULL;
		if (!value && map && value_get(map, "profile"))
			value = value_get(value_get(map, "profile"), key);
	}
	return value && value->type == VALUE_TEXT ? value->text : NULL;
}

static int ask(struct rig_live *live, struct datagram_socket *socket, const char *to, const char *whose)
{
	struct bytes request = {0};
	struct error error = {0};
	int r = doip_encode(&request, DOIP_IDENTIFICATION_REQUEST, NULL, 0, NULL);
	(void)live;
	if (r == 0)
		r = datagram_send(socket, to, request.data, request.length, &error);
	if (r < 0)
		(void)printf("ask       %-10s %s: %s\n", whose, to, error.message);
	bytes_free(&request);
	return r;
}

/* By broadcast, and each node alone: a broadcast that does not get through is a finding of its own. */
static int search_entities(struct rig_live *live, struct search *search, struct error *err)
{
	const struct stream_environment environment = {.loop = live->loop, .timeline = live->timeline, .channel = "tester:net"};
	const struct value *roles = value_get(rig_file_root(live->file), "roles");
	const char *local = text_at(live, "tester", "address"), *broadcast = text_at(live, "tester", "broadcast");
	struct datagram_socket *socket = NULL;
	int r = datagram_open(&socket, &environment, local, true, on_datagram, search, err);
	if (r < 0)
		return r;
	if (broadcast)
		(void)ask(live, socket, broadcast, "broadcast");
	for (unsigned i = 0; i < roles->map.count; i++) {
		const char *to = text_at(live, roles->map.entries[i].key, "udp");
		if (to)
			(void)ask(live, socket, to, roles->map.entries[i].key);
	}
	r = loop_until(live->loop, NULL, NULL, loop_now_ns() + ANSWER_NS);
	datagram_free(socket);
	return r == -ECANCELED ? error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled") : 0;
}

static const char *role_at(const struct rig_live *live, const char *from)
{
	const struct value *roles = value_get(rig_file_root(live->file), "roles");
	for (unsigned i = 0; i < roles->map.count; i++) {
		const char *udp = text_at(live, roles->map.entries[i].key, "udp");
		if (udp && !strcmp(udp, from))
			return roles->map.entries[i].key;
	}
	return "unknown";
}

static void print_entities(const struct rig_live *live, const struct search *search)
{
	const struct value *roles = value_get(rig_file_root(live->file), "roles");
	for (unsigned i = 0; i < search->count; i++) {
		const struct found *found = &search->found[i];
		(void)printf("entity    %-10s %-22s VIN %s  address 0x%04x", role_at(live, found->from), found->from, found->vin,
		             found->address);
		print_bytes("EID", found->eid, sizeof(found->eid));
		print_bytes("GID", found->gid, sizeof(found->gid));
		(void)printf("  further action 0x%02x\n", found->further_action);
	}
	for (unsigned i = 0; i < roles->map.count; i++) {
		const char *udp = text_at(live, roles->map.entries[i].key, "udp");
		bool answered = false;
		for (unsigned k = 0; udp && k < search->count; k++)
			answered = answered || !strcmp(search->found[k].from, udp);
		if (udp && !answered)
			(void)printf("silent    %-10s %-22s no answer within 2 s\n", roles->map.entries[i].key, udp);
	}
	if (search->strange)
		(void)printf("%u datagrams came that are no vehicle announcement\n", search->strange);
}

/* ---- what there is ---- */

static void print_addresses(const struct rig_live *live)
{
	static const char *const keys[] = {"udp", "plain", "tls"};
	const struct value *roles = value_get(rig_file_root(live->file), "roles");
	(void)printf("tester    %-10s %s\n", "", text_at(live, "tester", "address"));
	for (unsigned i = 0; i < roles->map.count; i++) {
		const char *role = roles->map.entries[i].key;
		(void)printf("node      %-10s %-22s", role, text_at(live, role, "address"));
		for (unsigned k = 0; k < 3; k++)
			if (text_at(live, role, keys[k]))
				(void)printf(" %s %s", keys[k], text_at(live, role, keys[k]));
		(void)putchar('\n');
	}
}

static void print_link(struct rig_live *live, const struct value_entry *entry)
{
	static const char *const keys[] = {"listen", "target"};
	const struct value *map = entry->value;
	struct rig_link *link = live->rig ? rig_link_find(live->rig, entry->key) : NULL;
	(void)printf("link      %-10s %s -> %s", entry->key, value_get(map, "client")->text, value_get(map, "server")->text);
	for (unsigned i = 0; i < 2; i++) {
		const struct value *value = live->rig ? rig_value(live->rig, entry->key, keys[i]) : value_get(map, keys[i]);
		if (value)
			(void)printf("  %s %s", keys[i], value->text);
	}
	if (link && rig_link_relay(link))
		(void)printf("  connections %u", relay_connections(rig_link_relay(link)));
	(void)printf("  tap %s\n", value_get(map, "driver")->text);
}

static int show(struct rig_live *live, struct error *err)
{
	const struct value *links = value_get(rig_file_root(live->file), "links");
	struct search *search = calloc(1, sizeof(*search));
	if (!search)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	print_addresses(live);
	int r = search_entities(live, search, err);
	for (unsigned i = 0; links && i < links->map.count; i++)
		print_link(live, &links->map.entries[i]);
	if (r == 0)
		print_entities(live, search);
	free(search);
	return r;
}

static bool all_ready(void *context)
{
	struct rig *rig = context;
	for (unsigned i = 0; i < rig_board_count(rig); i++)
		if (!rig_board_on_demand(rig_board_at(rig, i)) && !rig_board_ready(rig_board_at(rig, i)))
			return false;
	return true;
}

static int net(const struct rig_call *call)
{
	struct rig_live live;
	struct error error = {0};
	int status = rig_live_start(&live, call, NULL);
	if (status)
		return status;
	int r = rig_live_power_all(&live, &error);
	/* What has not booted by then is shown as silent. */
	if (r == 0 && live.rig && loop_until(live.loop, all_ready, live.rig, loop_now_ns() + 10 * RIG_SECOND_NS) == -ECANCELED)
		r = error_set(&error, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (r == 0)
		r = show(&live, &error);
	(void)fflush(stdout);
	rig_live_stop(&live);
	return r < 0 ? rig_fail(&error) : 0;
}

const struct rig_verb rig_verb_net = {.name = "net", .options = "", .run = net};
