/* SPDX-License-Identifier: Apache-2.0 */
/* Steps as written -> struct step_call, checked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"

#define STEP_TEXT_MAX 240

static void call_free(struct step_call *call)
{
	if (!call)
		return;
	free(call->id);
	free(call->text);
	value_free(call->args);
	value_free(call->expect);
	value_free(call->save);
	if (call->block)
		step_block_clear(call->block);
	free(call->block);
	free(call);
}

void step_block_clear(struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++)
		call_free(block->calls[i]);
	free(block->calls);
	*block = (struct step_block){0};
}

static const struct step_def *find_def(struct checker *checker, const char *name, struct place place)
{
	const struct step_def *def = step_registry_find(checker->registry, name);
	struct suggestion suggestion = {.word = name};
	char hint[160];

	if (def)
		return def;
	for (unsigned i = 0; i < checker->registry->count; i++)
		suggestion_offer(&suggestion, checker->registry->steps[i]->name);
	checker_error(checker, place, "unknown step \"%s\"%s", name, suggestion_text(&suggestion, hint, sizeof(hint)));
	return NULL;
}

static const struct arg_def *find_flag(const struct step_def *def, unsigned flag)
{
	for (const struct arg_def *arg = def->args; arg && arg->name; arg++)
		if (arg->flags & flag)
			return arg;
	return NULL;
}

/* One line as written: names of a block's steps are their own lines. */
static char *call_text(const char *name, const struct value *written, const struct step_call *call)
{
	char *arguments = NULL, *text = NULL;
	size_t length;
	int n;

	if (written && written->type != VALUE_NULL)
		arguments = value_describe(call->block ? call->args : written);
	n = asprintf(&text, "%s%s%s", name, arguments ? ": " : "", arguments ? arguments : "");
	free(arguments);
	if (n < 0)
		return NULL;
	length = strlen(text);
	if (length > STEP_TEXT_MAX) {
		length = STEP_TEXT_MAX - strlen("…"); /* the mark takes the place of what was there */
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
		memcpy(text + length, "…", sizeof("…"));
	}
	return text;
}

static void check_save(struct checker *checker, const struct value *map, const struct step_def *def)
{
	const struct value_entry *entry;
	const struct result_def *field;
	struct suggestion suggestion;
	char hint[160];

	if (map->type != VALUE_MAP || map->map.count == 0) {
		checker_error(checker, map->place, "save is a map: {variable: result}");
		return;
	}
	for (unsigned i = 0; i < map->map.count; i++) {
		entry = &map->map.entries[i];
		if (!variable_name_ok(entry->key) || strncmp(entry->key, "rig.", 4) == 0)
			checker_error(checker, entry->key_place, "\"%s\" cannot name a variable: use letters, digits, _ and -", entry->key);
		else if (scope_get(checker->known, entry->key))
			checker_error(checker, entry->key_place, "\"%s\" is a parameter of this case: save under another name", entry->key);
		if (entry->value->type != VALUE_TEXT) {
			checker_error(checker, entry->value->place, "save is a map: {variable: result}");
			continue;
		}
		suggestion = (struct suggestion){.word = entry->value->text};
		for (field = def->results; field && field->name && strcmp(field->name, entry->value->text) != 0; field++)
			suggestion_offer(&suggestion, field->name);
		if (!field || !field->name)
			checker_error(checker, entry->value->place, "%s has no result \"%s\"%s", def->name, entry->value->text,
			              suggestion_text(&suggestion, hint, sizeof(hint)));
	}
}

static void remember_saved(struct checker *checker, const struct value *map)
{
	for (unsigned i = 0; map && map->type == VALUE_MAP && i < map->map.count; i++)
		checker_save_name(checker, map->map.entries[i].key);
}

/* " (with version = 3)" for an error that depends on parameters. */
static void prefix_params(struct checker *checker, const struct value *value, struct error *err)
{
	const char *at = value->type == VALUE_TEXT ? value->text : "";
	struct variable_ref ref;
	size_t offset = 0, length = strlen(err->message);
	const struct value *known;
	char *text;

	if (variable_next(at, &offset, &ref) != 1)
		return;
	known = scope_get(checker->known, ref.name);
	text = known ? value_describe(known) : NULL;
	if (text)
		(void)snprintf(err->message + length, sizeof(err->message) - length, " (with %s = %s)", ref.name, text);
	free(text);
}

/* Bytes without quotes that an editor and its schema take for a number: 0310, 22e1. */
static bool looks_like_number(const struct value *value)
{
	size_t digits;

	if (value->type != VALUE_TEXT || value->quoted)
		return false;
	digits = strspn(value->text, "0123456789");
	if (digits > 0 && (value->text[digits] == 'e' || value->text[digits] == 'E') && value->text[digits + 1])
		digits += 1 + strspn(value->text + digits + 1, "0123456789");
	return digits > 0 && value->text[digits] == '\0';
}

