/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a submission with the names under which they travel. Test case files of paths: when every one lies below the current
 * directory, names are relative to it; else to the deepest directory that holds all of them. Files that cases name (submit_named.h) travel
 * under the name that the case gives, for a run looks for them from where it is started. Nothing is kept of a file but its digest: it is
 * read again when it is sent.
 */
#ifndef HARNESS_CLI_SUBMIT_FILES_H
#define HARNESS_CLI_SUBMIT_FILES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../base/error.h"

#define SUBMIT_NAME_MAX 512 /* bytes of a name */

struct submit_file {
	char *path;     /* as it is opened */
	char *absolute; /* without "." and ".."; NULL: a case names it */
	char *name;
	char sha256[65];
	uint64_t size;
	struct stat seen;   /* when it was digested */
	struct place place; /* where it is named; of a test case file the file itself */
};
struct submit_files {
	struct submit_file *files; /* test case files by name, then the others */
	size_t count, case_count;
	char *base;    /* absolute directory that names are relative to, "/" at its end */
	int base_told; /* it is not the current directory */
	json_t *paths; /* array of names, as a submission has them */
};
/* Finds and digests what program_load() reads of the same paths. ERROR_USAGE with the file's place, ERROR_BENCH. Release with
 * submit_files_clear(). */
int submit_files_collect(char *const *paths, int count, struct submit_files *ret, struct error *err) WARN_UNUSED;
/* One more, below the current directory, under its own name (clean, SUBMIT_NAME_MAX at most). ERROR_USAGE at the place: it cannot be read,
 * is no regular file, holds a private key, or another file has the name. */
int submit_files_add(struct submit_files *, const char *name, struct place, struct error *err) WARN_UNUSED;
/* To send it: a descriptor, to be closed by the caller. ERROR_USAGE at its place: it is not there any more, or was changed. */
int submit_file_open(const struct submit_file *, struct error *err) WARN_UNUSED;
/* After a failure to send it: -ESTALE (ERROR_USAGE) at its place when it was changed meanwhile, else 0. */
int submit_file_check(const struct submit_file *, int fd, struct error *err) WARN_UNUSED;
void submit_files_clear(struct submit_files *);

#endif
