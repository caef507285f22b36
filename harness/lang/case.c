/* SPDX-License-Identifier: Apache-2.0 */
/* One case of a file -> its case_def, or one for every combination of its parameters. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang_private.h"

#define COMBINATIONS_MAX          1000
#define TIMEOUT_DEFAULT_NS        60000000000
#define ALWAYS_TIMEOUT_DEFAULT_NS 15000000000

static const char *const keys_of_case[] = {"id",    "title", "verifies", "tags",    "requires", "params", "timeout", "always_timeout",
                                           "setup", "steps", "always",   "measure", NULL};
const char *const *const case_keys = keys_of_case;
static const char *const keys_of_defaults[] = {"verifies", "tags", "requires", "timeout", "always_timeout", "setup", "always", NULL};
const char *const *const defaults_keys = keys_of_defaults;
static const char *const file_keys[] = {"defaults", "cases", NULL};

void case_free(struct case_def *definition)
{
	if (!definition)
		return;
	free(definition->id);
	free(definition->title);
	texts_free(definition->verifies);
	texts_free(definition->tags);
	texts_free(definition->requires);
	step_block_clear(&definition->setup);
	step_block_clear(&definition->steps);
	step_block_clear(&definition->always);
	measures_free(definition->measures, definition->measure_count);
	value_free(definition->params);
	value_free(definition->retry);
	free(definition);
}

static bool id_ok(const char *id)
{
	if (!isalnum((unsigned char)id[0]))
		return false;
	for (; *id; id++)
		if (!isalnum((unsigned char)*id) && !strchr("._-", *id))
			return false;
	return true;
}

static void check_param_values(struct checker *checker, const char *name, const struct value *list)
{
	char *text, *other;

	for (unsigned i = 0; i < list->list.count; i++) {
		const struct value *value = list->list.items[i];

		if (value->type == VALUE_MAP || value->type == VALUE_LIST || value->type == VALUE_NULL) {
			checker_error(checker, value->place, "a value of the parameter \"%s\" must be a single value, not %s", name,
			              value_type_name(value->type));
			continue;
		}
		if (value->type == VALUE_TEXT && strstr(value->text, "${"))
			checker_error(checker, value->place, "a value of a parameter cannot contain a variable");
		text = value_describe(value);
		for (unsigned j = 0; text && j < i; j++) {
			other = value_describe(list->list.items[j]);
			if (other && strcmp(text, other) == 0)
				checker_error(checker, value->place, "the parameter \"%s\" has the value %s twice", name, text);
			free(other);
		}
		free(text);
	}
}

/* Number of combinations, 0 when the map cannot be used (errors added). */
static unsigned check_params(struct checker *checker, const struct value *map)
{
	unsigned found = checker->found;
	unsigned long combinations = 1;

	if (map->type != VALUE_MAP || map->map.count == 0) {
		checker_error(checker, map->place, "\"params\" is a map: {name: [value, value]}");
		return 0;
	}
	for (unsigned i = 0; i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];

		if (!variable_name_ok(entry->key) || strchr(entry->key, '.') || strcmp(entry->key, "rig") == 0)
			checker_error(checker, entry->key_place, "\"%s\" cannot name a parameter: use letters, digits, _ and -",
			              entry->key);
		if (entry->value->type != VALUE_LIST || entry->value->list.count == 0) {
			checker_error(checker, entry->value->place, "the parameter \"%s\" needs a list of values", entry->key);
			continue;
		}
		check_param_values(checker, entry->key, entry->value);
		if (combinations <= COMBINATIONS_MAX)
			combinations *= entry->value->list.count;
	}
	if (combinations > COMBINATIONS_MAX)
		checker_error(checker, map->place, "the parameters have more than %d combinations", COMBINATIONS_MAX);
	return checker->found == found ? (unsigned)combinations : 0;
}

/* The n-th combination; the last parameter changes fastest. */
static struct value *combination(const struct value *params, unsigned n)
{
	struct value *map = value_new_map();
	unsigned divisor = 1;
	int r = map ? 0 : -ENOMEM;

