/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt: reads what is typed, and does it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "../report/text.h"
#include "command.h"
#include "shell.h"
#include "shell_typed.h"

#define FILE_NAME   "typed"
#define SHOWN_BYTES 160 /* of the results of a step on one line */

/* ---- saying ---- */

void shell_say(struct shell *shell, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	va_start(arguments, format);
	int n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n >= 0)
		shell_input_show(shell->input, text);
	if (n >= 0)
		free(text);
}

/* The typed line, and a mark under the column. */
static void point_at(struct shell *shell, struct place place)
{
	const char *line = shell->text;
	if (!shell->terminal || !line || place.line < shell->begins || place.column == 0)
		return;
	for (unsigned i = shell->begins; line && i < place.line; i++)
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
	if (line)
		shell_say(shell, "  %.*s\n  %*s^\n", (int)strcspn(line, "\n"), line, (int)place.column - 1, "");
}

void shell_print_error(struct shell *shell, const struct error *error)
{
	char text[2048];
	shell_say(shell, "%s\n", error_describe(error, text, sizeof(text)));
	if (error->place.file && !strcmp(error->place.file, FILE_NAME))
		point_at(shell, error->place);
}

void shell_wrong(struct shell *shell, const char *at, const char *format, ...)
{
	struct error error = {0};
	struct place place = {place_intern(FILE_NAME), shell->begins, 1};
	char text[900];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (const char *c = shell->text; at && c && c < at; c++)
		place = *c == '\n' ? (struct place){place.file, place.line + 1, 1}
		                   : (struct place){place.file, place.line, place.column + (((unsigned char)c[1] & 0xc0) != 0x80)};
	error_set_place(&error, ERROR_USAGE, EINVAL, place, "%s", text);
	shell->wrong++;
	shell_print_error(shell, &error);
}

bool shell_group_has(const struct shell *shell, const char *group, const char *name, struct suggestion *or_null)
{
	const struct value *map = shell->rig ? value_get(rig_file_root(shell->rig->context), group) : NULL;
	bool has = false;
	for (unsigned i = 0; map && map->type == VALUE_MAP && i < map->map.count; i++) {
		has = has || !strcmp(map->map.entries[i].key, name);
		if (or_null)
			suggestion_offer(or_null, map->map.entries[i].key);
	}
	return has;
}

void shell_wrong_word(struct shell *shell, const char *at, size_t length, const char *what, const char *const *words)
{
	char word[128], hint[160];
	snprintf(word, sizeof(word), "%.*s", (int)length, at);
	shell_wrong(shell, at, "\"%s\" is no %s%s", word, what, suggest_text(word, words, hint, sizeof(hint)));
}

void shell_report_failure(struct shell *shell, const struct error *error)
{
	static const char *const causes[] = {[ERROR_NONE] = "bench", [ERROR_USAGE] = "testcase",    [ERROR_BENCH] = "bench",
	                                     [ERROR_DUT] = "dut",    [ERROR_TESTCASE] = "testcase", [ERROR_OPERATOR] = "operator"};
	const char *expected, *actual;
	if (error->domain == ERROR_OPERATOR) {
		shell_say(shell, strstr(error->message, SESSION_LEFT) ? "given up\n" : "interrupted\n");
		return;
	}
	shell_print_error(shell, error);
	session_failed_check(shell->session, &expected, &actual);
	if (expected)
		shell_say(shell, "  expected: %s\n", expected);
	if (actual)
		shell_say(shell, "  actual:   %s\n", actual);
	shell_say(shell, "  cause:    %s\n", causes[error->domain]);
}

/* Identifiers and codes are read in hexadecimal, whoever made the number. */
static char *describe(const char *name, const struct value *value)
{
	static const char *const hexadecimal[] = {"address",        "source",      "target",      "id",   "did",    "code",
	                                          "further_action", "sync_status", "last_result", "nrc",  "idcode", "word",
	                                          "request_id",     "response_id", "service",     "type", NULL};
	unsigned i = 0;
	while (hexadecimal[i] && strcmp(hexadecimal[i], name) != 0)
		i++;
	struct value *copy = hexadecimal[i] && value->type == VALUE_INTEGER ? value_copy(value) : NULL;
	if (copy)
		copy->hex = true;
	char *text = value_describe(copy ? copy : value);
	value_free(copy);
	return text;
}

