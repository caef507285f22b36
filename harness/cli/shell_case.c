/* SPDX-License-Identifier: Apache-2.0 */
/* A case in the shell, step by step. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/suggest.h"
#include "../report/text.h"
#include "shell.h"

/* ---- load ---- */

static struct program *read_program(struct shell *shell, const char *path)
{
	struct program *program = NULL;
	struct error_list errors = {0};
	if (program_load(&path, 1, shell->registry, &program, &errors) < 0) {
		program = NULL;
		for (unsigned i = 0; i < errors.count; i++)
			shell_print_error(shell, &errors.items[i]);
		shell->wrong++;
	}
	error_list_free(&errors);
	if (program && shell->program_count == sizeof(shell->programs) / sizeof(*shell->programs)) {
		program_free(program);
		shell_wrong(shell, NULL, "too many files were loaded in this session");
		return NULL;
	}
	if (program)
		shell->programs[shell->program_count++] = program;
	return program;
}

static const struct case_def *find_case(const struct program *program, const char *id)
{
	for (unsigned i = 0; i < program->count; i++)
		if (!strcmp(program->cases[i]->id, id))
			return program->cases[i];
	return NULL;
}

/* The only case of the file, or a list of them. */
static const struct case_def *only_case(struct shell *shell, const struct program *program)
{
	if (program->count == 1)
		return program->cases[0];
	for (unsigned i = 0; i < program->count; i++)
		shell_say(shell, "  %s\n", program->cases[i]->id);
	shell_say(shell, "%u cases: `load ID` takes one of them\n", program->count);
	return NULL;
}

static void unknown_case(struct shell *shell, const struct program *program, const char *id, const char *at)
{
	struct suggestion suggestion = {.word = id};
	char hint[160];
	for (unsigned i = 0; program && i < program->count; i++)
		suggestion_offer(&suggestion, program->cases[i]->id);
	shell_wrong(shell, at, "there is no case \"%s\"%s", id, suggestion_text(&suggestion, hint, sizeof(hint)));
}

/* By its id: among what was loaded last, else in ./testcases. */
static const struct case_def *case_by_id(struct shell *shell, const char *id, const char *at)
{
	for (unsigned i = shell->program_count; i > 0; i--) {
		const struct case_def *def = find_case(shell->programs[i - 1], id);
		if (def)
			return def;
	}
	struct program *program = access("testcases", R_OK) == 0 ? read_program(shell, "testcases") : NULL;
	const struct case_def *def = program ? find_case(program, id) : NULL;
	if (!def)
		unknown_case(shell, program ? program : shell->program_count ? shell->programs[shell->program_count - 1] : NULL, id, at);
	return def;
}

static bool rig_has_all(struct shell *shell, const struct case_def *def)
{
	struct case_def *cases[] = {(struct case_def *)def};
	const struct program program = {cases, 1};
	struct error_list errors = {0};
	bool has = !shell->rig || program_check_rig(&program, shell->rig, &errors) == 0;
	for (unsigned i = 0; i < errors.count; i++)
		shell_print_error(shell, &errors.items[i]);
	error_list_free(&errors);
	return has;
}

static void print_verdict(struct shell *shell, const char *id, enum verdict verdict, const struct error *why)
{
	char text[2048];
	shell_say(shell, "%s: %s\n", id, verdict_name(verdict));
	if (verdict != VERDICT_PASS && why->message[0])
		shell_say(shell, "  %s\n", error_describe(why, text, sizeof(text)));
}

static void print_position(struct shell *shell)
{
	const struct step_call *call = session_step_at(shell->session, session_position(shell->session));
	if (call)
		shell_say(shell, "at  %u  %s:%u  %s\n", session_position(shell->session) + 1, call->place.file ? call->place.file : "",
		          call->place.line, call->text);
	else if (session_case(shell->session))
		shell_say(shell, "every step has run; `continue` runs `always` and ends the case\n");
}

static void begin_case(struct shell *shell, const struct case_def *def)
{
	struct error error = {0};
	if (!rig_has_all(shell, def)) {
		shell->wrong++;
		return;
	}
	if (session_begin(shell->session, def, &error) < 0) {
		if (error.domain == ERROR_USAGE)
			shell->wrong++;
		shell_print_error(shell, &error);
		return;
	}
	shell->last_case = def;
	shell_say(shell, "%s: %s\n", def->id, def->title ? def->title : "");
	print_position(shell);
}