	for (unsigned i = 0; i < params->map.count; i++)
		divisor *= params->map.entries[i].value->list.count;
	for (unsigned i = 0; r == 0 && i < params->map.count; i++) {
		const struct value *list = params->map.entries[i].value;

		divisor /= list->list.count;
		r = value_map_set(map, params->map.entries[i].key, value_copy(list->list.items[n / divisor % list->list.count]));
	}
	if (r == 0)
		return map;
	value_free(map);
	return NULL;
}

/* "id[version=2,reset=hard]" */
static char *combined_id(const char *id, const struct value *params)
{
	char *text = NULL, *value;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	(void)fputs(id, out);
	for (unsigned i = 0; params && i < params->map.count; i++) {
		value = value_describe(params->map.entries[i].value);
		(void)fprintf(out, "%c%s=%s", i == 0 ? '[' : ',', params->map.entries[i].key, value ? value : "?");
		free(value);
	}
	if (params)
		(void)fputc(']', out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void read_lists(struct checker *checker, const struct value *map, struct case_def *definition)
{
	const struct value *list;

	if ((list = value_get(map, "verifies")))
		checker_texts(checker, list, "verifies", &definition->verifies);
	if ((list = value_get(map, "tags")))
		checker_texts(checker, list, "tags", &definition->tags);
	if ((list = value_get(map, "requires")))
		checker_texts(checker, list, "requires", &definition->requires);
	if ((list = value_get(map, "timeout")))
		checker_duration(checker, list, "timeout", &definition->timeout_ns);
	if ((list = value_get(map, "always_timeout")))
		checker_duration(checker, list, "always_timeout", &definition->always_timeout_ns);
}

static void read_phase(struct checker *checker, const struct value *map, const char *phase, const char *id, struct step_block *block)
{
	const struct value *list = value_get(map, phase);
	char *prefix;

	if (!list)
		return;
	if (asprintf(&prefix, "%s/%s", id, phase) < 0) {
		checker_no_memory(checker);
		return;
	}
	read_block(checker, list, prefix, block);
	free(prefix);
}

static char **empty_texts(struct checker *checker, char **texts)
{
	if (!texts)
		texts = calloc(1, sizeof(*texts));
	if (!texts)
		checker_no_memory(checker);
	return texts;
}

static void read_content(struct checker *checker, const struct value *map, const struct value *defaults, struct case_def *definition)
{
	const struct value *title = value_get(map, "title"), *steps = value_get(map, "steps");
	const char *id = definition->id;

	if (title)
		definition->title = checker_text(checker, title, "title");
	else
		definition->title = strdup(id);
	read_lists(checker, defaults, definition);
	read_lists(checker, map, definition);
	definition->verifies = empty_texts(checker, definition->verifies);
	definition->tags = empty_texts(checker, definition->tags);
	definition->
	        requires
	= empty_texts(checker, definition->requires);
	/* The file's set-up is outside the case's own: first in, last out. */
	read_phase(checker, defaults, "setup", id, &definition->setup);
	read_phase(checker, map, "setup", id, &definition->setup);
	read_phase(checker, map, "steps", id, &definition->steps);
	if (steps && steps->type == VALUE_LIST && steps->list.count == 0)
		checker_error(checker, steps->place, "\"steps\" is empty");
	read_phase(checker, map, "always", id, &definition->always);
	read_phase(checker, defaults, "always", id, &definition->always);
	if (value_get(map, "measure"))
		read_measures(checker, value_get(map, "measure"), definition);
	check_measure_use(checker, definition);
}

static void program_add(struct checker *checker, struct program *program, struct case_def *definition)
{
	struct case_def **grown = program->cases;

	/* Room at powers of two. */
	if ((program->count & (program->count - 1)) == 0)
		grown = realloc(program->cases, (program->count ? (size_t)program->count * 2 : 1) * sizeof(*grown));
	if (!grown) {
		case_free(definition);
		checker_no_memory(checker);
		return;
	}
	program->cases = grown;
	grown[program->count++] = definition;
}

static struct scope *params_scope(const struct value *params)
{
	struct scope *scope = scope_new();
	int r = scope ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && params && i < params->map.count; i++)
		r = scope_set(scope, params->map.entries[i].key, value_copy(params->map.entries[i].value));
	if (r == 0)
		return scope;
	scope_free(scope);
	return NULL;
}

/* params is taken over. */
static void read_combination(struct checker *checker, const struct value *map, const struct value *defaults, const char *id,
                             struct place place, struct value *params, struct program *program)
{
	struct case_def *definition = calloc(1, sizeof(*definition));

	if (!definition) {
		value_free(params);
		checker_no_memory(checker);
		return;
	}
	*definition = (struct case_def){
	        .id = combined_id(id, params),
	        .place = place,
	        .timeout_ns = TIMEOUT_DEFAULT_NS,
	        .always_timeout_ns = ALWAYS_TIMEOUT_DEFAULT_NS,
	        .params = params,
	};
	checker->known = params_scope(params);
	if (definition->id && checker->known) {
		checker->case_id = definition->id;
		read_content(checker, map, defaults, definition);
	} else {
		checker_no_memory(checker);
	}
	scope_free(checker->known);
	checker->known = NULL;
	checker->case_id = NULL;
	checker_forget(checker);
	checker->newest = NULL;
	program_add(checker, program, definition);
}

/* The id as written, newly allocated; NULL with an error added. */
static char *read_id(struct checker *checker, const struct value *map)
{
	const struct value *value = value_get(map, "id");
	char *id;

	if (!value) {
		checker_error(checker, map->place, "a case needs an \"id\"");
		return NULL;
	}
	id = checker_text(checker, value, "id");
	if (id && !id_ok(id)) {
		checker_error(checker, value->place, "\"%s\" cannot be an id: use letters, digits, \".\", \"_\" and \"-\"", id);
		free(id);
		return NULL;
	}
	return id;
}

static void read_case(struct checker *checker, const struct value *map, const struct value *defaults, struct program *program)
{
	const struct value *params = value_get(map, "params");
	unsigned combinations = 1;
	struct value *values = NULL;
	struct place place;
	char *id;

	if (map->type != VALUE_MAP) {
		checker_error(checker, map->place, "a case is a map with id and steps, not %s", value_type_name(map->type));
		return;
	}
	checker_keys(checker, map, case_keys, "a case");
	if (!value_get(map, "steps"))
		checker_error(checker, map->place, "a case needs \"steps\"");
	id = read_id(checker, map);
	place = value_get(map, "id") ? value_get(map, "id")->place : map->place;
	if (params)
		combinations = check_params(checker, params);
	for (unsigned i = 0; i < combinations; i++) {
		values = params ? combination(params, i) : NULL;
		if (params && !values)
			checker_no_memory(checker);
		else
			read_combination(checker, map, defaults, id ? id : "?", place, values, program);
	}
	free(id);
}

void read_file(struct checker *checker, const struct value *tree, struct program *program)
{
	const struct value *cases = tree, *defaults = NULL;

	if (tree->type == VALUE_MAP) {
		checker_keys(checker, tree, file_keys, "a test case file");
		cases = value_get(tree, "cases");
		defaults = value_get(tree, "defaults");
		if (!cases) {
			checker_error(checker, tree->place, "the file has no \"cases\"");
			return;
		}
	}
	if (defaults && defaults->type != VALUE_MAP) {
		checker_error(checker, defaults->place, "\"defaults\" is a map");
		defaults = NULL;
	}
	if (defaults)
		checker_keys(checker, defaults, defaults_keys, "defaults");
	if (cases->type != VALUE_LIST || cases->list.count == 0) {
		checker_error(checker, cases->place, "expected a list of test cases, got %s",
		              cases->type == VALUE_LIST ? "an empty one" : value_type_name(cases->type));
		return;
	}
	for (unsigned i = 0; i < cases->list.count; i++)
		read_case(checker, cases->list.items[i], defaults, program);
}
