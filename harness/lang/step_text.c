/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that stand outside a case: what somebody types. */
#include <errno.h>
#include <stdlib.h>

#include "lang_private.h"

static void read_steps(struct checker *checker, const struct value *tree, const char *prefix, const struct scope *variables,
                       struct step_block *ret)
{
	const char *name;

	/* The values may be of any type and change until the steps run: they are converted then. */
	for (unsigned i = 0; scope_at(variables, i, &name); i++)
		checker_save_name(checker, name);
	checker->known = scope_new();
	checker->case_id = prefix;
	if (checker->known)
		read_block(checker, tree, prefix, ret);
	else
		checker_no_memory(checker);
	scope_free(checker->known);
	checker_forget(checker);
}

int step_block_load_text(const char *name, const char *text, size_t length, const struct step_registry *registry, const char *prefix,
                         const struct scope *variables, struct step_block *ret, struct error_list *errors)
{
	struct checker checker = {.registry = registry, .errors = errors};
	struct step_block block = {0};
	struct value *tree;
	struct error err;

	if (value_parse_text(name, text, length, &tree, &err) < 0) {
		checker_add(&checker, &err);
	} else {
		read_steps(&checker, tree, prefix, variables, &block);
		value_free(tree);
	}
	if (checker.found > 0) {
		error_list_sort(errors);
		step_block_clear(&block);
		return -EINVAL;
	}
	*ret = block;
	return 0;
}
