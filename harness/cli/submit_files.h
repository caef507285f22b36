/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test case files of paths with the names under which they travel. When every file lies below the current directory, names are relative
 * to it; else to the deepest directory that holds all of them.
 */
#ifndef HARNESS_CLI_SUBMIT_FILES_H
#define HARNESS_CLI_SUBMIT_FILES_H

#include <jansson.h>
#include <stddef.h>

#include "../base/error.h"

struct submit_file {
	char *path;     /* as it is opened */
	char *absolute; /* without "." and ".." */
	const char *name;
	char sha256[65];
	void *data;
	size_t length;
};
struct submit_files {
	struct submit_file *files; /* by name */
	size_t count;
	char *base;    /* absolute directory that names are relative to, "/" at its end */
	int base_told; /* it is not the current directory */
	json_t *paths; /* array of names, as a submission has them */
};
/* Reads what program_load() reads of the same paths. ERROR_USAGE with the file's place, ERROR_BENCH. Release with submit_files_clear(). */
int submit_files_collect(char *const *paths, int count, struct submit_files *ret, struct error *err) WARN_UNUSED;
void submit_files_clear(struct submit_files *);

#endif
