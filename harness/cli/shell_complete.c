/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand next in a line: from the registry, the rig file, the variables and what is loaded. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../report/trace.h"
#include "../rig/rig.h"
#include "shell.h"
#include "shell_typed.h"

struct completion {
	struct shell *shell;
	const char *word; /* that is being typed */
	size_t length;
	void (*add)(void *, const char *);
	void *list;
};

static void offer(struct completion *completion, const char *before, const char *candidate, const char *after)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s%s%s", before, candidate, after);
	if (n > 0 && (size_t)n < sizeof(text) && !strncmp(text, completion->word, completion->length))
		completion->add(completion->list, text);
}

static void offer_words(struct completion *completion, const char *const *words)
{
	for (; words && *words; words++)
		offer(completion, "", *words, "");
}

/* Names of a group of the rig file: roles, links, buses, identities. */
static void offer_group(struct completion *completion, const char *group)
{
	const struct program_rig *rig = completion->shell->rig;
	const struct value *map = rig ? value_get(rig_file_root(rig->context), group) : NULL;
	for (unsigned i = 0; map && map->type == VALUE_MAP && i < map->map.count; i++)
		offer(completion, "", map->map.entries[i].key, "");
}

static void offer_variables(struct completion *completion)
{
	const char *name;
	for (unsigned i = 0; scope_at(session_scope(completion->shell->session), i, &name); i++)
		offer(completion, "${", name, "}");
}

static void offer_steps(struct completion *completion)
{
	const struct step_registry *registry = completion->shell->registry;
	for (unsigned i = 0; i < registry->count; i++)
		offer(completion, "", registry->steps[i]->name, "");
}

static void offer_commands(struct completion *completion)
{
	for (const struct shell_command *command = shell_commands; command->name; command++)
		offer(completion, "", command->name, "");
}

static void offer_cases(struct completion *completion)
{
	struct shell *shell = completion->shell;
	for (unsigned i = 0; i < shell->program_count; i++)
		for (unsigned k = 0; k < shell->programs[i]->count; k++)
			offer(completion, "", shell->programs[i]->cases[k]->id, "");
}

/* The cases of a file that is not loaded yet; one that is no program has none. */
static void offer_cases_of(struct completion *completion, const char *path)
{
	struct program *program = NULL;
	struct error_list errors = {0};
	struct stat status;
	if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	    program_load(&path, 1, completion->shell->registry, &program, &errors) == 0) {
		for (unsigned i = 0; i < program->count; i++)
			offer(completion, "", program->cases[i]->id, "");
		program_free(program);
	}
	error_list_free(&errors);
}

static void offer_files(struct completion *completion)
{
	char folder[512] = ".", before[512] = "";
	const char *slash = NULL;
	for (size_t i = 0; i < completion->length; i++)
		if (completion->word[i] == '/')
			slash = completion->word + i;
	if (slash) {
		snprintf(before, sizeof(before), "%.*s", (int)(slash - completion->word + 1), completion->word);
		snprintf(folder, sizeof(folder), "%s", before);
	}
	DIR *directory = opendir(folder);
	struct dirent *entry;
	while (directory && (entry = readdir(directory)) != NULL) {
		size_t length = strlen(entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type == DT_DIR)
			offer(completion, before, entry->d_name, "/");
		else if (length > 5 && !strcmp(entry->d_name + length - 5, ".yaml"))
			offer(completion, before, entry->d_name, "");
	}
	if (directory)
		(void)closedir(directory);
}

/* ---- arguments of a step ---- */

static void offer_names(struct completion *completion, const struct step_def *def)
{
	for (const struct arg_def *arg = def->args; arg && arg->name; arg++)
		offer(completion, "", arg->name, ":");
	if (def->results) {
		offer(completion, "", "expect", ":");
		offer(completion, "", "save", ":");
	}
}

static void offer_results(struct completion *completion, const struct step_def *def, const char *after)
{
	for (const struct result_def *result = def->results; result && result->name; result++)
		offer(completion, "", result->name, after);
}

static void offer_values(struct completion *completion, const struct arg_def *arg)
{
	static const char *const truths[] = {"true", "false", NULL};
	offer_words(completion, arg->choices);
	if (arg->type == VALUE_BOOL)
		offer_words(completion, truths);
	if (arg->flags & ARG_ROLE)
		offer_group(completion, "roles");
	if (arg->flags & ARG_LINK)
		offer_group(completion, "links");
	if (arg->flags & ARG_CAN)
		offer_group(completion, "buses");
	if (arg->flags & ARG_IDENTITY)
		offer_group(completion, "identities");
	if (arg->flags & ARG_STAGE)
		offer_words(completion, rig_stage_names);
}

/* Where the word stands: the key before it, and the keys of the maps around it. */
struct position {
	char key[64];   /* whose value the word is; "" where a key may stand */
	char outer[64]; /* key of the innermost open map, "" at the top */
	bool scalar;    /* right behind the step's name */
};

