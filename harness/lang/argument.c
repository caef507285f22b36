/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments by their definition, at load and at run time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"
#include "matcher.h"

const struct step_def *step_registry_find(const struct step_registry *registry, const char *name)
{
	for (unsigned i = 0; i < registry->count; i++)
		if (strcmp(registry->steps[i]->name, name) == 0)
			return registry->steps[i];
	return NULL;
}

const struct arg_def *arg_find(const struct step_def *def, const char *name)
{
	for (const struct arg_def *arg = def->args; arg && arg->name; arg++)
		if (strcmp(arg->name, name) == 0)
			return arg;
	return NULL;
}

static void limit_text(const struct value *like, int64_t limit, char *buffer, size_t size)
{
	struct value value = {.type = like->type, .hex = like->hex, .integer = limit};
	char *text = value_describe(&value);

	(void)snprintf(buffer, size, "%s", text ? text : "?");
	free(text);
}

static int range_check(const struct arg_def *arg, const struct value *value, struct error *err)
{
	char low[32], high[32], *written;
	int r = 0;

	if (value->type != VALUE_INTEGER && value->type != VALUE_DURATION && value->type != VALUE_SIZE)
		return 0;
	written = value_describe(value);
	if ((arg->minimum != 0 || arg->maximum != 0) && (value->integer < arg->minimum || value->integer > arg->maximum)) {
		limit_text(value, arg->minimum, low, sizeof(low));
		limit_text(value, arg->maximum, high, sizeof(high));
		r = error_set_place(err, ERROR_USAGE, ERANGE, value->place, "\"%s\" is %s: it must be from %s to %s", arg->name,
		                    written ? written : "", low, high);
	} else if ((arg->flags & ARG_POSITIVE) && value->integer <= 0) {
		r = error_set_place(err, ERROR_USAGE, ERANGE, value->place, "\"%s\" is %s: it must be above zero", arg->name,
		                    written ? written : "");
	}
	free(written);
	return r;
}

static int choice_check(const struct arg_def *arg, const struct value *value, struct error *err)
{
	char hint[160], list[512] = "";
	size_t length = 0;

	if (!arg->choices || value->type != VALUE_TEXT)
		return 0;
	for (const char *const *word = arg->choices; *word; word++) {
		if (strcmp(*word, value->text) == 0)
			return 0;
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", *word);
		if (length >= sizeof(list))
			length = sizeof(list) - 1;
	}
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "\"%s\" cannot be \"%s\"%s: it is one of %s", arg->name, value->text,
	                       suggest_text(value->text, arg->choices, hint, sizeof(hint)), list);
}

/* What a text must be beyond being one. */
static int word_check(const struct arg_def *arg, const struct value *value, struct error *err)
{
	if ((arg->flags & ARG_REGEX) && value->type == VALUE_TEXT)
		return regex_check(value, err);
	if (!(arg->flags & (ARG_ROLE | ARG_LINK | ARG_NAME)) || value->type != VALUE_TEXT)
		return 0;
	if (value->text[0] == '\0' || strpbrk(value->text, " \t\n/"))
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "\"%s\" is not a name (in \"%s\")", value->text, arg->name);
	return 0;
}

static int convert_one(const struct arg_def *arg, const struct value *resolved, struct value **ret, struct error *err)
{
	struct value *converted;
	int r = value_convert(resolved, arg->type, &converted, err);

	if (r < 0) {
		error_prefix(err, "\"%s\"", arg->name);
		return r;
	}
	r = range_check(arg, converted, err);
	if (r == 0)
		r = choice_check(arg, converted, err);
	if (r == 0)
		r = word_check(arg, converted, err);
	if (r < 0) {
		value_free(converted);
		return r;
	}
	*ret = converted;
	return 0;
}

static int convert_list(const struct arg_def *arg, const struct value *resolved, struct value **ret, struct error *err)
{
	unsigned count = resolved->type == VALUE_LIST ? resolved->list.count : 1;
	struct value *list = value_new_list(), *item;
	int r;

	if (!list)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	list->place = resolved->place;
	for (unsigned i = 0; i < count; i++) {
		r = convert_one(arg, resolved->type == VALUE_LIST ? resolved->list.items[i] : resolved, &item, err);
		if (r == 0 && value_list_add(list, item) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		if (r < 0) {
			value_free(list);
			return r;
		}
	}
	*ret = list;
	return 0;
}

int arg_convert(const struct arg_def *arg, const struct value *resolved, struct value **ret, struct error *err)
{
	struct value *copy;

	if (arg->flags & (ARG_ANY | ARG_EXPECT | ARG_SAVE | ARG_STEPS)) {
		copy = value_copy(resolved);
		if (!copy)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		*ret = copy;
		return 0;
	}
	return arg->flags & ARG_LIST ? convert_list(arg, resolved, ret, err) : convert_one(arg, resolved, ret, err);
}

/* The default, as the registry writes it. */
static int default_value(const struct arg_def *arg, struct value **ret, struct error *err)
{
	int r = value_parse_text("default", arg->default_text, strlen(arg->default_text), ret, err);

	if (r < 0)
		error_prefix(err, "the default of \"%s\"", arg->name);
	return r;
}

int step_call_arg(const struct step_call *call, const char *name, const struct scope *scope, struct value **ret, struct error *err)
{
	const struct value *written = value_get(call->args, name);
	const struct arg_def *arg = arg_find(call->def, name);
	struct value *resolved = NULL, *converted = NULL;
	int r;

	if (!arg)
		return error_set_place(err, ERROR_BENCH, EINVAL, call->place, "%s has no argument \"%s\"", call->def->name, name);
	if (!written && !arg->default_text) {
		*ret = NULL;
		return 0;
	}
	r = written ? value_resolve(written, scope, &resolved, err) : default_value(arg, &resolved, err);
	if (r == 0)
		r = arg_convert(arg, resolved, &converted, err);
	value_free(resolved);
	if (r < 0) {
		if (err && err->domain == ERROR_USAGE)
			err->domain = ERROR_TESTCASE;
		return r;
	}
	*ret = converted;
	return 0;
}

int step_call_check(const struct step_call *call, const struct scope *scope, struct error *err)
{
	struct value *known, *value;
	int r = 0;

	if (!call->def->check)
		return 0;
	known = value_new_map();
	if (!known)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (const struct arg_def *arg = call->def->args; r == 0 && arg && arg->name; arg++) {
		if (arg->flags & (ARG_STEPS | ARG_EXPECT | ARG_SAVE))
			continue;
		/* What is not known yet, or wrong by itself, is told elsewhere. */
		if (step_call_arg(call, arg->name, scope, &value, NULL) == 0 && value && value_map_set(known, arg->name, value) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	if (r == 0)
		r = call->def->check(call, known, err);
	value_free(known);
	return r;
}
