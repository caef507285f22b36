/* SPDX-License-Identifier: Apache-2.0 */
#include "matcher.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGEX_MAX         1000
#define REGEX_REPEATS_MAX 1000 /* product of all {n}: regcomp() unrolls them */

const char *const matcher_names[] = {"eq",       "ne",      "in_range", "one_of",  "bytes", "matches",
                                     "at_least", "at_most", "absent",   "present", NULL};

int matcher_parse(const char *name, enum matcher_op *ret)
{
	for (unsigned i = 0; matcher_names[i]; i++)
		if (strcmp(matcher_names[i], name) == 0) {
			*ret = (enum matcher_op)i;
			return 0;
		}
	return -EINVAL;
}

static bool ordered(enum value_type type)
{
	return type == VALUE_INTEGER || type == VALUE_DURATION || type == VALUE_SIZE || type == VALUE_NUMBER;
}

/* -1, 0, 1; both of one ordered type. */
static int compare(const struct value *a, const struct value *b)
{
	if (a->type == VALUE_NUMBER)
		return (a->number > b->number) - (a->number < b->number);
	return (a->integer > b->integer) - (a->integer < b->integer);
}

/* A pattern of bytes: "62 f1 90 .." with "??" for any byte and ".." at the end for any rest. Compared from *data on; data
 * NULL: only its form is checked. 1, 0 or -EINVAL. */
static int pattern_match(const char *pattern, const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *high, *low;
	size_t at = 0;
	bool same = true;

	for (; *pattern; pattern += 2) {
		pattern += strspn(pattern, " \n");
		if (*pattern == '\0')
			break;
		if (pattern[0] == '.' && pattern[1] == '.')
			return pattern[2 + strspn(pattern + 2, " \n")] != '\0' ? -EINVAL : same;
		if (pattern[0] == '?' && pattern[1] == '?') {
			same = same && at < length;
			at++;
			continue;
		}
		high = strchr(digits, pattern[0]);
		low = pattern[1] ? strchr(digits, pattern[1]) : NULL;
		if (!high || !low)
			return -EINVAL;
		same = same && at < length && data[at] == (uint8_t)(((high - digits) % 16) << 4 | ((low - digits) % 16));
		at++;
	}
	return same && at == length;
}

/* A bare text that cannot be bytes because of ".." or "??" is a pattern of them. */
static bool is_pattern(const struct value *operand, enum value_type type)
{
	return type == VALUE_BYTES && operand->type == VALUE_TEXT && (strstr(operand->text, "..") || strstr(operand->text, "??"));
}

static bool equal(const struct value *a, const struct value *b);

static bool equal_children(const struct value *a, const struct value *b)
{
	const struct value *other;

	if (a->type == VALUE_LIST) {
		if (a->list.count != b->list.count)
			return false;
		for (unsigned i = 0; i < a->list.count; i++)
			if (!equal(a->list.items[i], b->list.items[i]))
				return false;
		return true;
	}
	if (a->map.count != b->map.count)
		return false;
	for (unsigned i = 0; i < a->map.count; i++) {
		other = value_get(b, a->map.entries[i].key);
		if (!other || !equal(a->map.entries[i].value, other))
			return false;
	}
	return true;
}

/* The written side, a, takes the type of the other where it can: "62 f1" equals bytes, "62 .." fits bytes, "5ms" equals a
 * duration. */
static bool equal(const struct value *a, const struct value *b)
{
	struct value *converted;
	bool result;

	if (is_pattern(a, b->type))
		return pattern_match(a->text, b->bytes.data, b->bytes.length) == 1;
	if (a->type != b->type) {
		if (value_convert(a, b->type, &converted, NULL) < 0)
			return false;
		result = equal(converted, b);
		value_free(converted);
		return result;
	}
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_TEXT:
		return strcmp(a->text, b->text) == 0;
	case VALUE_BYTES:
		return a->bytes.length == b->bytes.length &&
		       (a->bytes.length == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.length) == 0);
	case VALUE_LIST:
	case VALUE_MAP:
		return equal_children(a, b);
	default:
		return compare(a, b) == 0;
	}
}

