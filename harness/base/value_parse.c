/* SPDX-License-Identifier: Apache-2.0 */
/* YAML -> struct value: a strict subset, so that what a file says is what is read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "value.h"

#define NESTING_MAX 64
#define FILE_MAX    (4u * 1024 * 1024)

struct reader {
	yaml_parser_t parser;
	const char *file; /* interned */
	const char *text;
	size_t length;
	struct error *err;
};

static struct place place_of(const struct reader *reader, yaml_mark_t mark)
{
	return (struct place){.file = reader->file, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

/* Columns count characters, as libyaml's do. */
static struct place place_of_offset(const struct reader *reader, size_t offset)
{
	struct place place = {.file = reader->file, .line = 1, .column = 1};

	for (size_t i = 0; i < offset && i < reader->length; i++) {
		if (reader->text[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if (((uint8_t)reader->text[i] & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

/* Byte offset of a mark, at most reader->length. */
static size_t offset_of(const struct reader *reader, yaml_mark_t mark)
{
	size_t line = 0, column = 0, i = 0;

	while (i < reader->length && line < mark.line)
		line += reader->text[i++] == '\n';
	while (i < reader->length && column < mark.column) {
		do
			i++;
		while (i < reader->length && ((uint8_t)reader->text[i] & 0xc0) == 0x80);
		column++;
	}
	return i;
}

/* Length of the well-formed UTF-8 character at text (RFC 3629: no overlong forms, no surrogates), or 0. */
static unsigned utf8_length(const uint8_t *text, size_t left)
{
	unsigned length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

	if (length == 0 || length > left)
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static int check_characters(struct reader *reader)
{
	const uint8_t *text = (const uint8_t *)reader->text;
	unsigned length;

	for (size_t i = 0; i < reader->length; i += length) {
		length = utf8_length(text + i, reader->length - i);
		if (length == 0)
			return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of_offset(reader, i),
			                       "this is not UTF-8 (byte 0x%02x)", text[i]);
		if ((text[i] < 0x20 && text[i] != '\n' && text[i] != '\r' && text[i] != '\t') || text[i] == 0x7f)
			return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of_offset(reader, i),
			                       "control character 0x%02x: write it as an escape in double quotes", text[i]);
	}
	return 0;
}

static int syntax_error(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	struct place place = place_of(reader, parser->problem_mark);
	size_t offset = offset_of(reader, parser->problem_mark);
	char here = offset < reader->length ? reader->text[offset] : '\0';

	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	if (parser->error == YAML_READER_ERROR)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of_offset(reader, parser->problem_offset), "%s",
		                       parser->problem);
	if (here == '\t')
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "a tab: indent with spaces");
	if (here == '{' && offset > 0 && reader->text[offset - 1] == '$')
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "inside { } and [ ] write a variable in quotes: \"${…}\"");
	if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "%s, %s that begins in line %zu", parser->problem,
		                       parser->context, parser->context_mark.line + 1);
	return error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "%s%s%s", parser->problem, parser->context ? ", " : "",
	                       parser->context ? parser->context : "");
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
	if (!yaml_parser_parse(&reader->parser, event))
		return syntax_error(reader);
	return 0;
}

/* An integer as YAML 1.2 writes it (no leading zeros: 010 is nobody's ten), and only if it fits. */
static bool integer_parse(const char *text, struct value *value)
{
	const char *digits = text + (text[0] == '-');
	bool hex = digits[0] == '0' && digits[1] == 'x';
	char *end;
	long long integer;

	if (hex ? digits[2] == '\0' : !(digits[0] >= '0' && digits[0] <= '9') || (digits[0] == '0' && digits[1] != '\0'))
		return false;
	if (strspn(digits + (hex ? 2 : 0), hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits) - (hex ? 2 : 0))
		return false;
	errno = 0;
	integer = strtoll(text, &end, hex ? 16 : 10);
	if (errno != 0 || *end != '\0')
		return false;
	value->type = VALUE_INTEGER;
	value->integer = integer;
	value->hex = hex;
	return true;
}

static void scalar_type(const char *text, struct value *value)
{
	if (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0) {
		value->type = VALUE_NULL;
	} else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		value->type = VALUE_BOOL;
		value->boolean = text[0] == 't';
	} else {
		(void)integer_parse(text, value);
	}
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, struct value *value)
{
	const char *text = (const char *)event->data.scalar.value;

	value->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (strlen(text) != event->data.scalar.length)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, value->place, "a text cannot contain the NUL character");
	value->type = VALUE_NULL;
	if (!value->quoted) {
		value->type = VALUE_TEXT;
		scalar_type(text, value);
		if (value->type != VALUE_TEXT)
			return 0;
		value->type = VALUE_NULL;
	}
	value->text = strdup(text);
	if (!value->text)
		return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	value->type = VALUE_TEXT;
	return 0;
}

