/* SPDX-License-Identifier: Apache-2.0 */
#include "shell_typed.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR_INDENT 4

/* ---- scanning ---- */

static bool begins_value(char before)
{
	return before == '\0' || isspace((unsigned char)before) || strchr("[{,:", before) != NULL;
}

/* Takes one character, or two when the first escapes the second. */
void typed_scan(struct typed_scan *scan, const char *at, size_t *ret_length)
{
	char c = *at;
	*ret_length = 1;
	if (scan->quote) {
		if ((scan->quote == '"' && c == '\\' && at[1]) || (scan->quote == '\'' && c == '\'' && at[1] == '\''))
			*ret_length = 2;
		else if (c == scan->quote)
			scan->quote = '\0';
	} else if ((c == '"' || c == '\'') && begins_value(scan->before)) {
		scan->quote = c;
	} else if (c == '[' || c == '{') {
		scan->depth++;
	} else if ((c == ']' || c == '}') && scan->depth > 0) {
		scan->depth--;
	}
	scan->before = c;
}

bool typed_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

size_t typed_key(const char *text)
{
	size_t length = 0;
	if (!isalpha((unsigned char)*text) && *text != '_')
		return 0;
	while (typed_name_char(text[length]))
		length++;
	bool ends = text[length] == ':' && (!text[length + 1] || isspace((unsigned char)text[length + 1]));
	return ends ? length + 1 : 0;
}

/* ---- is there more to come? ---- */

static bool needs_arguments(const struct step_registry *registry, const char *name, size_t length)
{
	for (unsigned i = 0; i < registry->count; i++) {
		const struct step_def *def = registry->steps[i];
		if (strlen(def->name) != length || strncmp(def->name, name, length) != 0)
			continue;
		for (const struct arg_def *arg = def->args; arg && arg->name; arg++)
			if (arg->flags & ARG_REQUIRED)
				return true;
	}
	return false;
}

/* "- poll:": a block of lines follows, up to an empty one. */
static bool opens_block(const char *text, size_t first_length, const struct step_registry *registry)
{
	while (first_length > 0 && isspace((unsigned char)text[first_length - 1]))
		first_length--;
	if (first_length == 0 || !strchr(":|>", text[first_length - 1]))
		return false;
	const char *name = text + strspn(text, " \t");
	if (name[0] == '-' && name[1] == ' ')
		name += 1 + strspn(name + 1, " \t");
	size_t length = typed_key(name);
	if (length == 0)
		return false;
	return name + length < text + first_length || needs_arguments(registry, name, length - 1);
}

bool typed_is_open(const char *text, const struct step_registry *registry)
{
	struct typed_scan scan = {0};
	size_t step, length = strlen(text), first = strcspn(text, "\n");
	const char *last = strrchr(text, '\n');
	/* An empty line ends everything. */
	if (last && last[1 + strspn(last + 1, " \t")] == '\0')
		return false;
	for (size_t i = 0; i < length; i += step)
		typed_scan(&scan, text + i, &step);
	return scan.depth > 0 || scan.quote || opens_block(text, first, registry);
}

/* ---- YAML ---- */

struct writer {
	FILE *out;
	struct typed *typed;
	unsigned line, column; /* of what is written next */
	bool failed;
};

static void put_piece(struct writer *writer, unsigned typed_line, unsigned typed_column)
{
	struct typed *typed = writer->typed;
	struct typed_piece *grown = realloc(typed->pieces, (typed->count + 1) * sizeof(*grown));
	if (!grown) {
		writer->failed = true;
		return;
	}
	typed->pieces = grown;
	grown[typed->count++] = (struct typed_piece){writer->line, writer->column, typed_line, typed_column};
}

/* What was not typed. */
static void put_own(struct writer *writer, const char *text)
{
	for (; *text; text++) {
		(void)fputc(*text, writer->out);
		writer->column++;
		if (*text == '\n') {
			writer->line++;
			writer->column = 1;
		}
	}
}

/* A position in the typed text. */
struct cursor {
	const char *at;
	unsigned line, column;
};

static void advance(struct cursor *cursor)
{
	/* Columns count characters, as libyaml does. */
	if (*cursor->at == '\n') {
		cursor->line++;
		cursor->column = 1;
	} else if (((unsigned char)cursor->at[1] & 0xc0) != 0x80) {
		cursor->column++;
	}
	cursor->at++;
}

/* Typed text up to `end`; each further line is indented by `indent` and loses up to `strip` blanks. */
static void put_typed(struct writer *writer, struct cursor *cursor, const char *end, unsigned indent, unsigned strip)
{
	put_piece(writer, cursor->line, cursor->column);
	while (cursor->at < end) {
		bool newline = *cursor->at == '\n';
		(void)fputc(*cursor->at, writer->out);
		if (!newline && ((unsigned char)cursor->at[1] & 0xc0) != 0x80)
			writer->column++;
		advance(cursor);
		if (!newline)
			continue;
		writer->line++;
		writer->column = 1;
		for (unsigned i = 0; i < indent; i++)
			put_own(writer, " ");
		for (unsigned i = 0; i < strip && cursor->at < end && *cursor->at == ' '; i++)
			advance(cursor);
		put_piece(writer, cursor->line, cursor->column);
	}
}

