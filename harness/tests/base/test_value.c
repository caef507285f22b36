/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/value.h"

static struct value *parse(const char *text)
{
	struct value *value = NULL;
	struct error err;
	char line[2048];

	if (value_parse_text("v.yaml", text, strlen(text), &value, &err) < 0)
		ck_abort_msg("%s", error_describe(&err, line, sizeof(line)));
	return value;
}

START_TEST(scalars_are_typed_by_their_text)
{
	struct value *map =
	        parse("a: true\nb: -12\nc: 0x0E80\nd: null\ne:\nf: \"12\"\ng: 012\nh: 1.5\ni: 99999999999999999999\nj: 'x'\nk: 0x\n"
	              "l: 9223372036854775807\nm: ${x}\non: off\n");
	const struct value *value = value_get(map, "c");

	ck_assert(value_get(map, "a")->boolean);
	ck_assert_int_eq(value_get(map, "b")->integer, -12);
	ck_assert_int_eq(value->integer, 0x0e80);
	ck_assert(value->hex);
	ck_assert_uint_eq(value->place.line, 3);
	ck_assert_uint_eq(value->place.column, 4);
	ck_assert_int_eq(value_get(map, "d")->type, VALUE_NULL);
	ck_assert_int_eq(value_get(map, "e")->type, VALUE_NULL);
	ck_assert(value_get(map, "f")->quoted);
	for (const char *name = "fghijkm"; *name; name++)
		ck_assert_int_eq(value_get(map, (char[]){*name, 0})->type, VALUE_TEXT);
	ck_assert_int_eq(value_get(map, "l")->integer, INT64_MAX);
	ck_assert_str_eq(value_get(map, "on")->text, "off");
	ck_assert_ptr_null(value_get(map, "z"));
	ck_assert_ptr_null(value_get(value_get(map, "a"), "z"));
	value_free(map);
	map = parse("");
	ck_assert_int_eq(map->type, VALUE_NULL);
	value_free(map);
	map = parse("\xef\xbb\xbf"
	            "a: 1\n");
	ck_assert_uint_eq(map->place.column, 1);
	value_free(map);
}
END_TEST

static const struct {
	const char *text;
	size_t length;
	const char *message;
} bad[] = {
        {"a: 1\nb: 2\na: 3\n", 0, "v.yaml:3:1: the key \"a\" is here twice (first in line 1)"},
        {"a: 1\nb: 2\nb: 3\na: 3\n", 0, "v.yaml:3:1: the key \"b\" is here twice (first in line 2)"},
        {"x: {k: 1, ä: 2, k: 3}\n", 0, "v.yaml:1:17: the key \"k\" is here twice (first in line 1)"},
        {"a: &x 1\n", 0, "v.yaml:1:4: anchors are not allowed (&x)"},
        {"a: *x\n", 0, "v.yaml:1:4: aliases are not allowed (*x): write the value out, or use a variable"},
        {"a: !x 1\n", 0, "v.yaml:1:4: tags are not allowed (!x)"},
        {"a: !x [1]\n", 0, "v.yaml:1:4: tags are not allowed (!x)"},
        {"a: !x {b: 1}\n", 0, "v.yaml:1:4: tags are not allowed (!x)"},
        {"a: 1\n---\nb: 1\n", 0, "v.yaml:2:1: a second document: one file holds one document"},
        {"a: 1\n...\nb: 1\n", 0, "v.yaml:3:1: did not find expected <document start>"},
        {"a:\n\tb: 1\n", 0, "v.yaml:2:1: a tab: indent with spaces"},
        {"[a]: 1\n", 0, "v.yaml:1:1: a key must be a text"},
        {"? \"\"\n: 1\n", 0, "v.yaml:1:3: a key must be a text"},
        {"ä: \xff\n", 0, "v.yaml:1:4: this is not UTF-8 (byte 0xff)"},
        {"a: \xc0\x80\n", 0, "v.yaml:1:4: this is not UTF-8 (byte 0xc0)"},
        {"a: \xed\xa0\x80\n", 0, "v.yaml:1:4: this is not UTF-8 (byte 0xed)"},
        {"a: \xf4\x90\x80\x80\n", 0, "v.yaml:1:4: this is not UTF-8 (byte 0xf4)"},
        {"a: \xe2\x82", 0, "v.yaml:1:4: this is not UTF-8 (byte 0xe2)"},
        {"a: \x01\n", 0, "v.yaml:1:4: control character 0x01: write it as an escape in double quotes"},
        {"a: \0b\n", 6, "v.yaml:1:4: control character 0x00: write it as an escape in double quotes"},
        {"a: \"\\0\"\n", 0, "v.yaml:1:4: a text cannot contain the NUL character"},
        {"\"\\0\": 1\n", 0, "v.yaml:1:1: a key cannot contain the NUL character"},
        {"a: {b: ${x}}\n", 0, "v.yaml:1:9: inside { } and [ ] write a variable in quotes: \"${…}\""},
        {"a: \"x\n", 0, "v.yaml:2:1: found unexpected end of stream, while scanning a quoted scalar that begins in line 1"},
        {"a: %x\n", 0, "v.yaml:1:4: found character that cannot start any token, while scanning for the next token"},
};

