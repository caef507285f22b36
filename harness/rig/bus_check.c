/* SPDX-License-Identifier: Apache-2.0 */
/* What a rig file must say about its buses. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "bus.h"
#include "rack.h"
#include "rig_private.h"

#define NODE_MAX     7
#define BUS_NAME_MAX 31

/* The name stands between spaces in can.log and in a path. */
static int check_name(const struct value_entry *entry, struct error *err)
{
	bool good = *entry->key && strlen(entry->key) <= BUS_NAME_MAX;
	for (const char *c = entry->key; good && *c; c++)
		good = isalnum((unsigned char)*c) || strchr("_-.", *c);
	if (good)
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place,
	                       "a bus cannot be called \"%s\": letters, digits, `_`, `-` and `.`, at most %d", entry->key, BUS_NAME_MAX);
}

struct question {
	const char *channel;
	struct error why;
};

static bool is_address(const char *text, void *context)
{
	struct question *question = context;
	return can_address_check(question->channel, text, &question->why) == 0;
}

static int check_address(const struct value *value, const char *channel, struct error *err)
{
	struct question question = {.channel = channel};
	char where[128];
	int bad = rack_first_bad(value->text, is_address, &question);
	if (bad <= 0)
		return bad < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%.600s%s", question.why.message,
	                       rack_bad_text(value->text, bad, where, sizeof(where)));
}

static int check_driver(const struct value_entry *entry, struct error *err)
{
	const struct bus_driver *driver = bus_driver_find(map_text(entry->value, "driver"));
	const struct value *address = driver->address ? value_get(entry->value, driver->address) : NULL;
	if (driver->address && !address)
		return error_set_place(err, ERROR_USAGE, EINVAL, entry->value->place, "bus %s lacks `%s`, which driver %s needs",
		                       entry->key, driver->address, driver->name);
	int r = address ? check_address(address, driver->channel, err) : 0;
	return r == 0 && driver->check ? driver->check(entry->value, err) : r;
}

/* The data phase is the faster one: ISO 11898-1:2015, 11.3.1.2. */
static int check_rates(const struct value *map, struct error *err)
{
	const struct value *nominal = value_get(map, "nominal"), *data = value_get(map, "data");
	if (!data || !nominal || data->integer >= nominal->integer)
		return 0;
	return error_set_place(err, ERROR_USAGE, ERANGE, data->place,
	                       "`data` %" PRId64 " bit/s is below `nominal` %" PRId64 " bit/s: the data phase is never the slower one",
	                       data->integer, nominal->integer);
}

/* Where other tools may join a virtual bus. */
static int check_joins(const struct value_entry *entry, struct error *err)
{
	static const struct {
		const char *key, *channel;
	} joins[] = {{"cannelloni_udp", "cannelloni-udp"}, {"cannelloni_tcp", NULL}, {"multicast", "udp-multicast"}};
	bool virtual = !strcmp(map_text(entry->value, "driver"), "vbus");
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(joins) / sizeof(*joins); i++) {
		const struct value *value = value_get(entry->value, joins[i].key);
		if (value && !virtual)
			return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "`%s` is for driver vbus only", joins[i].key);
		if (value && joins[i].channel)
			r = check_address(value, joins[i].channel, err);
	}
	return r;
}

static int unknown_role(const struct value_entry *board, const struct value *roles, struct error *err)
{
	const char *words[64];
	char hint[128];
	unsigned count = 0;
	for (; count < roles->map.count && count < 63; count++)
		words[count] = roles->map.entries[count].key;
	words[count] = NULL;
	return error_set_place(err, ERROR_USAGE, EINVAL, board->key_place, "unknown role `%s`%s", board->key,
	                       suggest_text(board->key, words, hint, sizeof(hint)));
}

/* Each CAN node of a board is wired to one bus. */
static int check_node(const struct value_entry *board, const struct value *buses, unsigned until, struct error *err)
{
	const struct value *node = board->value;
	if (node->type != VALUE_INTEGER || node->integer < 0 || node->integer > NODE_MAX)
		return error_set_place(err, ERROR_USAGE, EINVAL, node->place, "`%s` must be the number of a CAN node, 0 to %d", board->key,
		                       NODE_MAX);
	for (unsigned i = 0; i < until; i++) {
		const struct value *boards = value_get(buses->map.entries[i].value, "boards"),
		                   *other = boards ? value_get(boards, board->key) : NULL;
		if (other && other->type == VALUE_INTEGER && other->integer == node->integer)
			return error_set_place(err, ERROR_USAGE, EADDRINUSE, node->place, "CAN node %" PRId64 " of %s is on bus %s already",
			                       node->integer, board->key, buses->map.entries[i].key);
	}
	return 0;
}

static int check_boards(const struct value *buses, unsigned index, const struct value *roles, struct error *err)
{
	const struct value *boards = value_get(buses->map.entries[index].value, "boards");
	int r = 0;
	for (unsigned i = 0; r == 0 && boards && i < boards->map.count; i++) {
		const struct value_entry *board = &boards->map.entries[i];
		r = value_get(roles, board->key) ? check_node(board, buses, index, err) : unknown_role(board, roles, err);
	}
	return r;
}

int bus_check_all(const struct value *buses, const struct value *roles, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && buses && i < buses->map.count; i++) {
		r = check_name(&buses->map.entries[i], err);
		if (r == 0)
			r = check_driver(&buses->map.entries[i], err);
		if (r == 0)
			r = check_rates(buses->map.entries[i].value, err);
		if (r == 0)
			r = check_joins(&buses->map.entries[i], err);
		if (r == 0)
			r = check_boards(buses, i, roles, err);
	}
	return r;
}

bool bus_map_is_fd(const struct value *map)
{
	const char *driver = map_text(map, "driver");
	return value_get(map, "data") || (strcmp(driver, "vbus") && strcmp(driver, "socketcan"));
}
