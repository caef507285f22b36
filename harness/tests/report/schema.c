/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool type_fits(const char *type, const json_t *value)
{
	static const char *const names[] = {
	        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
	        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null"};
	return strcmp(names[json_typeof(value)], type) == 0;
}

static void scalar_assert(const json_t *schema, const json_t *value, const char *path)
{
	const char *type = json_string_value(json_object_get(schema, "type"));
	const json_t *constant = json_object_get(schema, "const"), *choices = json_object_get(schema, "enum");
	ck_assert_msg(!type || type_fits(type, value), "%s: not of type %s", path, type);
	ck_assert_msg(!constant || json_equal(constant, value), "%s: not the constant", path);
	bool found = !choices;
	size_t i;
	json_t *choice;
	json_array_foreach ((json_t *)choices, i, choice) {
		found = found || json_equal(choice, value);
	}
	ck_assert_msg(found, "%s: not one of the choices", path);
}

static void object_assert(const json_t *root, const json_t *schema, json_t *value, const char *path)
{
	json_t *properties = json_object_get(schema, "properties"), *item;
	size_t i;
	json_array_foreach (json_object_get(schema, "required"), i, item) {
		ck_assert_msg(json_object_get(value, json_string_value(item)) != NULL, "%s: no %s", path, json_string_value(item));
	}
	const char *key;
	json_object_foreach (value, key, item) {
		char below[256];
		snprintf(below, sizeof(below), "%.180s/%.60s", path, key);
		const json_t *inner = json_object_get(properties, key);
		ck_assert_msg(inner || !json_is_false(json_object_get(schema, "additionalProperties")), "%s: not in the schema", below);
		if (inner)
			schema_assert(root, inner, item, below);
	}
}

void schema_assert(const json_t *root, const json_t *schema, const json_t *value, const char *path)
{
	const char *reference = json_string_value(json_object_get(schema, "$ref"));
	if (reference) {
		ck_assert_int_eq(strncmp(reference, "#/$defs/", 8), 0);
		schema = json_object_get(json_object_get(root, "$defs"), reference + 8);
		ck_assert_msg(schema != NULL, "%s: no such definition", reference);
	}
	scalar_assert(schema, value, path);
	if (json_is_object(value))
		object_assert(root, schema, (json_t *)value, path);
	const json_t *items = json_object_get(schema, "items");
	size_t i;
	json_t *item;
	json_array_foreach ((json_t *)value, i, item) {
		if (items)
			schema_assert(root, items, item, path);
	}
}
