/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "../base/paths.h"
#include "../base/size.h"
#include "../base/suggest.h"
#include "../rig/rig.h"
#include "config_keys.h"
#include "config_listen.h"

#define RIG_NAME_MOST     64
#define VIRTUAL_RUN_BYTES (UINT64_C(40) << 20) /* memories of the boards of rigs/virtual.yaml, and what a short run records */

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- rigs ---- */

/* Names of rigs stand in paths of requests, in tables and in metrics. */
static bool rig_name_fits(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && length <= RIG_NAME_MOST &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == length && name[0] != '.' &&
	       name[0] != '-';
}

static int text_of(const struct value *map, const char *key, const char **ret, struct error *err)
{
	const struct value *value = value_get(map, key);
	if (!value)
		return 0;
	if (value->type != VALUE_TEXT || !*value->text)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%s must be text, not %s", key,
		                       value_type_name(value->type));
	*ret = value->text;
	return 0;
}

static int check_rig_keys(const struct value *map, struct error *err)
{
	static const char *const known[] = {"file", "pool", NULL};
	char similar[80];
	if (map->type != VALUE_MAP)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "a rig is a map with file and pool, not %s",
		                       value_type_name(map->type));
	for (unsigned i = 0; i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		if (strcmp(entry->key, "file") != 0 && strcmp(entry->key, "pool") != 0)
			return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place, "unknown key \"%s\"%s", entry->key,
			                       suggest_text(entry->key, known, similar, sizeof(similar)));
	}
	return 0;
}

/* Both places are told: the rig file's in the message, before it the line that names the file. */
static int rig_does_not_load(const char *name, const char *file, struct place place, struct error *err)
{
	char described[sizeof(err->message)];
	if (!err)
		return -EINVAL;
	const struct error cause = *err;
	(void)error_describe(&cause, described, sizeof(described));
	return error_set_place(err, cause.domain, cause.code, place, "rig \"%s\": %s%s%s", name, cause.place.file ? "" : file,
	                       cause.place.file ? "" : ": ", described);
}

/* Loads the file to see that it can be; its name is the pool unless the configuration gives one. */
static int fill_rig(struct lab_rig_config *rig, const char *name, const char *pool, char *stolen_file, struct place place,
                    struct error *err)
{
	struct rig_file *file;
	rig->file = stolen_file;
	if (!stolen_file)
		return out_of_memory(err);
	int r = rig_file_load(stolen_file, &file, err);
	if (r < 0)
		return rig_does_not_load(name, stolen_file, place, err);
	rig->name = strdup(name);
	rig->pool = strdup(pool ? pool : rig_file_name(file));
	rig->is_virtual = rig_file_is_virtual(file);
	rig_file_free(file);
	return rig->name && rig->pool ? 0 : out_of_memory(err);
}

static int read_rig(const struct value_entry *entry, const char *directory, struct lab_rig_config *rig, struct error *err)
{
	const char *file = NULL, *pool = NULL;
	if (!rig_name_fits(entry->key))
		return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place,
		                       "\"%s\" is no name for a rig: letters, digits, - _ . (at most %d)", entry->key, RIG_NAME_MOST);
	int r = check_rig_keys(entry->value, err);
	if (r == 0)
		r = text_of(entry->value, "file", &file, err);
	if (r == 0)
		r = text_of(entry->value, "pool", &pool, err);
	if (r == 0 && !file)
		r = error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place, "rig \"%s\" has no file", entry->key);
	if (r == 0)
		r = fill_rig(rig, entry->key, pool, config_path(directory, file), value_get(entry->value, "file")->place, err);
	return r;
}

