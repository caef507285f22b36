/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench check: everything that is wrong with test cases, without a rack. */
#include <getopt.h>
#include <stdio.h>

#include "commands.h"

static int check_rig(const struct program *program, const char *path)
{
	struct error_list errors = {0};
	struct program_rig rig;
	struct error err;
	int status = 0;

	if (backend.rig_open(path, &rig, &err) < 0) {
		error_list_add(&errors, &err);
		status = err.domain == ERROR_BENCH ? EXIT_BENCH : EXIT_USAGE;
	} else {
		if (program_check_rig(program, &rig, &errors) < 0)
			status = EXIT_USAGE;
		backend.rig_close(&rig);
	}
	command_print_errors(&errors);
	error_list_free(&errors);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"rig", required_argument, NULL, 'r'}, {0}};
	const char *rig = NULL;
	struct program *program;
	int option, status;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'r')
			return command_usage_error(argv[0], "wrong or incomplete option %s", argv[optind - 1]);
		rig = optarg;
	}
	status = command_load(argv + optind, argc - optind, &program);
	if (status != 0)
		return status;
	if (rig)
		status = check_rig(program, rig);
	if (status == 0)
		(void)printf("%u case%s, no errors\n", program->count, program->count == 1 ? "" : "s");
	program_free(program);
	return status;
}

const struct command command_check = {
        .name = "check",
        .summary = "checks test case files, and whether a rig has what they name",
        .usage = "check [--rig FILE] [FILE|DIR]…",
        .run = run,
};
