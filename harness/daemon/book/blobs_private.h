/* SPDX-License-Identifier: Apache-2.0 */
/* What blobs.c, blobs_sweep.c and the check of the books share. */
#ifndef HARNESS_DAEMON_BOOK_BLOBS_PRIVATE_H
#define HARNESS_DAEMON_BOOK_BLOBS_PRIVATE_H

#include <openssl/evp.h>

#include "blobs.h"

#define PATH_SIZE 128 /* of what is below the state directory */

/* Where a blob is, below the state directory. -EINVAL (ERROR_USAGE): no valid name. */
int blob_path(const char *name, char path[PATH_SIZE], struct error *err) WARN_UNUSED;
/* -code, with err; every way of a disk to be full is -ENOSPC. */
int blob_disk_error(struct error *err, int code, const char *doing, const char *what);

EVP_MD_CTX *blob_digest_begin(struct error *err);
int blob_digest_end(EVP_MD_CTX *, char name[BLOB_NAME_SIZE], struct error *err) WARN_UNUSED;
/* Of everything from here to the end of the file. */
int blob_digest_of(int fd, const char *what, char name[BLOB_NAME_SIZE], struct error *err) WARN_UNUSED;
int blob_read_all(int fd, int (*take)(void *context, const void *data, size_t length, struct error *err), void *context, const char *what,
                  struct error *err) WARN_UNUSED;

#endif
