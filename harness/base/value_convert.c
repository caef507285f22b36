/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars with a unit or a notation: durations, sizes, bytes, numbers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"
#include "value.h"

struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit duration_units[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"min", 60000000000}, {"h", 3600000000000}, {NULL, 0}};
static const struct unit size_units[] = {{"B", 1},     {"KiB", 1024},   {"MiB", 1048576},   {"GiB", 1073741824},
                                         {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {NULL, 0}};
/* What people write for them. */
static const char *const aliases[][2] = {
        {"sec", "s"},     {"secs", "s"},          {"second", "s"}, {"seconds", "s"}, {"msec", "ms"},     {"msecs", "ms"},
        {"millis", "ms"}, {"milliseconds", "ms"}, {"usec", "us"},  {"µs", "us"},     {"μs", "us"},       {"microseconds", "us"},
        {"nsec", "ns"},   {"nanoseconds", "ns"},  {"m", "min"},    {"mins", "min"},  {"minutes", "min"}, {"hours", "h"},
        {"b", "B"},       {"bytes", "B"},         {"byte", "B"},   {"k", "KiB"},     {"K", "KiB"},       {"kb", "KiB"},
        {"KB", "KiB"},    {"kib", "KiB"},         {"M", "MiB"},    {"mb", "MiB"},    {"mib", "MiB"},     {"G", "GiB"},
        {"gb", "GiB"},    {"gib", "GiB"},
};

static const char *units_text(enum value_type type)
{
	return type == VALUE_DURATION ? "ns, us, ms, s, min, h" : "B, KiB, MiB, GiB, kB, MB, GB";
}

static int type_error(const struct value *value, enum value_type type, struct error *err)
{
	char *text = value_describe(value);
	bool scalar = value->type != VALUE_LIST && value->type != VALUE_MAP && value->type != VALUE_NULL;
	int r = error_set_place(err, ERROR_USAGE, EINVAL, value->place, "expected %s, got %s%s%s%s", value_type_name(type),
	                        value_type_name(value->type), scalar ? " (" : "", scalar && text ? text : "", scalar ? ")" : "");

	free(text);
	return r;
}

static const struct unit *unit_find(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (strcmp(units->name, name) == 0)
			return units;
	return NULL;
}

static const char *unit_guess(const struct unit *units, const char *name)
{
	struct suggestion suggestion = {.word = name};

	/* A unit of the other table is no misspelling of one of this: "5MB" is not meant to be 5ms. */
	if (unit_find(units == duration_units ? size_units : duration_units, name))
		return NULL;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i][0], name) == 0 && unit_find(units, aliases[i][1]))
			return aliases[i][1];
	for (; units->name; units++) {
		if (strcmp(units->name, name) == 0)
			return units->name; /* right but for a space before it */
		suggestion_offer(&suggestion, units->name);
	}
	return suggestion.best;
}

/* "digits[.digits]" times factor, exactly. -ERANGE: does not fit; -EDOM: a fraction of the smallest unit is left. */
static int quantity(const char *digits, size_t length, int64_t factor, int64_t *ret)
{
	int64_t whole = 0, fraction = 0, scale = 1;
	bool point = false;

	for (size_t i = 0; i < length; i++) {
		if (digits[i] == '.') {
			point = true;
			continue;
		}
		if (point && scale < 1000000000000) {
			fraction = fraction * 10 + (digits[i] - '0');
			scale *= 10;
		} else if (point && digits[i] != '0') {
			return -EDOM;
		} else if (!point &&
		           (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, digits[i] - '0', &whole))) {
			return -ERANGE;
		}
	}
	/* Both terms are reduced first, so that the product of a long fraction with hours does not overflow. */
	while (fraction > 0 && fraction % 10 == 0) {
		fraction /= 10;
		scale /= 10;
	}
	if (fraction == 0)
		scale = 1;
	if (__builtin_mul_overflow(fraction, factor, &fraction))
		return -EDOM;
	if (fraction % scale != 0)
		return -EDOM;
	if (__builtin_mul_overflow(whole, factor, &whole) || __builtin_add_overflow(whole, fraction / scale, ret))
		return -ERANGE;
	return 0;
}

/* Bytes of "123" or "1.5" at the begin of text, 0 when it does not begin with a number. */
static size_t number_span(const char *text)
{
	size_t whole = strspn(text, "0123456789"), fraction;

	if (whole == 0 || text[whole] != '.')
		return whole;
	fraction = strspn(text + whole + 1, "0123456789");
	return fraction ? whole + 1 + fraction : whole;
}

static int unit_error(const struct value *value, const char *text, size_t digits, enum value_type type, struct error *err)
{
	const char *guess = unit_guess(type == VALUE_DURATION ? duration_units : size_units, text + digits + strspn(text + digits, " "));
	char hint[128] = "";

	if (guess)
		(void)snprintf(hint, sizeof(hint), "; did you mean \"%.*s%s\"?", (int)digits, text, guess);
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "\"%s\" is not %s: its unit must be one of %s%s", text,
	                       value_type_name(type), units_text(type), hint);
}

