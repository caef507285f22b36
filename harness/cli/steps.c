/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench steps: what a test case can do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "commands.h"

static int print_markdown(const struct step_registry *registry)
{
	char *text = steps_markdown(registry);

	if (!text)
		return EXIT_BENCH;
	(void)fputs(text, stdout);
	free(text);
	return 0;
}

static int print_one(const struct step_registry *registry, const char *name)
{
	const struct step_def *def = step_registry_find(registry, name);
	struct suggestion suggestion = {.word = name};
	char hint[160], *text;

	if (!def) {
		for (unsigned i = 0; i < registry->count; i++)
			suggestion_offer(&suggestion, registry->steps[i]->name);
		return command_usage_error("steps", "there is no step \"%s\"%s", name, suggestion_text(&suggestion, hint, sizeof(hint)));
	}
	text = step_markdown(def);
	if (!text)
		return EXIT_BENCH;
	(void)fputs(text, stdout);
	free(text);
	return 0;
}

static int run(int argc, char **argv)
{
	const struct step_registry *registry = backend.registry();

	if (argc == 2 && strcmp(argv[1], "--markdown") == 0)
		return print_markdown(registry);
	if (argc == 2 && argv[1][0] != '-')
		return print_one(registry, argv[1]);
	if (argc != 1)
		return command_usage_error(argv[0], "wrong arguments");
	for (unsigned i = 0; i < registry->count; i++) {
		const char *doc = registry->steps[i]->doc ? registry->steps[i]->doc : "", *end = strstr(doc, ". ");

		(void)printf("%-28s %.*s\n", registry->steps[i]->name, end ? (int)(end - doc) + 1 : (int)strlen(doc), doc);
	}
	return 0;
}

const struct command command_steps = {
        .name = "steps",
        .summary = "lists the steps, or describes one",
        .usage = "steps [--markdown | NAME]\n  --markdown  the whole reference, as in docs/reference/steps.md",
        .run = run,
};
