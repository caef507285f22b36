/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema (draft 2020-12) of test case files, for editors: completion and first checks while typing. */
#include <string.h>

#include "lang_private.h"
#include "matcher.h"

/* Bytes with "??" for any one and ".." at the end for any rest; or a variable. */
#define BYTES_PATTERN "^( *([0-9A-Fa-f]{2}|\\?\\?))* *(\\.\\.)? *$|\\$\\{"

/* A scalar may always be a variable instead. */
static json_t *or_variable(json_t *schema)
{
	return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "$ref", "#/$defs/variable");
}

static json_t *reference(const char *name)
{
	char path[64] = "#/$defs/";

	strncat(path, name, sizeof(path) - strlen(path) - 1);
	return json_pack("{s:s}", "$ref", path);
}

static json_t *words(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		(void)json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *integer_schema(const struct arg_def *arg)
{
	json_t *schema = json_pack("{s:s}", "type", "integer");

	if (arg->minimum != 0 || arg->maximum != 0) {
		(void)json_object_set_new(schema, "minimum", json_integer(arg->minimum));
		(void)json_object_set_new(schema, "maximum", json_integer(arg->maximum));
	} else if (arg->flags & ARG_POSITIVE) {
		(void)json_object_set_new(schema, "minimum", json_integer(1));
	}
	return or_variable(schema);
}

static json_t *text_schema(const struct arg_def *arg)
{
	const char *const *list = arg->choices;

	if (arg->flags & ARG_EVENT)
		list = event_kinds;
	if (arg->flags & ARG_STAGE)
		list = boot_stages;
	if (list)
		return or_variable(json_pack("{s:o}", "enum", words(list)));
	if (arg->flags & (ARG_ROLE | ARG_LINK | ARG_NAME))
		return or_variable(json_pack("{s:[s, s, s], s:s}", "type", "string", "number", "boolean", "pattern", "^[^ \\t\\n/]+$"));
	return reference("text");
}

static json_t *value_schema(const struct arg_def *arg)
{
	switch (arg->type) {
	case VALUE_BOOL:
		return or_variable(json_pack("{s:s}", "type", "boolean"));
	case VALUE_INTEGER:
		return integer_schema(arg);
	case VALUE_NUMBER:
		return or_variable(json_pack("{s:s}", "type", "number"));
	case VALUE_TEXT:
		return text_schema(arg);
	case VALUE_BYTES:
		return reference("bytes");
	case VALUE_DURATION:
		return reference(arg->flags & ARG_POSITIVE ? "duration_above_zero" : "duration");
	case VALUE_SIZE:
		return reference("size");
	case VALUE_LIST:
		return or_variable(json_pack("{s:s}", "type", "array"));
	case VALUE_MAP:
		return or_variable(json_pack("{s:s}", "type", "object"));
	case VALUE_NULL:
		break;
	}
	return json_object();
}

static json_t *save_schema(const struct step_def *def)
{
	json_t *names = json_array();

	for (const struct result_def *result = def->results; result && result->name; result++)
		(void)json_array_append_new(names, json_string(result->name));
	return json_pack("{s:s, s:i, s:{s:o}}", "type", "object", "minProperties", 1, "additionalProperties", "enum", names);
}

static json_t *expect_schema(const struct step_def *def)
{
	json_t *properties = json_object();

	for (const struct result_def *result = def->results; result && result->name; result++)
		(void)json_object_set_new(
		        properties, result->name,
		        json_pack("{s:s, s:s}", "$ref", "#/$defs/matcher", "description", result->doc ? result->doc : ""));
	return json_pack("{s:s, s:i, s:o, s:b}", "type", "object", "minProperties", 1, "properties", properties, "additionalProperties", 0);
}

/* A list that is not empty. */
static json_t *some_steps(void)
{
	return json_pack("{s:s, s:i}", "$ref", "#/$defs/steps", "minItems", 1);
}

static json_t *arg_schema(const struct step_def *def, const struct arg_def *arg)
{
	json_t *schema;

	if (arg->flags & ARG_STEPS)
		schema = some_steps();
	else if ((arg->flags & ARG_EXPECT) && strcmp(arg->name, "expect") == 0 && def->results)
		schema = expect_schema(def);
	else if (arg->flags & ARG_EXPECT)
		schema = json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "$ref", "#/$defs/matcher");
	else if (arg->flags & ARG_SAVE)
		schema = save_schema(def);
	else if (arg->flags & ARG_ANY)
		schema = json_object();
	else if (arg->flags & ARG_LIST)
		schema = json_pack("{s:[o, {s:s, s:o}]}", "anyOf", value_schema(arg), "type", "array", "items", value_schema(arg));
	else
		schema = value_schema(arg);
	if (arg->doc)
		(void)json_object_set_new(schema, "description", json_string(arg->doc));
	if (arg->default_text)
		(void)json_object_set_new(schema, "default", json_string(arg->default_text));
	return schema;
}