/* Beside it there may be one of nearly the same name. */
static void no_file(struct shell *shell, const char *path, const char *at)
{
	char folder[512], near[256] = "", hint[320];
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct suggestion suggestion = {.word = name};
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	DIR *directory = opendir(folder);
	struct dirent *entry;
	while (directory && (entry = readdir(directory)) != NULL) {
		suggestion_offer(&suggestion, entry->d_name);
		/* The entry is gone with the next one. */
		if (suggestion.best == entry->d_name) {
			snprintf(near, sizeof(near), "%s", entry->d_name);
			suggestion.best = near;
		}
	}
	shell_wrong(shell, at, directory ? "there is no file \"%s\"%s" : "there is no file \"%s\", and no such directory%s", path,
	            suggestion_text(&suggestion, hint, sizeof(hint)));
	if (directory)
		(void)closedir(directory);
}

void shell_do_load(struct shell *shell, const char *rest)
{
	char first[512], second[256];
	size_t length = shell_word(&rest);
	const char *id = rest + length;
	size_t id_length = shell_word(&id);
	snprintf(first, sizeof(first), "%.*s", (int)length, rest);
	snprintf(second, sizeof(second), "%.*s", (int)id_length, id);
	const struct case_def *def = NULL;
	if (length == 0 || session_guided(shell->session)) {
		shell_wrong(shell, NULL,
		            length ? "the run has a case under way: this belongs to `hilbench shell`" : "load which file or case?");
		return;
	}
	if (access(first, F_OK) == 0) {
		struct program *program = read_program(shell, first);
		if (program && id_length > 0 && !(def = find_case(program, second)))
			unknown_case(shell, program, second, id);
		else if (program && id_length == 0)
			def = only_case(shell, program);
	} else if (strchr(first, '/') || fnmatch("*.y*ml", first, 0) == 0) {
		no_file(shell, first, rest);
	} else {
		def = case_by_id(shell, first, rest);
	}
	if (def)
		begin_case(shell, def);
}

/* ---- looking ---- */

static bool has_case(struct shell *shell)
{
	if (session_case(shell->session))
		return true;
	shell_wrong(shell, NULL, "no case is loaded: `load FILE` or `load ID`");
	return false;
}

/* Without the case's: "steps/2", and "steps/2/0" for one in its block. */
static const char *short_id(const struct case_def *def, const struct step_call *call)
{
	size_t length = strlen(def->id);
	return !strncmp(call->id, def->id, length) && call->id[length] == '/' ? call->id + length + 1 : call->id;
}

static void list_block(struct shell *shell, const struct case_def *def, const struct step_block *block, unsigned depth)
{
	for (unsigned i = 0; i < block->count; i++) {
		const struct step_call *call = block->calls[i];
		shell_say(shell, "       %-10s %*s%s\n", short_id(def, call), (int)depth * 2, "", call->text);
		if (call->block)
			list_block(shell, def, call->block, depth + 1);
	}
}

static bool has_id(const struct case_def *def, const struct step_call *call, const char *id)
{
	return !strcmp(call->id, id) || !strcmp(short_id(def, call), id);
}

static bool block_has(const struct case_def *def, const struct step_block *block, const char *id)
{
	for (unsigned i = 0; block && i < block->count; i++)
		if (has_id(def, block->calls[i], id) || block_has(def, block->calls[i]->block, id))
			return true;
	return false;
}

void shell_do_list(struct shell *shell, const char *rest)
{
	if (!has_case(shell))
		return;
	const struct case_def *def = session_case(shell->session);
	unsigned count = session_step_count(shell->session), position = session_position(shell->session);
	bool failed = session_state(shell->session) == SESSION_FAILED;
	shell_say(shell, "%s: %s\n", def->id, def->title ? def->title : "");
	for (unsigned i = 0; i < count; i++) {
		const struct step_call *call = session_step_at(shell->session, i);
		shell_say(shell, "%c%c %3u  %-10s %s\n", i == position ? failed ? '!' : '>' : ' ',
		          session_breaks_at(shell->session, i) ? 'b' : ' ', i + 1, short_id(def, call), call->text);
		if (call->block)
			list_block(shell, def, call->block, 1);
	}
	for (unsigned i = 0; i < def->always.count; i++)
		shell_say(shell, "        always %s\n", def->always.calls[i]->text);
}

/* ---- going on ---- */

/* In a run the executor ends the case. */
static void end_case(struct shell *shell)
{
	enum verdict verdict;
	struct error why = {0};
	char id[256];
	if (session_guided(shell->session))
		return;
	snprintf(id, sizeof(id), "%s", session_case(shell->session)->id);
	session_finish(shell->session, &verdict, &why);
	print_verdict(shell, id, verdict, &why);
}

