/* SPDX-License-Identifier: Apache-2.0 */
/* Which cases a command means. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static bool has_tag(const struct case_def *definition, const char *tag)
{
	for (char **own = definition->tags; own && *own; own++)
		if (strcmp(*own, tag) == 0)
			return true;
	return false;
}

static bool tags_select(const struct case_def *definition, const char *const *tags)
{
	bool asked = false, found = false;

	for (; tags && *tags; tags++) {
		if (**tags == '!') {
			if (has_tag(definition, *tags + 1))
				return false;
			continue;
		}
		asked = true;
		found = found || has_tag(definition, *tags);
	}
	return found || !asked;
}

/* The "[…]" of parameters means a set of characters to fnmatch(): the id as such and without it are tried as well. */
static bool pattern_selects(const struct case_def *definition, const char *pattern)
{
	char base[256];

	(void)snprintf(base, sizeof(base), "%.*s", (int)strcspn(definition->id, "["), definition->id);
	return strcmp(pattern, definition->id) == 0 || fnmatch(pattern, definition->id, 0) == 0 || fnmatch(pattern, base, 0) == 0;
}

bool case_selected(const struct case_def *definition, const struct case_filter *filter)
{
	const char *const *pattern = filter->patterns;

	if (!tags_select(definition, filter->tags))
		return false;
	if (!pattern || !*pattern)
		return true;
	for (; *pattern; pattern++)
		if (pattern_selects(definition, *pattern))
			return true;
	return false;
}
