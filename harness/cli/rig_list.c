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

/* "127.${rack}.0.1" as "127.N.0.1": no number is taken yet. Returns whether there was one. */
static bool print_text(const char *text)
{
	static const char variable[] = "${rack}";
	bool found = false;
	for (const char *at; (at = strstr(text, variable)); text = at + sizeof(variable) - 1, found = true)
		(void)printf("%.*sN", (int)(at - text), text);
	(void)fputs(text, stdout);
	return found;
}

static bool print_keys(const struct value *map, const char *const *keys)
{
	bool numbered = false;
	for (; *keys; keys++) {
		const struct value *value = value_get(map, *keys);
		char *text = value ? value_describe(value) : NULL;
		if (!text)
			continue;
		(void)printf("  %s ", *keys);
		numbered = print_text(value->type == VALUE_TEXT ? value->text : text) || numbered;
		free(text);
	}
	(void)putchar('\n');
	return numbered;
}

static bool print_group(const struct value *root, const char *group, const char *title, const char *const *keys)
{
	const struct value *map = value_get(root, group);
	bool numbered = false;
	for (unsigned i = 0; map && i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		const char *driver = text_of(entry->value, "driver");
		(void)printf("%-9s %-22s %-14s", title, entry->key, driver ? driver : "");
		numbered = print_keys(entry->value, keys) || numbered;
	}
	return numbered;
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
	bool numbered = print_group(root, "roles", "role", role_keys);
	numbered = print_group(root, "links", "link", link_keys) || numbered;
	numbered = print_group(root, "buses", "bus", bus_keys) || numbered;
	numbered = print_group(root, "identities", "identity", identity_keys) || numbered;
	if (numbered)
		(void)puts(RIG_NUMBER_LEGEND);
	return 0;
}

const struct rig_verb rig_verb_list = {.name = "list", .options = "", .run = list};