START_TEST(bad_yaml_is_refused_with_its_place)
{
	struct value *value;
	struct error err = {0};
	char text[2048];
	size_t length = bad[_i].length ? bad[_i].length : strlen(bad[_i].text);

	ck_assert_int_lt(value_parse_text("v.yaml", bad[_i].text, length, &value, &err), 0);
	ck_assert_str_eq(error_describe(&err, text, sizeof(text)), bad[_i].message);
	ck_assert_int_eq(err.domain, ERROR_USAGE);
}
END_TEST

START_TEST(depth_and_size_are_bounded)
{
	size_t size = 4 * 1024 * 1024 + 1;
	char *text = malloc(size), line[256];
	struct value *value;
	struct error err;

	ck_assert_ptr_nonnull(text);
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	ck_assert_int_eq(value_parse_text("v.yaml", text, 128, &value, &err), 0);
	value_free(value);
	memset(text, '[', 100000);
	ck_assert_int_eq(value_parse_text("v.yaml", text, 100000, &value, &err), -EINVAL);
	ck_assert_str_eq(error_describe(&err, line, sizeof(line)), "v.yaml:1:65: nested more than 64 levels deep");
	memset(text, ' ', size);
	ck_assert_int_eq(value_parse_text("v.yaml", text, size, &value, &err), -EFBIG);
	ck_assert_str_eq(error_describe(&err, line, sizeof(line)), "v.yaml: larger than 4 MiB");
	free(text);
}
END_TEST

START_TEST(many_keys_are_quick)
{
	char *text = malloc(1 << 20);
	size_t length = 0;
	struct value *value;

	for (unsigned i = 0; i < 50000; i++)
		length += (size_t)snprintf(text + length, (1 << 20) - length, "key-%u: %u\n", i, i);
	ck_assert_int_eq(value_parse_text("v.yaml", text, length, &value, NULL), 0);
	ck_assert_uint_eq(value->map.count, 50000);
	value_free(value);
	free(text);
}
END_TEST

START_TEST(missing_files_are_named)
{
	struct value *value;
	struct error err;
	char text[256];

	ck_assert_int_eq(value_parse_file("/nowhere/x.yaml", &value, &err), -ENOENT);
	ck_assert_str_eq(error_describe(&err, text, sizeof(text)), "/nowhere/x.yaml: cannot open: No such file or directory");
	ck_assert_int_eq(value_parse_file("/tmp", &value, &err), -EISDIR);
}
END_TEST

