/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/paths.h"
#include "../base/suggest.h"
#include "bus.h"
#include "probe_private.h"
#include "rig_keys.h"
#include "rig_private.h"
#include "rig_unique.h"

const char *map_text(const struct value *map, const char *key)
{
	const struct value *value = map ? value_get(map, key) : NULL;
	return value && value->type == VALUE_TEXT ? value->text : NULL;
}

/* Keys that only a board of parts has. */
static int check_parts(const struct board_driver *driver, const struct value *role, struct error *err)
{
	static const char *const parts[] = {"power", "console", "reset"};
	for (size_t i = 0; !driver->external && i < sizeof(parts) / sizeof(*parts); i++)
		if (value_get(role, parts[i]))
			return error_set_place(err, ERROR_USAGE, EINVAL, value_get(role, parts[i])->place,
			                       "`%s` is for boards with driver board, not %s", parts[i], driver->name);
	return 0;
}

static int check_drivers(const struct value *roles, struct error *err)
{
	if (roles->map.count == 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, roles->place, "`roles` is empty");
	for (unsigned i = 0; i < roles->map.count; i++) {
		const struct value_entry *entry = &roles->map.entries[i];
		if (!strcmp(entry->key, "tester"))
			return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place,
			                       "`tester` cannot be a role: it is the harness itself");
		const struct board_driver *driver = board_driver_find(map_text(entry->value, "driver"));
		int r = driver ? check_parts(driver, entry->value, err) : -EINVAL;
		if (r == 0)
			r = driver->check(entry->value, err);
		if (r == 0)
			r = board_params_check(driver->params, value_get(entry->value, "params"), err);
		if (r == 0 && value_get(entry->value, "probe"))
			r = probe_check_map(value_get(entry->value, "probe"), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_link_role(const struct value *roles, const struct value *link, const char *key, struct error *err)
{
	const char *role = map_text(link, key), *words[64];
	char hint[128];
	unsigned count = 0;
	if (value_get(roles, role))
		return 0;
	for (; count < roles->map.count && count < 63; count++)
		words[count] = roles->map.entries[count].key;
	words[count] = NULL;
	return error_set_place(err, ERROR_USAGE, EINVAL, value_get(link, key)->place, "unknown role `%s`%s", role,
	                       suggest_text(role, words, hint, sizeof(hint)));
}

static int check_links(const struct value *links, const struct value *roles, struct error *err)
{
	for (unsigned i = 0; links && i < links->map.count; i++) {
		const struct value *link = links->map.entries[i].value;
		int r = check_link_role(roles, link, "client", err);
		if (r == 0)
			r = check_link_role(roles, link, "server", err);
		if (r < 0)
			return r;
		if (!strcmp(map_text(link, "driver"), "relay") && !value_get(link, "listen"))
			return error_set_place(err, ERROR_USAGE, EINVAL, link->place, "%s lacks `listen`: where the relay listens",
			                       links->map.entries[i].key);
	}
	return 0;
}

/* No two roles or links may claim one endpoint. */
static int check_endpoint(const struct value *seen, const struct value *map, const char *key, const char *protocol, struct value *into,
                          struct error *err)
{
	const struct value *value = value_get(map, key);
	char name[64];
	if (!value)
		return 0;
	snprintf(name, sizeof(name), "%s %s", protocol, value->text);
	if (value_get(seen, name))
		return error_set_place(err, ERROR_USAGE, EADDRINUSE, value->place, "%s endpoint %s is used twice", protocol, value->text);
	struct value *copy = value_copy(value);
	int r = copy ? map_put(into, name, copy) : -ENOMEM;
	return r < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

static int check_endpoints(const struct value *root, struct error *err)
{
	struct value *seen = map_new();
	const struct value *roles = value_get(root, "roles"), *links = value_get(root, "links"), *buses = value_get(root, "buses");
	int r = seen ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (unsigned i = 0; r == 0 && i < roles->map.count; i++) {
		const struct value *role = roles->map.entries[i].value;
		r = check_endpoint(seen, role, "udp", "UDP", seen, err);
		if (r == 0)
			r = check_endpoint(seen, role, "plain", "TCP", seen, err);
		if (r == 0)
			r = check_endpoint(seen, role, "tls", "TCP", seen, err);
	}
	for (unsigned i = 0; r == 0 && links && i < links->map.count; i++)
		r = check_endpoint(seen, links->map.entries[i].value, "listen", "TCP", seen, err);
	for (unsigned i = 0; r == 0 && buses && i < buses->map.count; i++)
		r = check_endpoint(seen, buses->map.entries[i].value, "cannelloni_tcp", "TCP", seen, err);
	value_free(seen);
	return r;
}

static int check_file(const struct value *root, struct error *err)
{
	const struct value *roles;
	int r = rig_keys_check(root, rig_keys(), "the rig file", err);
	if (r < 0)
		return r;
	roles = value_get(root, "roles");
	r = check_drivers(roles, err);
	if (r == 0)
		r = check_links(value_get(root, "links"), roles, err);
	if (r == 0)
		r = bus_check_all(value_get(root, "buses"), roles, err);
	if (r == 0)
		r = check_endpoints(root, err);
	if (r == 0)
		r = rig_unique_check(roles, err);
	return r;
}

int rig_file_load(const char *path, struct rig_file **ret, struct error *err)
{
	struct rig_file *file = calloc(1, sizeof(*file));
	const char *slash = strrchr(path, '/');
	if (!file || !(file->path = strdup(path)) || !(file->directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(""))) {
		rig_file_free(file);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	int r = value_parse_file(path, &file->root, err);
	if (r == 0)
		r = check_file(file->root, err);
	if (r < 0) {
		rig_file_free(file);
		return r;
	}
	*ret = file;
	return 0;
}

void rig_file_free(struct rig_file *file)
{
	if (!file)
		return;
	value_free(file->root);
	free(file->path);
	free(file->directory);
	free(file);
}

bool rig_file_has_role(const struct rig_file *file, const char *role)
{
	return value_get(value_get(file->root, "roles"), role) != NULL;
}

bool rig_file_has_link(const struct rig_file *file, const char *link)
{
	const struct value *links = value_get(file->root, "links");
	return links && value_get(links, link);
}

bool rig_file_has_identity(const struct rig_file *file, const char *identity)
{
	const struct value *identities = value_get(file->root, "identities");
	return identities && value_get(identities, identity);
}

bool rig_file_has_bus(const struct rig_file *file, const char *bus)
{
	const struct value *buses = value_get(file->root, "buses");
	return buses && value_get(buses, bus);
}

int rig_file_check_param(const struct rig_file *file, const char *role, const char *name, struct place name_place, const char *value,
                         struct place value_place, struct error *err)
{
	const struct value *map = value_get(value_get(file->root, "roles"), role);
	const struct board_driver *driver = map ? board_driver_find(map_text(map, "driver")) : NULL;
	return driver ? board_param_check(driver->params, name, name_place, value, value_place, err) : 0;
}

const struct value *rig_file_root(const struct rig_file *file)
{
	return file->root;
}

/* "can" and "can-fd" follow from the buses: no list has to repeat them. */
static bool buses_give(const struct value *buses, const char *capability)
{
	bool fd = !strcmp(capability, "can-fd");
	if (!fd && strcmp(capability, "can"))
		return false;
	for (unsigned i = 0; buses && i < buses->map.count; i++)
		if (!fd || bus_map_is_fd(buses->map.entries[i].value))
			return true;
	return false;
}

/* So does "flash" from the drivers of the boards. */
static bool boards_have_flash(const struct value *roles)
{
	for (unsigned i = 0; i < roles->map.count; i++) {
		const struct board_driver *driver = board_driver_find(map_text(roles->map.entries[i].value, "driver"));
		if (driver && driver->flash)
			return true;
	}
	return false;
}

/* And "probe" from the roles that have one. */
static bool boards_have_probe(const struct value *roles)
{
	for (unsigned i = 0; i < roles->map.count; i++)
		if (value_get(roles->map.entries[i].value, "probe"))
			return true;
	return false;
}

bool rig_file_has_capability(const struct rig_file *file, const char *capability)
{
	if (!strcmp(capability, "probe") && boards_have_probe(value_get(file->root, "roles")))
		return true;
	if (buses_give(value_get(file->root, "buses"), capability))
		return true;
	if (!strcmp(capability, "flash") && boards_have_flash(value_get(file->root, "roles")))
		return true;
	const struct value *list = value_get(file->root, "capabilities");
	for (unsigned i = 0; list && i < list->list.count; i++)
		if (!strcmp(list->list.items[i]->text, capability))
			return true;
	return false;
}

bool rig_file_is_virtual(const struct rig_file *file)
{
	const struct value *value = value_get(file->root, "virtual");
	return value && value->boolean;
}

const char *rig_file_name(const struct rig_file *file)
{
	return map_text(file->root, "name");
}

int rig_file_find(const struct rig_file *file, const struct value *name, char *ret, size_t size, struct error *err)
{
	char path[PATH_MAX];
	bool absolute = name->text[0] == '/';
	snprintf(path, sizeof(path), "%s%s", absolute ? "" : file->directory, name->text);
	if (access(path, R_OK) == 0 && strlen(path) < size) {
		memcpy(ret, path, strlen(path) + 1);
		return 0;
	}
	if (!absolute && fixture_find(name->text, ret, size, NULL) == 0)
		return 0;
	return error_set_place(err, ERROR_USAGE, ENOENT, name->place, "cannot read %s (looked beside the rig file and among the fixtures)",
	                       name->text);
}

static int check_program(const struct value_entry *role, const char *key, struct error *err)
{
	const struct value *name = value_get(role->value, key);
	char path[PATH_MAX];
	int r = name ? program_find(name->text, path, sizeof(path), err) : 0;
	if (r == 0)
		return 0;
	if (err) {
		err->domain = ERROR_USAGE;
		err->place = name->place;
		error_prefix(err, "%s of %s", key, role->key);
	}
	return r;
}

static int check_application(const struct rig_file *file, const struct value_entry *role, struct error *err)
{
	const struct value *name = value_get(role->value, "application"), *key = value_get(role->value, "signing_key");
	char path[PATH_MAX];
	size_t length = name ? strlen(name->text) : 0;
	if (length > 5 && !strcmp(name->text + length - 5, ".swpg"))
		return rig_file_find(file, name, path, sizeof(path), err);
	int r = key ? rig_file_find(file, key, path, sizeof(path), err) : 0;
	return r < 0 ? r : check_program(role, "application", err);
}

static int check_objects(const struct rig_file *file, const struct value *objects, struct error *err)
{
	char path[PATH_MAX];
	int r = 0;
	for (unsigned i = 0; objects && r == 0 && i < objects->map.count; i++)
		if (objects->map.entries[i].value->type == VALUE_TEXT)
			r = rig_file_find(file, objects->map.entries[i].value, path, sizeof(path), err);
	return r;
}

static int check_identity_files(const struct rig_file *file, const struct value *identity, struct error *err)
{
	static const char *const keys[] = {"ca", "certificate", "key"};
	char path[PATH_MAX];
	int r = 0;
	for (unsigned i = 0; r == 0 && i < 3; i++)
		if (value_get(identity, keys[i]))
			r = rig_file_find(file, value_get(identity, keys[i]), path, sizeof(path), err);
	return r;
}

int rig_file_check_files(const struct rig_file *file, struct error *err)
{
	const struct value *roles = value_get(file->root, "roles"), *identities = value_get(file->root, "identities");
	int r = 0;
	for (unsigned i = 0; r == 0 && i < roles->map.count; i++) {
		r = check_program(&roles->map.entries[i], "bootloader", err);
		if (r == 0)
			r = check_application(file, &roles->map.entries[i], err);
		if (r == 0)
			r = check_objects(file, value_get(roles->map.entries[i].value, "objects"), err);
		if (r == 0 && value_get(roles->map.entries[i].value, "probe"))
			r = probe_check_files(file, value_get(roles->map.entries[i].value, "probe"), err);
	}
	if (r == 0)
		r = rig_unique_check_devices(roles, err);
	for (unsigned i = 0; identities && r == 0 && i < identities->map.count; i++)
		r = check_identity_files(file, identities->map.entries[i].value, err);
	return r;
}

json_t *schema_rig(void)
{
	json_t *schema = rig_keys_schema(rig_keys());
	json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("hilbench rig file"));
	return schema;
}

struct value *map_new(void)
{
	struct value *map = calloc(1, sizeof(*map));
	if (map)
		map->type = VALUE_MAP;
	return map;
}

int map_put(struct value *map, const char *key, struct value *stolen)
{
	struct value_entry *entries = realloc(map->map.entries, (map->map.count + 1) * sizeof(*entries));
	char *name = strdup(key);
	if (entries)
		map->map.entries = entries;
	if (!entries || !name || !stolen) {
		free(name);
		value_free(stolen);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < map->map.count; i++)
		if (!strcmp(entries[i].key, key)) {
			free(name);
			value_free(entries[i].value);
			entries[i].value = stolen;
			return 0;
		}
	entries[map->map.count++] = (struct value_entry){name, stolen->place, stolen};
	return 0;
}

const char *rig_intern(const char *text)
{
	return place_intern(text);
}