/* Sets *ret_scalar to the schema of the short form's argument, or NULL; *ret_needed to whether some argument is required. */
static json_t *args_schema(const struct step_def *def, json_t **ret_scalar, bool *ret_needed)
{
	json_t *properties = json_object(), *required = json_array();

	*ret_scalar = NULL;
	for (const struct arg_def *arg = def->args; arg && arg->name; arg++) {
		(void)json_object_set_new(properties, arg->name, arg_schema(def, arg));
		if (arg->flags & ARG_REQUIRED)
			(void)json_array_append_new(required, json_string(arg->name));
		if (arg->flags & ARG_SCALAR)
			*ret_scalar = arg_schema(def, arg);
	}
	if (def->results) {
		if (!json_object_get(properties, "expect"))
			(void)json_object_set_new(properties, "expect", expect_schema(def));
		if (!json_object_get(properties, "save"))
			(void)json_object_set_new(properties, "save", save_schema(def));
	}
	*ret_needed = json_array_size(required) > 0;
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required, "additionalProperties",
	                 0);
}

static json_t *step_schema(const struct step_def *def, bool *ret_needed)
{
	json_t *scalar, *forms = json_array(), *map = args_schema(def, &scalar, ret_needed);

	(void)json_array_append_new(forms, map);
	if (scalar)
		(void)json_array_append_new(forms, scalar);
	if (!*ret_needed)
		(void)json_array_append_new(forms, json_pack("{s:s}", "type", "null"));
	return json_pack("{s:s, s:o}", "description", def->doc ? def->doc : "", "anyOf", forms);
}

static json_t *steps_schema(const struct step_registry *registry)
{
	json_t *properties = json_object(), *names = json_array();
	bool needed;

	for (unsigned i = 0; i < registry->count; i++) {
		(void)json_object_set_new(properties, registry->steps[i]->name, step_schema(registry->steps[i], &needed));
		if (!needed)
			(void)json_array_append_new(names, json_string(registry->steps[i]->name));
	}
	return json_pack("{s:s, s:{s:[{s:s, s:i, s:i, s:o, s:b}, {s:o}]}}", "type", "array", "items", "anyOf", "type", "object",
	                 "minProperties", 1, "maxProperties", 1, "properties", properties, "additionalProperties", 0, "enum", names);
}

static json_t *matcher_schema(void)
{
	json_t *properties = json_object();

	for (const char *const *name = matcher_names; *name; name++)
		(void)json_object_set_new(properties, *name, json_object());
	(void)json_object_set_new(properties, "in_range", json_pack("{s:s, s:i, s:i}", "type", "array", "minItems", 2, "maxItems", 2));
	(void)json_object_set_new(properties, "one_of", json_pack("{s:s, s:i}", "type", "array", "minItems", 1));
	(void)json_object_set_new(properties, "bytes", json_pack("{s:s, s:s}", "type", "string", "pattern", BYTES_PATTERN));
	(void)json_object_set_new(properties, "matches", json_pack("{s:s, s:s}", "type", "string", "format", "regex"));
	(void)json_object_set_new(properties, "absent", json_pack("{s:b}", "const", 1));
	(void)json_object_set_new(properties, "present", json_pack("{s:b}", "const", 1));
	return json_pack("{s:[{s:[s, s, s]}, {s:s}, {s:s, s:i, s:o, s:b}]}", "anyOf", "type", "string", "number", "boolean", "type",
	                 "array", "type", "object", "minProperties", 1, "properties", properties, "additionalProperties", 0);
}

static json_t *measure_schema(void)
{
	json_t *limits = json_object();

	for (const char *const *name = statistic_names; *name; name++)
		(void)json_object_set_new(limits, *name,
		                          json_pack("{s:s, s:i, s:{s:o, s:o}, s:b}", "type", "object", "minProperties", 1, "properties",
		                                    "at_most", reference("time"), "at_least", reference("time"), "additionalProperties",
		                                    0));
	return json_pack(
	        "{s:s, s:[s, s, s], s:b, s:{s:{s:s}, s:{s:s}, s:{s:s, s:i, s:i}, s:o, s:o, s:{s:s, s:{s:s, s:[s, s], s:b, s:{s:{s:s}, "
	        "s:o}}}, s:{s:s, s:b, s:o}}}",
	        "type", "object", "required", "id", "from", "to", "additionalProperties", 0, "properties", "id", "type", "string", "title",
	        "type", "string", "samples", "type", "integer", "minimum", 1, "maximum", SAMPLES_MAX, "from", reference("event"), "to",
	        reference("event"), "stages", "type", "array", "items", "type", "object", "required", "name", "to", "additionalProperties",
	        0, "properties", "name", "type", "string", "to", reference("event"), "limits", "type", "object", "additionalProperties", 0,
	        "properties", limits);
}

static json_t *event_schema(void)
{
	return json_pack("{s:s, s:[s], s:b, s:{s:o, s:{s:s}, s:{s:s}, s:{s:s}}}", "type", "object", "required", "event",
	                 "additionalProperties", 0, "properties", "event", or_variable(json_pack("{s:o}", "enum", words(event_kinds))),
	                 "role", "type", "string", "link", "type", "string", "where", "type", "object");
}