static int refuse_decoration(struct reader *reader, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	} else if (event->type == YAML_ALIAS_EVENT) {
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of(reader, event->start_mark),
		                       "aliases are not allowed (*%s): write the value out, or use a variable", event->data.alias.anchor);
	}
	if (anchor)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of(reader, event->start_mark),
		                       "anchors are not allowed (&%s)", anchor);
	if (tag)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of(reader, event->start_mark), "tags are not allowed (%s)",
		                       tag);
	return 0;
}

struct key_rank {
	const char *key;
	unsigned index;
};

static int compare_rank(const void *a, const void *b)
{
	const struct key_rank *left = a, *right = b;
	int order = strcmp(left->key, right->key);

	return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* The first repeated key in file order. Sorted rather than compared pairwise: a file may hold 100,000 keys. */
static int check_duplicates(struct reader *reader, const struct value *map)
{
	struct key_rank *ranks;
	unsigned second = 0, first = 0;
	struct place earlier;

	if (map->map.count < 2)
		return 0;
	ranks = calloc(map->map.count, sizeof(*ranks));
	if (!ranks)
		return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	for (unsigned i = 0; i < map->map.count; i++)
		ranks[i] = (struct key_rank){.key = map->map.entries[i].key, .index = i};
	qsort(ranks, map->map.count, sizeof(*ranks), compare_rank);
	for (unsigned i = 1; i < map->map.count; i++)
		if (strcmp(ranks[i].key, ranks[i - 1].key) == 0 && (second == 0 || ranks[i].index < second)) {
			second = ranks[i].index;
			first = ranks[i - 1].index;
		}
	free(ranks);
	if (second == 0)
		return 0;
	earlier = map->map.entries[first].key_place;
	return error_set_place(reader->err, ERROR_USAGE, EINVAL, map->map.entries[second].key_place,
	                       "the key \"%s\" is here twice (first in line %u)", map->map.entries[second].key, earlier.line);
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth, struct value **ret);

static int read_next_node(struct reader *reader, unsigned depth, struct value **ret)
{
	yaml_event_t event;
	int r = next_event(reader, &event);

	if (r < 0)
		return r;
	r = read_node(reader, &event, depth, ret);
	yaml_event_delete(&event);
	return r;
}

static int read_list(struct reader *reader, struct value *list, unsigned depth)
{
	struct value *item = NULL;
	yaml_event_t event;
	bool end;
	int r;

	for (;;) {
		r = next_event(reader, &event);
		if (r < 0)
			return r;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		r = end ? 0 : read_node(reader, &event, depth, &item);
		yaml_event_delete(&event);
		if (r < 0 || end)
			return r;
		if (value_list_add(list, item) < 0)
			return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	}
}

static int read_key(struct reader *reader, const yaml_event_t *event, struct value_entry *entry)
{
	struct place place = place_of(reader, event->start_mark);
	int r = refuse_decoration(reader, event);

	if (r < 0)
		return r;
	if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length == 0)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "a key must be a text");
	if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "a key cannot contain the NUL character");
	entry->key = strdup((const char *)event->data.scalar.value);
	if (!entry->key)
		return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	entry->key_place = place;
	return 0;
}