/* regcomp() takes memory in proportion to the product of nested repeats: a bound keeps a test case from taking it all. */
static bool repeats_too_much(const char *regex)
{
	unsigned long product = 1, low, high;
	char *end;

	for (; *regex; regex++) {
		if (*regex == '\\' && regex[1]) {
			regex++;
			continue;
		}
		if (*regex != '{' || !strchr("0123456789,", regex[1]) || !regex[1])
			continue;
		low = high = strtoul(regex + 1, &end, 10);
		if (*end == ',' && end[1] >= '0' && end[1] <= '9')
			high = strtoul(end + 1, &end, 10);
		high = high > low ? high : low;
		if (high > REGEX_REPEATS_MAX)
			return true;
		product *= high > 1 ? high : 1;
		if (product > REGEX_REPEATS_MAX)
			return true;
	}
	return false;
}

/* 1, 0 or -EINVAL; text NULL: only compiled. */
static int regex_match(const struct value *operand, const char *text, struct error *err)
{
	regex_t regex;
	char reason[200];
	int r;

	if (strlen(operand->text) > REGEX_MAX || repeats_too_much(operand->text))
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place,
		                       "the regular expression is too large: at most %d bytes, the repetitions {n} multiplied at most %d",
		                       REGEX_MAX, REGEX_REPEATS_MAX);
	r = regcomp(&regex, operand->text, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		(void)regerror(r, &regex, reason, sizeof(reason));
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "\"%s\" is not a regular expression: %s", operand->text,
		                       reason);
	}
	r = text ? regexec(&regex, text, 0, NULL, 0) == 0 : 0;
	regfree(&regex);
	return r;
}

int regex_check(const struct value *text, struct error *err)
{
	return regex_match(text, NULL, err);
}

static int check_pattern(const struct value *operand, struct error *err)
{
	if (pattern_match(operand->text, NULL, 0) >= 0)
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, operand->place,
	                       "\"%s\" is not a pattern of bytes: two hex digits or \"??\" a byte, \"..\" at the end for any rest",
	                       operand->text);
}

static int check_scalar(const struct value *operand, const enum value_type *type, struct error *err)
{
	struct value *converted;
	int r;

	if (!type || *type == VALUE_LIST || *type == VALUE_MAP)
		return 0;
	if (operand->type == VALUE_NULL)
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "nothing is expected here: write \"absent: true\"");
	if (operand->type == VALUE_LIST)
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "expected %s, got a list (did you mean \"one_of: […]\"?)",
		                       value_type_name(*type));
	if (is_pattern(operand, *type))
		return check_pattern(operand, err);
	r = value_convert(operand, *type, &converted, err);
	if (r < 0)
		return r;
	value_free(converted);
	return 0;
}

static int check_ordered(const char *name, const struct value *operand, const enum value_type *type, struct error *err)
{
	if (type && !ordered(*type))
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "%s needs a field with an order, this one is %s", name,
		                       value_type_name(*type));
	return check_scalar(operand, type, err);
}

static int check_range(const struct value *operand, const enum value_type *type, struct error *err)
{
	struct value *low, *high;
	int r = 0;

	if (operand->type != VALUE_LIST || operand->list.count != 2)
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "in_range is a list of two: [lowest, highest]");
	for (unsigned i = 0; r == 0 && i < 2; i++)
		r = check_ordered("in_range", operand->list.items[i], type, err);
	if (r < 0 || !type)
		return r;
	r = value_convert(operand->list.items[0], *type, &low, err);
	if (r < 0)
		return r;
	r = value_convert(operand->list.items[1], *type, &high, err);
	if (r == 0) {
		if (compare(low, high) > 0)
			r = error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "in_range is empty: the first is above the second");
		value_free(high);
	}
	value_free(low);
	return r;
}

static int check_words(enum matcher_op op, const struct value *operand, const enum value_type *type, struct error *err)
{
	enum value_type wanted = op == MATCHER_BYTES ? VALUE_BYTES : VALUE_TEXT;

	if (type && *type != wanted)
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "%s needs a field that is %s, this one is %s",
		                       matcher_names[op], value_type_name(wanted), value_type_name(*type));
	if (operand->type != VALUE_TEXT)
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "%s needs a text in quotes", matcher_names[op]);
	if (op == MATCHER_MATCHES)
		return regex_match(operand, NULL, err);
	return check_pattern(operand, err);
}