void shell_print_results(struct shell *shell, bool whole)
{
	const struct value *results = session_results(shell->session);
	struct text line = {0};
	for (unsigned i = 0; results && i < results->map.count; i++) {
		char *text = describe(results->map.entries[i].key, results->map.entries[i].value);
		char *clean = text ? text_clean(text, strlen(text), whole ? 0 : SHOWN_BYTES / 2) : NULL;
		if (whole)
			text_printf(&line, "  %s: %s\n", results->map.entries[i].key, clean ? clean : "");
		else if (line.bytes.length < SHOWN_BYTES)
			text_printf(&line, "%s%s: %s", i ? ", " : "  ", results->map.entries[i].key, clean ? clean : "");
		else if (i + 1 == results->map.count)
			text_put(&line, ", …");
		free(clean);
		free(text);
	}
	if (!whole && line.bytes.length > 0)
		text_put(&line, "\n");
	const char *text = text_end(&line);
	if (*text)
		shell_say(shell, "%s", text);
	text_free(&line);
}

/* ---- steps ---- */

/* The check does not know the names of the rig: who typed one wrongly is told the nearest. */
static void suggest_role(const struct shell *shell, struct error *error)
{
	char word[128], hint[160];
	struct suggestion suggestion = {.word = word};
	if (sscanf(error->message, "the rig has no role \"%127[^\"]", word) != 1 || strstr(error->message, "did you mean"))
		return;
	(void)shell_group_has(shell, "roles", word, &suggestion);
	size_t length = strlen(error->message);
	snprintf(error->message + length, sizeof(error->message) - length, "%s", suggestion_text(&suggestion, hint, sizeof(hint)));
}

static bool check_rig(struct shell *shell, struct step_block *block, struct error_list *errors)
{
	struct case_def def = session_typed_case, *cases[] = {&def};
	const struct program program = {cases, 1};
	def.steps = *block;
	bool has = !shell->rig || program_check_rig(&program, shell->rig, errors) == 0;
	for (unsigned i = 0; i < errors->count; i++)
		suggest_role(shell, &errors->items[i]);
	return has;
}

static void print_saved(struct shell *shell, const struct step_call *call)
{
	for (unsigned i = 0; call->save && i < call->save->map.count; i++) {
		const char *name = call->save->map.entries[i].key;
		const struct value *value = scope_get(session_scope(shell->session), name);
		const struct value *result = call->save->map.entries[i].value;
		char *text = value ? describe(result->type == VALUE_TEXT ? result->text : "", value) : NULL;
		char *clean = text ? text_clean(text, strlen(text), SHOWN_BYTES) : NULL;
		struct value *copy = value ? value_copy(value) : NULL;
		shell_say(shell, "  %s = %s\n", name, clean ? clean : "");
		if (!copy || session_set(shell->session, name, copy) < 0)
			shell_say(shell, "out of memory\n");
		free(clean);
		free(text);
	}
}

static bool run_block(struct shell *shell, const struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++) {
		struct error error = {0};
		char took[TEXT_NUMBER_SIZE];
		int64_t begin_ns = loop_now_ns();
		if (session_type(shell->session, block->calls[i], &error) < 0) {
			/* Nobody's fault at a prompt; of a script it is. */
			if (error.domain == ERROR_TESTCASE || error.domain == ERROR_USAGE)
				shell->wrong++;
			shell_report_failure(shell, &error);
			return false;
		}
		shell_say(shell, "ok  %s (%s ms)\n", block->calls[i]->def->name, text_ms(loop_now_ns() - begin_ns, took));
		shell_print_results(shell, false);
		print_saved(shell, block->calls[i]);
	}
	return true;
}

static void print_list(struct shell *shell, const struct typed *typed, struct error_list *errors)
{
	for (unsigned i = 0; i < errors->count; i++) {
		/* Places of the rig's check have been moved with the block. */
		if (typed)
			typed_move(typed, &errors->items[i].place);
		shell_print_error(shell, &errors->items[i]);
	}
	shell->wrong++;
}

/* The one step whose argument goes into the journal as it is. */
static void hush_note(const struct step_call *call)
{
	struct value *text = call->args && !strcmp(call->def->name, "note") ? (struct value *)value_get(call->args, "text") : NULL;
	if (text && text->type == VALUE_TEXT)
		text->text[0] = '\0';
}

/* What was typed behind a blank may hold a key: the journal gets the steps' names only. */
static void hush_block(struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++) {
		struct step_call *call = block->calls[i];
		size_t name = strlen(call->def->name);
		if (strlen(call->text) > name)
			call->text[name] = '\0';
		hush_note(call);
		if (call->block)
			hush_block(call->block);
	}
}

static void type_block(struct shell *shell, const struct typed *typed, struct step_block *block)
{
	struct error_list errors = {0};
	typed_move_block(typed, block);
	if (shell->hushed)
		hush_block(block);
	if (!check_rig(shell, block, &errors)) {
		print_list(shell, NULL, &errors);
	} else {
		int64_t begin_ns = loop_now_ns();
		bool passed = run_block(shell, block);
		if (shell_log_steps(&shell->log, typed->yaml, block, session_scope(shell->session), passed, loop_now_ns() - begin_ns) < 0)
			shell_say(shell, "out of memory: `save` will not have this step\n");
	}
	error_list_free(&errors);
}

