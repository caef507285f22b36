/* SPDX-License-Identifier: Apache-2.0 */
/* docs/reference/steps.md, from the registry. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang_private.h"

/* A "|" would end the cell. */
static void cell(FILE *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '|')
			(void)fputc('\\', out);
		(void)fputc(*text == '\n' ? ' ' : *text, out);
	}
}

static const char *type_text(const struct arg_def *arg)
{
	if (arg->flags & ARG_STEPS)
		return "steps";
	if (arg->flags & ARG_EXPECT)
		return "expectations";
	if (arg->flags & ARG_SAVE)
		return "variable: result";
	if (arg->flags & ARG_ANY)
		return "any value";
	if (arg->flags & ARG_ROLE)
		return "a role";
	if (arg->flags & ARG_LINK)
		return "a link";
	if (arg->flags & ARG_MEASURE)
		return "a measurement";
	if (arg->flags & ARG_NAME)
		return "a name";
	if (arg->flags & ARG_IDENTITY)
		return "an identity";
	if (arg->flags & ARG_CAN)
		return "a bus";
	if (arg->flags & ARG_EVENT)
		return "a kind of event";
	if (arg->flags & ARG_STAGE)
		return "a boot stage";
	if (arg->flags & ARG_REGEX)
		return "a regular expression";
	return value_type_name(arg->type);
}

static void range_text(FILE *out, const struct arg_def *arg)
{
	struct value limit = {.type = arg->type};
	char *text;

	if (arg->minimum == 0 && arg->maximum == 0) {
		(void)fputs(arg->flags & ARG_POSITIVE ? " above 0" : "", out);
		return;
	}
	for (int i = 0; i < 2; i++) {
		limit.integer = i == 0 ? arg->minimum : arg->maximum;
		text = value_describe(&limit);
		(void)fprintf(out, "%s%s", i == 0 ? ", " : " … ", text ? text : "");
		free(text);
	}
}

static void arg_row(FILE *out, const struct arg_def *arg)
{
	(void)fprintf(out, "| `%s`%s | %s%s", arg->name, arg->flags & ARG_SCALAR ? " (short form)" : "", type_text(arg),
	              arg->flags & ARG_LIST ? ", or a list of them" : "");
	range_text(out, arg);
	for (const char *const *word = arg->choices; word && *word; word++)
		(void)fprintf(out, "%s`%s`", word == arg->choices ? ": " : ", ", *word);
	(void)fputs(" | ", out);
	if (arg->flags & ARG_REQUIRED)
		(void)fputs("required", out);
	else if (arg->default_text) {
		(void)fputc('`', out);
		cell(out, arg->default_text);
		(void)fputc('`', out);
	}
	(void)fputs(" | ", out);
	cell(out, arg->doc);
	(void)fputs(" |\n", out);
}

static void step_section(FILE *out, const struct step_def *def)
{
	(void)fprintf(out, "### %s\n\n%s\n\n", def->name, def->doc ? def->doc : "");
	for (const char *const *needed = def->capabilities; needed && *needed; needed++)
		(void)fprintf(out, "%s`%s`%s", needed == def->capabilities ? "Needs of the rig: " : ", ", *needed,
		              needed[1] ? "" : ".\n\n");
	if (def->args && def->args[0].name) {
		(void)fputs("| argument | type | default | |\n|---|---|---|---|\n", out);
		for (const struct arg_def *arg = def->args; arg->name; arg++)
			arg_row(out, arg);
		(void)fputc('\n', out);
	}
	if (def->results && def->results[0].name) {
		(void)fputs("| result | type | |\n|---|---|---|\n", out);
		for (const struct result_def *result = def->results; result->name; result++) {
			(void)fprintf(out, "| `%s` | %s | ", result->name, value_type_name(result->type));
			cell(out, result->doc);
			(void)fputs(" |\n", out);
		}
		(void)fputc('\n', out);
	}
	if (def->example)
		(void)fprintf(out, "```yaml\n%s%s```\n\n", def->example,
		              def->example[0] && def->example[strlen(def->example) - 1] == '\n' ? "" : "\n");
}

static void group_name(const char *step, char *group, size_t size)
{
	(void)snprintf(group, size, "%.*s", (int)strcspn(step, "."), step);
}

static void introduction(FILE *out)
{
	(void)fputs(
	        "# Steps\n\nMade by `hilbench steps --markdown` from the step registry; do not edit.\n\n"
	        "A step is a map with one key: `- doip.activate: {source: 0x0e80}`. A step without arguments is `- name:`; where an "
	        "argument\n"
	        "is marked as the short form, `- name: value` gives it alone. Every step with results takes two more arguments:\n\n"
	        "- `expect:` a map, result -> value or matcher: `eq`, `ne`, `in_range: [low, high]`, `one_of: [..]`,\n"
	        "  `bytes: \"62 f1 90 ..\"` (`..` any rest, `?\?` any byte; a bare text with one of them is such a pattern too),\n"
	        "  `matches: REGEX` (POSIX extended), `at_least`, `at_most`, `absent: true`, `present: true`. All of a map's matchers must "
	        "hold.\n"
	        "- `save:` a map, variable -> result, for `${variable}` in later steps.\n\n"
	        "Durations need a unit (`ns`, `us`, `ms`, `s`, `min`, `h`), sizes too (`B`, `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`); bytes "
	        "are hex in\n"
	        "quotes: `\"02 10 03\"`.\n\n",
	        out);
}

char *steps_markdown(const struct step_registry *registry)
{
	char *text = NULL, group[64], last[64] = "";
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	introduction(out);
	for (unsigned i = 0; i < registry->count; i++) {
		group_name(registry->steps[i]->name, group, sizeof(group));
		if (strcmp(group, last) != 0)
			(void)fprintf(out, "## %s\n\n", group);
		memcpy(last, group, sizeof(last));
		step_section(out, registry->steps[i]);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *step_markdown(const struct step_def *def)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	step_section(out, def);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
