/* SPDX-License-Identifier: Apache-2.0 */
/* What is typed as YAML, with its places; what was typed as a case; the lock of a rack. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cli/shell_log.h"
#include "../../cli/shell_typed.h"
#include "../../rig/rig_lock.h"
#include "../../run/steps/registry.h"

/* ---- typed text ---- */

static void check_yaml(const char *text, const char *yaml)
{
	struct typed typed;
	ck_assert_int_eq(typed_read(text, 1, &typed), 0);
	ck_assert_str_eq(typed.yaml, yaml);
	typed_clear(&typed);
}

START_TEST(every_form_of_a_step_becomes_yaml)
{
	check_yaml("rack.ready", "- rack.ready");
	check_yaml("wait 50ms", "- wait: 50ms");
	check_yaml("wait: 50ms", "- wait: 50ms");
	check_yaml("- wait: 50ms", "- wait: 50ms");
	check_yaml("doip.activate {source: 1}", "- doip.activate: {source: 1}");
	check_yaml("doip.activate source: 0x0e80 type: default", "- doip.activate:\n    source: 0x0e80\n    type: default");
	check_yaml("uds.request role: zgw data: 22 f1 90 save: {v: response}",
	           "- uds.request:\n    role: zgw\n    data: 22 f1 90\n    save: {v: response}");
	check_yaml("a b: \"x c: y\" d: [e: 1]", "- a:\n    b: \"x c: y\"\n    d: [e: 1]");
	check_yaml("a b: it's c: 1", "- a:\n    b: it's\n    c: 1");
	check_yaml("a b: 1, c: 2", "- a:\n    b: 1\n    c: 2");
	check_yaml("poll:\n  within: 1s", "- poll:\n    within: 1s");
	check_yaml("  wait 1s  ", "- wait: 1s");
}
END_TEST

static void check_place(const char *text, unsigned line, unsigned column, unsigned typed_line, unsigned typed_column)
{
	struct typed typed;
	struct place place = {"typed", line, column};
	ck_assert_int_eq(typed_read(text, 7, &typed), 0);
	typed_move(&typed, &place);
	ck_assert_uint_eq(place.line, typed_line);
	ck_assert_uint_eq(place.column, typed_column);
	typed_clear(&typed);
}

START_TEST(places_are_those_of_what_was_typed)
{
	check_place("wait 50ms", 1, 3, 7, 1);
	check_place("wait 50ms", 1, 9, 7, 6);
	check_place("wait    50ms", 1, 9, 7, 9);
	check_place("a b: 1 c: 2", 3, 5, 7, 8);
	check_place("a b: 1 c: 2", 3, 8, 7, 11);
	check_place("- a: {b: 1}", 1, 6, 7, 6);
	check_place("poll:\n  within: 1s", 2, 5, 8, 3);
	check_place("a b: \"\xc3\xa4\" c: 2", 3, 5, 7, 10);
}
END_TEST

START_TEST(a_line_that_ends_open_goes_on)
{
	static const struct {
		const char *text;
		bool open;
	} lines[] = {{"wait 1s", false},
	             {"doip.activate {", true},
	             {"doip.activate {expect: {code: 1}", true},
	             {"doip.activate {\n}", false},
	             {"note \"a", true},
	             {"note it's", false},
	             {"note 'it''s'", false},
	             {"note \"a\\\"", true},
	             {"- poll:", true},
	             {"poll:", true},
	             {"- poll:\n    within: 1s", true},
	             {"- poll:\n    within: 1s\n", false},
	             {"- rack.ready:", false},
	             {"doip.activate {\n", false},
	             {"", false}};
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		ck_assert_msg(typed_is_open(lines[i].text, step_registry_all()) == lines[i].open, "%s", lines[i].text);
}
END_TEST

/* ---- the case of it ---- */

static void log_typed(struct shell_log *log, const char *text, struct scope *scope, bool passed)
{
	struct typed typed;
	struct step_block block;
	struct error_list errors = {0};
	ck_assert_int_eq(typed_read(text, 1, &typed), 0);
	int r = step_block_load_text("typed", typed.yaml, typed.length, step_registry_all(), "shell/1", scope, &block, &errors);
	ck_assert_msg(r == 0, "%s", errors.count ? errors.items[0].message : "");
	ck_assert_int_eq(shell_log_steps(log, typed.yaml, &block, scope, passed, 1000), 0);
	step_block_clear(&block);
	typed_clear(&typed);
	error_list_free(&errors);
}