void shell_type(struct shell *shell, const char *text)
{
	struct typed typed;
	struct step_block block = {0};
	struct error_list errors = {0};
	char prefix[256];
	if (typed_read(text, shell->begins, &typed) < 0) {
		shell_say(shell, "out of memory\n");
		return;
	}
	session_typed_prefix(shell->session, prefix, sizeof(prefix));
	if (step_block_load_text(FILE_NAME, typed.yaml, typed.length, shell->registry, prefix, session_scope(shell->session), &block,
	                         &errors) < 0)
		print_list(shell, &typed, &errors);
	else
		type_block(shell, &typed, &block);
	step_block_clear(&block);
	error_list_free(&errors);
	typed_clear(&typed);
}

/* ---- lines ---- */

size_t shell_word(const char **at)
{
	*at += strspn(*at, " \t\n");
	return strcspn(*at, " \t\n");
}

const struct shell_command *shell_command_find(const char *name, size_t length)
{
	for (const struct shell_command *command = shell_commands; command->name; command++)
		if (strlen(command->name) == length && !strncmp(command->name, name, length))
			return command;
	return NULL;
}

static bool is_step(const struct shell *shell, const char *word, size_t length)
{
	for (unsigned i = 0; i < shell->registry->count; i++)
		if (strlen(shell->registry->steps[i]->name) == length && !strncmp(shell->registry->steps[i]->name, word, length))
			return true;
	return false;
}

static void suggest(struct shell *shell, const char *at, size_t length)
{
	char word[128], hint[160];
	struct suggestion suggestion = {.word = word};
	snprintf(word, sizeof(word), "%.*s", (int)length, at);
	for (const struct shell_command *command = shell_commands; command->name; command++)
		suggestion_offer(&suggestion, command->name);
	for (unsigned i = 0; i < shell->registry->count; i++)
		suggestion_offer(&suggestion, shell->registry->steps[i]->name);
	shell_wrong(shell, at, "there is no step and no command \"%s\"%s; `help` lists them", word,
	            suggestion_text(&suggestion, hint, sizeof(hint)));
}

static const char *unprintable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' && *text != '\t' && *text != '\n')
			return text;
	return NULL;
}

static void do_line(struct shell *shell, char *text)
{
	size_t end = strlen(text);
	while (end > 0 && isspace((unsigned char)text[end - 1]))
		text[--end] = '\0';
	const char *at = text;
	size_t length = shell_word(&at), name = 0;
	if (length == 0 || *at == '#')
		return;
	if (unprintable(text)) {
		shell_wrong(shell, unprintable(text), "a control character is no part of a command");
		return;
	}
	while (name < length && typed_name_char(at[name]))
		name++;
	const struct shell_command *command = shell_command_find(at, length);
	/* What is hushed may hold a secret. */
	if (command && !shell->hushed)
		timeline_emit_now(shell->timeline, "case", "note", json_pack("{s:s+}", "text", "typed: ", at));
	if (command && !strcmp(command->usage, command->name) && at[length]) {
		shell_wrong(shell, at + length + strspn(at + length, " \t\n"), "`%s` takes nothing behind it", command->name);
	} else if (command) {
		command->run(shell, at + length + strspn(at + length, " \t\n"));
	} else if ((*at == '-' && length == 1) ||
	           (name > 0 && (name == length || (at[name] == ':' && name + 1 == length)) && is_step(shell, at, name))) {
		shell_type(shell, text);
	} else {
		suggest(shell, at, length);
	}
}

/* ---- the prompt ---- */

static void make_prompt(const struct shell *shell, char *prompt, size_t size)
{
	const struct case_def *def = session_case(shell->session);
	enum session_state state = session_state(shell->session);
	const char *failed = state == SESSION_FAILED ? " failed" : "";
	struct session_place here;
	char path[SESSION_PLACE_TEXT];
	if (!def)
		snprintf(prompt, size, "hilbench> ");
	else if (state == SESSION_DONE)
		snprintf(prompt, size, "%.60s end> ", def->id);
	else if (session_here(shell->session, &here) && here.depth > 0)
		snprintf(prompt, size, "%.60s %.48s%s> ", def->id, session_place_text(&here, path), failed);
	else
		snprintf(prompt, size, "%.60s %u/%u%s> ", def->id, session_position(shell->session) + 1, session_step_count(shell->session),
		         failed);
}

