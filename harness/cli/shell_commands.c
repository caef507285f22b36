/* SPDX-License-Identifier: Apache-2.0 */
/* The shell's commands beside the steps: help, variables, results, the end. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "../report/text.h"
#include "shell.h"
#include "shell_typed.h"

/* ---- help ---- */

static void help_list(struct shell *shell)
{
	shell_say(shell, "Every step is a command: `NAME`, `NAME value`, `NAME key: value key: value`, `NAME {key: value}`, or YAML after\n"
	                 "\"- \"; a line that ends open goes on. `help STEP` or `help COMMAND` tells more.\n\n");
	for (const struct shell_command *command = shell_commands; command->name; command++)
		shell_say(shell, "  %-28s %s\n", command->usage, command->doc);
	shell_say(shell, "\nsteps:\n");
	for (unsigned i = 0; i < shell->registry->count; i++) {
		const struct step_def *def = shell->registry->steps[i];
		const char *doc = def->doc ? def->doc : "", *end = strstr(doc, ". ");
		shell_say(shell, "  %-28s %.*s\n", def->name, end ? (int)(end - doc) + 1 : (int)strlen(doc), doc);
	}
}

static void do_help(struct shell *shell, const char *rest)
{
	size_t length = shell_word(&rest);
	if (length == 0) {
		help_list(shell);
		return;
	}
	const struct shell_command *command = shell_command_find(rest, length);
	char name[128];
	snprintf(name, sizeof(name), "%.*s", (int)length, rest);
	const struct step_def *def = step_registry_find(shell->registry, name);
	if (command) {
		shell_say(shell, "%s\n  %s\n", command->usage, command->doc);
	} else if (def) {
		char *text = step_markdown(def);
		shell_say(shell, "%s", text ? text : "out of memory\n");
		free(text);
	} else {
		struct suggestion suggestion = {.word = name};
		char hint[160];
		for (command = shell_commands; command->name; command++)
			suggestion_offer(&suggestion, command->name);
		for (unsigned i = 0; i < shell->registry->count; i++)
			suggestion_offer(&suggestion, shell->registry->steps[i]->name);
		shell_wrong(shell, rest, "there is no step and no command \"%s\"%s", name,
		            suggestion_text(&suggestion, hint, sizeof(hint)));
	}
}

/* ---- variables ---- */

static bool name_ok(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
			return false;
	return true;
}

/* The value as YAML, with the variables in it. */
static int read_value(struct shell *shell, const char *text, struct value **ret)
{
	struct value *written = NULL, *value = NULL;
	struct error error = {0};
	int r = value_parse_text("typed", text, strlen(text), &written, &error);
	if (r == 0)
		r = value_resolve(written, session_scope(shell->session), &value, &error);
	value_free(written);
	if (r < 0) {
		/* The place is one of the value. */
		shell_wrong(shell, error.place.line == 1 && error.place.column > 0 ? text + error.place.column - 1 : text, "%s",
		            error.message);
		return r;
	}
	*ret = value;
	return 0;
}

static void do_set(struct shell *shell, const char *rest)
{
	const char *at = rest;
	size_t length = strcspn(at, " \t=");
	char name[128];
	struct value *value;
	struct error error = {0};
	snprintf(name, sizeof(name), "%.*s", (int)length, at);
	at += length + strspn(at + length, " \t");
	if (length == 0 || *at != '=' || !at[1 + strspn(at + 1, " \t")]) {
		shell_wrong(shell, at, "a variable is set as `set NAME = VALUE`");
		return;
	}
	if (length >= sizeof(name) || !name_ok(name)) {
		shell_wrong(shell, rest, "\"%s\" cannot name a variable: use letters, digits, _ and -", name);
		return;
	}
	if (session_ready(shell->session, &error) < 0) {
		shell_report_failure(shell, &error);
		return;
	}
	at += 1 + strspn(at + 1, " \t");
	if (read_value(shell, at, &value) < 0)
		return;
	if (shell_log_set(&shell->log, name, value) < 0 || session_set(shell->session, name, value) < 0)
		shell_say(shell, "out of memory\n");
}

