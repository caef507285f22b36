/* SPDX-License-Identifier: Apache-2.0 */
#include "shell_input.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shell_history.h"

#define LINE_LIMIT       (1u << 20)
#define CANDIDATES_LIMIT 200

struct shell_input {
	struct loop *loop;
	struct shell_completer completer;
	EditLine *editor; /* NULL: plain lines */
	History *history;
	int fd;                  /* standard input; a terminal is opened once more, so that a read never blocks */
	sd_event_source *source; /* of it; NULL: it is always ready (a file) */
	const char *prompt;
	char *line;
	size_t length, capacity;
	char chunk[4096];
	size_t chunk_begin, chunk_end;
	bool ready, reading, interrupted, ended;
};

/* ---- bytes ---- */

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct shell_input *input = context;
	input->ready = true;
	return 0;
}

static bool may_go_on(void *context)
{
	const struct shell_input *input = context;
	return input->ready || input->interrupted;
}

/* Waits for input while everything else goes on. False: interrupted, or the loop was cancelled. */
static bool wait_ready(struct shell_input *input)
{
	input->ready = input->source == NULL;
	if (input->source && sd_event_source_set_enabled(input->source, SD_EVENT_ONESHOT) < 0)
		return false;
	/* What has happened meanwhile is seen to even where input never ends. */
	int r = input->source ? loop_until(input->loop, may_go_on, input, INT64_MAX) : loop_until(input->loop, NULL, NULL, loop_now_ns());
	if (input->source)
		(void)sd_event_source_set_enabled(input->source, SD_EVENT_OFF);
	return r != -ECANCELED && !input->interrupted;
}

/* 1: a byte; 0: the end; -1: interrupted. */
static int next_byte(struct shell_input *input, char *ret)
{
	while (input->chunk_begin == input->chunk_end) {
		if (input->ended || !wait_ready(input))
			return input->ended ? 0 : -1;
		/* A terminal gives a line's characters one by one: what is typed ahead belongs to whoever reads it next. */
		ssize_t n = read(input->fd, input->chunk, input->editor ? 1 : sizeof(input->chunk));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0) {
			input->ended = true;
			return 0;
		}
		input->chunk_begin = 0;
		input->chunk_end = (size_t)n;
	}
	*ret = input->chunk[input->chunk_begin++];
	return 1;
}

/* ---- the editor's hooks ---- */

static struct shell_input *input_of(EditLine *editor)
{
	void *input = NULL;
	(void)el_get(editor, EL_CLIENTDATA, &input);
	return input;
}

/* One character of UTF-8; what is none becomes U+FFFD. */
static int get_character(EditLine *editor, wchar_t *ret)
{
	struct shell_input *input = input_of(editor);
	char byte = 0;
	int r = next_byte(input, &byte);
	if (r <= 0)
		return r;
	unsigned char first = (unsigned char)byte;
	unsigned more = first < 0x80 ? 0 : (first & 0xe0) == 0xc0 ? 1 : (first & 0xf0) == 0xe0 ? 2 : (first & 0xf8) == 0xf0 ? 3 : 9;
	if (more == 9) {
		*ret = 0xfffd;
		return 1;
	}
	wchar_t value = more == 0 ? first : first & (0x3f >> more);
	for (unsigned i = 0; i < more; i++) {
		r = next_byte(input, &byte);
		if (r <= 0)
			return r;
		value = (wchar_t)((value << 6) | (byte & 0x3f));
	}
	*ret = value > 0x10ffff ? 0xfffd : value;
	return 1;
}

static char *get_prompt(EditLine *editor)
{
	return (char *)input_of(editor)->prompt;
}

/* ---- completion ---- */

struct candidates {
	char *items[CANDIDATES_LIMIT];
	unsigned count;
};

