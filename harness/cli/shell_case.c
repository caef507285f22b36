/* SPDX-License-Identifier: Apache-2.0 */
/* A case in the shell, step by step. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
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
	struct session_place here;
	char path[SESSION_PLACE_TEXT];
	if (session_here(shell->session, &here))
		shell_say(shell, "at  %s  %s:%u  %s\n", session_place_text(&here, path), here.call->place.file ? here.call->place.file : "",
		          here.call->place.line, here.call->text);
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

/* One step of the list, and those of its block: `number` is its own, "2.1". */
static void list_step(struct shell *shell, const struct step_call *call, const struct session_place *here_or_null, const char *number,
                      unsigned depth)
{
	bool at = here_or_null && here_or_null->call == call, failed = session_state(shell->session) == SESSION_FAILED;
	char inner[SESSION_PLACE_TEXT];
	shell_say(shell, "%c%c %3s  %-10s %*s%s\n", at ? failed ? '!' : '>' : ' ', session_breaks_at(shell->session, call) ? 'b' : ' ',
	          number, short_id(session_case(shell->session), call), (int)depth * 2, "", call->text);
	for (unsigned i = 0; call->block && i < call->block->count; i++) {
		snprintf(inner, sizeof(inner), "%.200s.%u", number, i + 1);
		list_step(shell, call->block->calls[i], here_or_null, inner, depth + 1);
	}
}

void shell_do_list(struct shell *shell, const char *rest)
{
	struct session_place here;
	char number[24];
	if (!has_case(shell))
		return;
	const struct case_def *def = session_case(shell->session);
	bool stands = session_here(shell->session, &here);
	shell_say(shell, "%s: %s\n", def->id, def->title ? def->title : "");
	for (unsigned i = 0; i < session_step_count(shell->session); i++) {
		snprintf(number, sizeof(number), "%u", i + 1);
		list_step(shell, session_step_at(shell->session, i), stands ? &here : NULL, number, 0);
	}
	for (unsigned i = 0; i < def->always.count; i++)
		shell_say(shell, "        always %s\n", def->always.calls[i]->text);
}

