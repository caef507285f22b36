/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text for people, and as JSON for journals. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

struct magnitude {
	int64_t factor;
	const char *name;
};

/* In the largest unit that is not above the amount, exactly: 51234567 ns is "51.234567ms", which value_convert() reads. */
static void describe_duration(FILE *out, int64_t ns)
{
	static const struct magnitude units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
	const struct magnitude *unit = units;
	uint64_t amount = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, rest;
	int digits;

	while (unit->factor > 1 && amount != 0 && amount < (uint64_t)unit->factor)
		unit++;
	(void)fprintf(out, "%s%" PRIu64, ns < 0 ? "-" : "", amount / (uint64_t)unit->factor);
	rest = amount % (uint64_t)unit->factor;
	digits = unit == units ? 9 : unit == units + 1 ? 6 : 3;
	while (rest > 0 && rest % 10 == 0) {
		rest /= 10;
		digits--;
	}
	if (rest > 0)
		(void)fprintf(out, ".%0*" PRIu64, digits, rest);
	(void)fputs(unit->name, out);
}

/* The largest unit that leaves a whole number: sizes are powers of two or odd on purpose. */
static void describe_size(FILE *out, int64_t bytes)
{
	static const struct magnitude units[] = {{1073741824, "GiB"}, {1048576, "MiB"}, {1024, "KiB"}, {1, "B"}};
	const struct magnitude *unit = units;

	while (unit->factor > 1 && (bytes == 0 || bytes % unit->factor != 0))
		unit++;
	(void)fprintf(out, "%" PRId64 "%s", bytes / unit->factor, unit->name);
}

static void describe_text(FILE *out, const char *text, bool nested)
{
	bool plain = !nested || (*text && !strpbrk(text, ",:{}[]#\"'\\\n") && text[0] != ' ');

	if (plain) {
		for (; *text; text++)
			(void)fputc(*text == '\n' || *text == '\t' ? ' ' : *text, out);
		return;
	}
	(void)fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			(void)fputc('\\', out);
		if (*text == '\n')
			(void)fputs("\\n", out);
		else
			(void)fputc(*text, out);
	}
	(void)fputc('"', out);
}

static void describe_bytes(FILE *out, const struct bytes *bytes)
{
	char *hex = bytes_to_hex(bytes->data, bytes->length, 256);

	(void)fputs(hex ? hex : "", out);
	free(hex);
}

static void describe(FILE *out, const struct value *value, bool nested);

static void describe_children(FILE *out, const struct value *value)
{
	if (value->type == VALUE_LIST) {
		(void)fputc('[', out);
		for (unsigned i = 0; i < value->list.count; i++) {
			(void)fputs(i > 0 ? ", " : "", out);
			describe(out, value->list.items[i], true);
		}
		(void)fputc(']', out);
		return;
	}
	(void)fputc('{', out);
	for (unsigned i = 0; i < value->map.count; i++) {
		(void)fprintf(out, "%s%s: ", i > 0 ? ", " : "", value->map.entries[i].key);
		describe(out, value->map.entries[i].value, true);
	}
	(void)fputc('}', out);
}

static void describe(FILE *out, const struct value *value, bool nested)
{
	switch (value->type) {
	case VALUE_NULL:
		(void)fputs("null", out);
		break;
	case VALUE_BOOL:
		(void)fputs(value->boolean ? "true" : "false", out);
		break;
	case VALUE_INTEGER:
		(void)fprintf(out, value->hex && value->integer >= 0 ? "0x%02" PRIx64 : "%" PRId64, value->integer);
		break;
	case VALUE_TEXT:
		describe_text(out, value->text, nested);
		break;
	case VALUE_BYTES:
		describe_bytes(out, &value->bytes);
		break;
	case VALUE_DURATION:
		describe_duration(out, value->integer);
		break;
	case VALUE_SIZE:
		describe_size(out, value->integer);
		break;
	case VALUE_NUMBER:
		(void)fprintf(out, "%g", value->number);
		break;
	case VALUE_LIST:
	case VALUE_MAP:
		describe_children(out, value);
		break;
	}
}

char *value_describe(const struct value *value)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	describe(out, value, false);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* json_string(), but bytes that are not UTF-8 become \xHH instead of failing. */
static json_t *text_to_json(const char *text)
{
	json_t *json = json_string(text);
	char *escaped, *at;

	if (json)
		return json;
	escaped = malloc(strlen(text) * 4 + 1);
	if (!escaped)
		return NULL;
	for (at = escaped; *text; text++) {
		if ((unsigned char)*text < 0x80)
			*at++ = *text;
		else
			at += snprintf(at, 5, "\\x%02x", (unsigned)(unsigned char)*text);
	}
	*at = '\0';
	json = json_string(escaped);
	free(escaped);
	return json;
}

/* Lower-case hex without spaces, as docs/reference/journal.md has it. */
static json_t *bytes_to_json(const struct bytes *bytes)
{
	char *hex = bytes_to_hex(bytes->data, bytes->length, 0), *to = hex;
	json_t *json;

	if (!hex)
		return NULL;
	for (const char *from = hex; *from; from++)
		if (*from != ' ')
			*to++ = *from;
	*to = '\0';
	json = json_string(hex);
	free(hex);
	return json;
}

static json_t *children_to_json(const struct value *value)
{
	json_t *json = value->type == VALUE_LIST ? json_array() : json_object();
	int r = 0;

	if (value->type == VALUE_LIST)
		for (unsigned i = 0; json && r == 0 && i < value->list.count; i++)
			r = json_array_append_new(json, value_to_json(value->list.items[i]));
	else
		for (unsigned i = 0; json && r == 0 && i < value->map.count; i++)
			r = json_object_set_new(json, value->map.entries[i].key, value_to_json(value->map.entries[i].value));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

json_t *value_to_json(const struct value *value)
{
	switch (value->type) {
	case VALUE_BOOL:
		return json_boolean(value->boolean);
	case VALUE_INTEGER:
	case VALUE_DURATION:
	case VALUE_SIZE:
		return json_integer(value->integer);
	case VALUE_TEXT:
		return text_to_json(value->text);
	case VALUE_BYTES:
		return bytes_to_json(&value->bytes);
	case VALUE_NUMBER:
		return json_real(value->number);
	case VALUE_LIST:
	case VALUE_MAP:
		return children_to_json(value);
	case VALUE_NULL:
		break;
	}
	return json_null();
}
