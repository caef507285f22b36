/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define MARKER    "@boot stage="

struct console {
	struct timeline *timeline;
	char *board, *channel;
	void (*on_stage)(const char *, void *);
	void *context;
	int raw_fd;
	uint64_t raw_bytes;
	bool raw_full;
	char line[CONSOLE_LINE_BYTES];
	size_t length;
	struct instant last;
	int64_t second_ns; /* begin of the second in which lines are counted */
	unsigned lines, busiest, dropped;
	bool flooded;
	struct console_health health;
	struct reader {
		console_reader read; /* NULL: removed while readers were being told */
		void *context;
	} *readers;
	unsigned reader_count, telling;
	const void *owner; /* who writes; NULL: nobody took it */
	char *owner_name;
	struct budget {
		int64_t filled_ns;
		double left; /* lines */
	} texts, markers;
};

int console_new(struct console **ret, struct timeline *timeline, const char *directory, const char *board, const char *channel,
                void (*on_stage)(const char *, void *), void *context, struct error *err)
{
	struct console *console = calloc(1, sizeof(*console));
	if (!console || !(console->board = strdup(board)) || !(console->channel = strdup(channel))) {
		console_free(console);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	console->timeline = timeline;
	console->on_stage = on_stage;
	console->context = context;
	console->raw_fd = -1;
	console->texts.left = console->markers.left = CONSOLE_LINES_BURST;
	if (directory) {
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%s/console-%s.log", directory, board);
		console->raw_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (console->raw_fd < 0) {
			int code = errno;
			console_free(console);
			return error_set(err, ERROR_BENCH, code, "cannot write %s: %s", path, strerror(code));
		}
	}
	*ret = console;
	return 0;
}

/* Length of the UTF-8 sequence at the front (RFC 3629: no overlong forms, no surrogates), 0 when there is none. */
static size_t utf8_length(const uint8_t *p, size_t length)
{
	uint32_t code;
	size_t need;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		need = 2, code = p[0] & 0x1Fu;
	else if ((p[0] & 0xF0) == 0xE0)
		need = 3, code = p[0] & 0x0Fu;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		need = 4, code = p[0] & 0x07u;
	else
		return 0;
	if (length < need)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3Fu);
	}
	if ((need == 3 && code < 0x800) || (need == 4 && code < 0x10000) || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		return 0;
	return need;
}

char *console_clean(const void *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	char *text = malloc(length * 4 + 1), *out = text;
	if (!text)
		return NULL;
	for (size_t i = 0; i < length;) {
		size_t n = utf8_length(p + i, length - i);
		bool control = n == 1 && ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7F);
		if (n && !control) {
			memcpy(out, p + i, n);
			out += n;
			i += n;
			continue;
		}
		*out++ = '\\';
		*out++ = 'x';
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
		i++;
	}
	*out = '\0';
	return text;
}

static void note(struct console *console, json_t *text)
{
	timeline_emit_now(console->timeline, "case", "note", json_pack("{s:o}", "text", text));
}

static void flush_dropped(struct console *console)
{
	if (console->dropped)
		note(console, json_sprintf("console of %s: %u lines in a second, %u of them not journaled (more than %d a second)",
		                           console->board, console->lines, console->dropped, CONSOLE_LINES_A_SECOND));
	console->dropped = 0;
}

static void count_line(struct console *console, struct instant at)
{
	if (at.ns - console->second_ns >= SECOND_NS || at.ns < console->second_ns) {
		flush_dropped(console);
		console->second_ns = at.ns;
		console->lines = 0;
	}
	if (++console->lines > console->busiest)
		console->busiest = console->lines;
}

/* Whether a line may still be journaled: a budget that refills with time, so that a burst is whole and a flood is not. */
static bool within_budget(struct console *console, struct budget *budget, size_t length, struct instant at)
{
	double cost = 1 + (double)length / 128;
	if (at.ns > budget->filled_ns)
		budget->left += (double)(at.ns - budget->filled_ns) / SECOND_NS * CONSOLE_LINES_A_SECOND;
	if (budget->left > CONSOLE_LINES_BURST)
		budget->left = CONSOLE_LINES_BURST;
	budget->filled_ns = at.ns;
	if (budget->left < cost) {
		console->dropped++;
		console->flooded = true;
		return false;
	}
	budget->left -= cost;
	return true;
}

