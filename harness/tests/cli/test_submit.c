/* SPDX-License-Identifier: Apache-2.0 */
/* Which files of a case travel with a job, under which names, and what is refused. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cli/submit_named.h"

#define ABC_SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char directory[] = "/tmp/hilbench-submit-XXXXXX";

/* ---- steps that name files ---- */

static int run_nothing(struct step_context *context, const struct step_call *call, struct error *err)
{
	return 0;
}

static const struct arg_def install_args[] = {{"package", VALUE_TEXT, ARG_PACKAGE, NULL, NULL, 0, 0, "A package."},
                                              {"key", VALUE_TEXT, ARG_KEY, "ota-1", NULL, 0, 0, "A key."},
                                              {"parts", VALUE_TEXT, ARG_PACKAGE | ARG_LIST, NULL, NULL, 0, 0, "Packages."},
                                              {NULL}};
static const struct arg_def load_args[] = {{"file", VALUE_TEXT, ARG_REQUIRED | ARG_FILE, NULL, NULL, 0, 0, "A file."}, {NULL}};
static const struct arg_def dump_args[] = {{"file", VALUE_TEXT, ARG_REQUIRED | ARG_MADE, NULL, NULL, 0, 0, "A file."}, {NULL}};
static const struct arg_def block_args[] = {{"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS, NULL, NULL, 0, 0, "Steps."}, {NULL}};
static const struct result_def build_results[] = {{"path", VALUE_TEXT, "Where it is.", NULL}, {NULL}};
static const struct step_def install = {
        .name = "install", .doc = "Installs.", .args = install_args, .results = build_results, .run = run_nothing};
static const struct step_def load = {.name = "load", .doc = "Loads.", .args = load_args, .run = run_nothing};
static const struct step_def dump = {.name = "dump", .doc = "Dumps.", .args = dump_args, .run = run_nothing};
static const struct step_def block = {.name = "block", .doc = "Runs.", .flags = STEP_BLOCK, .args = block_args, .run = run_nothing};
static const struct step_def *const steps[] = {&install, &load, &dump, &block};
static const struct step_registry registry = {steps, sizeof(steps) / sizeof(*steps)};

/* ---- the folder ---- */

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(mkdir("p", 0700), 0);
	ck_assert_int_eq(mkdir("cases", 0700), 0);
	write_file("p/own.swpg", "abc");
	write_file("p/other.swpg", "abd");
	write_file("p/own.key", "abc");
	write_file("data.bin", "abc");
	write_file("cases/a.yaml", "abc");
}

static void tear_down(void)
{
	static const char *const names[] = {"p/own.swpg", "p/other.swpg", "p/own.key", "p/pipe", "p", "data.bin", "cases/a.yaml", "cases"};
	ck_assert_int_eq(chdir(directory), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)remove(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(directory), 0);
}

static bool is_fixture(const char *name, bool key)
{
	return strcmp(name, key ? "sub/ota-1" : "sub/zgw") == 0;
}

static int collect(const char *text, const char *tag, struct submit_files *files, struct error *err)
{
	char *const paths[] = {(char *)"cases"};
	const char *const tags[] = {tag, NULL};
	const struct case_filter filter = {.tags = tag ? tags : NULL};
	struct error_list errors = {0};
	struct program *program;
	ck_assert_int_eq(submit_files_collect(paths, 1, files, err), 0);
	int r = program_load_text("cases/a.yaml", text, strlen(text), &registry, &program, &errors);
	ck_assert_msg(r == 0, "%s", r < 0 ? errors.items[0].message : "");
	r = submit_named_add(files, program, &filter, is_fixture, err);
	program_free(program);
	error_list_free(&errors);
	return r;
}

#define CASE(steps) "cases:\n  - id: a.b\n    title: A title\n    steps:\n" steps

START_TEST(what_is_named_travels)
{
	static const char text[] =
	        CASE("      - install: {package: ./p//own.swpg}\n"
	             "      - install: {package: \"p/${n}.swpg\", key: ota-1, parts: [p/own.swpg, zgw-1.1.0, sub/zgw]}\n"
	             "      - install: {package: zgw-1.1.0, key: sub/ota-1, save: {built: path}}\n"
	             "      - install: {package: \"${built}\"}\n"
	             "      - block: {steps: [{dump: {file: ram.bin}}, {load: {file: ram.bin}}, {load: {file: data.bin}}]}\n"
	             "      - dump: {file: /nowhere/at/all.bin}\n"
	             "      - load: {file: /nowhere/at/all.bin}\n"
	             "    params: {n: [own, other]}\n");
	struct submit_files files;
	struct error error = {0};
	int r = collect(text, NULL, &files, &error);
	ck_assert_msg(r == 0, "%s", error.message);
	ck_assert_uint_eq(files.count, 4);
	ck_assert_uint_eq(files.case_count, 1);
	ck_assert_str_eq(files.files[0].name, "cases/a.yaml");
	ck_assert_str_eq(files.files[1].name, "p/own.swpg");
	ck_assert_str_eq(files.files[1].sha256, ABC_SHA);
	ck_assert_uint_eq(files.files[1].size, 3);
	ck_assert_uint_eq(files.files[1].place.line, 5);
	ck_assert_str_eq(files.files[2].name, "data.bin");
	ck_assert_str_eq(files.files[3].name, "p/other.swpg");
	ck_assert_uint_eq(json_array_size(files.paths), 1);
	submit_files_clear(&files);
}
END_TEST

START_TEST(what_is_not_asked_for_stays)
{
	static const char text[] = "cases:\n  - {id: a.b, title: A, tags: [x], steps: [install: {package: p/own.swpg}]}\n"
	                           "  - {id: a.c, title: C, steps: [install: {package: p/none.swpg}]}\n";
	struct submit_files files;
	struct error error = {0};
	ck_assert_int_eq(collect(text, "x", &files, &error), 0);
	ck_assert_uint_eq(files.count, 2);
	submit_files_clear(&files);
	ck_assert_int_lt(collect(text, NULL, &files, &error), 0);
	ck_assert_uint_eq(error.place.line, 3);
	submit_files_clear(&files);
}
END_TEST

static const struct {
	const char *step, *words;
} refusals[] = {
        {"install: {package: p/none.swpg}", "p/none.swpg: there is no such file here, and no fixture of this name"},
        {"install: {package: p/own.swpg/x}", "p/own.swpg/x: there is no such file here"},
        {"install: {package: p/}", "p: it is a directory"},
        {"install: {package: ./}", "./: it is a directory"},
        {"install: {package: ../cases/a.yaml}", "there is no such file here"},
        {"install: {package: p/../p/own.swpg}", "p/../p/own.swpg: a path with \"..\" does not travel"},
        {"install: {package: /dev/null}", "/dev/null: an absolute path does not travel"},
        {"install: {package: p/pipe}", "p/pipe: it is no regular file"},
        {"install: {package: p/own.swpg, key: p/own.key}", "p/own.key: a private key does not travel"},
        {"install: {package: p/own.swpg, key: p/none.key}", "p/none.key: there is no such file here, and no key"},
        {"load: {file: p/none.bin}", "p/none.bin: there is no such file here"},
        {"load: {file: /dev/null}", "an absolute path does not travel"},
        {"load: {file: p/own.key}", NULL},
};

START_TEST(what_cannot_travel_is_refused)
{
	char *text = NULL;
	struct submit_files files;
	struct error error = {0};
	ck_assert_int_eq(mkfifo("p/pipe", 0600), 0);
	ck_assert_int_gt(asprintf(&text, CASE("      - %s\n"), refusals[_i].step), 0);
	int r = collect(text, NULL, &files, &error);
	if (!refusals[_i].words) {
		ck_assert_int_eq(r, 0);
	} else {
		ck_assert_int_lt(r, 0);
		ck_assert_int_eq(error.domain, ERROR_USAGE);
		ck_assert_msg(strstr(error.message, refusals[_i].words) != NULL, "%s", error.message);
		ck_assert_str_eq(error.place.file, "cases/a.yaml");
		ck_assert_uint_eq(error.place.line, 5);
		ck_assert_uint_gt(error.place.column, 10);
	}
	submit_files_clear(&files);
	free(text);
}
END_TEST

/* Wherever it lies in the file, also across the portions in which it is read. */
START_TEST(private_keys_are_seen)
{
	static char text[600000];
	static const char *const headers[] = {"-----BEGIN EC PRIVATE KEY-----\nM", "-----BEGIN EC PRIVATE KEY-----\r\nM"};
	static const size_t places[] = {0,           1,          262144 - 33, 262144 - 32, 262144 - 31, 262144 - 30,
	                                262144 - 15, 262144 - 1, 262144,      524288 - 17, 599960};
	const char *header = headers[_i % 2];
	struct submit_files files;
	struct error error = {0};
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + places[_i / 2], header, strlen(header));
	write_file("p/own.swpg", text);
	ck_assert_int_eq(collect(CASE("      - install: {package: p/own.swpg}\n"), NULL, &files, &error), -EPERM);
	ck_assert_ptr_nonnull(strstr(error.message, "it holds a private key"));
	submit_files_clear(&files);
}
END_TEST