static void check_typed(struct checker *checker, const struct arg_def *arg, const struct value *value)
{
	struct value *resolved, *converted;
	struct error err;

	/* Item by item, so that a list's every wrong item is told, and an open one hides none of the others. */
	if ((arg->flags & ARG_LIST) && value->type == VALUE_LIST) {
		for (unsigned i = 0; i < value->list.count; i++)
			check_typed(checker, arg, value->list.items[i]);
		return;
	}
	if (arg->type == VALUE_BYTES && looks_like_number(value)) {
		checker_error(checker, value->place, "\"%s\": other readers of YAML take %s for a number: write bytes in quotes", arg->name,
		              value->text);
		return;
	}
	checker_resolve(checker, value, &resolved);
	if (!resolved)
		return;
	if (arg_convert(arg, resolved, &converted, &err) == 0) {
		value_free(converted);
	} else {
		prefix_params(checker, value, &err);
		checker_add(checker, &err);
	}
	value_free(resolved);
}

static void check_arg(struct checker *checker, const struct step_def *def, const struct arg_def *arg, const struct value *value)
{
	if (arg->flags & ARG_EXPECT)
		check_expectations(checker, value, def, strcmp(arg->name, "expect") == 0 ? def->results : NULL);
	else if (arg->flags & ARG_SAVE)
		check_save(checker, value, def);
	else if (arg->flags & ARG_ANY)
		(void)checker_references(checker, value);
	else if (value->type == VALUE_NULL && arg->type != VALUE_NULL)
		checker_error(checker, value->place, "\"%s\" has no value", arg->name);
	else
		check_typed(checker, arg, value);
}

static void unknown_arg(struct checker *checker, const struct step_def *def, const struct value_entry *entry)
{
	struct suggestion suggestion = {.word = entry->key};
	char hint[160];

	if (strcmp(entry->key, "expect") == 0 || strcmp(entry->key, "save") == 0) {
		checker_error(checker, entry->key_place, "%s has no results: there is nothing to %s", def->name, entry->key);
		return;
	}
	for (const struct arg_def *arg = def->args; arg && arg->name; arg++)
		suggestion_offer(&suggestion, arg->name);
	if (def->results) {
		suggestion_offer(&suggestion, "expect");
		suggestion_offer(&suggestion, "save");
	}
	checker_error(checker, entry->key_place, "unknown key \"%s\" of %s%s", entry->key, def->name,
	              suggestion_text(&suggestion, hint, sizeof(hint)));
}

/* Keeps a copy of one argument where it belongs. */
static void take_arg(struct checker *checker, struct step_call *call, const struct value_entry *entry)
{
	struct value *copy = value_copy(entry->value);
	int r = copy ? 0 : -ENOMEM;

	if (r == 0 && strcmp(entry->key, "expect") == 0)
		call->expect = copy;
	else if (r == 0 && strcmp(entry->key, "save") == 0)
		call->save = copy;
	else if (r == 0)
		r = value_map_set(call->args, entry->key, copy);
	if (r < 0)
		checker_no_memory(checker);
}

static void read_call_block(struct checker *checker, struct step_call *call, const struct value *list)
{
	const struct value *as = value_get(call->args, "as");

	if (as && as->type == VALUE_TEXT && variable_name_ok(as->text))
		checker_save_name(checker, as->text);
	call->block = calloc(1, sizeof(*call->block));
	if (!call->block) {
		checker_no_memory(checker);
		return;
	}
	read_block(checker, list, call->id, call->block);
	if (call->block->count == 0 && list->type == VALUE_LIST && list->list.count == 0)
		checker_error(checker, list->place, "%s has no steps", call->def->name);
}

static void read_args(struct checker *checker, struct step_call *call, const struct value *map)
{
	const struct value *block = NULL;

	for (unsigned i = 0; i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		const struct arg_def *arg = arg_find(call->def, entry->key);

		if (arg && (arg->flags & ARG_STEPS)) {
			block = entry->value;
			continue;
		}
		if (arg)
			check_arg(checker, call->def, arg, entry->value);
		else if (call->def->results && strcmp(entry->key, "expect") == 0)
			check_expectations(checker, entry->value, call->def, call->def->results);
		else if (call->def->results && strcmp(entry->key, "save") == 0)
			check_save(checker, entry->value, call->def);
		else
			unknown_arg(checker, call->def, entry);
		take_arg(checker, call, entry);
	}
	/* After the arguments, wherever it is written: the block may use the variable that "as" names. */
	if (block)
		read_call_block(checker, call, block);
	remember_saved(checker, call->save);
}

