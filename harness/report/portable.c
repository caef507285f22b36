/* SPDX-License-Identifier: Apache-2.0 */
#include "portable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool leads_away(const char *path)
{
	return path[0] == '/' || strncmp(path, "../", 3) == 0;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] != '\0' ? slash + 1 : path;
}

static void place_shorten(struct place *place)
{
	if (place->file && place->file[0] == '/')
		place->file = place_intern(last_component(place->file));
}

static int text_shorten(char **text)
{
	if (!*text || !leads_away(*text))
		return 0;
	char *shorter = strdup(last_component(*text));
	if (!shorter)
		return -ENOMEM;
	free(*text);
	*text = shorter;
	return 0;
}

/* "/a/b.yaml" and "--rig=/a/b.yaml". New reference, or NULL when out of memory. */
static json_t *word_shortened(json_t *word)
{
	const char *text = json_string_value(word);
	const char *equals = text && text[0] == '-' ? strchr(text, '=') : NULL;
	const char *path = equals ? equals + 1 : text;
	if (!path || !leads_away(path))
		return json_incref(word);
	return json_sprintf("%.*s%s", (int)(path - text), text, last_component(path));
}

static int arguments_shorten(struct report_run *run)
{
	json_t *shorter = json_is_array(run->arguments) ? json_array() : NULL, *word;
	size_t i;
	if (!shorter)
		return json_is_array(run->arguments) ? -ENOMEM : 0;
	json_array_foreach (run->arguments, i, word) {
		if (json_array_append_new(shorter, word_shortened(word)) < 0) {
			json_decref(shorter);
			return -ENOMEM;
		}
	}
	json_decref(run->arguments);
	run->arguments = shorter;
	return 0;
}

int report_run_make_portable(struct report_run *run)
{
	place_shorten(&run->failure.place);
	for (size_t i = 0; i < run->case_count; i++) {
		struct report_case *c = &run->cases[i];
		place_shorten(&c->place);
		for (size_t k = 0; k < c->attempt_count; k++) {
			place_shorten(&c->attempts[k].place);
			place_shorten(&c->attempts[k].step.place);
		}
	}
	int r = text_shorten(&run->rig_file);
	return r < 0 ? r : arguments_shorten(run);
}