/* Software that can read keys has their headers among its texts. */
START_TEST(software_that_reads_keys_travels)
{
	static const char *const texts[] = {"-----BEGIN EC PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n",
	                                    "-----BEGIN PRIVATE KEY-----\r\n\1M"};
	struct submit_files files;
	struct error error = {0};
	write_file("p/own.swpg", texts[_i]);
	ck_assert_msg(collect(CASE("      - install: {package: p/own.swpg}\n"), NULL, &files, &error) == 0, "%s", error.message);
	submit_files_clear(&files);
}
END_TEST

START_TEST(what_changes_is_noticed)
{
	struct submit_files files;
	struct error error = {0};
	ck_assert_int_eq(collect(CASE("      - install: {package: p/own.swpg}\n"), NULL, &files, &error), 0);
	int fd = submit_file_open(&files.files[1], &error);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(submit_file_check(&files.files[1], fd, &error), 0);
	write_file("p/own.swpg", "abcd");
	ck_assert_int_eq(submit_file_check(&files.files[1], fd, &error), -ESTALE);
	ck_assert_ptr_nonnull(strstr(error.message, "p/own.swpg: it was changed while it was submitted"));
	ck_assert_uint_eq(error.place.line, 5);
	close(fd);
	ck_assert_int_eq(submit_file_open(&files.files[1], &error), -ESTALE);
	ck_assert_int_eq(remove("p/own.swpg"), 0);
	ck_assert_int_eq(submit_file_open(&files.files[1], &error), -ENOENT);
	submit_files_clear(&files);
}
END_TEST

