/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of expectations: field -> matcher. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"
#include "matcher.h"

static const struct result_def *field_find(const struct result_def *fields, const char *name)
{
	for (; fields && fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

/* A word that the result never is would make "ne" hold and "eq" fail whatever the device does. */
static int check_choice(const struct result_def *field, const struct value *word, struct error *err)
{
	char hint[160], list[400] = "";
	size_t length = 0;

	if (word->type != VALUE_TEXT)
		return 0;
	for (const char *const *choice = field->choices; *choice; choice++) {
		if (strcmp(*choice, word->text) == 0)
			return 0;
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", *choice);
	}
	return error_set_place(err, ERROR_USAGE, EINVAL, word->place, "the result \"%s\" is never \"%s\"%s: it is one of %s", field->name,
	                       word->text, suggest_text(word->text, field->choices, hint, sizeof(hint)), list);
}

static int check_choices(enum matcher_op op, const struct value *operand, const struct result_def *field, struct error *err)
{
	int r = 0;

	if (!field || !field->choices)
		return 0;
	if (op == MATCHER_EQ || op == MATCHER_NE)
		return check_choice(field, operand, err);
	for (unsigned i = 0; r == 0 && op == MATCHER_ONE_OF && i < operand->list.count; i++)
		r = check_choice(field, operand->list.items[i], err);
	return r;
}

static void check_operand(struct checker *checker, enum matcher_op op, const struct value *operand, const struct result_def *field)
{
	struct value *resolved;
	struct error err;

	checker_resolve(checker, operand, &resolved);
	if (!resolved)
		return;
	if (matcher_check(op, resolved, field ? &field->type : NULL, &err) < 0 || check_choices(op, resolved, field, &err) < 0)
		checker_add(checker, &err);
	value_free(resolved);
}

static void check_matcher_map(struct checker *checker, const struct value *map, const struct result_def *field)
{
	const struct value_entry *entry;
	enum matcher_op op;
	char hint[160];

	if (map->map.count == 0)
		checker_error(
		        checker, map->place,
		        "an empty matcher: write one of eq, ne, in_range, one_of, bytes, matches, at_least, at_most, absent, present");
	for (unsigned i = 0; i < map->map.count; i++) {
		entry = &map->map.entries[i];
		if (matcher_parse(entry->key, &op) < 0)
			checker_error(checker, entry->key_place, "unknown matcher \"%s\"%s", entry->key,
			              suggest_text(entry->key, matcher_names, hint, sizeof(hint)));
		else
			check_operand(checker, op, entry->value, field);
	}
}

static void check_field(struct checker *checker, const struct value_entry *entry, const struct step_def *def,
                        const struct result_def *fields)
{
	const struct result_def *field = field_find(fields, entry->key);
	struct suggestion suggestion = {.word = entry->key};
	char hint[160];

	if (fields && !field) {
		for (const struct result_def *f = fields; f->name; f++)
			suggestion_offer(&suggestion, f->name);
		checker_error(checker, entry->key_place, "%s has no result \"%s\"%s", def->name, entry->key,
		              suggestion_text(&suggestion, hint, sizeof(hint)));
		return;
	}
	if (entry->value->type == VALUE_MAP && !(field && field->type == VALUE_MAP))
		check_matcher_map(checker, entry->value, field);
	else
		check_operand(checker, MATCHER_EQ, entry->value, field);
}

void check_expectations(struct checker *checker, const struct value *map, const struct step_def *def, const struct result_def *fields)
{
	if (map->type != VALUE_MAP || map->map.count == 0) {
		checker_error(checker, map->place, "expectations are a map: {field: value} or {field: {at_most: value}}");
		return;
	}
	for (unsigned i = 0; i < map->map.count; i++)
		check_field(checker, &map->map.entries[i], def, fields);
}

struct comparison {
	const char *field;
	const struct value *actual;
	struct place place;
	char **expected, **actual_text;
	struct error *err;
};

/* The actual value, in hex when the expected one was written so. */
static char *actual_describe(const struct value *actual, const struct value *operand)
{
	const struct value *like = operand->type == VALUE_LIST && operand->list.count > 0 ? operand->list.items[0] : operand;
	struct value copy;

	if (!actual || actual->type == VALUE_NULL)
		return strdup("absent");
	if (actual->type != VALUE_INTEGER)
		return value_describe(actual);
	copy = *actual;
	copy.hex = actual->hex || like->hex;
	return value_describe(&copy);
}

static int compare_one(const struct comparison *comparison, enum matcher_op op, const struct value *operand)
{
	int r = matcher_apply(op, operand, comparison->actual, comparison->err);
	char *expected, *actual;

	if (r < 0) {
		error_prefix(comparison->err, "expect %s", comparison->field);
		return r;
	}
	if (r == 1)
		return 0;
	expected = matcher_describe(op, operand, comparison->actual);
	actual = actual_describe(comparison->actual, operand);
	r = error_set_place(comparison->err, ERROR_DUT, EBADMSG, comparison->place, "%s: expected %s, got %s", comparison->field,
	                    expected ? expected : "?", actual ? actual : "?");
	free(*comparison->expected);
	free(*comparison->actual_text);
	if (!expected || asprintf(comparison->expected, "%s: %s", comparison->field, expected) < 0)
		*comparison->expected = NULL;
	if (!actual || asprintf(comparison->actual_text, "%s: %s", comparison->field, actual) < 0)
		*comparison->actual_text = NULL;
	free(expected);
	free(actual);
	return r;
}

static int compare_field(const struct comparison *comparison, const struct value *matcher)
{
	enum matcher_op op;
	int r = 0;

	if (matcher->type != VALUE_MAP || (comparison->actual && comparison->actual->type == VALUE_MAP))
		return compare_one(comparison, MATCHER_EQ, matcher);
	for (unsigned i = 0; r == 0 && i < matcher->map.count; i++) {
		if (matcher_parse(matcher->map.entries[i].key, &op) < 0)
			return error_set_place(comparison->err, ERROR_TESTCASE, EINVAL, matcher->map.entries[i].key_place,
			                       "unknown matcher \"%s\"", matcher->map.entries[i].key);
		r = compare_one(comparison, op, matcher->map.entries[i].value);
	}
	return r;
}

int expect_check(const struct value *expect, const struct value *results, const struct scope *scope, char **ret_expected, char **ret_actual,
                 struct error *err)
{
	struct comparison comparison = {.err = err};
	char *expected = NULL, *actual = NULL;
	struct value *resolved;
	int r = value_resolve(expect, scope, &resolved, err);

	if (r < 0)
		return r;
	comparison.expected = &expected;
	comparison.actual_text = &actual;
	for (unsigned i = 0; r == 0 && resolved->type == VALUE_MAP && i < resolved->map.count; i++) {
		comparison.field = resolved->map.entries[i].key;
		comparison.actual = value_get(results, comparison.field);
		comparison.place = resolved->map.entries[i].key_place;
		r = compare_field(&comparison, resolved->map.entries[i].value);
	}
	value_free(resolved);
	if (r == -EBADMSG && ret_expected && ret_actual) {
		*ret_expected = expected;
		*ret_actual = actual;
		return r;
	}
	free(expected);
	free(actual);
	return r;
}