static int read_entry(struct reader *reader, const yaml_event_t *key, struct value *map, unsigned depth)
{
	struct value_entry entry = {0};
	int r = read_key(reader, key, &entry);

	if (r < 0)
		return r;
	r = read_next_node(reader, depth, &entry.value);
	/* Appended without value_map_set(): duplicates are told from at the end, with both places. */
	if (r == 0 && (map->map.count & (map->map.count - 1)) == 0) {
		struct value_entry *grown = realloc(map->map.entries, (map->map.count ? (size_t)map->map.count * 2 : 1) * sizeof(*grown));

		if (grown)
			map->map.entries = grown;
		else
			r = error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	if (r < 0) {
		free(entry.key);
		value_free(entry.value);
		return r;
	}
	map->map.entries[map->map.count++] = entry;
	return 0;
}

static int read_map(struct reader *reader, struct value *map, unsigned depth)
{
	yaml_event_t event;
	bool end;
	int r;

	for (;;) {
		r = next_event(reader, &event);
		if (r < 0)
			return r;
		end = event.type == YAML_MAPPING_END_EVENT;
		r = end ? check_duplicates(reader, map) : read_entry(reader, &event, map, depth);
		yaml_event_delete(&event);
		if (r < 0 || end)
			return r;
	}
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth, struct value **ret)
{
	struct value *value;
	int r = refuse_decoration(reader, event);

	if (r < 0)
		return r;
	if (depth >= NESTING_MAX && event->type != YAML_SCALAR_EVENT)
		return error_set_place(reader->err, ERROR_USAGE, EINVAL, place_of(reader, event->start_mark),
		                       "nested more than %d levels deep", NESTING_MAX);
	value = calloc(1, sizeof(*value));
	if (!value)
		return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
	value->place = place_of(reader, event->start_mark);
	if (event->type == YAML_SCALAR_EVENT) {
		r = read_scalar(reader, event, value);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		value->type = VALUE_LIST;
		r = read_list(reader, value, depth + 1);
	} else {
		value->type = VALUE_MAP;
		r = read_map(reader, value, depth + 1);
	}
	if (r < 0) {
		value_free(value);
		return r;
	}
	*ret = value;
	return 0;
}

/* Skips to the event that begins a document, or to the end of the stream. */
static int next_document(struct reader *reader, bool *ret_found, struct place *ret_place)
{
	yaml_event_t event;
	bool end, found;
	int r;

	do {
		r = next_event(reader, &event);
		if (r < 0)
			return r;
		found = event.type == YAML_DOCUMENT_START_EVENT;
		end = event.type == YAML_STREAM_END_EVENT;
		*ret_place = place_of(reader, event.start_mark);
		yaml_event_delete(&event);
	} while (!found && !end);
	*ret_found = found;
	return 0;
}

static int read_document(struct reader *reader, struct value **ret)
{
	struct value *value = NULL;
	struct place place;
	bool found;
	int r = next_document(reader, &found, &place);

	if (r == 0 && !found) {
		value = calloc(1, sizeof(*value)); /* an empty file: null */
		if (!value)
			return error_set(reader->err, ERROR_BENCH, ENOMEM, "out of memory");
		value->place = (struct place){.file = reader->file, .line = 1, .column = 1};
	} else if (r == 0) {
		r = read_next_node(reader, 0, &value);
		if (r == 0)
			r = next_document(reader, &found, &place);
		if (r == 0 && found)
			r = error_set_place(reader->err, ERROR_USAGE, EINVAL, place, "a second document: one file holds one document");
	}
	if (r < 0) {
		value_free(value);
		return r;
	}
	*ret = value;
	return 0;
}

int value_parse_text(const char *name, const char *text, size_t length, struct value **ret, struct error *err)
{
	struct reader reader = {.file = place_intern(name), .text = text, .length = length, .err = err};
	struct value *value = NULL;
	int r;

	if (length > FILE_MAX)
		return error_set_place(err, ERROR_USAGE, EFBIG, ((struct place){.file = reader.file}), "larger than %u MiB",
		                       FILE_MAX / 1024 / 1024);
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		reader.text += 3;
		reader.length -= 3;
	}
	r = check_characters(&reader);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&reader.parser))
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)reader.text, reader.length);
	r = read_document(&reader, &value);
	yaml_parser_delete(&reader.parser);
	if (r == 0)
		*ret = value;
	return r;
}

static int file_read(const char *path, struct bytes *ret, struct error *err)
{
	struct place place = {.file = place_intern(path)};
	struct stat status;
	char block[16384];
	ssize_t n = 1;
	/* Opening must not wait for the writer of a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = 0;

	if (fd < 0)
		return error_set_place(err, ERROR_USAGE, errno, place, "cannot open: %s", strerror(errno));
	if (fstat(fd, &status) < 0)
		r = error_set_place(err, ERROR_USAGE, errno, place, "cannot read: %s", strerror(errno));
	else if (S_ISDIR(status.st_mode))
		r = error_set_place(err, ERROR_USAGE, EISDIR, place, "is a directory");
	else if (!S_ISREG(status.st_mode))
		r = error_set_place(err, ERROR_USAGE, EINVAL, place, "is no regular file");
	while (r == 0 && n > 0 && ret->length <= FILE_MAX) {
		n = read(fd, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			r = error_set_place(err, ERROR_USAGE, errno, place, "cannot read: %s", strerror(errno));
		else if (n > 0 && bytes_append(ret, block, (size_t)n) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	(void)close(fd);
	return r;
}

int value_parse_file(const char *path, struct value **ret, struct error *err)
{
	struct bytes text = {0};
	int r = file_read(path, &text, err);

	if (r == 0)
		r = value_parse_text(path, text.data ? (const char *)text.data : "", text.length, ret, err);
	bytes_free(&text);
	return r;
}
