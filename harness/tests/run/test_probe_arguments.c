/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of the debug probe refuse: at check time what is written, at run time what only the run knows. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lang/program.h"
#include "../../run/steps/registry.h"

#define HEAD "cases:\n- id: a\n  title: A\n  steps:\n  - "
#define LINE 5

static struct error_list errors;
static struct program *program;

static int load(const char *step)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), HEAD "%s\n", step);
	return program_load_text("t.yaml", text, strlen(text), step_registry_all(), &program, &errors);
}

static void setup(void)
{
	errors = (struct error_list){0};
	program = NULL;
}

static void teardown(void)
{
	error_list_free(&errors);
	program_free(program);
}

#define WRITE  "probe.write: {role: zgw, address: 0x20000000"
#define READ   "probe.read: {role: zgw, address: 0x20000000"
#define INJECT "endpoint.inject: {role: device, endpoint: "
#define TEN    "0123456789"
#define FIFTY  TEN TEN TEN TEN TEN

static const struct {
	const char *step, *message;
	const char *at; /* text of the step that the error's column points at */
} refused[] = {
        {WRITE "}", "there is nothing to write", "probe"},
        {WRITE ", data: \"01 02\", word: 1}", "`word` does not go with `data`", "1}"},
        {WRITE ", data: \"01\", text: a}", "`text` does not go with `data`", "a}"},
        {WRITE ", text: \"\"}", "`text` is empty", "\"\""},
        {WRITE ", word: 1, width: 3}", "1, 2, 4 or 8 bytes, not 3", "3}"},
        {WRITE ", word: 1, width: 9}", "must be from 1 to 8", "9}"},
        {WRITE ", word: 0x100000000}", "does not fit into 4 bytes", "0x1"},
        {WRITE ", word: 0x100000000, width: 4}", "does not fit into 4 bytes", "0x1"},
        {"probe.write: {role: zgw, address: 0x20000004, word: 1, width: 8}", "`address` 20000004h is no multiple of the width 8", "0x2"},
        {READ ", width: 8, length: 4B}", "`length` has 4 bytes, no multiple of the width 8", "4B"},
        {WRITE ", word: 0x10000, width: 2}", "`word` 0x10000 does not fit into 2 bytes", "0x10000"},
        {WRITE ", word: 0x100, width: 1}", "does not fit into 1 byte", "0x100,"},
        {WRITE ", data: \"01 02 03\", width: 2}", "`data` has 3 bytes, no multiple of the width 2", "\"01"},
        {WRITE ", text: abcde, width: 4}", "`text` has 5 bytes, no multiple of the width 4", "abcde"},
        {"probe.write: {role: zgw, address: 0x20000002, word: 1, width: 4}", "`address` 20000002h is no multiple of the width 4", "0x2"},
        {"probe.write: {role: zgw, address: 0x20000001, data: \"01 02\", width: 2}", "20000001h is no multiple of the width 2", "0x2"},
        {"probe.write: {role: zgw, address: 0xfffffffe, data: \"01 02 03\"}", "go over the end of the memory", "0xff"},
        {"probe.write: {role: zgw, address: 0xfffffffe, word: 1}", "go over the end of the memory", "0xff"},
        {READ ", width: 3}", "1, 2, 4 or 8 bytes, not 3", "3}"},
        {READ ", length: 6B}", "`length` has 6 bytes, no multiple of the width 4", "6B"},
        {READ ", length: 2MiB}", "at most 1 MiB", "2MiB"},
        {"probe.read: {role: zgw, address: 0x20000002}", "no multiple of the width 4", "0x2"},
        {"probe.read: {role: zgw, address: 0xfffffffc, length: 8B}", "over the end of the memory", "0xff"},
        {INJECT "\"\"}", "`endpoint` is empty", "\"\""},
        {INJECT "10.42.0.12}", "lacks the port", "10.42"},
        {INJECT "\"10.42.0.12:\"}", "the port of `endpoint`", "\"10.42"},
        {INJECT "\"10.42.0.12:0\"}", "is no number from 1 to 65535", "\"10.42"},
        {INJECT "\"10.42.0.12:65536\"}", "is no number from 1 to 65535", "\"10.42"},
        {INJECT "\"10.42.0.12:80a\"}", "is no number from 1 to 65535", "\"10.42"},
        {INJECT "\":8081\"}", "the host of `endpoint`", "\":8081"},
        {INJECT "\"10.42.0.256:8081\"}", "the host of `endpoint`", "\"10.42"},
        {INJECT "\"10.42.0.1 :8081\"}", "the host of `endpoint`", "\"10.42"},
        {INJECT "\"::1:8081\"}", "IPv6 address in brackets", "\"::1"},
        {INJECT "\"[::1]\"}", "lacks the port", "\"[::1"},
        {INJECT "\"[::x]:80\"}", "IPv6 address in brackets", "\"[::x"},
        {INJECT "\"a" FIFTY FIFTY FIFTY FIFTY FIFTY ":8081\"}", "`endpoint` has 256 characters, at most 255", "\"a"},
        {"endpoint.inject: {role: device}", "either of `endpoint` and `bytes`", "endpoint"},
        {INJECT "\"10.42.0.12:80\", bytes: \"00\"}", "one of `endpoint` and `bytes`", "\"00"},
};

