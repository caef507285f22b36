/* SPDX-License-Identifier: Apache-2.0 */
#include "shell_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS     INT64_C(1000000000)
#define LEAST_TIME_NS (60 * SECOND_NS)

void shell_log_clear(struct shell_log *log)
{
	for (unsigned i = 0; i < log->count; i++) {
		free(log->entries[i].name);
		value_free(log->entries[i].value);
		free(log->entries[i].yaml);
	}
	free(log->entries);
	*log = (struct shell_log){0};
}

static int add(struct shell_log *log, struct shell_log_entry entry)
{
	struct shell_log_entry *grown = realloc(log->entries, (log->count + 1) * sizeof(*grown));
	if (grown)
		log->entries = grown;
	if (!grown || (entry.name ? !entry.value : !entry.yaml)) {
		free(entry.name);
		value_free(entry.value);
		free(entry.yaml);
		return -ENOMEM;
	}
	grown[log->count++] = entry;
	return 0;
}

int shell_log_set(struct shell_log *log, const char *name, const struct value *value)
{
	return add(log, (struct shell_log_entry){.name = strdup(name), .value = value_copy(value)});
}

/* ---- variables in texts ---- */

/* The next "${name}" from *at on; "$${" is none. Its name's length, 0: there is no further one. */
static size_t next_variable(const char **at)
{
	for (const char *from = *at; (from = strstr(from, "${")); from += 2) {
		size_t length = strcspn(from + 2, "}");
		if ((from > *at && from[-1] == '$') || from[2 + length] != '}' || length == 0)
			continue;
		*at = from;
		return length;
	}
	return 0;
}

static bool saves(const struct step_block *block, const char *name)
{
	for (unsigned i = 0; i < block->count; i++) {
		const struct step_call *call = block->calls[i];
		const struct value *as = value_get(call->args, "as");
		if ((call->save && value_get(call->save, name)) || (as && as->type == VALUE_TEXT && !strcmp(as->text, name)))
			return true;
		if (call->block && saves(call->block, name))
			return true;
	}
	return false;
}

static bool known(const struct shell_log *log, const char *name)
{
	char pattern[160];
	for (unsigned i = 0; i < log->count; i++) {
		const struct shell_log_entry *entry = &log->entries[i];
		snprintf(pattern, sizeof(pattern), "%s:", name);
		if (entry->name ? !strcmp(entry->name, name)
		                : entry->passed && strstr(entry->yaml, "save:") && strstr(entry->yaml, pattern))
			return true;
	}
	return false;
}

int shell_log_steps(struct shell_log *log, const char *yaml, const struct step_block *block, const struct scope *scope, bool passed,
                    int64_t took_ns)
{
	const char *at = yaml;
	char name[128];
	int r = 0;
	for (size_t length; r == 0 && (length = next_variable(&at)) > 0; at += length + 3) {
		snprintf(name, sizeof(name), "%.*s", (int)length, at + 2);
		const struct value *value = scope_get(scope, name);
		if (value && strncmp(name, "rig.", 4) != 0 && !known(log, name) && !saves(block, name))
			r = shell_log_set(log, name, value);
	}
	return r < 0 ? r : add(log, (struct shell_log_entry){.yaml = strdup(yaml), .passed = passed, .took_ns = took_ns});
}

/* ---- the file ---- */

/* The entry that sets what `name` means at `index`: the last one before it; -1: a step saved it, or it is the rig's. */
static int setter(const struct shell_log *log, unsigned index, const char *name, bool all)
{
	char pattern[160];
	snprintf(pattern, sizeof(pattern), "%s:", name);
	for (int i = (int)index - 1; i >= 0; i--) {
		const struct shell_log_entry *entry = &log->entries[i];
		if (entry->name && !strcmp(entry->name, name))
			return i;
		const char *save = !entry->name && (entry->passed || all) ? strstr(entry->yaml, "save:") : NULL;
		if (save && strstr(save, pattern))
			return -1;
	}
	return -1;
}

static bool wanted(const struct shell_log_entry *entry, bool all)
{
	return !entry->name && (entry->passed || all);
}

/* Parameters are named after their variable; a number tells those apart that were set again. */
static void parameter_name(const struct shell_log *log, int index, char *buffer, size_t size)
{
	unsigned number = 1;
	for (int i = 0; i < index; i++)
		number += log->entries[i].name && !strcmp(log->entries[i].name, log->entries[index].name);
	char flat[128];
	snprintf(flat, sizeof(flat), "%s", log->entries[index].name);
	for (char *at = flat; *at; at++)
		if (*at == '.')
			*at = '_';
	snprintf(buffer, size, "%s_set%.0u", flat, number > 1 ? number : 0);
}

