/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the bus's control channel. */
#include "vbus.h"

#include <string.h>

static bool get_number(json_t *request, const char *key, json_int_t most, uint32_t *value)
{
	json_t *number = json_object_get(request, key);
	if (!number)
		return true;
	if (!json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > most)
		return false;
	*value = (uint32_t)json_integer_value(number);
	return true;
}

static bool get_kind(json_t *request, enum canbus_damage *kind)
{
	static const char *const names[] = {"bit", "crc", "ack"};
	json_t *text = json_object_get(request, "kind");
	for (size_t i = 0; text && i < sizeof names / sizeof *names; i++) {
		if (json_is_string(text) && strcmp(json_string_value(text), names[i]) == 0) {
			*kind = (enum canbus_damage)i;
			return true;
		}
	}
	return !text;
}

static void do_corrupt(struct vbus *vbus, json_t *request)
{
	struct canbus_corruption what = {.nth = 1, .count = 1};
	json_t *extended = json_object_get(request, "extended");
	if (!json_object_get(request, "can_id") || !get_number(request, "can_id", 0x1FFFFFFF, &what.id))
		control_refuse(&vbus->control, request, "\"can_id\" has to be an identifier of 29 bits at most");
	else if (!get_number(request, "nth", UINT32_MAX, &what.nth) || !get_number(request, "count", UINT32_MAX, &what.count) ||
	         what.nth == 0 || what.count == 0)
		control_refuse(&vbus->control, request, "\"nth\" and \"count\" have to be numbers from 1");
	else if (!get_kind(request, &what.damage))
		control_refuse(&vbus->control, request, "\"kind\" has to be \"bit\", \"crc\" or \"ack\"");
	else if (extended && !json_is_boolean(extended))
		control_refuse(&vbus->control, request, "\"extended\" has to be true or false");
	else {
		what.extended = extended ? json_is_true(extended) : what.id > 0x7FF;
		if (canbus_corrupt(vbus->bus, vbus->now_ns, &what))
			control_answer(&vbus->control, request, vbus->now_ns, json_object());
		else
			control_refuse(&vbus->control, request, "at most %u corruptions wait at a time", CANBUS_MAX_RULES);
	}
}

static void do_short(struct vbus *vbus, json_t *request)
{
	json_t *on = json_object_get(request, "on");
	if (!json_is_boolean(on)) {
		control_refuse(&vbus->control, request, "\"on\" has to be true or false");
		return;
	}
	canbus_short(vbus->bus, vbus->now_ns, json_is_true(on));
	control_answer(&vbus->control, request, vbus->now_ns, json_object());
}

static void do_restore(struct vbus *vbus, json_t *request)
{
	canbus_restore(vbus->bus, vbus->now_ns);
	control_answer(&vbus->control, request, vbus->now_ns, json_object());
}

static const char *gateway_name(const struct vbus_gateway *gateway)
{
	static const char *const names[] = {"cannelloni-udp", "cannelloni-tcp", "udp-multicast"};
	return names[gateway->kind];
}

static const char *node_name(const struct vbus *vbus, unsigned node)
{
	if (vbus->client_of[node])
		return vbus->client_of[node]->name;
	return vbus->gateway_of[node] ? gateway_name(vbus->gateway_of[node]) : NULL;
}

/* All nodes of that name: the last that were attached under it are as good as the first. */
static void do_silence(struct vbus *vbus, json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "node"));
	json_t *on = json_object_get(request, "on");
	unsigned count = 0;
	if (!name || !json_is_boolean(on)) {
		control_refuse(&vbus->control, request, "\"node\" has to be a name, \"on\" true or false");
		return;
	}
	for (unsigned i = 0; i < CANBUS_MAX_NODES; i++) {
		const char *known = node_name(vbus, i);
		if (!known || strcmp(known, name) != 0)
			continue;
		canbus_silence(vbus->bus, vbus->now_ns, i, json_is_true(on));
		count++;
	}
	if (count > 0)
		control_answer(&vbus->control, request, vbus->now_ns, json_object());
	else
		control_refuse(&vbus->control, request, "no node \"%.40s\" is attached", name);
}

static json_t *node_status(const struct vbus *vbus, unsigned node)
{
	static const char *const states[] = {"active", "warning", "passive", "bus-off"};
	const struct vbus_client *client = vbus->client_of[node];
	const struct vbus_gateway *gateway = vbus->gateway_of[node];
	struct canbus_node_status s;
	canbus_node_status(vbus->bus, node, &s);
	json_t *object = json_pack("{s:i, s:s, s:i, s:i, s:i, s:b, s:I, s:I}", "node", (int)node, "state", states[s.state], "tec",
	                           (int)s.tec, "rec", (int)s.rec, "queued", (int)s.queued, "silenced", (int)s.silenced, "lost",
	                           (json_int_t)(client ? client->lost_total : gateway->lost), "garbage",
	                           (json_int_t)(client ? client->garbage : gateway->garbage));
	json_t *name = json_string(node_name(vbus, node));
	json_object_set_new(object, "name", name ? name : json_string("?")); /* a name that is no UTF-8 */
	if (gateway) {
		json_object_set_new(object, "received", json_integer((json_int_t)gateway->received));
		json_object_set_new(object, "sent", json_integer((json_int_t)gateway->sent));
	}
	return object;
}

/* Per mille of the last full second while somebody observes, of the time since the last status otherwise. */
static int load_of(struct vbus *vbus, const struct canbus_counts *counts)
{
	if (vbus->observers == 0 && vbus->now_ns > vbus->load_from_ns) {
		vbus->load_permille = (uint16_t)((counts->busy_ns - vbus->load_busy_ns) * 1000 / (vbus->now_ns - vbus->load_from_ns));
		vbus->load_from_ns = vbus->now_ns;
		vbus->load_busy_ns = counts->busy_ns;
	}
	return vbus->load_permille;
}

static void do_status(struct vbus *vbus, json_t *request)
{
	struct canbus_counts counts;
	json_t *nodes = json_array();
	canbus_advance(vbus->bus, vbus->now_ns);
	canbus_counts(vbus->bus, vbus->now_ns, &counts);
	for (unsigned i = 0; i < CANBUS_MAX_NODES; i++) {
		if (node_name(vbus, i))
			json_array_append_new(nodes, node_status(vbus, i));
	}
	control_answer(&vbus->control, request, vbus->now_ns,
	               json_pack("{s:s, s:I, s:I, s:i, s:I, s:I, s:I, s:b, s:o}", "name", vbus->name, "nominal", (json_int_t)vbus->nominal,
	                         "data", (json_int_t)vbus->data, "load", load_of(vbus, &counts), "frames", (json_int_t)counts.frames,
	                         "errors", (json_int_t)counts.errors, "busy_ns", (json_int_t)counts.busy_ns, "short",
	                         (int)canbus_shorted(vbus->bus), "nodes", nodes));
}

void vbus_request(void *context, json_t *request)
{
	static const struct {
		const char *name;
		void (*run)(struct vbus *, json_t *);
	} commands[] = {
	        {"corrupt", do_corrupt}, {"short", do_short}, {"silence", do_silence}, {"restore", do_restore}, {"status", do_status}};
	struct vbus *vbus = context;
	const char *name = json_string_value(json_object_get(request, "cmd"));
	for (size_t i = 0; name && i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(vbus, request);
			return;
		}
	}
	control_refuse(&vbus->control, request, "unknown command \"%.40s\"", name ? name : "");
}