static void find_position(const char *line, size_t from, struct position *ret)
{
	struct typed_scan scan = {.before = ' '};
	char keys[8][64] = {{0}}, newest[64] = "";
	size_t step;
	for (size_t i = 0; i < from; i += step) {
		size_t key = scan.quote || (scan.before && !strchr(" \t\n[{,", scan.before)) ? 0 : typed_key(line + i);
		unsigned depth = scan.depth;
		if (key > 0 && i + key <= from) {
			snprintf(newest, sizeof(newest), "%.*s", (int)(key - 1), line + i);
			step = key;
			scan.before = ':';
			continue;
		}
		char c = line[i];
		typed_scan(&scan, line + i, &step);
		if (scan.depth > depth && scan.depth < 8)
			snprintf(keys[scan.depth], sizeof(keys[0]), "%s", newest);
		/* A value ends with a blank, a comma, a bracket. */
		if (scan.depth != depth || c == ',' ||
		    (!scan.quote && !isspace((unsigned char)c) && i + step < from && isspace((unsigned char)line[i + step])))
			newest[0] = '\0';
	}
	snprintf(ret->key, sizeof(ret->key), "%s", newest);
	snprintf(ret->outer, sizeof(ret->outer), "%s", scan.depth > 0 && scan.depth < 8 ? keys[scan.depth] : "");
}

static void offer_arguments(struct completion *completion, const struct step_def *def, const char *rest, size_t from)
{
	struct position position = {.scalar = rest[strspn(rest, " \t:")] == '\0' || strspn(rest, " \t:") >= from};
	find_position(rest, from, &position);
	if (!strcmp(position.outer, "expect") && !*position.key)
		offer_results(completion, def, ":");
	else if (!strcmp(position.outer, "save"))
		offer_results(completion, def, *position.key ? "" : ":");
	for (const struct arg_def *arg = def->args; arg && arg->name; arg++)
		if (*position.key ? !strcmp(arg->name, position.key) : position.scalar && (arg->flags & ARG_SCALAR))
			offer_values(completion, arg);
	if (!*position.key && !*position.outer)
		offer_names(completion, def);
}

static void offer_step_at(struct completion *completion, const struct step_call *call, const char *number, bool names)
{
	char inner[SESSION_PLACE_TEXT];
	offer(completion, "", number, "");
	if (names)
		offer(completion, "", call->def->name, "");
	for (unsigned i = 0; call->block && i < call->block->count; i++) {
		snprintf(inner, sizeof(inner), "%.200s.%u", number, i + 1);
		offer_step_at(completion, call->block->calls[i], inner, names);
	}
}

/* Those of the case that is open. */
static void offer_case_steps(struct completion *completion, bool names)
{
	const struct session *session = completion->shell->session;
	char number[24];
	for (unsigned i = 0; session_case(session) && i < session_step_count(session); i++) {
		snprintf(number, sizeof(number), "%u", i + 1);
		offer_step_at(completion, session_step_at(session, i), number, names);
	}
}

/* before: what stands between the command and the word, without blanks at the ends. */
static void offer_for_command(struct completion *completion, const struct shell_command *command, const char *before)
{
	const char *name = command->name;
	if (!strcmp(name, "help")) {
		offer_commands(completion);
		offer_steps(completion);
	} else if (!strcmp(name, "watch") || !strcmp(name, "unwatch") || !strcmp(name, "events")) {
		for (const struct trace_protocol *protocol = trace_protocols; protocol->name; protocol++)
			offer(completion, "", protocol->name, "");
		offer_group(completion, "roles");
	} else if (!strcmp(name, "load") && *before) {
		offer_cases_of(completion, before);
	} else if (!strcmp(name, "load")) {
		offer_cases(completion);
		offer_files(completion);
	} else if (!strcmp(name, "save")) {
		offer_files(completion);
	} else if (!strcmp(name, "power")) {
		offer_group(completion, "roles");
	} else if (!strcmp(name, "until") || !strcmp(name, "break")) {
		offer_case_steps(completion, *name == 'u');
	}
}

void shell_complete(void *context, const char *line, size_t *ret_from, void (*add)(void *, const char *), void *list)
{
	struct completion completion = {.shell = context, .add = add, .list = list};
	size_t length = strlen(line), from = length, name;
	const char *first = line + strspn(line, " \t"), *variable = strrchr(line, '$');
	if (first[0] == '-' && first[1] == ' ')
		first += 1 + strspn(first + 1, " \t");
	for (name = 0; typed_name_char(first[name]); name++)
		;
	/* A word begins behind a blank, a bracket, a comma, a quote; paths and names of cases hold most else. */
	/* Ids of cases hold brackets and commas. */
	bool load = name == 4 && !strncmp(first, "load", 4);
	while (from > 0 && !strchr(load ? " \t" : " \t[{,\"'", line[from - 1]))
		from--;
	if (variable && variable[1] == '{' && !strchr(variable, '}'))
		from = (size_t)(variable - line);
	completion.word = line + from;
	completion.length = length - from;
	*ret_from = from;
	if (completion.word[0] == '$') {
		offer_variables(&completion);
		return;
	}
	if (first + name == line + length) {
		offer_commands(&completion);
		offer_steps(&completion);
		return;
	}
	char word[128];
	snprintf(word, sizeof(word), "%.*s", (int)name, first);
	const struct shell_command *command = shell_command_find(first, name);
	const struct step_def *def = step_registry_find(completion.shell->registry, word);
	if (command) {
		char before[512];
		const char *rest = first + name + strspn(first + name, " \t");
		snprintf(before, sizeof(before), "%.*s", rest < completion.word ? (int)strcspn(rest, " \t") : 0, rest);
		offer_for_command(&completion, command, before);
	} else if (def && from >= (size_t)(first + name - line))
		offer_arguments(&completion, def, first + name, from - (size_t)(first + name - line));
}
