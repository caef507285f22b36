/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig list: what a rig file holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

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

static int list(const struct rig_call *call)
{
	const struct rig_file *file = call->file;
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

const struct rig_verb rig_verb_list = {.name = "list", .options = "", .run = list};
