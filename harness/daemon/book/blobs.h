/* SPDX-License-Identifier: Apache-2.0 */
/* Files by the SHA-256 of their bytes. A blob is whole or not there (temporary name, fsync, rename, fsync of the folder). */
#ifndef HARNESS_DAEMON_BOOK_BLOBS_H
#define HARNESS_DAEMON_BOOK_BLOBS_H

#include <stddef.h>
#include <sys/types.h>

#include "book.h"

#define BLOB_NAME_SIZE 65 /* 64 lower-case hexadecimal digits and NUL */

bool blob_name_valid(const char *name);
/* 0 and *ret_size, -ENOENT. */
int blob_find(struct book *, const char *name, uint64_t *ret_size, struct error *err) WARN_UNUSED;
/* A descriptor to read it, to be closed by the caller; -ENOENT. */
int blob_open(struct book *, const char *name, int *ret_fd, uint64_t *ret_size, struct error *err) WARN_UNUSED;

/* Where it lies, below the book's directory: for processes that have no book. -EINVAL (ERROR_USAGE): no valid name. */
int blob_place(const char *name, char *ret, size_t size, struct error *err) WARN_UNUSED;

/* Writing one, in any thread, each writer in one at a time: begin, write…, end with the expected name (NULL: whatever it is) or drop. The
 * end waits for the disk. */
struct blob_writer;
int blob_begin(struct book *, struct blob_writer **ret, struct error *err) WARN_UNUSED;
/* What is written from then on is on its way to the disk without being waited for: for the loop, which leaves the end to a thread. */
void blob_hasten(struct blob_writer *);
int blob_write(struct blob_writer *, const void *data, size_t length, struct error *err) WARN_UNUSED;
/* Frees the writer in any case. name: filled. *ret_new: it was not there before (may be NULL). -EBADMSG (ERROR_USAGE): not the expected
 * digest. */
int blob_end(struct blob_writer *, const char *expected, char name[BLOB_NAME_SIZE], bool *ret_new, struct error *err) WARN_UNUSED;
void blob_drop(struct blob_writer *); /* NULL allowed */

/* A file becomes a blob (moved where it is on the same file system and `take`, else copied). */
int blob_from_file(struct book *, const char *path, bool take, char name[BLOB_NAME_SIZE], uint64_t *ret_size,
                   struct error *err) WARN_UNUSED;
/* Removes blobs that nothing names and that are older than this; in small portions: *ret_more when there are more. */
int blobs_sweep(struct book *, int64_t older_than_utc_ns, unsigned at_most, unsigned *ret_removed, bool *ret_more,
                struct error *err) WARN_UNUSED;
/* Removes the files of jobs that are PEM files with a private key, which older daemons took, and what names them; a line of the log tells
 * of each. Jobs that are not done keep theirs. In small portions: *ret_more when there are more to be looked at, else the next call begins
 * anew. */
int blobs_remove_keys(struct book *, unsigned *ret_removed, bool *ret_more, struct error *err) WARN_UNUSED;

#endif