static void do_vars(struct shell *shell, const char *rest)
{
	const struct value *value;
	const char *name;
	static const char *const words[] = {"all", NULL};
	bool all = !strcmp(rest, "all");
	if (*rest && !all) {
		shell_wrong_word(shell, rest, strlen(rest), "word of vars [all]", words);
		return;
	}
	for (unsigned i = 0; (value = scope_at(session_scope(shell->session), i, &name)); i++) {
		if (!all && !strncmp(name, "rig.", 4))
			continue;
		char *text = value_describe(value), *clean = text ? text_clean(text, strlen(text), 0) : NULL;
		shell_say(shell, "  %s = %s\n", name, clean ? clean : "");
		free(clean);
		free(text);
	}
}

static void do_results(struct shell *shell, const char *rest)
{
	const struct value *results = session_results(shell->session);
	if (!results || results->map.count == 0)
		shell_say(shell, "the last step gave no results\n");
	shell_print_results(shell, true);
}

/* ---- the rack, the end ---- */

static void do_renew(struct shell *shell, const char *rest)
{
	enum verdict verdict;
	struct error error = {0};
	if (session_guided(shell->session)) {
		shell_wrong(shell, NULL, "the run has a case under way: this belongs to `hilbench shell`");
		return;
	}
	session_finish(shell->session, &verdict, NULL);
	if (session_renew(shell->session, &error) < 0)
		shell_report_failure(shell, &error);
	else
		shell_say(shell, "the rack is built again, every board is off\n");
}

static void do_quit(struct shell *shell, const char *rest)
{
	shell->quit = true;
}

const struct shell_command shell_commands[] = {
        {"help", "help [STEP|COMMAND]", "this list, or what is known about one.", do_help},
        {"set", "set NAME = VALUE", "sets a variable; ${NAME} stands for it. Results are kept by `save: {NAME: result}` of a step.",
         do_set},
        {"vars", "vars [all]", "the variables; all: also those of the rig.", do_vars},
        {"results", "results", "everything that the last step gave, in full.", do_results},
        {"watch", "watch [WORD…]",
         "shows events above the prompt: a protocol (can, doip, console …), a role, a channel or a kind "
         "(patterns). Without: what is watched.",
         shell_do_watch},
        {"unwatch", "unwatch [WORD…]", "ends that; without a word, all of it.", shell_do_unwatch},
        {"events", "events [N] [WORD…]", "the last N (20) events, only those that fit.", shell_do_events},
        {"load", "load FILE|ID [ID]", "begins a case, before its first step.", shell_do_load},
        {"list", "list", "the steps of the case: > is next, ! failed, b breaks.", shell_do_list},
        {"where", "where", "the step where the case stands, and the blocks around it with their rounds.", shell_do_where},
        {"next", "next", "runs one step of the case; a block as a whole, but for breaks and failures in it.", shell_do_next},
        {"step", "step", "the same, but goes into a block.", shell_do_step},
        {"finish", "finish", "runs to the end of the block where the case stands, all its rounds.", shell_do_finish},
        {"continue", "continue", "runs on to the next break, failure, or end; behind a failed step. At the end, `always` and the verdict.",
         shell_do_continue},
        {"until", "until N|ID|NAME", "runs up to the step with this number (2, 2.1) or id, or to the next one of this name.",
         shell_do_until},
        {"break", "break [N|ID]",
         "stops before step N (2, 2.1; 2.repeat[3].1: in the third round), or the one with this id; again: no longer. Without: the breaks.",
         shell_do_break},
        {"retry", "retry", "runs the failed step again; the case's failure stays.", shell_do_retry},
        {"leave", "leave", "gives up the block where the case stands: the step that has the block fails.", shell_do_leave},
        {"restart", "restart", "ends the case and begins it again.", shell_do_restart},
        {"always", "always", "runs the steps of `always` now.", shell_do_always},
        {"save", "save FILE [ID] [all]", "writes the typed steps that passed (all: every one) as a test case.", shell_do_save},
        {"boards", "boards", "power, boot stage and state of every board.", shell_do_boards},
        {"power", "power [ROLE on|off]", "which boards are on; switches one.", shell_do_power},
        {"buses", "buses", "state and counters of the CAN buses.", shell_do_buses},
        {"renew", "renew", "builds the rack again, after the bench broke.", do_renew},
        {"quit", "quit", "ends the shell (or, in a run, the run). So does Ctrl-D.", do_quit},
        {NULL, NULL, NULL, NULL},
};