static void skip_blanks(struct cursor *cursor, const char *end)
{
	while (cursor->at < end && isspace((unsigned char)*cursor->at))
		advance(cursor);
}

static const char *trimmed(const char *from, const char *end)
{
	while (end > from && isspace((unsigned char)end[-1]))
		end--;
	return end;
}

/* End of the pair that begins at `from`: where the next key stands. */
static const char *pair_end(const char *from, const char *end)
{
	struct typed_scan scan = {.before = ' '};
	size_t step;
	const char *at = from + typed_key(from);
	for (; at < end; at += step) {
		bool between = scan.depth == 0 && !scan.quote && isspace((unsigned char)at[-1]);
		if (between && typed_key(at) > 0)
			return at;
		typed_scan(&scan, at, &step);
	}
	return end;
}

/* `key: value key: value`: a block mapping, so that a value needs no quotes for commas and brackets in it. */
static void put_pairs(struct writer *writer, struct cursor *cursor, const char *end)
{
	put_own(writer, ":");
	while (cursor->at < end) {
		const char *next = pair_end(cursor->at, end), *last = trimmed(cursor->at, next);
		if (next < end && last > cursor->at && last[-1] == ',')
			last = trimmed(cursor->at, last - 1);
		put_own(writer, "\n");
		for (unsigned i = 0; i < PAIR_INDENT; i++)
			put_own(writer, " ");
		put_typed(writer, cursor, last, PAIR_INDENT + 1, 0);
		while (cursor->at < next)
			advance(cursor);
	}
}

static void put_step(struct writer *writer, struct cursor *cursor, const char *end)
{
	const char *begin = cursor->at;
	unsigned strip = cursor->column - 1;
	size_t name = 0;
	bool yaml = begin[0] == '-' && (!begin[1] || isspace((unsigned char)begin[1]));
	if (yaml) {
		put_typed(writer, cursor, end, 0, strip);
		return;
	}
	put_own(writer, "- ");
	while (begin + name < end && typed_name_char(begin[name]))
		name++;
	const char *rest = begin + name;
	bool spaced = rest < end && isspace((unsigned char)*rest);
	if (name == 0 || !spaced) {
		put_typed(writer, cursor, end, 2, strip);
		return;
	}
	put_typed(writer, cursor, rest, 0, 0);
	skip_blanks(cursor, end);
	if (typed_key(cursor->at) > 0) {
		put_pairs(writer, cursor, end);
		return;
	}
	put_own(writer, ": ");
	put_typed(writer, cursor, end, PAIR_INDENT, 0);
}

int typed_read(const char *text, unsigned first_line, struct typed *ret)
{
	struct typed typed = {0};
	struct writer writer = {.typed = &typed, .line = 1, .column = 1};
	struct cursor cursor = {text, first_line, 1};
	const char *end = trimmed(text, text + strlen(text));
	writer.out = open_memstream(&typed.yaml, &typed.length);
	if (!writer.out)
		return -ENOMEM;
	skip_blanks(&cursor, end);
	put_step(&writer, &cursor, end);
	bool failed = ferror(writer.out) != 0;
	if (fclose(writer.out) != 0 || failed || writer.failed) {
		typed_clear(&typed);
		return -ENOMEM;
	}
	*ret = typed;
	return 0;
}

void typed_clear(struct typed *typed)
{
	free(typed->yaml);
	free(typed->pieces);
	*typed = (struct typed){0};
}

/* ---- places ---- */

void typed_move(const struct typed *typed, struct place *place)
{
	const struct typed_piece *found = NULL;
	for (unsigned i = 0; i < typed->count; i++) {
		const struct typed_piece *piece = &typed->pieces[i];
		if (piece->line > place->line || (piece->line == place->line && piece->column > place->column))
			break;
		found = piece;
	}
	if (!found || place->line == 0)
		return;
	unsigned beyond = found->line == place->line && place->column > found->column ? place->column - found->column : 0;
	place->line = found->typed_line;
	place->column = found->typed_column + beyond;
}

static void move_value(const struct typed *typed, struct value *value)
{
	if (!value)
		return;
	typed_move(typed, &value->place);
	for (unsigned i = 0; value->type == VALUE_LIST && i < value->list.count; i++)
		move_value(typed, value->list.items[i]);
	for (unsigned i = 0; value->type == VALUE_MAP && i < value->map.count; i++) {
		typed_move(typed, &value->map.entries[i].key_place);
		move_value(typed, value->map.entries[i].value);
	}
}

void typed_move_block(const struct typed *typed, struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++) {
		struct step_call *call = block->calls[i];
		typed_move(typed, &call->place);
		move_value(typed, call->args);
		move_value(typed, call->expect);
		move_value(typed, call->save);
		if (call->block)
			typed_move_block(typed, call->block);
	}
}
