/* SPDX-License-Identifier: Apache-2.0 */
/* A program against a rig: is there what its cases name? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang_private.h"

struct rig_checker {
	struct checker checker;
	const struct program_rig *rig;
};

const char *case_missing(const struct case_def *definition, const struct program_rig *rig)
{
	for (char **needed = definition->requires; needed && *needed; needed++)
		if (!rig->has_role(rig->context, *needed) && !rig->has_capability(rig->context, *needed))
			return *needed;
	return NULL;
}

static void check_role(struct rig_checker *state, const char *role, struct place place)
{
	if (!state->rig->has_role(state->rig->context, role))
		checker_error(&state->checker, place, "the rig has no role \"%s\"", role);
}

static void check_link(struct rig_checker *state, const char *link, struct place place)
{
	if (!state->rig->has_link(state->rig->context, link))
		checker_error(&state->checker, place, "the rig has no link \"%s\"", link);
}

static void check_identity(struct rig_checker *state, const char *identity, struct place place)
{
	if (state->rig->has_identity && !state->rig->has_identity(state->rig->context, identity))
		checker_error(&state->checker, place, "the rig has no identity \"%s\"", identity);
}

static void check_bus(struct rig_checker *state, const char *bus, struct place place)
{
	if (state->rig->has_bus && !state->rig->has_bus(state->rig->context, bus))
		checker_error(&state->checker, place, "the rig has no bus \"%s\"", bus);
}

static void check_file(struct rig_checker *state, const char *name, bool key, struct place place)
{
	struct error err;

	if (!state->rig->check_file || state->rig->check_file(state->rig->context, name, key, &err) == 0)
		return;
	checker_error(&state->checker, place, "%s", err.message);
}

/* A name of something of the rig in an argument; one that only the run will know is left to the run. */
static void check_name(struct rig_checker *state, const struct arg_def *arg, const struct value *written)
{
	struct value *resolved;
	bool text;

	if (written->type == VALUE_LIST) {
		for (unsigned i = 0; i < written->list.count; i++)
			check_name(state, arg, written->list.items[i]);
		return;
	}
	if (value_resolve(written, state->checker.known, &resolved, NULL) < 0)
		return;
	text = resolved->type == VALUE_TEXT;
	if (text && (arg->flags & ARG_ROLE))
		check_role(state, resolved->text, written->place);
	if (text && (arg->flags & ARG_LINK))
		check_link(state, resolved->text, written->place);
	if (text && (arg->flags & ARG_IDENTITY))
		check_identity(state, resolved->text, written->place);
	if (text && (arg->flags & ARG_CAN))
		check_bus(state, resolved->text, written->place);
	if (text && (arg->flags & (ARG_PACKAGE | ARG_KEY)))
		check_file(state, resolved->text, arg->flags & ARG_KEY, written->place);
	value_free(resolved);
}

/* The text of an argument that is known now, newly allocated, or NULL. */
static char *known_text(struct rig_checker *state, const struct value *written)
{
	struct value *resolved;
	char *text = NULL;

	if (!written || value_resolve(written, state->checker.known, &resolved, NULL) < 0)
		return NULL;
	if (resolved->type != VALUE_LIST && resolved->type != VALUE_MAP && resolved->type != VALUE_NULL)
		text = resolved->type == VALUE_TEXT ? strdup(resolved->text) : value_describe(resolved);
	value_free(resolved);
	return text;
}

static void check_param(struct rig_checker *state, const struct step_call *call, const struct value *written)
{
	const struct value *value = value_get(call->args, "value");
	char *role = known_text(state, value_get(call->args, "role")), *name = known_text(state, written), *text = known_text(state, value);
	struct error err;

	if (role && name && state->rig->check_param &&
	    state->rig->check_param(state->rig->context, role, name, written->place, text, value ? value->place : written->place, &err) < 0)
		checker_add(&state->checker, &err);
	free(role);
	free(name);
	free(text);
}