static void check_required(struct checker *checker, const struct step_call *call)
{
	for (const struct arg_def *arg = call->def->args; arg && arg->name; arg++) {
		bool there = arg->flags & ARG_STEPS ? call->block != NULL : value_get(call->args, arg->name) != NULL;

		if (strcmp(arg->name, "expect") == 0)
			there = call->expect != NULL;
		if (strcmp(arg->name, "save") == 0)
			there = call->save != NULL;
		if ((arg->flags & ARG_REQUIRED) && !there)
			checker_error(checker, call->place, "%s needs \"%s\"", call->def->name, arg->name);
	}
}

/* `- wait: 50ms`: the written value is the argument that ARG_SCALAR marks. */
static void read_short_form(struct checker *checker, struct step_call *call, const struct value *written)
{
	const struct arg_def *arg = find_flag(call->def, ARG_SCALAR);
	struct value_entry entry;

	if (!arg || (written->type == VALUE_LIST && !(arg->flags & (ARG_LIST | ARG_STEPS | ARG_ANY)) && arg->type != VALUE_LIST)) {
		checker_error(checker, written->place, "the arguments of %s are a map: {name: value}", call->def->name);
		return;
	}
	if (arg->flags & ARG_STEPS) {
		read_call_block(checker, call, written);
		return;
	}
	entry = (struct value_entry){.key = (char *)arg->name, .key_place = written->place, .value = (struct value *)written};
	check_arg(checker, call->def, arg, written);
	take_arg(checker, call, &entry);
}

/* Only of what is right by itself: else one mistake would be told twice. */
static void check_together(struct checker *checker, const struct step_call *call, unsigned found)
{
	struct error err;

	if (checker->found == found && step_call_check(call, checker->known, &err) < 0)
		checker_add(checker, &err);
}

static struct step_call *read_call(struct checker *checker, const char *name, struct place place, const struct value *written, char *id)
{
	const struct step_def *def = find_def(checker, name, place);
	struct step_call *call = def ? calloc(1, sizeof(*call)) : NULL;
	unsigned found = checker->found;

	if (!call) {
		if (def)
			checker_no_memory(checker);
		free(id);
		return NULL;
	}
	*call = (struct step_call){.def = def, .place = place, .id = id, .args = value_new_map(), .previous = checker->newest};
	if (!call->args) {
		checker_no_memory(checker);
		call_free(call);
		return NULL;
	}
	checker->newest = call;
	call->args->place = written ? written->place : place;
	if (written && written->type == VALUE_MAP)
		read_args(checker, call, written);
	else if (written && written->type != VALUE_NULL)
		read_short_form(checker, call, written);
	if (checker->found == found || (written && written->type == VALUE_MAP))
		check_required(checker, call);
	check_call_event(checker, call);
	check_together(checker, call, found);
	call->text = call_text(name, written, call);
	if (!call->text)
		checker_no_memory(checker);
	return call;
}

static struct step_call *read_item(struct checker *checker, const struct value *item, char *id)
{
	const struct value_entry *entry;

	if (item->type == VALUE_TEXT)
		return read_call(checker, item->text, item->place, NULL, id);
	if (item->type != VALUE_MAP || item->map.count == 0) {
		checker_error(checker, item->place, "a step is a map with one key, \"- name: {…}\", not %s", value_type_name(item->type));
		free(id);
		return NULL;
	}
	entry = &item->map.entries[0];
	if (item->map.count > 1)
		checker_error(checker, item->map.entries[1].key_place,
		              "a step has one key: indent \"%s\" if it is an argument of %s, or begin another step with \"- \"",
		              item->map.entries[1].key, entry->key);
	return read_call(checker, entry->key, entry->key_place, entry->value, id);
}

void read_block(struct checker *checker, const struct value *list, const char *prefix, struct step_block *block)
{
	struct step_call *call, **grown;
	char *id;

	if (list->type != VALUE_LIST) {
		if (list->type != VALUE_NULL)
			checker_error(checker, list->place, "expected a list of steps, got %s", value_type_name(list->type));
		else
			checker_error(checker, list->place, "there are no steps");
		return;
	}
	for (unsigned i = 0; i < list->list.count; i++) {
		if (asprintf(&id, "%s/%u", prefix, block->count) < 0) {
			checker_no_memory(checker);
			return;
		}
		call = read_item(checker, list->list.items[i], id);
		if (!call)
			continue;
		grown = realloc(block->calls, (block->count + 1) * sizeof(*grown));
		if (!grown) {
			checker->newest = NULL;
			call_free(call);
			checker_no_memory(checker);
			return;
		}
		block->calls = grown;
		grown[block->count++] = call;
	}
}