static int read_rigs(const struct value *root, const char *directory, struct daemon_config *config, struct error *err)
{
	const struct value *rigs = value_get(root, "rigs");
	if (!rigs || rigs->type != VALUE_MAP || rigs->map.count == 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, rigs ? rigs->place : root->place, "rigs: at least one rig is needed");
	config->lab.rigs = calloc(rigs->map.count, sizeof(*config->lab.rigs));
	if (!config->lab.rigs)
		return out_of_memory(err);
	config->lab.rig_count = rigs->map.count;
	for (unsigned i = 0; i < rigs->map.count; i++) {
		int r = read_rig(&rigs->map.entries[i], directory, &config->lab.rigs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the whole ---- */

static int find_programs(struct daemon_config *config, struct error *err)
{
	char path[PATH_MAX];
	int r = program_find("hilbench", path, sizeof(path), err);
	if (r < 0)
		return r;
	config->lab.bench_program = strdup(path);
	/* The running file, wherever it was started from: keepers are the same program. */
	config->lab.daemon_program = realpath("/proc/self/exe", NULL);
	return config->lab.bench_program && config->lab.daemon_program ? 0 : out_of_memory(err);
}

static int complete(struct daemon_config *config, const struct value *root, struct error *err)
{
	if (!config->state)
		return error_set_place(err, ERROR_USAGE, EINVAL, root->place, "state: the directory for what is kept is needed");
	if (!config->socket && !(config->socket = config_path(config->state, "hilbenchd.sock")))
		return out_of_memory(err);
	if (!config->names && !(config->names = calloc(1, sizeof(*config->names))))
		return out_of_memory(err);
	int r = config_listen_check(config, root, err);
	return r < 0 ? r : find_programs(config, err);
}

/* What is right, but will not work well. */
static void advise(const struct lab_config *lab)
{
	char given[SIZE_TEXT_MAX], needed[SIZE_TEXT_MAX];
	unsigned count = 0;
	for (size_t i = 0; i < lab->rig_count; i++)
		count += lab->rigs[i].is_virtual;
	if (lab->free_bytes < count * VIRTUAL_RUN_BYTES)
		log_warning(
		        "jobs.free_space: %s is less than %s, which runs on %u virtual rig%s take: on a disk that is nearly full they may "
		        "begin and not be able to go on",
		        size_text(lab->free_bytes, given, sizeof(given)), size_text(count * VIRTUAL_RUN_BYTES, needed, sizeof(needed)),
		        count, count == 1 ? "" : "s");
}

static char *folder_of(const char *path)
{
	char *whole = realpath(path, NULL);
	char *folder = whole ? strdup(dirname(whole)) : NULL;
	free(whole);
	return folder;
}

int daemon_config_load(const char *path, struct daemon_config **ret, struct error *err)
{
	struct value *root;
	int r = value_parse_file(path, &root, err);
	if (r < 0)
		return r;
	struct daemon_config *config = calloc(1, sizeof(*config));
	char *directory = folder_of(path);
	r = config && directory ? 0 : out_of_memory(err);
	if (r == 0) {
		config_keys_set_standard(config_keys, config);
		r = config_keys_read(config_keys, root, directory, config, err);
	}
	if (r == 0)
		r = read_rigs(root, directory, config, err);
	if (r == 0)
		r = complete(config, root, err);
	free(directory);
	value_free(root);
	if (r == 0)
		advise(&config->lab);
	if (r == 0)
		*ret = config;
	else
		daemon_config_free(config);
	return r;
}

void daemon_config_free(struct daemon_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->lab.rig_count; i++) {
		free(config->lab.rigs[i].name);
		free(config->lab.rigs[i].pool);
		free(config->lab.rigs[i].file);
	}
	for (char **name = config->names; name && *name; name++)
		free(*name);
	free(config->lab.rigs);
	free(config->lab.daemon_program);
	free(config->lab.bench_program);
	free(config->names);
	free(config->state);
	free(config->socket);
	free(config->address);
	free(config->certificate);
	free(config->key);
	free(config);
}

/* ---- JSON Schema ---- */

static json_t *schema_of_keys(const struct config_key *);

static json_t *schema_of_key(const struct config_key *key)
{
	switch (key->kind) {
	case CONFIG_MAP:
		return schema_of_keys(key->keys);
	case CONFIG_COUNT:
		return json_pack("{s:s, s:I, s:I, s:I}", "type", "integer", "minimum", (json_int_t)key->minimum, "maximum",
		                 (json_int_t)key->maximum, "default", (json_int_t)key->standard);
	case CONFIG_ROLE:
		return json_pack("{s:[s,s,s,s]}", "enum", "nobody", "viewer", "operator", "admin");
	case CONFIG_TEXTS:
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
	default:
		return json_pack("{s:s}", "type", "string");
	}
}

static json_t *schema_of_keys(const struct config_key *keys)
{
	json_t *properties = json_object();
	for (; keys->name; keys++) {
		json_t *schema = schema_of_key(keys);
		json_object_set_new(schema, "description", json_string(keys->doc));
		json_object_set_new(properties, keys->name, schema);
	}
	return json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0, "properties", properties);
}

json_t *schema_daemon_config(void)
{
	json_t *schema = schema_of_keys(config_keys);
	json_t *rig = json_pack("{s:s, s:b, s:[s], s:{s:{s:s}, s:{s:s}}}", "type", "object", "additionalProperties", 0, "required", "file",
	                        "properties", "file", "type", "string", "pool", "type", "string");
	json_t *rigs = json_pack("{s:s, s:s, s:i, s:o}", "type", "object", "description", "Rigs of this host by their names.",
	                         "minProperties", 1, "additionalProperties", rig);
	json_object_set_new(json_object_get(schema, "properties"), "rigs", rigs);
	json_object_set_new(schema, "required", json_pack("[s,s]", "state", "rigs"));
	json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("hilbenchd configuration"));
	return schema;
}
