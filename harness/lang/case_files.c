/* SPDX-License-Identifier: Apache-2.0 */
/* The files that cases name, without running them. */
#include <errno.h>

#include "lang_private.h"

#define NAMES_FILE (ARG_PACKAGE | ARG_KEY | ARG_FILE | ARG_MADE)

struct lister {
	const struct scope *known;
	case_file_take take;
	void *context;
};

static enum case_file_kind kind_of(unsigned flags)
{
	return flags & ARG_PACKAGE ? CASE_FILE_PACKAGE
	       : flags & ARG_KEY   ? CASE_FILE_KEY
	       : flags & ARG_FILE  ? CASE_FILE_DATA
	                           : CASE_FILE_MADE;
}

static int list_name(const struct lister *lister, const struct arg_def *arg, const struct value *written, struct error *err)
{
	struct case_file file = {.kind = kind_of(arg->flags), .place = written->place};
	struct value *resolved = NULL;
	int r = 0;

	if (written->type == VALUE_LIST) {
		for (unsigned i = 0; r == 0 && i < written->list.count; i++)
			r = list_name(lister, arg, written->list.items[i], err);
		return r;
	}
	if (value_resolve(written, lister->known, &resolved, NULL) == 0 && resolved->type == VALUE_TEXT)
		file.name = resolved->text;
	r = lister->take(&file, lister->context, err);
	value_free(resolved);
	return r;
}

static int list_block(const struct lister *lister, const struct step_block *block, struct error *err)
{
	const struct value *written;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < block->count; i++) {
		const struct step_call *call = block->calls[i];

		for (const struct arg_def *arg = call->def->args; r == 0 && arg && arg->name; arg++)
			if ((arg->flags & NAMES_FILE) && (written = value_get(call->args, arg->name)))
				r = list_name(lister, arg, written, err);
		if (r == 0 && call->block)
			r = list_block(lister, call->block, err);
	}
	return r;
}

static int list_case(const struct case_def *definition, case_file_take take, void *context, struct error *err)
{
	struct scope *known = scope_new();
	const struct lister lister = {.known = known, .take = take, .context = context};
	int r = known ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && definition->params && i < definition->params->map.count; i++)
		r = scope_set(known, definition->params->map.entries[i].key, value_copy(definition->params->map.entries[i].value));
	if (r < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = list_block(&lister, &definition->setup, err);
	if (r == 0)
		r = list_block(&lister, &definition->steps, err);
	if (r == 0)
		r = list_block(&lister, &definition->always, err);
	scope_free(known);
	return r;
}

int program_files(const struct program *program, const struct case_filter *filter, case_file_take take, void *context, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < program->count; i++)
		if (!filter || case_selected(program->cases[i], filter))
			r = list_case(program->cases[i], take, context, err);
	return r;
}
