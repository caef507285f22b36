/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_unique.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rig_keys.h"
#include "rig_private.h"

/* "ROLE already (FILE:LINE:COLUMN)" is the first one. */
static int clash(struct error *err, const struct value *own, const struct value_entry *role, const struct value *first, const char *what)
{
	char *text = own->type == VALUE_TEXT ? strdup(own->text) : value_describe(own);
	int r = error_set_place(err, ERROR_USAGE, EADDRINUSE, own->place, "%s %s is that of `%s` already (%s:%u:%u)", what,
	                        text ? text : "", role->key, first->place.file ? first->place.file : "", first->place.line,
	                        first->place.column);
	free(text);
	return r;
}

static bool is_driver(const struct value *map, const char *driver)
{
	const char *name = map_text(map, "driver");
	return name && !strcmp(name, driver);
}

/* Texts, or numbers: the names of lines and the serials of adapters are both. */
static bool same(const struct value *a, const struct value *b)
{
	if (!a || !b || a->type != b->type)
		return false;
	if (a->type == VALUE_TEXT)
		return !strcmp(a->text, b->text);
	return a->type == VALUE_INTEGER && a->integer == b->integer;
}

/* "127.0.0.1:05025" is "127.0.0.1:5025". */
static bool same_endpoint(const struct value *a, const struct value *b)
{
	char address[2][16];
	unsigned port[2];
	if (same(a, b))
		return true;
	return a && b && a->type == VALUE_TEXT && b->type == VALUE_TEXT && rig_parse_endpoint(a->text, address[0], &port[0]) == 0 &&
	       rig_parse_endpoint(b->text, address[1], &port[1]) == 0 && port[0] == port[1] && !strcmp(address[0], address[1]);
}

/* ---- pairs of roles: the second one's map is `own` ---- */

static int check_address(const struct value *own, const struct value_entry *first, struct error *err)
{
	const struct value *mine = value_get(own, "address"), *other = value_get(first->value, "address");
	return same(mine, other) ? clash(err, mine, first, other, "address") : 0;
}

/* A serial port and a pseudo-terminal are both a path. */
static const struct value *console_path(const struct value *console)
{
	return is_driver(console, "pty") ? value_get(console, "path") : value_get(console, "device");
}

static int check_console(const struct value *own, const struct value_entry *first, struct error *err)
{
	const struct value *mine = value_get(own, "console"), *other = value_get(first->value, "console");
	if (!mine || !other)
		return 0;
	if (same(console_path(mine), console_path(other)))
		return clash(err, console_path(mine), first, console_path(other), "console");
	if (same_endpoint(value_get(mine, "address"), value_get(other, "address")))
		return clash(err, value_get(mine, "address"), first, value_get(other, "address"), "console");
	return 0;
}

/* A role that names no channel has whichever is selected: at an instrument whose channels others select, theirs. */
static int check_output(const struct value *own, const struct value_entry *first, struct error *err)
{
	const struct value *mine = value_get(own, "power"), *other = value_get(first->value, "power");
	if (!mine || !other || !is_driver(mine, "scpi") || !is_driver(other, "scpi") ||
	    !same_endpoint(value_get(mine, "address"), value_get(other, "address")))
		return 0;
	const struct value *channel = value_get(mine, "channel"), *taken = value_get(other, "channel");
	if (same(channel, taken))
		return clash(err, channel, first, taken, "the supply's channel");
	if (!channel && !taken)
		return clash(err, value_get(mine, "address"), first, value_get(other, "address"), "the supply");
	if (channel && taken)
		return 0;
	const struct value *without = channel ? other : mine, *with = channel ? mine : other;
	return error_set_place(err, ERROR_USAGE, EADDRINUSE, without->place,
	                       "this supply lacks `channel`: at %s others are selected, as at %s:%u:%u", map_text(without, "address"),
	                       with->place.file ? with->place.file : "", with->place.line, with->place.column);
}

/* Lines are whose program has them, power or reset. */
static int check_lines(const struct value *own, const struct value_entry *first, struct error *err)
{
	static const char *const parts[] = {"power", "reset"};
	for (unsigned i = 0; i < 4; i++) {
		const struct value *mine = value_get(own, parts[i & 1]), *other = value_get(first->value, parts[i >> 1]);
		if (mine && other && is_driver(mine, "gpio") && is_driver(other, "gpio") &&
		    same(value_get(mine, "chip"), value_get(other, "chip")) && same(value_get(mine, "line"), value_get(other, "line")))
			return clash(err, value_get(mine, "line"), first, value_get(other, "line"), "the GPIO line");
	}
	return 0;
}

/* An adapter with several channels has one serial number: its configuration takes the channel from the variable of this name. */
static bool other_channel(const struct value *a, const struct value *b)
{
	const struct value *mine = value_get(a, "variables"), *other = value_get(b, "variables");
	const struct value *one = mine ? value_get(mine, "channel") : NULL, *two = other ? value_get(other, "channel") : NULL;
	return one && two && !same(one, two);
}

static int check_probe(const struct value *own, const struct value_entry *first, struct error *err)
{
	const struct value *mine = value_get(own, "probe"), *other = value_get(first->value, "probe");
	if (!mine || !other)
		return 0;
	if (same(value_get(mine, "adapter_serial"), value_get(other, "adapter_serial")) && !other_channel(mine, other))
		return clash(err, value_get(mine, "adapter_serial"), first, value_get(other, "adapter_serial"), "the adapter");
	if (same_endpoint(value_get(mine, "address"), value_get(other, "address")))
		return clash(err, value_get(mine, "address"), first, value_get(other, "address"), "the GDB server");
	return 0;
}

bool rig_unique_same_device(const struct value *console, const struct value *other)
{
	const struct value *path = console_path(console), *taken = console_path(other);
	struct stat a, b;
	return path && taken && stat(path->text, &a) == 0 && stat(taken->text, &b) == 0 && S_ISCHR(a.st_mode) && S_ISCHR(b.st_mode) &&
	       a.st_rdev == b.st_rdev;
}

static int check_device(const struct value *own, const struct value_entry *first, struct error *err)
{
	const struct value *mine = value_get(own, "console"), *other = value_get(first->value, "console");
	if (!mine || !other || !rig_unique_same_device(mine, other))
		return 0;
	return clash(err, console_path(mine), first, console_path(other), "the device of console");
}

/* ---- all ---- */

typedef int pair_check(const struct value *own, const struct value_entry *first, struct error *err);

static int check_pairs(const struct value *roles, pair_check *const *checks, struct error *err)
{
	for (; *checks; checks++)
		for (unsigned i = 1; i < roles->map.count; i++)
			for (unsigned k = 0; k < i; k++) {
				int r = (*checks)(roles->map.entries[i].value, &roles->map.entries[k], err);
				if (r < 0)
					return r;
			}
	return 0;
}

int rig_unique_check(const struct value *roles, struct error *err)
{
	static pair_check *const checks[] = {check_address, check_console, check_output, check_lines, check_probe, NULL};
	return check_pairs(roles, checks, err);
}

int rig_unique_check_devices(const struct value *roles, struct error *err)
{
	static pair_check *const checks[] = {check_device, NULL};
	return check_pairs(roles, checks, err);
}
