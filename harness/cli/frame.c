/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/log.h"
#include "../base/suggest.h"
#include "command.h"

static void print_help(const struct command *const *table)
{
	(void)fputs("usage: hilbench COMMAND [ARGUMENTS]\n\n", stdout);
	for (; *table; table++)
		(void)printf("  %-10s %s\n", (*table)->name, (*table)->summary);
	(void)fputs("\n`hilbench COMMAND --help` tells more. `hilbench --version` prints the version.\n", stdout);
}

static void print_command_help(const struct command *command)
{
	(void)printf("usage: hilbench %s\n\n%s.\n", command->usage, command->summary);
}

int command_usage_error(const char *name, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "hilbench%s%s: %s; `hilbench %s%s--help` tells how\n", name ? " " : "", name ? name : "", text,
	              name ? name : "", name ? " " : "");
	return EXIT_USAGE;
}

void command_print_errors(const struct error_list *errors)
{
	char text[2048];

	for (unsigned i = 0; i < errors->count; i++)
		(void)fprintf(stderr, "%s\n", error_describe(&errors->items[i], text, sizeof(text)));
	if (errors->dropped > 0)
		(void)fprintf(stderr, "and %u errors more\n", errors->dropped);
}

int command_load(char *const *paths, int count, struct program **ret)
{
	static char *const usual[] = {(char *)"testcases", NULL};
	struct error_list errors = {0};
	int status = 0;

	if (count == 0) {
		if (access(usual[0], R_OK) < 0)
			return command_usage_error(NULL, "name the files, there is no folder ./testcases here");
		paths = usual;
		count = 1;
	}
	if (program_load((const char *const *)paths, (unsigned)count, backend.registry(), ret, &errors) < 0) {
		command_print_errors(&errors);
		status = EXIT_USAGE;
	}
	error_list_free(&errors);
	return status;
}

static bool asks_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int dispatch(const struct command *const *table, int argc, char **argv)
{
	struct suggestion suggestion = {.word = argv[1]};
	char hint[160];

	for (; *table; table++) {
		if (strcmp((*table)->name, argv[1]) == 0) {
			if (!asks_help(argc - 1, argv + 1))
				return (*table)->run(argc - 1, argv + 1);
			print_command_help(*table);
			return 0;
		}
		suggestion_offer(&suggestion, (*table)->name);
	}
	return command_usage_error(NULL, "there is no command \"%s\"%s", argv[1], suggestion_text(&suggestion, hint, sizeof(hint)));
}

int command_main(const struct command *const *table, int argc, char **argv)
{
	int status = 0;

	if (argc < 2)
		return command_usage_error(NULL, "which command?");
	if (strcmp(argv[1], "--version") == 0)
		(void)puts("hilbench " HILBENCH_VERSION);
	else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		print_help(table);
	else
		status = dispatch(table, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("cannot write the output");
		return status ? status : EXIT_BENCH;
	}
	return status;
}
