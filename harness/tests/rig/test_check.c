/* SPDX-License-Identifier: Apache-2.0 */
/* The look at a rig's resources, on rig files that name what is not there. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../rig/check.h"

#define WITHIN_NS INT64_C(4500000000)
#define HEAD      "name: x\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: board\n"
#define REAL      HEAD "    address: 127.0.0.2\n    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n"

static char folder[] = "/tmp/test-check-XXXXXX";

static struct rig_file *load(const char *text)
{
	char path[64];
	struct rig_file *file = NULL;
	struct error error = {0};
	(void)snprintf(path, sizeof(path), "%s/rig.yaml", folder);
	FILE *out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	(void)fputs(text, out);
	(void)fclose(out);
	ck_assert_msg(rig_file_load(path, &file, &error) == 0, "%u:%u %s", error.place.line, error.place.column, error.message);
	(void)unlink(path);
	return file;
}

static const struct rig_check_result *of(const struct rig_check_report *report, const char *kind)
{
	for (unsigned i = 0; i < report->count; i++)
		if (!strcmp(report->results[i].kind, kind))
			return &report->results[i];
	ck_abort_msg("no %s", kind);
}

/* A resource of a file is bad with these words, and says what to do. */
static void expect_bad(const char *text, const char *kind, const char *problem, const char *remedy)
{
	struct rig_check_report report;
	struct error error = {0};
	struct rig_file *file = load(text);
	ck_assert_msg(rig_check_resources(file, WITHIN_NS, &report, &error) == 0, "%s", error.message);
	const struct rig_check_result *result = of(&report, kind);
	ck_assert_msg(result->state == RIG_CHECK_BAD && strstr(result->problem, problem) && strstr(result->remedy, remedy), "%s: %s -> %s",
	              rig_check_state_name(result->state), result->problem, result->remedy);
	rig_check_report_free(&report);
	rig_file_free(file);
}

START_TEST(consoles)
{
	expect_bad(REAL "    console: {driver: serial, device: /dev/null}\n", "console", "/dev/null is no serial port", "console.device");
	expect_bad(REAL "    console: {driver: serial, device: /tmp}\n", "console", "/tmp is no serial port", "console.device");
	expect_bad(REAL "    console: {driver: pty, path: /none/pty}\n", "console", "no such pseudo-terminal", "console.path");
	expect_bad(REAL "    console: {driver: serial, device: /dev/none}\n", "console", "no such device", "USB");
}
END_TEST

START_TEST(reset_lines)
{
	static const char *const devices[] = {"/dev/none", "/dev/null"}, *const problems[] = {"no such device", "no serial port"};
	for (int i = 0; i < 2; i++) {
		char text[600];
		(void)snprintf(text, sizeof(text),
		               REAL "    console: {driver: serial, device: %s}\n    reset: {driver: serial, line: dtr}\n", devices[i]);
		expect_bad(text, "reset", problems[i], "console");
	}
}
END_TEST

#define PROBE REAL "    console: {driver: pty, path: /none}\n    probe: {driver: openocd, target: t, "

START_TEST(probes)
{
	expect_bad(PROBE "config: [no-such.cfg], program: /bin/true}\n", "probe", "no configuration no-such.cfg", "probe.config");
	expect_bad(PROBE "config: [a.cfg], program: /none/openocd}\n", "probe", "/none/openocd", "probe.program");
}
END_TEST

/* What a run would find only at its first probe step is known before it starts, with its place. */
START_TEST(files_of_probes)
{
	static const struct {
		const char *text, *problem;
		unsigned line, column;
	} wrong[] = {{PROBE "config: [no-such.cfg], program: /bin/true}\n", "no configuration no-such.cfg", 9, 50},
	             {PROBE "config: [a.cfg], program: /none/openocd}\n", "no program /none/openocd", 9, 67}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct error error = {0};
		struct rig_file *file = load(wrong[i].text);
		ck_assert_int_lt(rig_file_check_files(file, &error), 0);
		ck_assert_int_eq(error.domain, ERROR_USAGE);
		ck_assert_msg(strstr(error.message, wrong[i].problem) != NULL, "%s", error.message);
		ck_assert_msg(error.place.line == wrong[i].line && error.place.column == wrong[i].column, "%u:%u", error.place.line,
		              error.place.column);
		rig_file_free(file);
	}
}
END_TEST

/* OpenOCD's own search path counts too. */
START_TEST(own_scripts)
{
	struct error error = {0};
	struct rig_file *file = load(PROBE "config: [mine.cfg], program: /bin/true}\n");
	char path[80];
	(void)snprintf(path, sizeof(path), "%s/mine.cfg", folder);
	FILE *out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	(void)fclose(out);
	ck_assert_int_eq(setenv("OPENOCD_SCRIPTS", folder, 1), 0);
	ck_assert_msg(rig_file_check_files(file, &error) == 0, "%s", error.message);
	(void)unlink(path);
	ck_assert_int_lt(rig_file_check_files(file, &error), 0);
	(void)unsetenv("OPENOCD_SCRIPTS");
	rig_file_free(file);
}
END_TEST

START_TEST(numbers)
{
	struct rig_check_report report;
	struct error error = {0};
	struct rig_file *file =
	        load("name: v\nvirtual: true\ntester: {address: \"127.${rack}.9.1\", logical_address: 0x0e80}\nroles:\n  zgw:\n"
	             "    driver: vboard\n    bootloader: bootloader\n    application: zgw\n    address: \"127.${rack}.2.1\"\n");
	ck_assert_msg(rig_check_resources(file, WITHIN_NS, &report, &error) == 0, "%s", error.message);
	for (unsigned i = 0; i < report.count; i++)
		ck_assert(!strstr(report.results[i].name, "${") && !strstr(report.results[i].problem, "${") &&
		          !strstr(report.results[i].remedy, "${"));
	ck_assert(report.numbered);
	ck_assert_str_eq(of(&report, "address")->name, "127.N.9.1");
	rig_check_report_free(&report);
	rig_file_free(file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *cases = tcase_create("resources");
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	tcase_set_timeout(cases, 30);
	tcase_add_test(cases, consoles);
	tcase_add_test(cases, reset_lines);
	tcase_add_test(cases, probes);
	tcase_add_test(cases, files_of_probes);
	tcase_add_test(cases, own_scripts);
	tcase_add_test(cases, numbers);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	(void)rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