static void set(struct shell_log *log, struct scope *scope, const char *name, struct value *stolen)
{
	ck_assert_int_eq(shell_log_set(log, name, stolen), 0);
	ck_assert_int_eq(scope_set(scope, name, stolen), 0);
}

static char *write_log(const struct shell_log *log, bool all)
{
	struct program *program;
	struct error_list errors = {0};
	char *text;
	ck_assert_int_eq(shell_log_write(log, "typed.case", all, &text, NULL), 0);
	int r = program_load_text("saved.yaml", text, strlen(text), step_registry_all(), &program, &errors);
	ck_assert_msg(r == 0, "%s in\n%s", errors.count ? errors.items[0].message : "", text);
	program_free(program);
	return text;
}

START_TEST(what_was_typed_is_a_valid_case)
{
	struct shell_log log = {0};
	struct scope *scope = scope_new();
	char *text;
	set(&log, scope, "t", value_new_duration(INT64_C(5000000)));
	log_typed(&log, "wait ${t}", scope, true);
	set(&log, scope, "t", value_new_duration(INT64_C(6000000)));
	log_typed(&log, "wait for: ${t}", scope, true);
	log_typed(&log, "wait 99s", scope, false);
	log_typed(&log, "- poll:\n    within: 1s\n    steps:\n      - wait: ${t}", scope, true);
	text = write_log(&log, false);
	ck_assert_ptr_nonnull(strstr(text, "t_set: [5ms]"));
	ck_assert_ptr_nonnull(strstr(text, "t_set2: [6ms]"));
	ck_assert_ptr_nonnull(strstr(text, "- wait: ${t_set}"));
	ck_assert_ptr_nonnull(strstr(text, "for: ${t_set2}"));
	ck_assert_ptr_null(strstr(text, "99s"));
	free(text);
	text = write_log(&log, true);
	ck_assert_ptr_nonnull(strstr(text, "99s"));
	free(text);
	shell_log_clear(&log);
	scope_free(scope);
}
END_TEST

START_TEST(saved_results_stay_variables)
{
	struct shell_log log = {0};
	struct scope *scope = scope_new();
	log_typed(&log, "uds.request role: zgw data: 22 f1 90 save: {vin: response}", scope, true);
	ck_assert_int_eq(scope_set(scope, "vin", value_new_bytes("\x62\xf1", 2)), 0);
	log_typed(&log, "note \"${vin} of ${rig.zgw.vin}\"", scope, true);
	char *text = write_log(&log, false);
	ck_assert_ptr_null(strstr(text, "params"));
	ck_assert_ptr_nonnull(strstr(text, "${vin} of ${rig.zgw.vin}"));
	free(text);
	shell_log_clear(&log);
	scope_free(scope);
}
END_TEST

START_TEST(a_variable_from_elsewhere_comes_along)
{
	struct shell_log log = {0};
	struct scope *scope = scope_new();
	ck_assert_int_eq(scope_set(scope, "data", value_new_bytes("\x22\xf1\x90", 3)), 0);
	ck_assert_int_eq(scope_set(scope, "who", value_new_text("x: \"y\"")), 0);
	log_typed(&log, "uds.request {role: zgw, data: \"${data}\"}", scope, true);
	log_typed(&log, "note \"${who}\"", scope, true);
	char *text = write_log(&log, false);
	ck_assert_ptr_nonnull(strstr(text, "data_set: [\"22 f1 90\"]"));
	ck_assert_ptr_nonnull(strstr(text, "who_set: [\"x: \\\"y\\\"\"]"));
	free(text);
	shell_log_clear(&log);
	scope_free(scope);
}
END_TEST

START_TEST(nothing_typed_is_nothing_to_save)
{
	struct shell_log log = {0};
	struct error error = {0};
	char *text;
	ck_assert_int_eq(shell_log_write(&log, "x", false, &text, &error), -ENOENT);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
}
END_TEST

/* ---- one user at a time ---- */

static char folder[] = "/tmp/hilbench-lock-XXXXXX";

