/* SPDX-License-Identifier: Apache-2.0 */
#include "event_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool text_is_number(const char *text, int64_t number)
{
	char *end;
	errno = 0;
	long long parsed = strtoll(text, &end, 0);
	return *text && !*end && !errno && parsed == number;
}

static bool text_equals(const char *text, const struct value *value)
{
	struct bytes bytes = {0};
	bool same;
	switch (value->type) {
	case VALUE_TEXT:
		return !strcmp(text, value->text);
	case VALUE_INTEGER:
		return text_is_number(text, value->integer);
	case VALUE_BYTES:
		same = bytes_parse_hex(text, &bytes) == 0 && bytes.length == value->bytes.length &&
		       (!bytes.length || !memcmp(bytes.data, value->bytes.data, bytes.length));
		bytes_free(&bytes);
		return same;
	default:
		return false;
	}
}

bool field_equals(const json_t *field, const struct value *value)
{
	if (json_is_string(field))
		return text_equals(json_string_value(field), value);
	if (json_is_boolean(field))
		return value->type == VALUE_BOOL && value->boolean == json_is_true(field);
	if (json_is_integer(field)) {
		if (value->type == VALUE_TEXT)
			return text_is_number(value->text, json_integer_value(field));
		return value->type == VALUE_INTEGER && value->integer == json_integer_value(field);
	}
	return false;
}

bool event_matches(const struct event *event, const struct event_match *match)
{
	if (strcmp(event->kind, match->kind) || (match->channel && strcmp(event->channel, match->channel)))
		return false;
	for (unsigned i = 0; match->where && i < match->where->map.count; i++)
		if (!field_equals(json_object_get(event->data, match->where->map.entries[i].key), match->where->map.entries[i].value))
			return false;
	return true;
}