unsigned console_flood(const struct console *console)
{
	return console->flooded ? console->busiest : 0;
}

void console_calm(struct console *console)
{
	console->flooded = false;
	console->busiest = 0;
	console->health = (struct console_health){0};
}

/* "k=v" fields: decimal numbers become integers, everything else stays text. */
static json_t *marker_fields(char *text)
{
	json_t *data = json_object();
	char *rest = NULL;
	for (char *field = strtok_r(text, " ", &rest); field; field = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(field, '='), *end;
		if (!value || value == field)
			continue;
		*value++ = '\0';
		errno = 0;
		long long number = strtoll(value, &end, 10);
		bool decimal = *value && !*end && !errno && strlen(value) < 19 && (value[0] != '0' || !value[1]);
		json_object_set_new(data, field, decimal ? json_integer(number) : json_string(value));
	}
	return data;
}

static void marker(struct console *console, const char *text, struct instant at)
{
	char copy[CONSOLE_LINE_BYTES * 4 + 1];
	snprintf(copy, sizeof(copy), "%s", text + strlen("@boot "));
	json_t *data = marker_fields(copy);
	const char *stage = json_string_value(json_object_get(data, "stage"));
	if (!stage) {
		json_decref(data);
		return;
	}
	json_incref(data);
	console->health.markers++;
	if (console->on_stage)
		console->on_stage(stage, console->context);
	timeline_emit(console->timeline, at, console->channel, "boot.stage", data);
	json_decref(data);
}

/* A fault is a line of text: rubbish that happens to begin like one is none. */
static bool is_fault(const char *text)
{
	return text[0] == '!' && !strstr(text, "\\x");
}

static void say_line(struct console *console, const char *line, size_t length, struct instant at)
{
	char *text;
	count_line(console, at);
	if (!within_budget(console, &console->texts, length, at) || !(text = console_clean(line, length)))
		return;
	timeline_emit(console->timeline, at, console->channel, "console.line", json_pack("{s:s}", "text", text));
	if (is_fault(text))
		timeline_emit(console->timeline, at, console->channel, "board.fault", json_pack("{s:s}", "text", text));
	free(text);
}

/* A marker has its own budget: no flood hides a boot. */
static void say_marker(struct console *console, const char *line, size_t length, struct instant at)
{
	char *text;
	count_line(console, at);
	if (!within_budget(console, &console->markers, length, at) || !(text = console_clean(line, length)))
		return;
	timeline_emit(console->timeline, at, console->channel, "console.line", json_pack("{s:s}", "text", text));
	marker(console, text, at);
	free(text);
}

/* What is left of the line when it ends; a marker counts also where it follows rubbish in the same line. */
static void end_line(struct console *console, struct instant at)
{
	size_t length = console->length;
	const char *line = console->line;
	console->length = 0;
	while (length && line[length - 1] == '\r')
		length--;
	/* A break, as of a board whose pins float while it is reset, comes from the kernel as a zero byte: before text it is no part of it.
	 */
	size_t zeros = 0;
	while (zeros < length && line[zeros] == '\0')
		zeros++;
	if (zeros < length && line[zeros] >= ' ' && line[zeros] <= '~') {
		line += zeros;
		length -= zeros;
	}
	if (!length)
		return;
	const char *mark = memmem(line, length, MARKER, strlen(MARKER));
	size_t before = mark ? (size_t)(mark - line) : length;
	if (before)
		say_line(console, line, before, at);
	if (mark)
		say_marker(console, mark, length - before, at);
}

/* A line that is too long is split, but not inside of what may be a marker. */
static void split_line(struct console *console, struct instant at)
{
	char *keep = memrchr(console->line, '@', console->length);
	size_t kept = keep ? console->length - (size_t)(keep - console->line) : 0;
	if (kept > CONSOLE_LINE_BYTES / 4)
		kept = 0;
	char rest[CONSOLE_LINE_BYTES / 4];
	memcpy(rest, console->line + console->length - kept, kept);
	console->length -= kept;
	end_line(console, at);
	memcpy(console->line, rest, kept);
	console->length = kept;
}

