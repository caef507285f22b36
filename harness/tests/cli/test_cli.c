/* SPDX-License-Identifier: Apache-2.0 */
/* The program as a person sees it: arguments in; status, output and messages out. argv[1] is the program. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *program;
static char directory[] = "/tmp/hilbench-cli-XXXXXX";
static char output[65536], messages[65536];

static void read_back(const char *name, char *text, size_t size)
{
	FILE *file = fopen(name, "r");
	size_t length = file ? fread(text, 1, size - 1, file) : 0;

	text[length] = '\0';
	if (file)
		(void)fclose(file);
}

/* Runs the program in the test's directory; fills output and messages; returns its status. */
static int run_to(const char *stdout_path, const char *const *arguments)
{
	const char *argv[16] = {"hilbench"};
	int status, fd;
	pid_t pid;

	for (int i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	pid = fork();
	if (pid == 0) {
		fd = open(stdout_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		(void)dup2(fd, 1);
		fd = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		(void)dup2(fd, 2);
		(void)execv(program, (char *const *)argv);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	read_back("out", output, sizeof(output));
	read_back("err", messages, sizeof(messages));
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}
#define RUN(...) run_to("out", (const char *const[]){__VA_ARGS__, NULL})

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void set_up(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	write_file("good.yaml", "- id: a\n  title: First\n  tags: [x, x]\n  verifies: [R-1]\n  params: {v: [1, 2]}\n  steps: [rack.ready]\n"
	                        "- id: b\n  steps: [{power.on: ecu}]\n");
	write_file("bad.yaml", "- id: a\n  steps:\n    - doip.activate: {sorce: 1}\n    - wait: 50\n");
}

static void tear_down(void)
{
	static const char *const names[] = {"good.yaml", "bad.yaml", "out", "err"};

	for (unsigned i = 0; i < 4; i++)
		(void)unlink(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	(void)rmdir(directory);
}

/* A run of one case that passed. */
static void write_run(const char *name)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "%s/events.jsonl", name);
	ck_assert_int_eq(mkdir(name, 0777), 0);
	write_file(
	        path,
	        "{\"n\":1,\"t\":1,\"clock\":\"user\",\"u\":1,\"ch\":\"run\",\"kind\":\"run.begin\",\"data\":{\"seed\":1,\"virtual\":true,"
	        "\"cases\":[{\"id\":\"a\",\"title\":\"A\",\"file\":\"a.yaml\",\"line\":1}]}}\n"
	        "{\"n\":2,\"t\":2,\"clock\":\"user\",\"u\":1,\"ch\":\"case\",\"kind\":\"case.begin\",\"data\":{\"id\":\"a\",\"attempt\":1,"
	        "\"index\":1,\"of\":1}}\n"
	        "{\"n\":3,\"t\":3,\"clock\":\"user\",\"u\":1,\"ch\":\"case\",\"kind\":\"case.end\",\"data\":{\"id\":\"a\",\"attempt\":1,"
	        "\"verdict\":\"pass\",\"cause\":\"\",\"duration_ns\":1}}\n"
	        "{\"n\":4,\"t\":4,\"clock\":\"user\",\"u\":1,\"ch\":\"run\",\"kind\":\"run.end\",\"data\":{\"status\":0,\"interrupted\":"
	        "false,"
	        "\"clock_moved_ns\":0}}\n");
}

static void remove_run(const char *name)
{
	static const char *const files[] = {"events.jsonl", "junit.xml", "results.json", "report.html"};
	char path[64];
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", name, files[i]);
		(void)unlink(path);
	}
	ck_assert_int_eq(rmdir(name), 0);
}

START_TEST(runs_are_merged_once_and_missing_ones_are_told)
{
	write_run("r1");
	write_run("r2");
	ck_assert_int_eq(RUN("report", "--merge", "r1", "x=r1", "y=r2"), 2);
	ck_assert_ptr_nonnull(strstr(messages, "r1 is run x itself"));
	ck_assert_int_eq(RUN("report", "--merge", "m", "x=r1", "x=./r1"), 2);
	ck_assert_ptr_nonnull(strstr(messages, "x=r1 and x=./r1 are the same run"));
	ck_assert_int_ne(access("m", F_OK), 0);
	ck_assert_int_eq(RUN("report", "--merge", "m", "x=r1", "x=r2"), 0);
	ck_assert_str_eq(messages, "");
	ck_assert_ptr_nonnull(strstr(output, "1 case on a virtual rack: 1 passed"));
	ck_assert_int_eq(RUN("report", "--merge", "m", "x=r1", "y=none"), 0);
	ck_assert_str_eq(messages, "hilbench report: run y never began: the report is not complete\n");
	ck_assert_ptr_nonnull(strstr(output, "run y never began\n"));
	ck_assert_ptr_nonnull(strstr(output, "junit    m/junit.xml"));
	ck_assert_int_eq(RUN("report", "--portable", "r1"), 0);
	ck_assert_ptr_null(strstr(output, "junit"));
	remove_run("r1");
	remove_run("r2");
	remove_run("m");
}
END_TEST

START_TEST(usage_errors_are_status_2)
{
	ck_assert_int_eq(run_to("out", (const char *const[]){NULL}), 2);
	ck_assert_str_eq(messages, "hilbench: which command?; `hilbench --help` tells how\n");
	ck_assert_int_eq(RUN("chek"), 2);
	ck_assert_str_eq(messages, "hilbench: there is no command \"chek\" (did you mean \"check\"?); `hilbench --help` tells how\n");
	ck_assert_int_eq(RUN("check", "--rigg=x", "good.yaml"), 2);
	ck_assert_int_eq(RUN("check", "good.yaml", "--rig"), 2);
	ck_assert_str_eq(messages, "hilbench check: wrong or incomplete option --rig; `hilbench check --help` tells how\n");
	ck_assert_int_eq(RUN("check"), 2); /* no ./testcases here */
	ck_assert_int_eq(RUN("schema"), 2);
	ck_assert_int_eq(RUN("schema", "cat"), 2);
	ck_assert_int_eq(RUN("steps", "doip.activat"), 2);
	ck_assert_ptr_nonnull(strstr(messages, "(did you mean \"doip.activate\"?)"));
	ck_assert_int_eq(RUN("steps", "--markdow"), 2);
	ck_assert_int_eq(RUN("list", "--tag"), 2);
	ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(help_and_version)
{
	ck_assert_int_eq(RUN("--version"), 0);
	ck_assert(strncmp(output, "hilbench 0.", 11) == 0);
	ck_assert_int_eq(RUN("--help"), 0);
	ck_assert_ptr_nonnull(strstr(output, "  check      checks test case files"));
	ck_assert_int_eq(RUN("list", "--help"), 0);
	ck_assert(strncmp(output, "usage: hilbench list [--tag TAG]", 32) == 0);
	ck_assert_str_eq(messages, "");
}
END_TEST

START_TEST(check_tells_every_error_with_its_place)
{
	ck_assert_int_eq(RUN("check", "good.yaml"), 0);
	ck_assert_str_eq(output, "3 cases, no errors\n");
	ck_assert_int_eq(RUN("check", "bad.yaml"), 2);
	ck_assert_str_eq(output, "");
	ck_assert_str_eq(messages, "bad.yaml:3:23: unknown key \"sorce\" of doip.activate (did you mean \"source\"?)\n"
	                           "bad.yaml:4:13: \"for\": a duration needs a unit (ns, us, ms, s, min, h): did you mean \"50ms\"?\n");
	ck_assert_int_eq(RUN("check", "good.yaml", "nothing.yaml"), 2);
	ck_assert_str_eq(messages, "nothing.yaml: cannot open: No such file or directory\n");
}
END_TEST

START_TEST(check_reads_regular_files_only)
{
	ck_assert_int_eq(mkfifo("pipe.yaml", 0600), 0);
	ck_assert_int_eq(RUN("check", "pipe.yaml"), 2);
	ck_assert_str_eq(messages, "pipe.yaml: is no regular file\n");
	ck_assert_int_eq(RUN("check", "/dev/null"), 2);
	ck_assert_int_eq(unlink("pipe.yaml"), 0);
}
END_TEST

START_TEST(check_asks_the_rig)
{
	ck_assert_int_eq(RUN("check", "--rig", "rig.yaml", "good.yaml"), 2);
	ck_assert_str_eq(messages, "good.yaml:8:22: the rig has no role \"ecu\"\n");
	ck_assert_int_eq(RUN("check", "--rig", "bad.yaml", "good.yaml"), 2);
	ck_assert_str_eq(messages, "bad.yaml:1:1: a bad rig\n");
	ck_assert_int_eq(RUN("check", "--rig", "broken.yaml", "good.yaml"), 3);
	ck_assert_str_eq(messages, "a broken disk\n");
}
END_TEST

START_TEST(list_selects_and_prints)
{
	json_t *json, *first;

	ck_assert_int_eq(RUN("list", "good.yaml"), 0);
	ck_assert_ptr_nonnull(strstr(output, "a[v=1] "));
	ck_assert_ptr_nonnull(strstr(output, "First  (good.yaml:1) #x\n"));
	ck_assert_ptr_nonnull(strstr(output, "(good.yaml:7)"));
	ck_assert_int_eq(RUN("list", "--tag", "x", "--case", "*v=2*", "--json", "good.yaml"), 0);
	json = json_loads(output, 0, NULL);
	ck_assert_uint_eq(json_array_size(json), 1);
	first = json_array_get(json, 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "id")), "a[v=2]");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(first, "verifies"), 0)), "R-1");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(first, "params"), "v")), 2);
	json_decref(json);
	ck_assert_int_eq(RUN("list", "--tag", "!x", "good.yaml"), 0);
	ck_assert_ptr_null(strstr(output, "First"));
	ck_assert_ptr_nonnull(strstr(output, "b "));
}
END_TEST

