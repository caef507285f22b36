/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench list: the cases that a run of the same arguments would take. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

static json_t *texts_json(char **texts)
{
	json_t *array = json_array();

	for (; texts && *texts; texts++)
		(void)json_array_append_new(array, json_string(*texts));
	return array;
}

static json_t *case_json(const struct case_def *definition)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "id", definition->id, "title", definition->title, "file",
	                         definition->place.file, "line", (int)definition->place.line, "tags", texts_json(definition->tags),
	                         "verifies", texts_json(definition->verifies), "requires", texts_json(definition->requires));

	if (json && definition->params)
		(void)json_object_set_new(json, "params", value_to_json(definition->params));
	return json;
}

static void print_json(const struct program *program, const struct case_filter *filter)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < program->count; i++)
		if (case_selected(program->cases[i], filter))
			(void)json_array_append_new(array, case_json(program->cases[i]));
	(void)json_dumpf(array, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(array);
}

/* A case's own tag may be one of the defaults too. */
static bool listed_before(char **tags, char **tag)
{
	for (; tags < tag; tags++)
		if (strcmp(*tags, *tag) == 0)
			return true;
	return false;
}

static void print_lines(const struct program *program, const struct case_filter *filter)
{
	for (unsigned i = 0; i < program->count; i++) {
		const struct case_def *definition = program->cases[i];

		if (!case_selected(definition, filter))
			continue;
		(void)printf("%-44s %s  (%s:%u)", definition->id, definition->title, definition->place.file, definition->place.line);
		for (char **tag = definition->tags; *tag; tag++)
			if (!listed_before(definition->tags, tag))
				(void)printf(" #%s", *tag);
		(void)putchar('\n');
	}
}

static int list(int argc, char **argv, const struct case_filter *filter, bool json)
{
	struct program *program;
	int status = command_load(argv, argc, &program);

	if (status != 0)
		return status;
	if (json)
		print_json(program, filter);
	else
		print_lines(program, filter);
	program_free(program);
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	        {"tag", required_argument, NULL, 't'}, {"case", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'}, {0}};
	const char **tags = calloc((size_t)argc + 1, sizeof(*tags)), **patterns = calloc((size_t)argc + 1, sizeof(*patterns));
	unsigned tag_count = 0, pattern_count = 0;
	bool json = false;
	int option, status = tags && patterns ? 0 : EXIT_BENCH;

	optind = 0;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			tags[tag_count++] = optarg;
		else if (option == 'c')
			patterns[pattern_count++] = optarg;
		else if (option == 'j')
			json = true;
		else
			status = command_usage_error(argv[0], "wrong or incomplete option %s", argv[optind - 1]);
	}
	if (status == 0)
		status = list(argc - optind, argv + optind, &(struct case_filter){.tags = tags, .patterns = patterns}, json);
	free(tags);
	free(patterns);
	return status;
}

const struct command command_list = {
        .name = "list",
        .summary = "lists test cases with id, title, place and tags",
        .usage = "list [--tag TAG]… [--case GLOB]… [--json] [FILE|DIR]…\n"
                 "  --tag TAG    only cases with one of the tags; !TAG: without it\n"
                 "  --case GLOB  only cases whose id matches",
        .run = run,
};