static void add_candidate(void *context, const char *text)
{
	struct candidates *list = context;
	for (unsigned i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return;
	if (list->count < CANDIDATES_LIMIT && (list->items[list->count] = strdup(text)))
		list->count++;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t common_length(const struct candidates *list)
{
	size_t length = strlen(list->items[0]);
	for (unsigned i = 1; i < list->count; i++)
		for (size_t k = 0; k < length; k++)
			if (list->items[i][k] != list->items[0][k])
				length = k;
	return length;
}

static unsigned columns(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10 ? size.ws_col : 80;
}

static void list_candidates(struct shell_input *input, struct candidates *list)
{
	unsigned widest = 0, across, width = columns();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return;
	qsort(list->items, list->count, sizeof(*list->items), by_text);
	for (unsigned i = 0; i < list->count; i++)
		if (strlen(list->items[i]) > widest)
			widest = (unsigned)strlen(list->items[i]);
	across = width / (widest + 2) ? width / (widest + 2) : 1;
	for (unsigned i = 0; i < list->count; i++)
		(void)fprintf(out, "%-*s%s", (int)widest + 2, list->items[i], (i + 1) % across == 0 || i + 1 == list->count ? "\n" : "");
	if (fclose(out) == 0)
		shell_input_show(input, text);
	free(text);
}

static unsigned char on_tab(EditLine *editor, int character)
{
	struct shell_input *input = input_of(editor);
	const LineInfo *info = el_line(editor);
	struct candidates list = {.count = 0};
	size_t from = 0, length = (size_t)(info->cursor - info->buffer);
	unsigned char answer = CC_ERROR;
	char *line = strndup(info->buffer, length);
	if (!line)
		return CC_ERROR;
	input->completer.complete(input->completer.context, line, &from, add_candidate, &list);
	if (list.count > 0 && from <= length) {
		size_t have = length - from, common = common_length(&list);
		char more[256] = "";
		if (common >= have)
			snprintf(more, sizeof(more), "%.*s%s", (int)(common - have), list.items[0] + have,
			         list.count == 1 && common > 0 && !strchr("/}", list.items[0][common - 1]) ? " " : "");
		if (*more && el_insertstr(editor, more) == 0) {
			answer = CC_REFRESH;
		} else if (list.count > 1) {
			list_candidates(input, &list);
			answer = CC_REFRESH;
		}
	}
	for (unsigned i = 0; i < list.count; i++)
		free(list.items[i]);
	free(line);
	return answer;
}

/* ---- life ---- */

static int editor_open(struct shell_input *input, struct error *err)
{
	/* Names and texts of boards are UTF-8, whatever the user's locale is. */
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	input->editor = el_init("hilbench", stdin, stdout, stderr);
	input->history = shell_history_open();
	if (!input->editor || !input->history)
		return error_set(err, ERROR_BENCH, ENOMEM, "cannot use the terminal");
	(void)el_set(input->editor, EL_CLIENTDATA, input);
	(void)el_set(input->editor, EL_PROMPT, get_prompt);
	(void)el_set(input->editor, EL_EDITOR, "emacs");
	(void)el_set(input->editor, EL_SIGNAL, 0);
	(void)el_set(input->editor, EL_HIST, history, input->history);
	(void)el_set(input->editor, EL_GETCFN, get_character);
	/* Narrow names would be copied, and never freed. */
	(void)el_wset(input->editor, EL_ADDFN, L"hilbench-complete", L"completes steps, arguments and names", on_tab);
	(void)el_set(input->editor, EL_BIND, "^I", "hilbench-complete", NULL);
	(void)el_set(input->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	return 0;
}

/* Ctrl-C throws away what was typed before it: what was readable a moment ago need not be there any more. O_NONBLOCK on
 * standard input itself would stay with the terminal after the end. */
static void reopen_terminal(struct shell_input *input)
{
	const char *name = ttyname(STDIN_FILENO);
	int fd = name ? open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
	if (fd >= 0)
		input->fd = fd;
}

int shell_input_new(struct shell_input **ret, struct loop *loop, bool terminal, struct shell_completer completer, struct error *err)
{
	struct shell_input *input = calloc(1, sizeof(*input));
	if (!input)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*input = (struct shell_input){.loop = loop, .completer = completer, .prompt = "", .fd = STDIN_FILENO};
	if (terminal)
		reopen_terminal(input);
	int r = sd_event_add_io(loop_event(loop), &input->source, input->fd, POLLIN, on_readable, input);
	if (r < 0 && r != -EPERM) {
		shell_input_free(input);
		return error_set(err, ERROR_BENCH, -r, "cannot read standard input: %s", strerror(-r));
	}
	if (input->source)
		(void)sd_event_source_set_enabled(input->source, SD_EVENT_OFF);
	r = terminal ? editor_open(input, err) : 0;
	if (r < 0) {
		shell_input_free(input);
		return r;
	}
	*ret = input;
	return 0;
}

void shell_input_free(struct shell_input *input)
{
	if (!input)
		return;
	if (input->editor)
		el_end(input->editor);
	shell_history_close(input->history);
	sd_event_source_disable_unref(input->source);
	if (input->fd != STDIN_FILENO)
		close(input->fd);
	free(input->line);
	free(input);
}

/* ---- lines ---- */

static int put_byte(struct shell_input *input, char byte)
{
	if (input->length + 1 >= input->capacity) {
		char *grown = realloc(input->line, input->capacity * 2 + 256);
		if (!grown)
			return -ENOMEM;
		input->line = grown;
		input->capacity = input->capacity * 2 + 256;
	}
	input->line[input->length++] = byte;
	input->line[input->length] = '\0';
	return 0;
}

/* A line over the limit is cut there: it is refused for what it says, and its rest is not taken for further lines. A zero
 * byte becomes a character that no step has. */
static enum shell_line read_plain(struct shell_input *input, const char **ret)
{
	char byte = 0;
	int r;
	input->length = 0;
	while ((r = next_byte(input, &byte)) == 1 && byte != '\n')
		if (input->length < LINE_LIMIT && put_byte(input, byte ? byte : '\x01') < 0)
			return SHELL_LINE_END;
	if (r < 0)
		return input->interrupted ? SHELL_LINE_INTERRUPTED : SHELL_LINE_END;
	if (r == 0 && input->length == 0)
		return SHELL_LINE_END;
	if (input->length > 0 && input->line[input->length - 1] == '\r')
		input->line[--input->length] = '\0';
	*ret = input->length > 0 ? input->line : "";
	return SHELL_LINE;
}

static enum shell_line read_edited(struct shell_input *input, const char **ret)
{
	int count = 0;
	/* Before the prompt is seen: Ctrl-D that comes between it and the editor's mode would be lost. */
	(void)el_set(input->editor, EL_PREP_TERM, 1);
	const char *typed = el_gets(input->editor, &count);
	if (!typed || count <= 0) {
		(void)fputs(input->interrupted ? "^C\n" : "\n", stdout);
		(void)fflush(stdout);
		return input->interrupted ? SHELL_LINE_INTERRUPTED : SHELL_LINE_END;
	}
	input->length = 0;
	for (; *typed && *typed != '\n'; typed++)
		if (put_byte(input, *typed) < 0)
			return SHELL_LINE_END;
	*ret = input->length > 0 ? input->line : "";
	return SHELL_LINE;
}

enum shell_line shell_input_read(struct shell_input *input, const char *prompt, const char **ret)
{
	input->prompt = prompt;
	input->interrupted = false;
	(void)fflush(stdout);
	if (!input->editor)
		return read_plain(input, ret);
	input->reading = true;
	enum shell_line got = read_edited(input, ret);
	input->reading = false;
	return got;
}

void shell_input_remember(struct shell_input *input, const char *line)
{
	if (input->history)
		shell_history_add(input->history, line);
}

/* Rows between the prompt's line and that of the cursor. */
static unsigned rows_above(const struct shell_input *input)
{
	const LineInfo *info = el_line(input->editor);
	size_t cells = strlen(input->prompt);
	for (const char *at = info->buffer; at < info->cursor; at++)
		cells += ((unsigned char)*at & 0xc0) != 0x80;
	return (unsigned)(cells / columns());
}

void shell_input_show(struct shell_input *input, const char *text)
{
	if (!input->reading) {
		(void)fputs(text, stdout);
		return;
	}
	unsigned rows = rows_above(input);
	if (rows > 0)
		(void)fprintf(stdout, "\033[%uA", rows);
	(void)fputs("\r\033[J", stdout);
	/* The editor has taken the terminal's own newline handling away. */
	for (; *text; text++) {
		if (*text == '\n')
			(void)fputc('\r', stdout);
		(void)fputc(*text, stdout);
	}
	(void)fflush(stdout);
	(void)el_set(input->editor, EL_REFRESH);
}

void shell_input_interrupt(struct shell_input *input)
{
	input->interrupted = true;
}

void shell_input_resize(struct shell_input *input)
{
	if (input->editor)
		el_resize(input->editor);
}

bool shell_input_reading(const struct shell_input *input)
{
	return input->reading;
}
