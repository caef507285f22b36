/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "drivers.h"
#include "rack.h"
#include "rig.h"

#define VIN_LENGTH     17
#define VIN_CHARACTERS "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"

static const char *const geometry_choices[] = {"tc375", "sweep", NULL};
static const char *const network_choices[] = {"loopback", "netns", NULL};

static const struct rig_key identity_keys[] = {
        {"ca", RIG_KEY_TEXT, .doc = "PEM file of the authorities that are trusted; without it any peer is taken."},
        {"certificate", RIG_KEY_TEXT, .doc = "PEM file of the certificate (chain) that is presented; without it none is."},
        {"key", RIG_KEY_TEXT, .doc = "PEM file of the private key."},
        {"name", RIG_KEY_TEXT, .doc = "Name that the peer's certificate must carry."},
        {NULL}};
static const struct rig_key tester_keys[] = {
        {"address", RIG_KEY_ADDRESS, true, .doc = "IPv4 address of the tester."},
        {"logical_address", RIG_KEY_INTEGER, true, .minimum = 0, .maximum = 0xFFFF, .doc = "The tester's DoIP logical address."},
        {"networks", RIG_KEY_SCALARS, .doc = "With `network: netns`: every network, NAME: ADDRESS/PREFIX of the tester in it."},
        {"profile", RIG_KEY_SCALARS, .doc = "Further values for ${rig.tester.NAME}."},
        {NULL}};
static const struct rig_key role_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = board_driver_names, .doc = "What drives the board."},
        {"bootloader", RIG_KEY_TEXT, .doc = "Program that is the board's bootloader (vboard)."},
        {"application", RIG_KEY_TEXT,
         .doc = "Software in the board's flash (vboard): a program, which is packed and signed at the start, or a package (NAME.swpg)."},
        {"signing_key", RIG_KEY_TEXT, .doc = "Key that a program is signed with (vboard); standard keys/ota-1.key."},
        {"geometry", RIG_KEY_TEXT, .choices = geometry_choices, .doc = "The board's flash (vboard); standard tc375."},
        {"logical_address", RIG_KEY_INTEGER, .minimum = 0, .maximum = 0xFFFF, .doc = "DoIP logical address."},
        {"address", RIG_KEY_ADDRESS, true, .doc = "IPv4 address of the node."},
        {"udp", RIG_KEY_ENDPOINT, .doc = "UDP_DISCOVERY endpoint of the node's DoIP server."},
        {"broadcast", RIG_KEY_ENDPOINT, .doc = "Endpoint on which the node hears broadcast requests."},
        {"announce_to", RIG_KEY_ENDPOINT, .doc = "Where the node sends its vehicle announcements."},
        {"plain", RIG_KEY_ENDPOINT, .doc = "TCP_DATA endpoint without TLS."},
        {"tls", RIG_KEY_ENDPOINT, .doc = "TCP_DATA endpoint over TLS."},
        {"vin", RIG_KEY_VIN, .doc = "Vehicle identification number, 17 characters."},
        {"eid", RIG_KEY_HEX6, .doc = "Entity identification, 6 bytes."},
        {"gid", RIG_KEY_HEX6, .doc = "Group identification, 6 bytes."},
        {"networks", RIG_KEY_SCALARS, .doc = "With `network: netns`: the networks the node is plugged into, NAME: ADDRESS/PREFIX."},
        {"last_stage", RIG_KEY_TEXT, .choices = rig_stage_names,
         .doc = "Boot stage at which the board counts as booted; default `activated` for a client of a link, else `server`."},
        {"on_demand", RIG_KEY_BOOL, .doc = "Whether rack.ready leaves the board alone unless a case names it."},
        {"power", RIG_KEY_MAP, .keys = rig_power_keys, .doc = "What switches its power (board; docs/reference/power.md)."},
        {"console", RIG_KEY_MAP, .keys = rig_console_keys, .doc = "What its console is connected by (board)."},
        {"reset", RIG_KEY_MAP, .keys = rig_reset_keys, .doc = "What resets it (board); without it a power cycle."},
        {"probe", RIG_KEY_MAP, .keys = rig_probe_keys, .doc = "What debugs it (docs/reference/probe.md)."},
        {"params", RIG_KEY_SCALARS, .doc = "Board parameters (docs/reference/virtual-board.md)."},
        {"objects", RIG_KEY_SCALARS, .doc = "Objects of the board, NAME: FILE, relative to the rig file."},
        {"profile", RIG_KEY_SCALARS, .doc = "Further values for ${rig.ROLE.NAME}."},
        {NULL}};