static const struct {
	const char *text;
	enum value_type type;
	int64_t result;
	const char *message;
} conversions[] = {
        {"250ms", VALUE_DURATION, 250000000, NULL},
        {"2s", VALUE_DURATION, 2000000000, NULL},
        {"1.5s", VALUE_DURATION, 1500000000, NULL},
        {"0.25us", VALUE_DURATION, 250, NULL},
        {"500us", VALUE_DURATION, 500000, NULL},
        {"10ns", VALUE_DURATION, 10, NULL},
        {"5min", VALUE_DURATION, 300000000000, NULL},
        {"2h", VALUE_DURATION, 7200000000000, NULL},
        {"0s", VALUE_DURATION, 0, NULL},
        {"64B", VALUE_SIZE, 64, NULL},
        {"2KiB", VALUE_SIZE, 2048, NULL},
        {"2MiB", VALUE_SIZE, 2097152, NULL},
        {"3kB", VALUE_SIZE, 3000, NULL},
        {"0.5KiB", VALUE_SIZE, 512, NULL},
        {"250", VALUE_DURATION, 0, "a duration needs a unit (ns, us, ms, s, min, h): did you mean \"250ms\"?"},
        {"\"250\"", VALUE_DURATION, 0, "a duration needs a unit (ns, us, ms, s, min, h): did you mean \"250ms\"?"},
        {"250 ms", VALUE_DURATION, 0,
         "\"250 ms\" is not a duration: its unit must be one of ns, us, ms, s, min, h; did you mean \"250ms\"?"},
        {"250MS", VALUE_DURATION, 0, "\"250MS\" is not a duration: its unit must be one of ns, us, ms, s, min, h; did you mean \"250ms\"?"},
        {"3µs", VALUE_DURATION, 0, "\"3µs\" is not a duration: its unit must be one of ns, us, ms, s, min, h; did you mean \"3us\"?"},
        {"3parsec", VALUE_DURATION, 0, "\"3parsec\" is not a duration: its unit must be one of ns, us, ms, s, min, h"},
        {"-1s", VALUE_DURATION, 0, "\"-1s\" is not a duration: write a number and a unit (ns, us, ms, s, min, h), like 250ms"},
        {"0.1ns", VALUE_DURATION, 0, "\"0.1ns\" is not a whole number of ns"},
        {"9223372037s", VALUE_DURATION, 0, "\"9223372037s\" is too large"},
        {"99999999999999999999s", VALUE_DURATION, 0, "\"99999999999999999999s\" is too large"},
        {"true", VALUE_DURATION, 0, "expected a duration, got true or false (true)"},
        {"[1]", VALUE_DURATION, 0, "expected a duration, got a list"},
        {"2Mb", VALUE_SIZE, 0, "\"2Mb\" is not a size: its unit must be one of B, KiB, MiB, GiB, kB, MB, GB; did you mean \"2MB\"?"},
        {"10", VALUE_SIZE, 0, "a size needs a unit (B, KiB, MiB, GiB, kB, MB, GB): did you mean \"10B\"?"},
        {"x", VALUE_INTEGER, 0, "expected an integer, got a text (x)"},
        {"\"7\"", VALUE_INTEGER, 0, "expected an integer, got the text \"7\": remove the quotes"},
        {"yes", VALUE_BOOL, 0, "expected true or false, got \"yes\" (did you mean true?)"},
        {"\"true\"", VALUE_BOOL, 0, "expected true or false, got a text (true)"},
        {"1003", VALUE_BYTES, 0, "expected bytes, got an integer (1003): write bytes as hex in quotes, like \"02 10 03\""},
        {"02 1", VALUE_BYTES, 0, "\"02 1\" is not bytes: write two hex digits a byte, like \"02 10 03\""},
        {"null", VALUE_TEXT, 0, "expected a text, got nothing"},
        {"{a: 1}", VALUE_TEXT, 0, "expected a text, got a map"},
        {"1.x", VALUE_NUMBER, 0, "expected a number, got a text (1.x)"},
};

START_TEST(conversions_need_the_right_unit)
{
	struct value *value = parse(conversions[_i].text), *converted;
	struct error err = {0};
	int r = value_convert(value, conversions[_i].type, &converted, &err);

	if (conversions[_i].message) {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_str_eq(err.message, conversions[_i].message);
		ck_assert_uint_eq(err.place.line, 1);
	} else {
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(converted->type, conversions[_i].type);
		ck_assert_int_eq(converted->integer, conversions[_i].result);
		value_free(converted);
	}
	value_free(value);
}
END_TEST