static void mark_used(const struct shell_log *log, unsigned index, bool all, bool *used)
{
	const char *at = log->entries[index].yaml;
	char name[128];
	for (size_t length; (length = next_variable(&at)) > 0; at += length + 3) {
		snprintf(name, sizeof(name), "%.*s", (int)length, at + 2);
		int by = setter(log, index, name, all);
		if (by >= 0)
			used[by] = true;
	}
}

static int write_parameter(const struct shell_log *log, unsigned index, FILE *out, struct error *err)
{
	const struct shell_log_entry *entry = &log->entries[index];
	char name[160], *text;
	if (entry->value->type == VALUE_LIST || entry->value->type == VALUE_MAP || entry->value->type == VALUE_NULL)
		return error_set(err, ERROR_USAGE, EINVAL, "the variable \"%s\" is %s: a case's parameters are single values", entry->name,
		                 value_type_name(entry->value->type));
	parameter_name(log, (int)index, name, sizeof(name));
	bool quoted = entry->value->type == VALUE_TEXT || entry->value->type == VALUE_BYTES;
	text = entry->value->type == VALUE_TEXT ? strdup(entry->value->text) : value_describe(entry->value);
	json_t *string = quoted && text ? json_string(text) : NULL;
	char *shown = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
	if (text)
		(void)fprintf(out, "      %s: [%s]\n", name, quoted && shown ? shown : text);
	json_decref(string);
	free(shown);
	free(text);
	return text ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* The steps, indented, with variables that were set by hand under their parameters' names. */
static void write_steps(const struct shell_log *log, unsigned index, bool all, FILE *out)
{
	const char *from = log->entries[index].yaml, *variable = from;
	char name[160];
	size_t length = next_variable(&variable);
	bool begins = true;
	while (*from) {
		if (begins && *from != '\n')
			(void)fputs("      ", out);
		begins = *from == '\n';
		if (length == 0 || from != variable) {
			(void)fputc(*from++, out);
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)length, variable + 2);
		int by = setter(log, index, name, all);
		if (by >= 0)
			parameter_name(log, by, name, sizeof(name));
		(void)fprintf(out, "${%s}", name);
		from += length + 3;
		variable = from;
		length = next_variable(&variable);
	}
	(void)fputc('\n', out);
}

static int64_t time_needed(const struct shell_log *log, bool all)
{
	int64_t sum_ns = 0;
	for (unsigned i = 0; i < log->count; i++)
		if (wanted(&log->entries[i], all))
			sum_ns += log->entries[i].took_ns;
	return sum_ns * 3 > LEAST_TIME_NS ? sum_ns * 3 : LEAST_TIME_NS;
}

static int write_case(const struct shell_log *log, const char *id, bool all, const bool *used, FILE *out, struct error *err)
{
	bool params = false;
	int r = 0;
	(void)fprintf(
	        out, "# SPDX-License-Identifier: Apache-2.0\n# Saved from the shell.\ncases:\n  - id: %s\n    title: %s, as it was typed\n",
	        id, id);
	(void)fprintf(out, "    timeout: %" PRId64 "s\n", time_needed(log, all) / SECOND_NS + 1);
	for (unsigned i = 0; r == 0 && i < log->count; i++) {
		if (!used[i])
			continue;
		if (!params)
			(void)fputs("    params:\n", out);
		params = true;
		r = write_parameter(log, i, out, err);
	}
	(void)fputs("    steps:\n", out);
	for (unsigned i = 0; i < log->count; i++)
		if (wanted(&log->entries[i], all))
			write_steps(log, i, all, out);
	return r;
}

int shell_log_write(const struct shell_log *log, const char *id, bool all, char **ret, struct error *err)
{
	bool *used = calloc(log->count + 1, sizeof(*used));
	unsigned steps = 0;
	char *text = NULL;
	size_t size;
	int r = used ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (unsigned i = 0; used && i < log->count; i++)
		if (wanted(&log->entries[i], all)) {
			steps++;
			mark_used(log, i, all, used);
		}
	if (r == 0 && steps == 0)
		r = error_set(err, ERROR_USAGE, ENOENT, "there is nothing to save: no step was typed%s", all ? "" : " that passed");
	FILE *out = r == 0 ? open_memstream(&text, &size) : NULL;
	if (r == 0 && !out)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = write_case(log, id, all, used, out, err);
	if (out && fclose(out) != 0 && r == 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	free(used);
	if (r < 0)
		free(text);
	else
		*ret = text;
	return r;
}