static const struct rig_key link_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = link_driver_names, .doc = "What taps the link."},
        {"client", RIG_KEY_TEXT, true, .doc = "Role that connects."},
        {"server", RIG_KEY_TEXT, true, .doc = "Role that listens."},
        {"listen", RIG_KEY_ENDPOINT, .doc = "Where the relay listens; the client connects to it."},
        {"target", RIG_KEY_ENDPOINT, true, .doc = "The server's real endpoint."},
        {"network", RIG_KEY_TEXT, .doc = "With driver veth: the network whose device at the client is watched."},
        {"source", RIG_KEY_ADDRESS, .doc = "Address the relayed connection comes from; default the client's."},
        {NULL}};
static const struct rig_key bus_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = bus_driver_names, .doc = "What the bus is made of."},
        {"nominal", RIG_KEY_INTEGER, .minimum = 10000, .maximum = 1000000,
         .doc = "Bit rate, bit/s; vbus: required; socketcan: set where it is another (needs the privilege)."},
        {"data", RIG_KEY_INTEGER, .minimum = 10000, .maximum = 20000000,
         .doc = "Bit rate of the data phase of CAN FD, bit/s; without it a vbus or socketcan bus is classic."},
        {"boards", RIG_KEY_SCALARS, .doc = "Boards on the bus, ROLE: NUMBER of the board's CAN node."},
        {"interface", RIG_KEY_TEXT, .doc = "socketcan: the network interface."},
        {"address", RIG_KEY_TEXT,
         .doc = "cannelloni-udp: LOCAL:PORT,REMOTE:PORT; cannelloni-tcp: REMOTE:PORT connects, `LOCAL:PORT,` listens; udp-multicast: "
                "GROUP:PORT[,INTERFACE]."},
        {"cannelloni_udp", RIG_KEY_TEXT, .doc = "vbus: other tools join by cannelloni over UDP, LOCAL:PORT,REMOTE:PORT."},
        {"cannelloni_tcp", RIG_KEY_ENDPOINT, .doc = "vbus: other tools join by cannelloni over TCP at this endpoint."},
        {"multicast", RIG_KEY_TEXT, .doc = "vbus: other tools join by python-can's udp_multicast, GROUP:PORT[,INTERFACE]."},
        {"listen_only", RIG_KEY_BOOL, .doc = "The harness only listens."},
        {NULL}};
static const struct rig_key capture_keys[] = {
        {"secrets", RIG_KEY_BOOL, .doc = "Whether TLS secrets of test builds go into the capture."},
        {"devices", RIG_KEY_LIST, .doc = "Network devices to capture as well, where that is allowed."},
        {"prefix", RIG_KEY_TEXT, .doc = "Only packets with an address in this prefix, e.g. 127.1.0.0/16."},
        {NULL}};
static const struct rig_key file_keys[] = {
        {"name", RIG_KEY_TEXT, true, .doc = "Name of the rig."},
        {"virtual", RIG_KEY_BOOL, .doc = "Whether boards are modelled; every figure is labelled so."},
        {"network", RIG_KEY_TEXT, .choices = network_choices, .doc = "`netns`: every node in a network namespace of its own."},
        {"capabilities", RIG_KEY_LIST, .doc = "What the rig can do; cases name what they require."},
        {"tester", RIG_KEY_MAP, true, .keys = tester_keys, .doc = "The harness as a tester."},
        {"roles", RIG_KEY_NAMED, true, .keys = role_keys, .doc = "The boards by the role that test cases name, servers first."},
        {"links", RIG_KEY_NAMED, .keys = link_keys, .doc = "Connections between boards that the rig taps."},
        {"buses", RIG_KEY_NAMED, .keys = bus_keys, .doc = "CAN buses of the rig."},
        {"identities", RIG_KEY_NAMED, .keys = identity_keys, .doc = "TLS identities that the harness may take."},
        {"capture", RIG_KEY_MAP, .keys = capture_keys, .doc = "What goes into capture.pcapng."},
        {"journal_segments", RIG_KEY_BOOL, .doc = "Whether each TCP segment becomes an event."},
        {NULL}};