static struct rig_file *rig(const char *name, bool is_virtual)
{
	char path[128];
	struct rig_file *file;
	struct error error = {0};
	snprintf(path, sizeof(path), "%s/rig.yaml", folder);
	FILE *out = fopen(path, "w");
	fprintf(out,
	        "name: %s\nvirtual: %s\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n"
	        "  zgw: {driver: board, address: 127.0.0.1, logical_address: 0x91, plain: \"127.0.0.1:1\",\n"
	        "    console: {driver: tcp, address: \"127.0.0.1:1\"}, power: {driver: command, on: [/bin/true], off: [/bin/true]}}\n",
	        name, is_virtual ? "true" : "false");
	fclose(out);
	int r = rig_file_load(path, &file, &error);
	ck_assert_msg(r == 0, "%s", error.message);
	return file;
}

static void remove_lock(const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

START_TEST(the_second_user_is_told_who_has_the_rack)
{
	struct rig_file *file = rig("bench seven", false), *other = rig("bench-8", false);
	struct rig_lock *first, *second = NULL;
	struct error error = {0};
	char me[32];
	ck_assert_int_eq(rig_lock_take(&first, file, "hilbench shell", &error), 0);
	ck_assert_int_eq(rig_lock_take(&second, file, "hilbench run", &error), -EBUSY);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	snprintf(me, sizeof(me), "process %d", (int)getpid());
	ck_assert_ptr_nonnull(strstr(error.message, me));
	ck_assert_ptr_nonnull(strstr(error.message, "hilbench shell"));
	ck_assert_ptr_nonnull(strstr(error.message, "bench seven"));
	ck_assert_int_eq(rig_lock_take(&second, other, "hilbench run", &error), 0);
	rig_lock_release(second);
	rig_lock_release(first);
	ck_assert_int_eq(rig_lock_take(&first, file, "hilbench run", &error), 0);
	rig_lock_release(first);
	rig_file_free(file);
	rig_file_free(other);
}
END_TEST

START_TEST(a_holder_that_was_killed_holds_nothing)
{
	struct rig_file *file = rig("killed", false);
	struct rig_lock *lock;
	int ready[2];
	char byte;
	ck_assert_int_eq(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		if (rig_lock_take(&lock, file, "killed", NULL) == 0)
			(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(rig_lock_take(&lock, file, "next", NULL), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert_int_eq(rig_lock_take(&lock, file, "next", NULL), 0);
	rig_lock_release(lock);
	rig_file_free(file);
}
END_TEST

START_TEST(no_link_is_followed)
{
	struct rig_file *file = rig("link", false);
	struct rig_lock *lock;
	struct error error = {0};
	char path[128], target[128];
	snprintf(path, sizeof(path), "%s/hilbench-link.lock", folder);
	snprintf(target, sizeof(target), "%s/rig.yaml", folder);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_lt(rig_lock_take(&lock, file, "x", &error), 0);
	ck_assert_ptr_nonnull(strstr(error.message, path));
	unlink(path);
	ck_assert_int_eq(link(target, path), 0);
	ck_assert_int_lt(rig_lock_take(&lock, file, "x", &error), 0);
	unlink(path);
	rig_file_free(file);
}
END_TEST

START_TEST(a_virtual_rack_is_nobodys)
{
	struct rig_file *file = rig("virtual", true);
	struct rig_lock *first, *second;
	ck_assert_int_eq(rig_lock_take(&first, file, "x", NULL), 0);
	ck_assert_int_eq(rig_lock_take(&second, file, "x", NULL), 0);
	ck_assert_ptr_null(first);
	rig_lock_release(first);
	rig_lock_release(second);
	rig_file_free(file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shell");
	TCase *typed = tcase_create("typed"), *saved = tcase_create("saved"), *locks = tcase_create("locks");
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	setenv("HILBENCH_LOCKS", folder, 1);
	tcase_add_test(typed, every_form_of_a_step_becomes_yaml);
	tcase_add_test(typed, places_are_those_of_what_was_typed);
	tcase_add_test(typed, a_line_that_ends_open_goes_on);
	tcase_add_test(saved, what_was_typed_is_a_valid_case);
	tcase_add_test(saved, saved_results_stay_variables);
	tcase_add_test(saved, a_variable_from_elsewhere_comes_along);
	tcase_add_test(saved, nothing_typed_is_nothing_to_save);
	tcase_add_test(locks, the_second_user_is_told_who_has_the_rack);
	tcase_add_test(locks, a_holder_that_was_killed_holds_nothing);
	tcase_add_test(locks, no_link_is_followed);
	tcase_add_test(locks, a_virtual_rack_is_nobodys);
	suite_add_tcase(suite, typed);
	suite_add_tcase(suite, saved);
	suite_add_tcase(suite, locks);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_lock("rig.yaml");
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