/* Test cases from elsewhere have names of their own: one must not be taken for what a case names. */
START_TEST(two_files_of_one_name)
{
	char *const paths[] = {(char *)"../cases/a.yaml"};
	const struct place place = {"a", 1, 1};
	struct submit_files files;
	struct error error = {0};
	ck_assert_int_eq(chdir("p"), 0);
	ck_assert_int_eq(submit_files_collect(paths, 1, &files, &error), 0);
	ck_assert_str_eq(files.files[0].name, "a.yaml");
	write_file("a.yaml", "abd");
	ck_assert_int_eq(submit_files_add(&files, "a.yaml", place, &error), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error.message, "../cases/a.yaml"));
	write_file("a.yaml", "abc");
	ck_assert_int_eq(submit_files_add(&files, "a.yaml", place, &error), 0);
	ck_assert_uint_eq(files.count, 1);
	ck_assert_int_eq(remove("a.yaml"), 0);
	submit_files_clear(&files);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("submitted files");
	TCase *tcase = tcase_create("all");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_named_travels);
	tcase_add_test(tcase, what_is_not_asked_for_stays);
	tcase_add_loop_test(tcase, what_cannot_travel_is_refused, 0, sizeof(refusals) / sizeof(*refusals));
	tcase_add_loop_test(tcase, private_keys_are_seen, 0, 22);
	tcase_add_loop_test(tcase, software_that_reads_keys_travels, 0, 3);
	tcase_add_test(tcase, what_changes_is_noticed);
	tcase_add_test(tcase, two_files_of_one_name);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
