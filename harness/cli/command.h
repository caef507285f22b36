/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of the command line. A command is one file with one `const struct command` and one line in main.c's table.
 * What commands need of other modules that they must not know comes through `backend`.
 */
#ifndef HARNESS_CLI_COMMAND_H
#define HARNESS_CLI_COMMAND_H

#include "../lang/program.h"

#define EXIT_USAGE 2 /* wrong arguments, invalid file */
#define EXIT_BENCH 3 /* the machine is at fault */

struct command {
	const char *name, *summary;
	const char *usage; /* for --help: lines after "usage: hilbench ", and what the options mean */
	/* argv[0] is the command's name. Returns the exit status. `--help` is handled before. */
	int (*run)(int argc, char **argv);
};

/* Finds the command in a NULL-terminated table and runs it. Returns the exit status of the program. */
int command_main(const struct command *const *table, int argc, char **argv);

/* "hilbench NAME: message", where help is; returns EXIT_USAGE. */
int command_usage_error(const char *name, const char *format, ...) PRINTF_LIKE(2, 3);

/* Prints every error as file:line:column: message on stderr. */
void command_print_errors(const struct error_list *);

/* Loads the programs of paths, or of ./testcases when there is none; prints the errors. 0 or the exit status. */
int command_load(char *const *paths, int count, struct program **ret);

/* What the thin mains choose: the steps that exist, and rigs. Defined in backend.c; tests define their own. */
struct backend {
	const struct step_registry *(*registry)(void);
	json_t *(*schema_rig)(void);
	/* A rig file as something to ask. */
	int (*rig_open)(const char *path, struct program_rig *ret, struct error *err);
	void (*rig_close)(struct program_rig *);
};
extern const struct backend backend;

#endif