static void write_raw(struct console *console, const void *data, size_t length)
{
	if (console->raw_fd < 0 || console->raw_full)
		return;
	size_t take = length;
	if (console->raw_bytes + take > CONSOLE_RAW_BYTES)
		take = CONSOLE_RAW_BYTES - console->raw_bytes;
	ssize_t n = take ? write(console->raw_fd, data, take) : 0;
	console->raw_bytes += n > 0 ? (size_t)n : 0;
	if (n == (ssize_t)length)
		return;
	console->raw_full = true;
	note(console,
	     n < 0 ? json_sprintf("console-%s.log: %s; nothing more is written to it", console->board, strerror(errno))
	           : json_sprintf("console-%s.log reached %u bytes; nothing more is written to it", console->board, CONSOLE_RAW_BYTES));
}

static void examine(struct console *console, const uint8_t *data, size_t length)
{
	console->health.bytes += length;
	for (size_t i = 0; i < length; i++)
		if ((data[i] < 0x20 && !memchr("\t\r\n\b\x1b", data[i], 5)) || data[i] >= 0x7F)
			console->health.invalid++;
}

static void tell_readers(struct console *console, const void *data, size_t length, struct instant at)
{
	console->telling++;
	for (unsigned i = 0; i < console->reader_count; i++)
		if (console->readers[i].read)
			console->readers[i].read(data, length, at, console->readers[i].context);
	if (--console->telling > 0)
		return;
	unsigned kept = 0;
	for (unsigned i = 0; i < console->reader_count; i++)
		if (console->readers[i].read)
			console->readers[kept++] = console->readers[i];
	console->reader_count = kept;
}

void console_bytes(struct console *console, const void *data, size_t length, struct instant at)
{
	const char *p = data;
	write_raw(console, data, length);
	examine(console, data, length);
	console->last = at;
	for (size_t i = 0; i < length; i++) {
		if (p[i] == '\n') {
			end_line(console, at);
			continue;
		}
		console->line[console->length++] = p[i];
		if (console->length == sizeof(console->line))
			split_line(console, at);
	}
	tell_readers(console, data, length, at);
}

void console_free(struct console *console)
{
	if (!console)
		return;
	if (console->length)
		end_line(console, console->last);
	if (console->board)
		flush_dropped(console);
	if (console->raw_fd > 0)
		close(console->raw_fd);
	free(console->readers);
	free(console->owner_name);
	free(console->board);
	free(console->channel);
	free(console);
}

/* ---- readers and the writer ---- */

int console_add_reader(struct console *console, console_reader read, void *context, struct error *err)
{
	struct reader *readers = realloc(console->readers, (console->reader_count + 1) * sizeof(*readers));
	if (!readers)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	console->readers = readers;
	readers[console->reader_count++] = (struct reader){read, context};
	return 0;
}

void console_remove_reader(struct console *console, console_reader read, void *context)
{
	for (unsigned i = 0; i < console->reader_count; i++) {
		struct reader *reader = &console->readers[i];
		if (reader->read != read || reader->context != context)
			continue;
		if (console->telling)
			reader->read = NULL; /* swept when all were told */
		else
			memmove(reader, reader + 1, (--console->reader_count - i) * sizeof(*reader));
		return;
	}
}

int console_may_write(const struct console *console, const void *owner, struct error *err)
{
	if (!console->owner || console->owner == owner)
		return 0;
	return error_set(err, ERROR_BENCH, EBUSY, "the console of %s is written to by %s", console->board, console->owner_name);
}

int console_take(struct console *console, const void *owner, const char *who, struct error *err)
{
	int r = console_may_write(console, owner, err);
	if (r < 0)
		return r;
	char *name = strdup(who);
	if (!name)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	free(console->owner_name);
	console->owner_name = name;
	console->owner = owner;
	return 0;
}

void console_release(struct console *console, const void *owner)
{
	if (console->owner == owner)
		console->owner = NULL;
}

void console_health_read(const struct console *console, struct console_health *ret)
{
	*ret = console->health;
}
