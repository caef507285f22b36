/* SPDX-License-Identifier: Apache-2.0 */
/* The example of every step is one: it passes the checker, also against the virtual rack. argv[1]: the rig file. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lang/program.h"
#include "../../rig/rig.h"
#include "../../run/steps/registry.h"

static struct rig_file *rig_file;

static bool has_role(void *context, const char *role)
{
	return rig_file_has_role(context, role);
}
static bool has_link(void *context, const char *link)
{
	return rig_file_has_link(context, link);
}
static bool has_capability(void *context, const char *capability)
{
	return rig_file_has_capability(context, capability);
}
static bool has_identity(void *context, const char *identity)
{
	return rig_file_has_identity(context, identity);
}
static bool has_bus(void *context, const char *bus)
{
	return rig_file_has_bus(context, bus);
}
static int check_param(void *context, const char *role, const char *name, struct place name_place, const char *value,
                       struct place value_place, struct error *err)
{
	return rig_file_check_param(context, role, name, name_place, value, value_place, err);
}

static void print_indented(FILE *out, const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n'))
		(void)fprintf(out, "    %.*s\n", (int)strcspn(line, "\n"), line);
}

/* A case of the example alone; the examples of measure.* are about a measurement "boot". */
static char *example_case(const struct step_def *def, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);

	(void)fprintf(out, "- id: example\n");
	if (strncmp(def->name, "measure.", 8) == 0)
		(void)fprintf(
		        out,
		        "  measure: [{id: boot, from: {event: power.on}, to: {event: tls.finished}}]\n  setup: [{measure.begin: boot}]\n");
	(void)fprintf(out, "  steps:\n");
	print_indented(out, def->example);
	(void)fclose(out);
	return text;
}

START_TEST(examples_pass_the_checker)
{
	const struct step_def *def = step_registry_all()->steps[_i];
	struct program_rig rig = {has_role, has_link, has_capability, rig_file, has_identity, has_bus, check_param};
	struct error_list errors = {0};
	struct program *program = NULL;
	char line[2048], *text;
	size_t length;

	ck_assert_msg(def->example != NULL, "%s has no example", def->name);
	text = example_case(def, &length);
	if (program_load_text(def->name, text, length, step_registry_all(), &program, &errors) < 0 ||
	    program_check_rig(program, &rig, &errors) < 0)
		ck_abort_msg("%s\n%s", error_describe(&errors.items[0], line, sizeof(line)), text);
	ck_assert_msg(strstr(def->example, def->name) != NULL, "the example of %s is of another step", def->name);
	program_free(program);
	error_list_free(&errors);
	free(text);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("examples");
	TCase *tests = tcase_create("examples");
	struct error err;
	SRunner *runner;
	int failed;

	if (argc != 2 || rig_file_load(argv[1], &rig_file, &err) < 0)
		return 99;
	tcase_add_loop_test(tests, examples_pass_the_checker, 0, (int)step_registry_all()->count);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rig_file_free(rig_file);
	return failed ? 1 : 0;
}
