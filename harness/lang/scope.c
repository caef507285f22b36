/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, and ${…} in trees. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"

struct variable {
	char *name;
	struct value *value;
};
struct scope {
	struct variable *variables;
	unsigned count;
};

struct scope *scope_new(void)
{
	return calloc(1, sizeof(struct scope));
}

void scope_free(struct scope *scope)
{
	if (!scope)
		return;
	for (unsigned i = 0; i < scope->count; i++) {
		free(scope->variables[i].name);
		value_free(scope->variables[i].value);
	}
	free(scope->variables);
	free(scope);
}

int scope_set(struct scope *scope, const char *name, struct value *stolen)
{
	struct variable *grown;
	char *copy;

	if (!stolen)
		return -ENOMEM;
	for (unsigned i = 0; i < scope->count; i++)
		if (strcmp(scope->variables[i].name, name) == 0) {
			value_free(scope->variables[i].value);
			scope->variables[i].value = stolen;
			return 0;
		}
	copy = strdup(name);
	grown = copy ? realloc(scope->variables, (scope->count + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		value_free(stolen);
		return -ENOMEM;
	}
	scope->variables = grown;
	grown[scope->count++] = (struct variable){.name = copy, .value = stolen};
	return 0;
}

const struct value *scope_get(const struct scope *scope, const char *name)
{
	for (unsigned i = 0; scope && i < scope->count; i++)
		if (strcmp(scope->variables[i].name, name) == 0)
			return scope->variables[i].value;
	return NULL;
}

const struct value *scope_at(const struct scope *scope, unsigned index, const char **ret_name)
{
	if (!scope || index >= scope->count)
		return NULL;
	*ret_name = scope->variables[index].name;
	return scope->variables[index].value;
}

bool variable_name_ok(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_-.", *name))
			return false;
	return true;
}

int variable_next(const char *text, size_t *at, struct variable_ref *ret)
{
	const char *from = text + *at, *close;
	size_t length;

	for (;;) {
		from = strchr(from, '$');
		if (!from)
			return 0;
		if (from[1] == '{')
			break;
		/* "$$" before "{" stands for one "$" that begins nothing. */
		from += from[1] == '$' && from[2] == '{' ? 3 : 1;
	}
	close = strchr(from, '}');
	if (!close)
		return -EINVAL;
	length = (size_t)(close - from) - 2;
	if (length == 0 || length >= sizeof(ret->name))
		return -EINVAL;
	memcpy(ret->name, from + 2, length);
	ret->name[length] = '\0';
	if (!variable_name_ok(ret->name))
		return -EINVAL;
	ret->begin = (size_t)(from - text);
	ret->end = (size_t)(close - text) + 1;
	*at = ret->end;
	return 1;
}

static int undefined_error(const struct scope *scope, const char *name, struct place place, struct error *err)
{
	struct suggestion suggestion = {.word = name};
	char hint[160];

	for (unsigned i = 0; scope && i < scope->count; i++)
		suggestion_offer(&suggestion, scope->variables[i].name);
	return error_set_place(err, ERROR_TESTCASE, ENOENT, place, "the variable ${%s} is not defined%s", name,
	                       suggestion_text(&suggestion, hint, sizeof(hint)));
}

/* Appends text, with "$${" written as "${". */
static int append_literal(struct bytes *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '$' && i + 2 < length && text[i + 1] == '$' && text[i + 2] == '{')
			continue;
		if (bytes_append_u8(out, (uint8_t)text[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int append_variable(struct bytes *out, const struct value *variable)
{
	char *text = value_describe(variable);
	int r = text ? bytes_append(out, text, strlen(text)) : -ENOMEM;

	free(text);
	return r;
}

static int interpolate(const struct value *value, const struct scope *scope, struct bytes *out, struct error *err)
{
	const struct value *variable;
	struct variable_ref ref;
	size_t at = 0, done = 0;
	int r;

	while ((r = variable_next(value->text, &at, &ref)) > 0) {
		variable = scope_get(scope, ref.name);
		if (!variable)
			return undefined_error(scope, ref.name, value->place, err);
		if (append_literal(out, value->text + done, ref.begin - done) < 0 || append_variable(out, variable) < 0)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		done = ref.end;
	}
	if (r < 0)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, value->place,
		                       "a variable is written ${name}, \"$${\" stands for \"${\"");
	if (append_literal(out, value->text + done, strlen(value->text + done)) < 0 || bytes_append_u8(out, 0) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return 0;
}

static int resolve_text(const struct value *value, const struct scope *scope, struct value **ret, struct error *err)
{
	const struct value *variable;
	struct variable_ref ref;
	struct bytes out = {0};
	size_t at = 0;
	int r;

	if (variable_next(value->text, &at, &ref) == 1 && ref.begin == 0 && value->text[ref.end] == '\0') {
		variable = scope_get(scope, ref.name);
		if (!variable)
			return undefined_error(scope, ref.name, value->place, err);
		*ret = value_copy(variable);
	} else {
		r = interpolate(value, scope, &out, err);
		if (r < 0) {
			bytes_free(&out);
			return r;
		}
		*ret = value_new_text((const char *)out.data);
		bytes_free(&out);
		if (*ret)
			(*ret)->quoted = value->quoted;
	}
	if (!*ret)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	(*ret)->place = value->place;
	return 0;
}

static int resolve_children(const struct value *value, const struct scope *scope, struct value *copy, struct error *err)
{
	unsigned count = value->type == VALUE_LIST ? value->list.count : value->map.count;
	struct value *child;
	int r;

	for (unsigned i = 0; i < count; i++) {
		r = value_resolve(value->type == VALUE_LIST ? value->list.items[i] : value->map.entries[i].value, scope, &child, err);
		if (r < 0)
			return r;
		r = value->type == VALUE_LIST ? value_list_add(copy, child) : value_map_set(copy, value->map.entries[i].key, child);
		if (r < 0)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		if (value->type == VALUE_MAP)
			copy->map.entries[i].key_place = value->map.entries[i].key_place;
	}
	return 0;
}

int value_resolve(const struct value *value, const struct scope *scope, struct value **ret, struct error *err)
{
	struct value *copy;
	int r;

	if (value->type == VALUE_TEXT && strchr(value->text, '$'))
		return resolve_text(value, scope, ret, err);
	if (value->type != VALUE_LIST && value->type != VALUE_MAP) {
		copy = value_copy(value);
		if (!copy)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		*ret = copy;
		return 0;
	}
	copy = value->type == VALUE_LIST ? value_new_list() : value_new_map();
	if (!copy)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	copy->place = value->place;
	r = resolve_children(value, scope, copy, err);
	if (r < 0) {
		value_free(copy);
		return r;
	}
	*ret = copy;
	return 0;
}

void checker_save_name(struct checker *checker, const char *name)
{
	char **grown, *copy;

	if (checker_has_saved(checker, name))
		return;
	copy = strdup(name);
	grown = copy ? realloc(checker->saved.names, (checker->saved.count + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		checker_no_memory(checker);
		return;
	}
	checker->saved.names = grown;
	grown[checker->saved.count++] = copy;
}

bool checker_has_saved(const struct checker *checker, const char *name)
{
	for (unsigned i = 0; i < checker->saved.count; i++)
		if (strcmp(checker->saved.names[i], name) == 0)
			return true;
	return false;
}

void checker_forget(struct checker *checker)
{
	for (unsigned i = 0; i < checker->saved.count; i++)
		free(checker->saved.names[i]);
	free(checker->saved.names);
	checker->saved.names = NULL;
	checker->saved.count = 0;
}

static bool rig_name_ok(const char *name)
{
	const char *role = name + 4, *dot = strchr(role, '.');

	return dot && dot != role && dot[1] != '\0' && dot[1] != '.';
}

static enum references reference_undefined(struct checker *checker, const char *name, struct place place)
{
	struct suggestion suggestion = {.word = name};
	char hint[160];

	for (unsigned i = 0; checker->known && i < checker->known->count; i++)
		suggestion_offer(&suggestion, checker->known->variables[i].name);
	for (unsigned i = 0; i < checker->saved.count; i++)
		suggestion_offer(&suggestion, checker->saved.names[i]);
	checker_error(checker, place, "the variable ${%s} is not defined here: it is no parameter, no step before saves it%s", name,
	              suggestion_text(&suggestion, hint, sizeof(hint)));
	return REFERENCES_BAD;
}

static enum references text_references(struct checker *checker, const struct value *value)
{
	enum references state = strstr(value->text, "$${") ? REFERENCES_KNOWN : REFERENCES_NONE;
	struct variable_ref ref;
	size_t at = 0;
	int r;

	while ((r = variable_next(value->text, &at, &ref)) > 0) {
		if (strncmp(ref.name, "rig.", 4) == 0) {
			if (!rig_name_ok(ref.name)) {
				checker_error(checker, value->place, "a value of the rig is written ${rig.ROLE.KEY}, not ${%s}", ref.name);
				return REFERENCES_BAD;
			}
			state = REFERENCES_OPEN;
		} else if (checker_has_saved(checker, ref.name)) {
			state = REFERENCES_OPEN;
		} else if (!scope_get(checker->known, ref.name)) {
			return reference_undefined(checker, ref.name, value->place);
		} else if (state == REFERENCES_NONE) {
			state = REFERENCES_KNOWN;
		}
	}
	if (r < 0) {
		checker_error(checker, value->place, "a variable is written ${name}, \"$${\" stands for \"${\"");
		return REFERENCES_BAD;
	}
	return state;
}

enum references checker_references(struct checker *checker, const struct value *value)
{
	enum references state = REFERENCES_NONE, child;
	unsigned count = value->type == VALUE_LIST ? value->list.count : value->type == VALUE_MAP ? value->map.count : 0;

	if (value->type == VALUE_TEXT && strchr(value->text, '$'))
		return text_references(checker, value);
	for (unsigned i = 0; i < count; i++) {
		child = checker_references(checker, value->type == VALUE_LIST ? value->list.items[i] : value->map.entries[i].value);
		if (child > state)
			state = child;
	}
	return state;
}

void checker_resolve(struct checker *checker, const struct value *value, struct value **ret)
{
	enum references state = checker_references(checker, value);
	struct error err;

	*ret = NULL;
	if (state > REFERENCES_KNOWN)
		return;
	if (value_resolve(value, checker->known, ret, &err) < 0) {
		*ret = NULL;
		checker_add(checker, &err);
	}
}