int matcher_check(enum matcher_op op, const struct value *operand, const enum value_type *type, struct error *err)
{
	int r = 0;

	switch (op) {
	case MATCHER_EQ:
	case MATCHER_NE:
		return check_scalar(operand, type, err);
	case MATCHER_AT_LEAST:
	case MATCHER_AT_MOST:
		return check_ordered(matcher_names[op], operand, type, err);
	case MATCHER_IN_RANGE:
		return check_range(operand, type, err);
	case MATCHER_ONE_OF:
		if (operand->type != VALUE_LIST || operand->list.count == 0)
			return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "one_of is a list with at least one value");
		for (unsigned i = 0; r == 0 && i < operand->list.count; i++)
			r = check_scalar(operand->list.items[i], type, err);
		return r;
	case MATCHER_BYTES:
	case MATCHER_MATCHES:
		return check_words(op, operand, type, err);
	case MATCHER_ABSENT:
	case MATCHER_PRESENT:
		if (operand->type == VALUE_BOOL && operand->boolean)
			return 0;
		return error_set_place(err, ERROR_USAGE, EINVAL, operand->place, "write \"%s: true\"", matcher_names[op]);
	}
	return -EINVAL;
}

static int apply_order(enum matcher_op op, const struct value *operand, const struct value *actual, struct error *err)
{
	struct value *limit;
	int order, r = value_convert(operand, actual->type, &limit, err);

	if (r < 0)
		return r;
	order = compare(actual, limit);
	value_free(limit);
	return op == MATCHER_AT_LEAST ? order >= 0 : order <= 0;
}

/* Actual's type is known and the operand fits it: matcher_check() has said so. */
static int apply_checked(enum matcher_op op, const struct value *operand, const struct value *actual, struct error *err)
{
	int r;

	switch (op) {
	case MATCHER_EQ:
		return equal(operand, actual);
	case MATCHER_NE:
		return !equal(operand, actual);
	case MATCHER_AT_LEAST:
	case MATCHER_AT_MOST:
		return apply_order(op, operand, actual, err);
	case MATCHER_IN_RANGE:
		r = apply_order(MATCHER_AT_LEAST, operand->list.items[0], actual, err);
		return r == 1 ? apply_order(MATCHER_AT_MOST, operand->list.items[1], actual, err) : r;
	case MATCHER_ONE_OF:
		for (unsigned i = 0; i < operand->list.count; i++)
			if (equal(operand->list.items[i], actual))
				return 1;
		return 0;
	case MATCHER_BYTES:
		return pattern_match(operand->text, actual->bytes.data, actual->bytes.length);
	case MATCHER_MATCHES:
		return regex_match(operand, actual->text, err);
	case MATCHER_ABSENT:
	case MATCHER_PRESENT:
		break;
	}
	return 0;
}

int matcher_apply(enum matcher_op op, const struct value *operand, const struct value *actual, struct error *err)
{
	int r;

	if (actual && actual->type == VALUE_NULL)
		actual = NULL;
	if (op == MATCHER_ABSENT || op == MATCHER_PRESENT)
		return (actual != NULL) == (op == MATCHER_PRESENT);
	if (!actual)
		return 0; /* "ne" does not hold either: a field that is not there is no other value */
	r = matcher_check(op, operand, &actual->type, err);
	if (r == 0)
		r = apply_checked(op, operand, actual, err);
	if (r < 0 && err && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	return r;
}

char *matcher_describe(enum matcher_op op, const struct value *operand, const struct value *actual)
{
	static const char *const forms[] = {[MATCHER_EQ] = "%s",
	                                    [MATCHER_NE] = "not %s",
	                                    [MATCHER_IN_RANGE] = "in %s",
	                                    [MATCHER_ONE_OF] = "one of %s",
	                                    [MATCHER_BYTES] = "bytes %s",
	                                    [MATCHER_MATCHES] = "a text that matches %s",
	                                    [MATCHER_AT_LEAST] = "at least %s",
	                                    [MATCHER_AT_MOST] = "at most %s"};
	struct value *converted = NULL;
	char *text, *described = NULL;
	const char *percent;
	int n;

	if (op == MATCHER_ABSENT || op == MATCHER_PRESENT)
		return strdup(op == MATCHER_ABSENT ? "absent" : "present");
	/* In the notation of the actual value, where that is possible: "021003" is shown as "02 10 03". */
	if ((op == MATCHER_EQ || op == MATCHER_NE) && actual && value_convert(operand, actual->type, &converted, NULL) == 0)
		operand = converted;
	text = value_describe(operand);
	value_free(converted);
	if (!text)
		return NULL;
	percent = strchr(forms[op], '%');
	n = asprintf(&described, "%.*s%s", (int)(percent - forms[op]), forms[op], text);
	free(text);
	return n < 0 ? NULL : described;
}
