/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that name the case's measurements, and measurements that no step begins. */
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"

struct use {
	struct checker *checker;
	const struct case_def *definition;
	bool *begun; /* by measurement */
	bool open;   /* a step names one that only the run will know */
};

static void unknown_measure(struct use *use, const char *id, struct place place)
{
	struct suggestion suggestion = {.word = id};
	char hint[160];

	for (unsigned i = 0; i < use->definition->measure_count; i++)
		if (use->definition->measures[i].id)
			suggestion_offer(&suggestion, use->definition->measures[i].id);
	checker_error(use->checker, place, "the case has no measurement \"%s\"%s", id, suggestion_text(&suggestion, hint, sizeof(hint)));
}

static void use_name(struct use *use, const struct arg_def *arg, const char *id, struct place place)
{
	for (unsigned i = 0; i < use->definition->measure_count; i++)
		if (use->definition->measures[i].id && strcmp(use->definition->measures[i].id, id) == 0) {
			use->begun[i] = use->begun[i] || (arg->flags & ARG_BEGINS);
			return;
		}
	unknown_measure(use, id, place);
}

static void use_block(struct use *use, const struct step_block *block);

static void use_call(struct use *use, const struct step_call *call)
{
	struct value *resolved;

	for (const struct arg_def *arg = call->def->args; arg && arg->name; arg++) {
		const struct value *written = arg->flags & ARG_MEASURE ? value_get(call->args, arg->name) : NULL;

		if (!written)
			continue;
		if (value_resolve(written, use->checker->known, &resolved, NULL) < 0) {
			use->open = true;
			continue;
		}
		if (resolved->type == VALUE_TEXT)
			use_name(use, arg, resolved->text, written->place);
		value_free(resolved);
	}
	if (call->block)
		use_block(use, call->block);
}

static void use_block(struct use *use, const struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++)
		use_call(use, block->calls[i]);
}

void check_measure_use(struct checker *checker, const struct case_def *definition)
{
	struct use use = {.checker = checker, .definition = definition, .begun = calloc(definition->measure_count + 1, sizeof(bool))};

	if (!use.begun) {
		checker_no_memory(checker);
		return;
	}
	use_block(&use, &definition->setup);
	use_block(&use, &definition->steps);
	use_block(&use, &definition->always);
	for (unsigned i = 0; !use.open && i < definition->measure_count; i++)
		if (definition->measures[i].id && !use.begun[i])
			checker_error(checker, definition->measures[i].place,
			              "no step begins the measurement \"%s\": measure.begin or measure.block does",
			              definition->measures[i].id);
	free(use.begun);
}