START_TEST(schema_and_steps_print)
{
	json_t *json;

	ck_assert_int_eq(RUN("schema", "testcase"), 0);
	json = json_loads(output, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(json, "$schema")), "https://json-schema.org/draft/2020-12/schema");
	json_decref(json);
	ck_assert_int_eq(RUN("schema", "rig"), 0);
	ck_assert_ptr_nonnull(strstr(output, "a rig"));
	ck_assert_int_eq(RUN("steps"), 0);
	ck_assert(strncmp(output, "wait                         Waits.\n", 36) == 0);
	ck_assert_int_eq(RUN("steps", "wait"), 0);
	ck_assert(strncmp(output, "### wait\n\nWaits. Nothing else.\n", 31) == 0);
	ck_assert_int_eq(RUN("steps", "--markdown"), 0);
	ck_assert_ptr_nonnull(strstr(output, "## doip\n"));
}
END_TEST

START_TEST(a_full_output_is_no_success)
{
	ck_assert_int_eq(run_to("/dev/full", (const char *const[]){"list", "good.yaml", NULL}), 3);
	ck_assert_str_eq(messages, "hilbench: error: cannot write the output\n");
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("cli");
	TCase *tests = tcase_create("cli");
	SRunner *runner;
	int failed;

	if (argc != 2)
		return 99;
	program = realpath(argv[1], NULL); /* tests change directory */
	if (!program)
		return 99;
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, usage_errors_are_status_2);
	tcase_add_test(tests, runs_are_merged_once_and_missing_ones_are_told);
	tcase_add_test(tests, help_and_version);
	tcase_add_test(tests, check_tells_every_error_with_its_place);
	tcase_add_test(tests, check_reads_regular_files_only);
	tcase_add_test(tests, check_asks_the_rig);
	tcase_add_test(tests, list_selects_and_prints);
	tcase_add_test(tests, schema_and_steps_print);
	tcase_add_test(tests, a_full_output_is_no_success);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(program);
	return failed ? 1 : 0;
}