START_TEST(is_refused)
{
	const char *at = strstr(refused[_i].step, refused[_i].at);

	ck_assert_ptr_nonnull(at);
	ck_assert_int_lt(load(refused[_i].step), 0);
	ck_assert_msg(strstr(errors.items[0].message, refused[_i].message) != NULL, "%s: %s", refused[_i].step, errors.items[0].message);
	ck_assert_msg(errors.count == 1, "%s: %u errors", refused[_i].step, errors.count);
	ck_assert_str_eq(errors.items[0].place.file, "t.yaml");
	ck_assert_uint_eq(errors.items[0].place.line, LINE);
	ck_assert_msg(errors.items[0].place.column == (unsigned)(at - refused[_i].step) + 5, "%s: column %u", refused[_i].step,
	              errors.items[0].place.column);
}
END_TEST

/* Also what only the run will know. */
static const char *const taken[] = {
        WRITE ", word: 1}",
        WRITE ", word: 0xffff, width: 2}",
        WRITE ", word: 0x1122334455667788, width: 8}",
        READ ", length: 16B, width: 8}",
        READ ", width: 8}",
        WRITE ", data: \"01 02 03\"}",
        WRITE ", text: \"10.42.0.12:8081\"}",
        "probe.write: {role: zgw, address: 0x20000003, word: 1}",
        "probe.write: {role: zgw, address: 0x20000003, word: 255, width: 1}",
        "probe.write: {role: zgw, address: 0xfffffffc, word: 1}",
        READ "}",
        READ ", length: 3B, width: 1}",
        READ ", save: {n: word}}\n  - probe.write: {role: zgw, address: \"${n}\", word: \"${n}\", width: \"${n}\"}",
        INJECT "\"10.42.0.12:8081\"}",
        INJECT "\"vmg.hilbench.test:65535\"}",
        INJECT "\"[fe80::1%eth0]:1\"}",
        INJECT "\"${rig.tester.address}:14599\"}",
        "endpoint.inject: {role: device, bytes: \"31 30 2e 34\"}",
};

START_TEST(is_taken)
{
	int r = load(taken[_i]);

	ck_assert_msg(r == 0, "%s: %s", taken[_i], errors.count ? errors.items[0].message : "");
}
END_TEST

/* ---- at run time: what a variable turned out to be ---- */

static const struct {
	const char *step, *name, *value, *message;
} later[] = {
        {WRITE ", word: 1, width: \"${v}\"}", "v", "3", "1, 2, 4 or 8 bytes, not 3"},
        {"probe.write: {role: zgw, address: \"${v}\", word: 1, width: 2}", "v", "0x20000001", "no multiple of the width 2"},
        {WRITE ", width: 4, data: \"${v}\"}", "v", "\"01 02\"", "`data` has 2 bytes"},
        {WRITE ", text: \"${v}\"}", "v", "\"\"", "`text` is empty"},
        {INJECT "\"${v}\"}", "v", "\"\"", "`endpoint` is empty"},
        {INJECT "\"10.42.0.12:${v}\"}", "v", "70000", "is no number from 1 to 65535"},
        {INJECT "\"${v}:8081\"}", "v", "10.42.0", "the host of `endpoint`"},
};

START_TEST(is_refused_when_it_is_known)
{
	char text[512];
	struct error err = {0};
	struct scope *scope = scope_new();
	struct value *value;

	(void)snprintf(text, sizeof(text), "probe.read: {role: zgw, address: 0, save: {v: word}}\n  - %s", later[_i].step);
	ck_assert_msg(load(text) == 0, "%s: %s", later[_i].step, errors.count ? errors.items[0].message : "");
	ck_assert_int_eq(value_parse_text("v", later[_i].value, strlen(later[_i].value), &value, &err), 0);
	ck_assert_int_eq(scope_set(scope, later[_i].name, value), 0);
	ck_assert_int_eq(step_call_check(program->cases[0]->steps.calls[1], scope, &err), -EINVAL);
	ck_assert_msg(strstr(err.message, later[_i].message) != NULL, "%s: %s", later[_i].step, err.message);
	ck_assert_uint_eq(err.place.line, LINE + 1);
	scope_free(scope);
}
END_TEST

/* ---- with a rig ---- */

static bool any(void *context, const char *name)
{
	return true;
}

static const struct value *value_of(void *context, const char *role, const char *key)
{
	return strcmp(role, "device") || strcmp(key, "endpoint_size") ? NULL : context;
}

START_TEST(the_device_has_room)
{
	struct value size = {.type = VALUE_INTEGER, .integer = 16};
	struct program_rig rig = {.has_role = any, .has_link = any, .has_capability = any, .value = value_of, .context = &size};

	ck_assert_int_eq(load(INJECT "\"10.42.0.12:8081\"}"), 0);
	ck_assert_int_eq(program_check_rig(program, &rig, &errors), 0);
	size.integer = 15;
	ck_assert_int_eq(program_check_rig(program, &rig, &errors), -EINVAL);
	ck_assert_msg(strstr(errors.items[0].message, "has 15 characters, device takes at most 14"), "%s", errors.items[0].message);
	ck_assert_uint_eq(errors.items[0].place.line, LINE);
	ck_assert_uint_eq(errors.items[0].place.column, sizeof(INJECT) + 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe arguments");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_loop_test(all, is_refused, 0, sizeof(refused) / sizeof(*refused));
	tcase_add_loop_test(all, is_taken, 0, sizeof(taken) / sizeof(*taken));
	tcase_add_loop_test(all, is_refused_when_it_is_known, 0, sizeof(later) / sizeof(*later));
	tcase_add_test(all, the_device_has_room);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
