/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that the readers share: known keys, texts, lists of texts, durations. */
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"

static bool contains(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

void checker_keys(struct checker *checker, const struct value *map, const char *const *allowed, const char *what)
{
	const struct value_entry *entry;
	char hint[160];

	for (unsigned i = 0; i < map->map.count; i++) {
		entry = &map->map.entries[i];
		if (!contains(allowed, entry->key))
			checker_error(checker, entry->key_place, "unknown key \"%s\" of %s%s", entry->key, what,
			              suggest_text(entry->key, allowed, hint, sizeof(hint)));
	}
}

char *checker_text(struct checker *checker, const struct value *value, const char *what)
{
	struct value *text, *resolved;
	struct error err;
	char *taken;
	int r;

	if (checker_references(checker, value) == REFERENCES_OPEN) {
		checker_error(checker, value->place, "%s may use parameters, but no variable of the run", what);
		return NULL;
	}
	checker_resolve(checker, value, &resolved);
	if (!resolved)
		return NULL;
	r = value_convert(resolved, VALUE_TEXT, &text, &err);
	value_free(resolved);
	if (r < 0) {
		error_prefix(&err, "%s", what);
		checker_add(checker, &err);
		return NULL;
	}
	taken = text->text;
	text->text = NULL;
	value_free(text);
	if (*taken == '\0') {
		checker_error(checker, value->place, "%s is empty", what);
		free(taken);
		return NULL;
	}
	return taken;
}

static void texts_add(struct checker *checker, const struct value *value, const char *what, char ***texts)
{
	char *text = checker_text(checker, value, what), **grown;
	size_t count = 0;

	if (!text)
		return;
	while (*texts && (*texts)[count])
		count++;
	grown = realloc(*texts, (count + 2) * sizeof(*grown));
	if (!grown) {
		free(text);
		checker_no_memory(checker);
		return;
	}
	grown[count] = text;
	grown[count + 1] = NULL;
	*texts = grown;
}

void checker_texts(struct checker *checker, const struct value *value, const char *what, char ***texts)
{
	if (value->type != VALUE_LIST) {
		texts_add(checker, value, what, texts);
		return;
	}
	for (unsigned i = 0; i < value->list.count; i++)
		texts_add(checker, value->list.items[i], what, texts);
}

void texts_free(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

void checker_duration(struct checker *checker, const struct value *value, const char *what, int64_t *ret_ns)
{
	struct value *duration;
	struct error err;

	if (value_convert(value, VALUE_DURATION, &duration, &err) < 0) {
		error_prefix(&err, "%s", what);
		checker_add(checker, &err);
		return;
	}
	if (duration->integer <= 0)
		checker_error(checker, value->place, "%s must be above zero", what);
	else
		*ret_ns = duration->integer;
	value_free(duration);
}