#define QUANTITY   "[0-9]+(\\.[0-9]+)?"
#define DURATION   QUANTITY "(ns|us|ms|s|min|h)$"
#define ABOVE_ZERO "(?!0+(\\.0+)?[a-z])"

static json_t *pattern(const char *form, const char *doc)
{
	return or_variable(json_pack("{s:s, s:s, s:s}", "type", "string", "pattern", form, "description", doc));
}

static json_t *definitions(const struct step_registry *registry)
{
	return json_pack("{s:{s:s, s:s}, s:{s:[s, s, s]}, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:[{s:s}, {s:s, s:{s:s}}]}}", "variable",
	                 "type", "string", "pattern", "\\$\\{[A-Za-z_][A-Za-z0-9_.-]*\\}", "text", "type", "string", "number", "boolean",
	                 "bytes", pattern("^( *[0-9A-Fa-f]{2})* *$", "Bytes as hex: \"02 10 03\"."), "duration",
	                 pattern("^" DURATION, "A duration with its unit: 250ms."), "size",
	                 pattern("^" QUANTITY "(B|KiB|MiB|GiB|kB|MB|GB)$", "A size with its unit: 2KiB."), "matcher", matcher_schema(),
	                 "event", event_schema(), "measure", measure_schema(), "steps", steps_schema(registry), "texts", "anyOf", "type",
	                 "string", "type", "array", "items", "type", "string");
}

static void set_described(json_t *properties, const char *name, json_t *schema, const char *doc)
{
	(void)json_object_set_new(schema, "description", json_string(doc));
	(void)json_object_set_new(properties, name, schema);
}

/* What cases and a file's defaults have in common. */
static json_t *common_properties(void)
{
	json_t *properties = json_object();

	set_described(properties, "verifies", reference("texts"), "Ids of the requirements that the case verifies.");
	set_described(properties, "tags", reference("texts"), "Words to select cases by.");
	set_described(properties, "requires", reference("texts"), "Roles and capabilities of the rig; without them the case is skipped.");
	set_described(properties, "timeout", reference("time"), "For setup and steps together; 60s if absent.");
	set_described(properties, "always_timeout", reference("time"), "For the always steps; 15s if absent.");
	set_described(properties, "setup", reference("steps"), "Steps that make the start state; a failure here is still the case's.");
	set_described(properties, "always", reference("steps"), "Steps that run whatever happened: after a failure, a timeout, a cancel.");
	return properties;
}

static json_t *case_schema(void)
{
	json_t *properties = common_properties();

	set_described(properties, "id", json_pack("{s:s, s:s}", "type", "string", "pattern", "^[A-Za-z0-9][A-Za-z0-9._-]*$"),
	              "Stable name, unique over all files.");
	set_described(properties, "title", json_pack("{s:s, s:i}", "type", "string", "minLength", 1), "One line for reports.");
	set_described(properties, "params",
	              json_pack("{s:s, s:i, s:{s:s, s:i, s:b, s:{s:[s, s, s]}}}", "type", "object", "minProperties", 1,
	                        "additionalProperties", "type", "array", "minItems", 1, "uniqueItems", 1, "items", "type", "string",
	                        "number", "boolean"),
	              "name: [values]; the case runs once for every combination.");
	set_described(properties, "steps", some_steps(), "What the case does and expects.");
	set_described(properties, "measure", json_pack("{s:s, s:{s:s}}", "type", "array", "items", "$ref", "#/$defs/measure"),
	              "Distances between events, with limits.");
	return json_pack("{s:s, s:[s, s], s:o, s:b}", "type", "object", "required", "id", "steps", "properties", properties,
	                 "additionalProperties", 0);
}

json_t *schema_testcase(const struct step_registry *registry)
{
	json_t *defs = definitions(registry), *list;

	if (!defs)
		return NULL;
	(void)json_object_set_new(defs, "case", case_schema());
	(void)json_object_set_new(defs, "duration_above_zero", pattern("^" ABOVE_ZERO DURATION, "A duration with its unit: 250ms."));
	(void)json_object_set_new(defs, "time",
	                          json_pack("{s:s, s:s, s:s}", "type", "string", "pattern", "^" ABOVE_ZERO DURATION, "description",
	                                    "A duration with its unit, not a variable: 250ms."));
	list = json_pack("{s:s, s:i, s:{s:s}}", "type", "array", "minItems", 1, "items", "$ref", "#/$defs/case");
	return json_pack("{s:s, s:s, s:[O, {s:s, s:[s], s:b, s:{s:o, s:{s:s, s:o, s:b}}}], s:o}", "$schema",
	                 "https://json-schema.org/draft/2020-12/schema", "title", "hilbench test cases", "anyOf", list, "type", "object",
	                 "required", "cases", "additionalProperties", 0, "properties", "cases", list, "defaults", "type", "object",
	                 "properties", common_properties(), "additionalProperties", 0, "$defs", defs);
}