static char *join(char *text, const char *line)
{
	char *joined = NULL;
	if (!text)
		return strdup(line);
	if (asprintf(&joined, "%s\n%s", text, line) < 0)
		joined = NULL;
	free(text);
	return joined;
}

/* Only steps go over several lines. */
static bool is_open(const struct shell *shell, const char *text)
{
	size_t length = shell_word(&text);
	return !shell_command_find(text, length) && typed_is_open(text, shell->registry);
}

/* Lines up to where what they say is whole. NULL: given up, or the end. */
static char *read_whole(struct shell *shell)
{
	char prompt[128], *text = NULL;
	const char *line;
	make_prompt(shell, prompt, sizeof(prompt));
	shell->begins = shell->line + 1;
	do {
		shell->reading = true;
		enum shell_line got = shell_input_read(shell->input, text ? "... " : prompt, &line);
		shell->reading = false;
		if (got == SHELL_LINE_END && !text)
			shell->quit = true;
		if (got == SHELL_LINE_INTERRUPTED && !shell->terminal)
			shell->quit = shell->ended = true;
		if (got == SHELL_LINE_INTERRUPTED || (got == SHELL_LINE_END && !text)) {
			free(text);
			return NULL;
		}
		if (got == SHELL_LINE_END)
			break; /* what is not whole is refused for what it lacks */
		shell->line++;
		if (!text)
			shell->hushed = *line == ' ' || *line == '\t';
		if (!shell->hushed)
			shell_input_remember(shell->input, line);
		text = join(text, line);
	} while (text && is_open(shell, text));
	return text;
}

/* What broke while nobody asked. */
static void tell_bench(struct shell *shell)
{
	struct error error = {0};
	if (shell->quit || session_check(shell->session, &error) == 0 || error.domain == ERROR_OPERATOR) {
		shell->bench_told = shell->bench_told && error.domain == ERROR_BENCH;
		return;
	}
	if (!shell->bench_told) {
		shell_print_error(shell, &error);
		if (!session_guided(shell->session))
			shell_say(shell, "the bench is at fault; `renew` builds the rack again\n");
	}
	shell->bench_told = true;
}

static bool over(const struct shell *shell)
{
	return shell->quit || ferror(stdout) || (session_guided(shell->session) && session_state(shell->session) == SESSION_DONE);
}

void shell_talk(struct shell *shell, struct session *session)
{
	shell->session = session;
	while (!over(shell)) {
		char *text = read_whole(shell);
		if (text && !shell->quit) {
			shell->text = text;
			do_line(shell, text);
			shell->text = NULL;
		}
		free(text);
		(void)fflush(stdout);
		if (!shell->quit && loop_cancelled(shell->loop))
			loop_rearm(shell->loop);
		tell_bench(shell);
	}
	shell->session = NULL;
}

void shell_on_failure(struct session *session, void *context)
{
	struct shell *shell = context;
	shell->session = session;
	struct session_place here;
	char path[SESSION_PLACE_TEXT];
	if (session_here(session, &here))
		shell_say(shell, "%s: step %s of %u failed: %s\n", session_case(session)->id, session_place_text(&here, path),
		          session_step_count(session), here.call->text);
	shell_report_failure(shell, session_failure(session));
	shell_say(shell,
	          "the boards stay as they are; `continue` goes on, `retry` runs the step again, `help` tells more, `quit` ends the run\n");
	shell_talk(shell, session);
	/* Whoever leaves ends the run; what the case puts back is put back. */
	if (shell->quit)
		loop_cancel(shell->loop);
}

/* ---- life ---- */

int shell_open(struct shell *shell, struct loop *loop, struct timeline *timeline, const struct program_rig *rig, bool terminal,
               struct error *err)
{
	*shell = (struct shell){.loop = loop,
	                        .timeline = timeline,
	                        .rig = rig,
	                        .registry = backend.registry(),
	                        .terminal = terminal,
	                        .begin_ns = loop_now_ns()};
	int r = shell_input_new(&shell->input, loop, terminal, (struct shell_completer){shell_complete, shell}, err);
	if (r == 0)
		shell_watch_begin(shell);
	return r;
}

void shell_close(struct shell *shell)
{
	if (!shell->input)
		return;
	shell_watch_end(shell);
	shell_input_free(shell->input);
	shell->input = NULL;
	for (unsigned i = 0; i < shell->program_count; i++)
		program_free(shell->programs[i]);
	shell_log_clear(&shell->log);
}

void shell_interrupt(struct shell *shell)
{
	if (shell->reading)
		shell_input_interrupt(shell->input);
	else
		loop_cancel(shell->loop);
}

void shell_end(struct shell *shell)
{
	shell->quit = shell->ended = true;
	loop_cancel(shell->loop);
}