const struct rig_key *rig_keys(void)
{
	return file_keys;
}

bool rig_vin_ok(const char *text)
{
	return strlen(text) == VIN_LENGTH && strspn(text, VIN_CHARACTERS) == VIN_LENGTH;
}

int rig_parse_endpoint(const char *text, char *ret_address, unsigned *ret_port)
{
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text || colon - text > 15)
		return -EINVAL;
	char address[16] = "", *end;
	memcpy(address, text, (size_t)(colon - text));
	struct in_addr parsed;
	if (inet_pton(AF_INET, address, &parsed) != 1 || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || port == 0 || port > 65535)
		return -EINVAL;
	memcpy(ret_address, address, sizeof(address));
	*ret_port = (unsigned)port;
	return 0;
}

static int wrong_type(const struct value *value, const char *name, const char *wanted, struct error *err)
{
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "`%s` must be %s, not %s", name, wanted,
	                       value_type_name(value->type));
}

static bool is_endpoint(const char *text, void *context)
{
	char address[16];
	unsigned port;
	(void)context;
	return rig_parse_endpoint(text, address, &port) == 0;
}

static bool is_address(const char *text, void *context)
{
	struct in_addr parsed;
	(void)context;
	return inet_pton(AF_INET, text, &parsed) == 1;
}

static bool is_vin(const char *text, void *context)
{
	(void)context;
	return rig_vin_ok(text);
}

/* On every rack that there may be. */
static int check_form(const struct value *value, const char *name, bool (*good)(const char *, void *), const char *wanted,
                      struct error *err)
{
	char where[128];
	int bad = rack_first_bad(value->text, good, NULL);
	if (bad < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (bad == 0)
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "`%s` must be %s, not \"%.60s\"%s", name, wanted, value->text,
	                       rack_bad_text(value->text, bad, where, sizeof(where)));
}

static int check_network_text(const struct value *value, const struct rig_key *key, struct error *err)
{
	return key->kind == RIG_KEY_ENDPOINT
	               ? check_form(value, key->name, is_endpoint, "an IPv4 address and port like 127.0.0.1:13400", err)
	               : check_form(value, key->name, is_address, "an IPv4 address", err);
}

static bool variable_known(const char *at, const char *extra)
{
	return !strncmp(at, "${rack}", 7) || (extra && !strncmp(at, extra, strlen(extra)));
}

/* Every text may use ${rack} and no other variable, but for one where the key allows it. */
static int check_variables(const struct value *value, const char *extra, struct error *err)
{
	for (const char *at = value->text; (at = strstr(at, "${")); at += 2)
		if (!variable_known(at, extra))
			return error_set_place(err, ERROR_USAGE, EINVAL, value->place,
			                       "unknown variable in \"%s\": a rig file knows only ${rack}%s%s", value->text,
			                       extra ? " and here " : "", extra ? extra : "");
	return 0;
}

static int check_text(const struct value *value, const struct rig_key *key, struct error *err)
{
	if (value->type != VALUE_TEXT)
		return wrong_type(value, key->name, "text", err);
	int r = check_variables(value, NULL, err);
	if (r < 0)
		return r;
	if (key->kind == RIG_KEY_ADDRESS || key->kind == RIG_KEY_ENDPOINT)
		return check_network_text(value, key, err);
	if (!key->choices)
		return 0;
	for (const char *const *choice = key->choices; *choice; choice++)
		if (!strcmp(*choice, value->text))
			return 0;
	char hint[128];
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "unknown %s \"%s\"%s", key->name, value->text,
	                       suggest_text(value->text, key->choices, hint, sizeof(hint)));
}

