/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a job came with, on their way into the directory of a run: the daemon writes down which (files.list), the keeper or the
 * errand copies them, so that the loop has no part in it however large they are.
 */
#ifndef HARNESS_DAEMON_JOB_GIVEN_H
#define HARNESS_DAEMON_JOB_GIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/error.h"

struct given_file {
	const char *path;   /* below files/, clean */
	const char *sha256; /* that it must have */
	char from[80];      /* below the store */
	bool link;          /* who gets it only looks at its name: a link to the store does, and its digest is not asked for */
};
/* directory/files.list. Names have no control characters, `from` no blanks. */
int given_write(const char *directory, const struct given_file *, size_t count, struct error *err) WARN_UNUSED;
/* Each file of files.list, from below `store` (absolute) into ./files: by reflink where the file system can, else a copy, never a hard link
 * (what runs may write to its files), mode 0644. What is not what its digest says is -EUCLEAN. `stopped` is asked after every portion:
 * -ECANCELED. -ENOSPC also when less than free_bytes would be left on the disk (0: as little as there is). */
int given_fill(const char *store, uint64_t free_bytes, bool (*stopped)(void *context), void *context, struct error *err) WARN_UNUSED;

#endif