static int quantity_convert(const struct value *value, enum value_type type, int64_t *ret, struct error *err)
{
	const struct unit *units = type == VALUE_DURATION ? duration_units : size_units, *unit;
	const char *text = value->text;
	size_t digits = number_span(text);
	int r;

	if (digits == 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "\"%s\" is not %s: write a number and a unit (%s), like %s",
		                       text, value_type_name(type), units_text(type), type == VALUE_DURATION ? "250ms" : "2KiB");
	if (text[digits] == '\0')
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%s needs a unit (%s): did you mean \"%s%s\"?",
		                       value_type_name(type), units_text(type), text, type == VALUE_DURATION ? "ms" : "B");
	unit = unit_find(units, text + digits);
	if (!unit)
		return unit_error(value, text, digits, type, err);
	r = quantity(text, digits, unit->factor, ret);
	if (r == -EDOM)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "\"%s\" is not a whole number of %s", text, units[0].name);
	if (r < 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "\"%s\" is too large", text);
	return 0;
}

static int to_quantity(const struct value *value, enum value_type type, struct value *result, struct error *err)
{
	const char *guess = type == VALUE_DURATION ? "ms" : "B";

	if (value->type == VALUE_TEXT)
		return quantity_convert(value, type, &result->integer, err);
	if (value->type == VALUE_INTEGER)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "%s needs a unit (%s): did you mean \"%" PRId64 "%s\"?",
		                       value_type_name(type), units_text(type), value->integer, guess);
	return type_error(value, type, err);
}

static int to_bytes(const struct value *value, struct value *result, struct error *err)
{
	char *written = value_describe(value);
	int r = -EINVAL;

	if (value->type == VALUE_INTEGER) {
		r = error_set_place(err, ERROR_USAGE, EINVAL, value->place,
		                    "expected bytes, got an integer (%s): write bytes as hex in quotes, like \"02 10 03\"",
		                    written ? written : "");
	} else if (value->type != VALUE_TEXT) {
		r = type_error(value, VALUE_BYTES, err);
	} else {
		r = bytes_parse_hex(value->text, &result->bytes);
		if (r < 0)
			r = error_set_place(err, r == -ENOMEM ? ERROR_BENCH : ERROR_USAGE, -r, value->place,
			                    "\"%.60s\" is not bytes: write two hex digits a byte, like \"02 10 03\"", value->text);
	}
	free(written);
	return r;
}

static int to_text(const struct value *value, struct value *result, struct error *err)
{
	if (value->type == VALUE_NULL || value->type == VALUE_LIST || value->type == VALUE_MAP)
		return type_error(value, VALUE_TEXT, err);
	result->text = value_describe(value);
	return result->text ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static int to_bool(const struct value *value, struct error *err)
{
	static const char *const words[][2] = {{"yes", "true"}, {"on", "true"},   {"True", "true"},   {"TRUE", "true"},
	                                       {"no", "false"}, {"off", "false"}, {"False", "false"}, {"FALSE", "false"}};

	if (value->type != VALUE_TEXT)
		return type_error(value, VALUE_BOOL, err);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value->text, words[i][0]) == 0)
			return error_set_place(err, ERROR_USAGE, EINVAL, value->place,
			                       "expected true or false, got \"%s\" (did you mean %s?)", value->text, words[i][1]);
	return type_error(value, VALUE_BOOL, err);
}

static int to_number(const struct value *value, struct value *result, struct error *err)
{
	size_t sign = value->type == VALUE_TEXT && value->text[0] == '-', digits;

	if (value->type == VALUE_INTEGER) {
		result->number = (double)value->integer;
		return 0;
	}
	if (value->type != VALUE_TEXT || value->quoted)
		return type_error(value, VALUE_NUMBER, err);
	digits = number_span(value->text + sign);
	if (digits == 0 || value->text[sign + digits] != '\0')
		return type_error(value, VALUE_NUMBER, err);
	result->number = strtod(value->text, NULL);
	return 0;
}

static int convert_into(const struct value *value, enum value_type type, struct value *result, struct error *err)
{
	switch (type) {
	case VALUE_DURATION:
	case VALUE_SIZE:
		return to_quantity(value, type, result, err);
	case VALUE_BYTES:
		return to_bytes(value, result, err);
	case VALUE_TEXT:
		return to_text(value, result, err);
	case VALUE_BOOL:
		return to_bool(value, err);
	case VALUE_NUMBER:
		return to_number(value, result, err);
	case VALUE_INTEGER:
		if (value->type == VALUE_TEXT && value->quoted && value->text[strspn(value->text, "0123456789")] == '\0')
			return error_set_place(err, ERROR_USAGE, EINVAL, value->place,
			                       "expected an integer, got the text \"%s\": remove the quotes", value->text);
		return type_error(value, type, err);
	default:
		return type_error(value, type, err);
	}
}

int value_convert(const struct value *value, enum value_type type, struct value **ret, struct error *err)
{
	struct value *result;
	int r;

	if (value->type == type) {
		result = value_copy(value);
		if (!result)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		*ret = result;
		return 0;
	}
	result = calloc(1, sizeof(*result));
	if (!result)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	result->place = value->place;
	r = convert_into(value, type, result, err);
	result->type = r < 0 ? VALUE_NULL : type;
	if (r < 0) {
		value_free(result);
		return r;
	}
	*ret = result;
	return 0;
}