START_TEST(other_conversions)
{
	struct value *value = parse("[\"02 10 03\", 1.5, 7, 0x10, 02 10]"), *converted;

	ck_assert_int_eq(value_convert(value->list.items[0], VALUE_BYTES, &converted, NULL), 0);
	ck_assert_uint_eq(converted->bytes.length, 3);
	ck_assert_uint_eq(converted->place.column, 2);
	value_free(converted);
	ck_assert_int_eq(value_convert(value->list.items[1], VALUE_NUMBER, &converted, NULL), 0);
	ck_assert_double_eq(converted->number, 1.5);
	value_free(converted);
	ck_assert_int_eq(value_convert(value->list.items[2], VALUE_NUMBER, &converted, NULL), 0);
	ck_assert_double_eq(converted->number, 7);
	value_free(converted);
	ck_assert_int_eq(value_convert(value->list.items[3], VALUE_TEXT, &converted, NULL), 0);
	ck_assert_str_eq(converted->text, "0x10");
	value_free(converted);
	ck_assert_int_eq(value_convert(value->list.items[4], VALUE_BYTES, &converted, NULL), 0);
	ck_assert_uint_eq(converted->bytes.length, 2);
	value_free(converted);
	value_free(value);
}
END_TEST

static const struct {
	int64_t ns;
	const char *text;
} durations[] = {{0, "0s"},
                 {1, "1ns"},
                 {1500, "1.5us"},
                 {250000000, "250ms"},
                 {51234567, "51.234567ms"},
                 {1000000000, "1s"},
                 {61050000000, "61.05s"},
                 {-1500000, "-1.5ms"},
                 {INT64_MAX, "9223372036.854775807s"},
                 {INT64_MIN, "-9223372036.854775808s"}};

START_TEST(durations_are_shown_exactly)
{
	struct value *value = value_new_duration(durations[_i].ns), *text, *back;
	char *described = value_describe(value);

	ck_assert_str_eq(described, durations[_i].text);
	if (durations[_i].ns >= 0) {
		text = value_new_text(described);
		ck_assert_int_eq(value_convert(text, VALUE_DURATION, &back, NULL), 0);
		ck_assert_int_eq(back->integer, durations[_i].ns);
		value_free(back);
		value_free(text);
	}
	free(described);
	value_free(value);
}
END_TEST

START_TEST(one_description_leaves_no_trace_in_the_next)
{
	struct value *list = parse("[]");
	char *text;

	ck_assert_int_eq(value_list_add(list, value_new_duration(1)), 0);
	ck_assert_int_eq(value_list_add(list, value_new_duration(2000000000)), 0);
	text = value_describe(list);
	ck_assert_str_eq(text, "[1ns, 2s]");
	free(text);
	value_free(list);
}
END_TEST

START_TEST(trees_are_copied_described_and_made_json)
{
	struct value *value = parse("{a: [1, 0x10, \"x, y\"], b: {c: null, d: true}, e: \"\"}"), *copy = value_copy(value);
	char *text = value_describe(copy), *dumped;
	json_t *json;

	ck_assert_str_eq(text, "{a: [1, 0x10, \"x, y\"], b: {c: null, d: true}, e: \"\"}");
	free(text);
	ck_assert_int_eq(value_map_set(copy, "e", value_new_bytes("\x01\xab", 2)), 0);
	ck_assert_int_eq(value_map_set(copy, "f", value_new_text("bad \xff")), 0);
	ck_assert_int_eq(value_map_set(copy, "g", NULL), -ENOMEM);
	ck_assert_int_eq(value_list_add(copy->map.entries[0].value, NULL), -ENOMEM);
	json = value_to_json(copy);
	dumped = json_dumps(json, JSON_COMPACT);
	ck_assert_str_eq(dumped, "{\"a\":[1,16,\"x, y\"],\"b\":{\"c\":null,\"d\":true},\"e\":\"01ab\",\"f\":\"bad \\\\xff\"}");
	free(dumped);
	json_decref(json);
	value_free(copy);
	value_free(value);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("value");
	TCase *tests = tcase_create("value");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, scalars_are_typed_by_their_text);
	tcase_add_loop_test(tests, bad_yaml_is_refused_with_its_place, 0, COUNT(bad));
	tcase_add_test(tests, depth_and_size_are_bounded);
	tcase_add_test(tests, many_keys_are_quick);
	tcase_add_test(tests, missing_files_are_named);
	tcase_add_loop_test(tests, conversions_need_the_right_unit, 0, COUNT(conversions));
	tcase_add_test(tests, other_conversions);
	tcase_add_loop_test(tests, durations_are_shown_exactly, 0, COUNT(durations));
	tcase_add_test(tests, one_description_leaves_no_trace_in_the_next);
	tcase_add_test(tests, trees_are_copied_described_and_made_json);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
