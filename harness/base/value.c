/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void value_free(struct value *value)
{
	if (!value)
		return;
	switch (value->type) {
	case VALUE_TEXT:
		free(value->text);
		break;
	case VALUE_BYTES:
		bytes_free(&value->bytes);
		break;
	case VALUE_LIST:
		for (unsigned i = 0; i < value->list.count; i++)
			value_free(value->list.items[i]);
		free(value->list.items);
		break;
	case VALUE_MAP:
		for (unsigned i = 0; i < value->map.count; i++) {
			free(value->map.entries[i].key);
			value_free(value->map.entries[i].value);
		}
		free(value->map.entries);
		break;
	default:
		break;
	}
	free(value);
}

static struct value *value_new(enum value_type type)
{
	struct value *value = calloc(1, sizeof(*value));

	if (value)
		value->type = type;
	return value;
}

/* Room for one more at powers of two. */
static void *grown_array(void *items, unsigned count, size_t size)
{
	if (count > 0 && (count & (count - 1)) != 0)
		return items;
	return realloc(items, (count > 0 ? (size_t)count * 2 : 1) * size);
}

int value_list_add(struct value *list, struct value *stolen)
{
	struct value **grown = stolen ? grown_array(list->list.items, list->list.count, sizeof(*grown)) : NULL;

	if (!grown) {
		value_free(stolen);
		return -ENOMEM;
	}
	list->list.items = grown;
	grown[list->list.count++] = stolen;
	return 0;
}

static int entry_add(struct value *map, const char *key, struct place key_place, struct value *stolen)
{
	struct value_entry *grown = stolen ? grown_array(map->map.entries, map->map.count, sizeof(*grown)) : NULL;
	char *copy = grown ? strdup(key) : NULL;

	if (grown)
		map->map.entries = grown;
	if (!copy) {
		value_free(stolen);
		return -ENOMEM;
	}
	grown[map->map.count++] = (struct value_entry){.key = copy, .key_place = key_place, .value = stolen};
	return 0;
}

int value_map_set(struct value *map, const char *key, struct value *stolen)
{
	for (unsigned i = 0; stolen && i < map->map.count; i++)
		if (strcmp(map->map.entries[i].key, key) == 0) {
			value_free(map->map.entries[i].value);
			map->map.entries[i].value = stolen;
			return 0;
		}
	return entry_add(map, key, (struct place){0}, stolen);
}

static int copy_children(struct value *copy, const struct value *value)
{
	int r = 0;

	if (value->type == VALUE_LIST)
		for (unsigned i = 0; r == 0 && i < value->list.count; i++)
			r = value_list_add(copy, value_copy(value->list.items[i]));
	else
		for (unsigned i = 0; r == 0 && i < value->map.count; i++)
			r = entry_add(copy, value->map.entries[i].key, value->map.entries[i].key_place,
			              value_copy(value->map.entries[i].value));
	return r;
}

struct value *value_copy(const struct value *value)
{
	struct value *copy = value_new(value->type);
	int r = 0;

	if (!copy)
		return NULL;
	if (value->type == VALUE_TEXT) {
		copy->text = strdup(value->text);
		r = copy->text ? 0 : -ENOMEM;
	} else if (value->type == VALUE_BYTES) {
		r = bytes_append(&copy->bytes, value->bytes.data, value->bytes.length);
	} else if (value->type == VALUE_LIST || value->type == VALUE_MAP) {
		r = copy_children(copy, value);
	} else {
		*copy = *value;
	}
	if (r < 0) {
		value_free(copy);
		return NULL;
	}
	copy->place = value->place;
	copy->quoted = value->quoted;
	return copy;
}

struct value *value_new_integer(int64_t integer)
{
	struct value *value = value_new(VALUE_INTEGER);

	if (value)
		value->integer = integer;
	return value;
}

struct value *value_new_text(const char *text)
{
	struct value *value = value_new(VALUE_TEXT);

	if (!value)
		return NULL;
	value->text = strdup(text);
	if (!value->text) {
		value_free(value);
		return NULL;
	}
	return value;
}

struct value *value_new_bytes(const void *data, size_t length)
{
	struct value *value = value_new(VALUE_BYTES);

	if (value && bytes_append(&value->bytes, data, length) < 0) {
		value_free(value);
		return NULL;
	}
	return value;
}

struct value *value_new_bool(bool boolean)
{
	struct value *value = value_new(VALUE_BOOL);

	if (value)
		value->boolean = boolean;
	return value;
}

struct value *value_new_duration(int64_t ns)
{
	struct value *value = value_new(VALUE_DURATION);

	if (value)
		value->integer = ns;
	return value;
}

struct value *value_new_list(void)
{
	return value_new(VALUE_LIST);
}

struct value *value_new_map(void)
{
	return value_new(VALUE_MAP);
}

const struct value *value_get(const struct value *map, const char *key)
{
	if (!map || map->type != VALUE_MAP)
		return NULL;
	for (unsigned i = 0; i < map->map.count; i++)
		if (strcmp(map->map.entries[i].key, key) == 0)
			return map->map.entries[i].value;
	return NULL;
}

const char *value_type_name(enum value_type type)
{
	static const char *const names[] = {
	        [VALUE_NULL] = "nothing", [VALUE_BOOL] = "true or false",  [VALUE_INTEGER] = "an integer", [VALUE_TEXT] = "a text",
	        [VALUE_BYTES] = "bytes",  [VALUE_DURATION] = "a duration", [VALUE_SIZE] = "a size",        [VALUE_NUMBER] = "a number",
	        [VALUE_LIST] = "a list",  [VALUE_MAP] = "a map",
	};

	return names[type];
}