/* The blocks around the step with their rounds, the outermost first. */
void shell_do_where(struct shell *shell, const char *rest)
{
	struct session_place here, outer;
	char path[SESSION_PLACE_TEXT];
	if (!has_case(shell))
		return;
	for (unsigned i = 0; session_here(shell->session, &here) && i < here.depth; i++) {
		outer = here;
		outer.depth = i;
		shell_say(shell, "in  %s  %s:%u  %s, round %" PRId64, session_place_text(&outer, path),
		          here.block[i]->place.file ? here.block[i]->place.file : "", here.block[i]->place.line, here.block[i]->def->name,
		          here.round[i]);
		if (here.of[i])
			shell_say(shell, " of %" PRId64, here.of[i]);
		shell_say(shell, "\n");
	}
	print_position(shell);
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

static void print_failed(struct shell *shell, const struct error *error)
{
	struct session_place here;
	char path[SESSION_PLACE_TEXT];
	if (session_here(shell->session, &here))
		shell_say(shell, "step %s failed: %s\n", session_place_text(&here, path), here.call->text);
	shell_report_failure(shell, error);
}

/* Of one step: how it ended, and what its block makes of that. */
static void print_passed(struct shell *shell)
{
	int64_t took_ns;
	char took[TEXT_NUMBER_SIZE], text[2048];
	const struct step_call *call;
	const struct error *forgiven = session_forgiven(shell->session);
	if (forgiven)
		shell_say(shell, "failed, which the block around it answers by another try: %s\n",
		          error_describe(forgiven, text, sizeof(text)));
	unsigned count = 0;
	for (; (call = session_passed(shell->session, count, &took_ns)); count++)
		shell_say(shell, "ok  %s (%s ms)\n", call->def->name, text_ms(took_ns, took));
	if (count > 0)
		shell_print_results(shell, false);
}

/* to_end: of a command that runs on to the end of the case; else every step is told. */
static void went_on(struct shell *shell, int r, const struct error *error, bool to_end)
{
	if (r < 0 && error->domain == ERROR_USAGE) {
		shell_wrong(shell, NULL, "%s", error->message);
		return;
	}
	if (!to_end)
		print_passed(shell);
	if (r < 0)
		print_failed(shell, error);
	else if (to_end && session_state(shell->session) == SESSION_DONE)
		end_case(shell);
	else
		print_position(shell);
}

static void go(struct shell *shell, int (*run)(struct session *, struct error *))
{
	struct error error = {0};
	if (has_case(shell)) {
		int r = run(shell->session, &error);
		went_on(shell, r, &error, false);
	}
}

void shell_do_next(struct shell *shell, const char *rest)
{
	go(shell, session_next);
}

void shell_do_step(struct shell *shell, const char *rest)
{
	go(shell, session_enter);
}

void shell_do_finish(struct shell *shell, const char *rest)
{
	go(shell, session_out);
}

void shell_do_leave(struct shell *shell, const char *rest)
{
	go(shell, session_leave);
}

void shell_do_continue(struct shell *shell, const char *rest)
{
	struct error error = {0};
	int r = 0;
	if (!has_case(shell))
		return;
	if (session_state(shell->session) != SESSION_DONE)
		r = session_run(shell->session, NULL, &error);
	went_on(shell, r, &error, true);
}

static bool is_step_name(const struct shell *shell, const char *text)
{
	return step_registry_find(shell->registry, text) != NULL;
}

void shell_do_until(struct shell *shell, const char *rest)
{
	struct session_place place, here;
	struct error error = {0};
	char path[SESSION_PLACE_TEXT];
	if (!has_case(shell))
		return;
	if (!*rest) {
		shell_wrong(shell, NULL, "until which step? Its number, id or name");
		return;
	}
	if (session_state(shell->session) == SESSION_DONE) {
		shell_wrong(shell, rest, "every step has run: `restart` begins again");
		return;
	}
	int r = session_find(shell->session, rest, &place, &error);
	if (r < 0 && is_step_name(shell, rest)) {
		error = (struct error){0};
		r = session_run_to(shell->session, rest, &error);
		went_on(shell, r, &error, true);
		return;
	}
	if (r < 0) {
		shell_wrong(shell, rest, "%s", error.message);
		return;
	}
	(void)session_here(shell->session, &here);
	/* What is in the block under way may come round again. */
	if (place.number[0] < here.number[0] || (place.depth == 0 && place.number[0] == here.number[0])) {
		shell_wrong(shell, rest, "step %s is not ahead: `restart` begins again", session_place_text(&place, path));
		return;
	}
	r = session_run(shell->session, &place, &error);
	went_on(shell, r, &error, true);
	if (r == 0 && session_here(shell->session, &here) && here.number[0] > place.number[0])
		shell_say(shell, "step %s did not come any more\n", session_place_text(&place, path));
}

static void list_breaks(struct shell *shell)
{
	const struct session_place *place;
	char path[SESSION_PLACE_TEXT];
	unsigned count = 0;
	for (; (place = session_break_at(shell->session, count)); count++)
		shell_say(shell, "stops before step %s  %s\n", session_place_text(place, path), place->call->text);
	if (count == 0)
		shell_say(shell, "there is no break: `break N` sets one\n");
}

void shell_do_break(struct shell *shell, const char *rest)
{
	struct session_place place;
	struct error error = {0};
	char path[SESSION_PLACE_TEXT];
	if (!has_case(shell))
		return;
	if (!*rest)
		list_breaks(shell);
	else if (session_find(shell->session, rest, &place, &error) < 0)
		shell_wrong(shell, rest, "%s", error.message);
	else
		shell_say(shell, session_break(shell->session, &place) ? "stops before step %s\n" : "no longer stops before step %s\n",
		          session_place_text(&place, path));
}

void shell_do_retry(struct shell *shell, const char *rest)
{
	go(shell, session_retry);
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