/* The device must have room for the text and a terminator. */
static void check_endpoint(struct rig_checker *state, const struct step_call *call, const struct value *written)
{
	char *role = known_text(state, value_get(call->args, "role")), *text = known_text(state, written);
	const struct value *size = role && text && state->rig->value ? state->rig->value(state->rig->context, role, "endpoint_size") : NULL;

	if (size && size->type == VALUE_INTEGER && (int64_t)strlen(text) >= size->integer)
		checker_error(&state->checker, written->place, "the endpoint \"%.80s\" has %zu characters, %s takes at most %lld", text,
		              strlen(text), role, (long long)size->integer - 1);
	free(role);
	free(text);
}

/* ${rig.ROLE.KEY} anywhere in a tree. "tester" is the bench itself: every rig has it. */
static void check_references(struct rig_checker *state, const struct value *value)
{
	unsigned count = value->type == VALUE_LIST ? value->list.count : value->type == VALUE_MAP ? value->map.count : 0;
	struct variable_ref ref;
	size_t at = 0;
	char *dot;

	for (unsigned i = 0; i < count; i++)
		check_references(state, value->type == VALUE_LIST ? value->list.items[i] : value->map.entries[i].value);
	while (value->type == VALUE_TEXT && variable_next(value->text, &at, &ref) == 1) {
		dot = strncmp(ref.name, "rig.", 4) == 0 ? strchr(ref.name + 4, '.') : NULL;
		if (!dot)
			continue;
		*dot = '\0';
		if (strcmp(ref.name + 4, "tester") != 0)
			check_role(state, ref.name + 4, value->place);
	}
}

static void check_block(struct rig_checker *state, const struct step_block *block);

static void check_call(struct rig_checker *state, const struct step_call *call)
{
	const struct value *written;

	for (const struct arg_def *arg = call->def->args; arg && arg->name; arg++) {
		written = value_get(call->args, arg->name);
		if (written && (arg->flags & (ARG_ROLE | ARG_LINK | ARG_IDENTITY | ARG_CAN | ARG_PACKAGE | ARG_KEY)))
			check_name(state, arg, written);
		else if (arg->default_text && (arg->flags & ARG_CAN))
			check_bus(state, arg->default_text, call->place);
		if (written && (arg->flags & ARG_PARAMETER))
			check_param(state, call, written);
		if (written && (arg->flags & ARG_ENDPOINT))
			check_endpoint(state, call, written);
	}
	check_references(state, call->args);
	if (call->expect)
		check_references(state, call->expect);
	for (const char *const *needed = call->def->capabilities; needed && *needed; needed++)
		if (!state->rig->has_capability(state->rig->context, *needed))
			checker_error(&state->checker, call->place,
			              "%s needs \"%s\", which the rig lacks: add \"requires: [%s]\" to skip the case there",
			              call->def->name, *needed, *needed);
	if (call->block)
		check_block(state, call->block);
}

static void check_block(struct rig_checker *state, const struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++)
		check_call(state, block->calls[i]);
}

static void check_selector(struct rig_checker *state, const struct event_selector *selector)
{
	if (selector->role)
		check_role(state, selector->role, selector->place);
	if (selector->link)
		check_link(state, selector->link, selector->place);
}

static void check_case(struct rig_checker *state, const struct case_def *definition)
{
	struct scope *known = scope_new();
	int r = known ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && definition->params && i < definition->params->map.count; i++)
		r = scope_set(known, definition->params->map.entries[i].key, value_copy(definition->params->map.entries[i].value));
	if (r < 0)
		checker_no_memory(&state->checker);
	state->checker.known = known;
	check_block(state, &definition->setup);
	check_block(state, &definition->steps);
	check_block(state, &definition->always);
	for (unsigned i = 0; i < definition->measure_count; i++) {
		check_selector(state, &definition->measures[i].from);
		check_selector(state, &definition->measures[i].to);
		for (unsigned j = 0; j < definition->measures[i].stage_count; j++)
			check_selector(state, &definition->measures[i].stages[j].to);
	}
	scope_free(known);
	state->checker.known = NULL;
}

int program_check_rig(const struct program *program, const struct program_rig *rig, struct error_list *errors)
{
	struct rig_checker state = {.checker = {.errors = errors}, .rig = rig};

	for (unsigned i = 0; i < program->count; i++)
		if (!case_missing(program->cases[i], rig))
			check_case(&state, program->cases[i]);
	if (state.checker.found == 0)
		return 0;
	error_list_sort(errors);
	return -EINVAL;
}