static void went_on(struct shell *shell, int r, const struct error *error, bool to_end)
{
	if (r < 0 && error->domain == ERROR_USAGE) {
		shell_wrong(shell, NULL, "%s", error->message);
		return;
	}
	if (r < 0) {
		const struct step_call *call = session_step_at(shell->session, session_position(shell->session));
		shell_say(shell, "step %u failed: %s\n", session_position(shell->session) + 1, call ? call->text : "");
		shell_report_failure(shell, error);
	} else if (to_end && session_state(shell->session) == SESSION_DONE) {
		end_case(shell);
	} else {
		print_position(shell);
	}
}

void shell_do_next(struct shell *shell, const char *rest)
{
	struct error error = {0};
	if (!has_case(shell))
		return;
	const struct step_call *call =
	        session_step_at(shell->session, session_position(shell->session) + (session_state(shell->session) == SESSION_FAILED));
	int64_t begin_ns = loop_now_ns();
	int r = session_next(shell->session, &error);
	char took[TEXT_NUMBER_SIZE];
	if (r == 0) {
		shell_say(shell, "ok  %s (%s ms)\n", call->def->name, text_ms(loop_now_ns() - begin_ns, took));
		shell_print_results(shell, false);
	}
	went_on(shell, r, &error, false);
}

static void run_to(struct shell *shell, unsigned until)
{
	struct error error = {0};
	int r = 0;
	if (session_state(shell->session) != SESSION_DONE)
		r = session_run(shell->session, until, &error);
	went_on(shell, r, &error, true);
}

void shell_do_continue(struct shell *shell, const char *rest)
{
	if (has_case(shell))
		run_to(shell, UINT32_MAX);
}

/* The index of a step by number or name, or -1 (told). */
static int step_index(struct shell *shell, const char *text, bool names)
{
	char *end;
	unsigned count = session_step_count(shell->session);
	unsigned long number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && number >= 1 && number <= count)
		return (int)number - 1;
	const struct case_def *def = session_case(shell->session);
	for (unsigned i = 0; i < count; i++) {
		const struct step_call *call = session_step_at(shell->session, i);
		if (has_id(def, call, text))
			return (int)i;
		if (!block_has(def, call->block, text))
			continue;
		shell_wrong(shell, text, "%s is in the block of step %u (%s), which runs as a whole: stop before it with %u", text, i + 1,
		            call->def->name, i + 1);
		return -1;
	}
	for (unsigned i = session_position(shell->session) + 1; names && i < count; i++)
		if (!strcmp(session_step_at(shell->session, i)->def->name, text))
			return (int)i;
	if (names)
		shell_wrong(shell, text, "\"%s\" is no number from 1 to %u, and no step to come has this name", text, count);
	else
		shell_wrong(shell, text, "\"%s\" is no number of a step (1 to %u), and no id: `list` shows them", text, count);
	return -1;
}

void shell_do_until(struct shell *shell, const char *rest)
{
	int index = has_case(shell) ? step_index(shell, rest, true) : -1;
	if (index < 0)
		return;
	if ((unsigned)index <= session_position(shell->session))
		shell_wrong(shell, rest, "step %d is not ahead: `restart` begins again", index + 1);
	else
		run_to(shell, (unsigned)index);
}

void shell_do_break(struct shell *shell, const char *rest)
{
	int index = has_case(shell) ? step_index(shell, rest, false) : -1;
	if (index >= 0)
		shell_say(shell,
		          session_break(shell->session, (unsigned)index) ? "stops before step %d\n" : "no longer stops before step %d\n",
		          index + 1);
}

void shell_do_retry(struct shell *shell, const char *rest)
{
	struct error error = {0};
	int r = session_retry(shell->session, &error);
	if (r == 0)
		shell_print_results(shell, false);
	went_on(shell, r, &error, false);
}

void shell_do_restart(struct shell *shell, const char *rest)
{
	if (session_guided(shell->session))
		shell_wrong(shell, NULL, "the run has a case under way: this belongs to `hilbench shell`");
	else if (!shell->last_case)
		shell_wrong(shell, NULL, "no case was loaded: `load FILE` or `load ID`");
	else
		begin_case(shell, shell->last_case);
}

void shell_do_always(struct shell *shell, const char *rest)
{
	struct error error = {0};
	if (!has_case(shell))
		return;
	if (session_always(shell->session, &error) < 0)
		shell_report_failure(shell, &error);
	else
		shell_say(shell, "ok  always, %u steps\n", session_case(shell->session)->always.count);
}
