/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/suggest.h"
#include "../../base/value.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)
#define DAY_NS  (24 * HOUR_NS)

#define REFUSE(...) error_set(err, ERROR_USAGE, EINVAL, __VA_ARGS__)

static const char *json_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_NULL:
		return "null";
	default:
		return "true or false";
	}
}

int duration_read(const char *text, int64_t *ret_ns, struct error *err)
{
	struct value *value, *converted;
	char *end;
	/* Days: the language has no use for them, a lab's people do. */
	errno = 0;
	long long days = strtoll(text, &end, 10);
	if (end != text && strcmp(end, "d") == 0 && *text >= '0' && *text <= '9') {
		if (errno || days > INT64_MAX / DAY_NS)
			return REFUSE("\"%.40s\" is too long", text);
		*ret_ns = days * DAY_NS;
		return 0;
	}
	if (!(value = value_new_text(text)))
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = value_convert(value, VALUE_DURATION, &converted, err);
	value_free(value);
	if (r < 0)
		return r;
	*ret_ns = converted->integer;
	value_free(converted);
	return 0;
}

const char *duration_write(int64_t ns, char text[DURATION_SIZE])
{
	static const struct {
		int64_t ns;
		const char *name;
	} units[] = {{HOUR_NS, "h"}, {60 * INT64_C(1000000000), "min"}, {1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
	size_t i = 0;
	while (ns % units[i].ns != 0 || (ns == 0 && units[i].ns > 1))
		i++;
	(void)snprintf(text, DURATION_SIZE, "%" PRId64 "%s", ns / units[i].ns, units[i].name);
	return text;
}

static int wrong_type(const struct field *field, const json_t *value, const char *needed, struct error *err)
{
	return REFUSE("\"%s\" must be %s, not %s", field->name, needed, json_kind(value));
}

static int read_text(const struct field *field, const json_t *value, struct error *err)
{
	if (!json_is_string(value))
		return wrong_type(field, value, "text", err);
	const char *text = json_string_value(value);
	int64_t length = (int64_t)json_string_length(value);
	if (field->least == field->most && length != field->least)
		return REFUSE("\"%s\" must have %" PRId64 " bytes, not %" PRId64, field->name, field->least, length);
	if (length < field->least || length > field->most)
		return REFUSE("\"%s\" must have %" PRId64 " to %" PRId64 " bytes", field->name, field->least, field->most);
	for (int64_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return REFUSE("\"%s\" has a control character", field->name);
	*(const char **)field->into = text;
	return 0;
}

static int read_integer(const struct field *field, const json_t *value, struct error *err)
{
	if (!json_is_integer(value))
		return wrong_type(field, value, "a whole number", err);
	int64_t number = json_integer_value(value);
	if (number < field->least || number > field->most)
		return REFUSE("\"%s\" must be from %" PRId64 " to %" PRId64, field->name, field->least, field->most);
	*(int64_t *)field->into = number;
	return 0;
}

static int read_duration(const struct field *field, const json_t *value, struct error *err)
{
	int64_t ns;
	char least[DURATION_SIZE], most[DURATION_SIZE];
	if (!json_is_string(value))
		return wrong_type(field, value, "a duration with its unit as text (\"30min\")", err);
	int r = duration_read(json_string_value(value), &ns, err);
	if (r < 0) {
		error_prefix(err, "\"%s\"", field->name);
		return r;
	}
	if (ns < field->least || ns > field->most)
		return REFUSE("\"%s\" must be from %s to %s", field->name, duration_write(field->least, least),
		              duration_write(field->most, most));
	*(int64_t *)field->into = ns;
	return 0;
}

static int read_list(const struct field *field, const json_t *value, struct error *err)
{
	const json_t *item;
	size_t i;
	if (!json_is_array(value))
		return wrong_type(field, value, "an array", err);
	int64_t count = (int64_t)json_array_size(value);
	if (count < field->least || count > field->most)
		return REFUSE("\"%s\" must have %" PRId64 " to %" PRId64 " items", field->name, field->least, field->most);
	json_array_foreach (value, i, item) {
		if (field->kind == FIELD_TEXTS && (!json_is_string(item) || json_string_length(item) == 0))
			return REFUSE("\"%s\": item %zu must be text that is not empty", field->name, i + 1);
	}
	*(const json_t **)field->into = value;
	return 0;
}

static int read_field(const struct field *field, const json_t *value, struct error *err)
{
	switch (field->kind) {
	case FIELD_TEXT:
		return read_text(field, value, err);
	case FIELD_INTEGER:
		return read_integer(field, value, err);
	case FIELD_DURATION:
		return read_duration(field, value, err);
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return wrong_type(field, value, "true or false", err);
		*(bool *)field->into = json_is_true(value);
		return 0;
	case FIELD_OBJECT:
		if (!json_is_object(value))
			return wrong_type(field, value, "an object", err);
		*(const json_t **)field->into = value;
		return 0;
	default:
		return read_list(field, value, err);
	}
}

static int check_keys(const json_t *object, const char *where, const struct field *fields, size_t count, struct error *err)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)object, key, value) {
		struct suggestion near = {.word = key};
		char similar[80];
		size_t i = 0;
		while (i < count && strcmp(fields[i].name, key) != 0)
			suggestion_offer(&near, fields[i++].name);
		if (i == count)
			return REFUSE("unknown key \"%.80s\" of the %s%s", key, where, suggestion_text(&near, similar, sizeof(similar)));
	}
	return 0;
}

int fields_read(const json_t *object, const char *where, const struct field *fields, size_t count, struct error *err)
{
	if (!json_is_object(object))
		return REFUSE("the %s must be an object, not %s", where, json_kind(object));
	int r = check_keys(object, where, fields, count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const json_t *value = json_object_get(object, fields[i].name);
		if (value && !json_is_null(value))
			r = read_field(&fields[i], value, err);
		else if (fields[i].needed)
			r = REFUSE("the %s needs \"%s\"", where, fields[i].name);
	}
	return r;
}