static int check_hex6(const struct value *value, const struct rig_key *key, struct error *err)
{
	struct value *bytes = NULL;
	int r = value->type == VALUE_TEXT ? value_convert(value, VALUE_BYTES, &bytes, NULL) : -EINVAL;
	bool good = r == 0 && bytes->bytes.length == 6;
	value_free(bytes);
	if (good)
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "`%s` must be six bytes in quotes, like \"02 00 00 00 00 91\"",
	                       key->name);
}

static int check_vin(const struct value *value, const struct rig_key *key, struct error *err)
{
	int r = check_text(value, key, err);
	return r < 0 ? r : check_form(value, key->name, is_vin, "17 digits and capital letters without I, O and Q", err);
}

static int check_list(const struct value *value, const struct rig_key *key, struct error *err)
{
	if (value->type != VALUE_LIST)
		return wrong_type(value, key->name, "a list", err);
	for (unsigned i = 0; i < value->list.count; i++) {
		if (value->list.items[i]->type != VALUE_TEXT)
			return wrong_type(value->list.items[i], key->name, "a list of texts", err);
		int r = check_variables(value->list.items[i], NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_scalars(const struct value *value, const struct rig_key *key, struct error *err)
{
	if (value->type != VALUE_MAP)
		return wrong_type(value, key->name, "a map", err);
	for (unsigned i = 0; i < value->map.count; i++) {
		const struct value *item = value->map.entries[i].value;
		if (item->type == VALUE_MAP || item->type == VALUE_LIST || item->type == VALUE_NULL)
			return wrong_type(item, value->map.entries[i].key, "one value", err);
		int r = item->type == VALUE_TEXT ? check_variables(item, key->kind == RIG_KEY_VARIABLES ? "${jtag}" : NULL, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_named(const struct value *value, const struct rig_key *key, struct error *err)
{
	if (value->type != VALUE_MAP)
		return wrong_type(value, key->name, "a map", err);
	for (unsigned i = 0; i < value->map.count; i++) {
		int r = rig_keys_check(value->map.entries[i].value, key->keys, value->map.entries[i].key, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_integer(const struct value *value, const struct rig_key *key, struct error *err)
{
	if (value->type != VALUE_INTEGER)
		return wrong_type(value, key->name, "an integer", err);
	if (key->maximum && (value->integer < key->minimum || value->integer > key->maximum))
		return error_set_place(err, ERROR_USAGE, ERANGE, value->place, "`%s` must lie between %" PRId64 " and %" PRId64, key->name,
		                       key->minimum, key->maximum);
	return 0;
}

static int check_one(const struct value *value, const struct rig_key *key, struct error *err)
{
	switch (key->kind) {
	case RIG_KEY_TEXT:
	case RIG_KEY_ADDRESS:
	case RIG_KEY_ENDPOINT:
		return check_text(value, key, err);
	case RIG_KEY_INTEGER:
		return check_integer(value, key, err);
	case RIG_KEY_BOOL:
		return value->type == VALUE_BOOL ? 0 : wrong_type(value, key->name, "true or false", err);
	case RIG_KEY_HEX6:
		return check_hex6(value, key, err);
	case RIG_KEY_VIN:
		return check_vin(value, key, err);
	case RIG_KEY_NAME:
		return value->type == VALUE_INTEGER ? 0 : check_text(value, key, err);
	case RIG_KEY_LIST:
		return check_list(value, key, err);
	case RIG_KEY_SCALARS:
	case RIG_KEY_VARIABLES:
		return check_scalars(value, key, err);
	case RIG_KEY_MAP:
		return rig_keys_check(value, key->keys, key->name, err);
	case RIG_KEY_NAMED:
		return check_named(value, key, err);
	}
	return 0;
}

static const struct rig_key *key_find(const struct rig_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return keys;
	return NULL;
}

static int unknown_key(const struct value_entry *entry, const struct rig_key *keys, const char *what, struct error *err)
{
	const char *words[40];
	unsigned count = 0;
	for (; keys->name && count < 39; keys++)
		words[count++] = keys->name;
	words[count] = NULL;
	char hint[128];
	return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place, "unknown key `%s` in %s%s", entry->key, what,
	                       suggest_text(entry->key, words, hint, sizeof(hint)));
}

int rig_keys_check(const struct value *map, const struct rig_key *keys, const char *what, struct error *err)
{
	if (map->type != VALUE_MAP)
		return wrong_type(map, what, "a map", err);
	for (unsigned i = 0; i < map->map.count; i++) {
		const struct rig_key *key = key_find(keys, map->map.entries[i].key);
		if (!key)
			return unknown_key(&map->map.entries[i], keys, what, err);
		int r = check_one(map->map.entries[i].value, key, err);
		if (r < 0)
			return r;
	}
	for (const struct rig_key *key = keys; key->name; key++)
		if (key->required && !value_get(map, key->name))
			return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "%s lacks `%s`", what, key->name);
	return 0;
}

static json_t *choices_schema(const char *const *choices)
{
	json_t *list = json_array();
	for (; *choices; choices++)
		json_array_append_new(list, json_string(*choices));
	return json_pack("{s:s,s:o}", "type", "string", "enum", list);
}

/* ${rack} may stand for a number, or its last digits. */
#define OCTET   "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]|[0-9]{0,2}\\$\\{rack\\})"
#define ADDRESS OCTET "(\\." OCTET "){3}"
#define PORT    "0*(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"

static json_t *key_schema(const struct rig_key *key)
{
	switch (key->kind) {
	case RIG_KEY_INTEGER:
		return key->maximum ? json_pack("{s:s,s:I,s:I}", "type", "integer", "minimum", (json_int_t)key->minimum, "maximum",
		                                (json_int_t)key->maximum)
		                    : json_pack("{s:s}", "type", "integer");
	case RIG_KEY_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case RIG_KEY_NAME:
		return json_pack("{s:[s,s]}", "type", "string", "integer");
	case RIG_KEY_LIST:
		return json_pack("{s:s,s:{s:s}}", "type", "array", "items", "type", "string");
	case RIG_KEY_SCALARS:
	case RIG_KEY_VARIABLES:
		return json_pack("{s:s,s:{s:[s,s,s,s]}}", "type", "object", "additionalProperties", "type", "string", "integer", "number",
		                 "boolean");
	case RIG_KEY_MAP:
		return rig_keys_schema(key->keys);
	case RIG_KEY_NAMED:
		return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", rig_keys_schema(key->keys));
	case RIG_KEY_HEX6:
		return json_pack("{s:s,s:s}", "type", "string", "pattern", "^ *([0-9A-Fa-f]{2} *){6}$");
	case RIG_KEY_VIN: /* not with ${rack}, which has one to three digits */
		return json_pack("{s:s,s:s}", "type", "string", "pattern", "^[0-9A-HJ-NPR-Z]{17}$");
	case RIG_KEY_ADDRESS:
		return json_pack("{s:s,s:s}", "type", "string", "pattern", "^" ADDRESS "$");
	case RIG_KEY_ENDPOINT:
		return json_pack("{s:s,s:s}", "type", "string", "pattern", "^" ADDRESS ":" PORT "$");
	default:
		return key->choices ? choices_schema(key->choices) : json_pack("{s:s}", "type", "string");
	}
}

json_t *rig_keys_schema(const struct rig_key *keys)
{
	json_t *properties = json_object(), *required = json_array();
	for (; keys->name; keys++) {
		json_t *schema = key_schema(keys);
		json_object_set_new(schema, "description", json_string(keys->doc));
		json_object_set_new(properties, keys->name, schema);
		if (keys->required)
			json_array_append_new(required, json_string(keys->name));
	}
	return json_pack("{s:s,s:b,s:o,s:o}", "type", "object", "additionalProperties", 0, "properties", properties, "required", required);
}
