/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a run left become blobs, and its results are read, beside the loop, however large they are. */
#ifndef HARNESS_DAEMON_LAB_STORE_H
#define HARNESS_DAEMON_LAB_STORE_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "../book/blobs.h"

struct stored_file {
	char *name; /* of the artefact */
	char *path;
	char sha256[BLOB_NAME_SIZE];
	uint64_t size;
};
struct store;
int store_new(struct store **ret, struct book *, struct error *err) WARN_UNUSED;
int store_add(struct store *, const char *name, const char *path, struct error *err) WARN_UNUSED;
/* The regular files of directory/out and directory/output.log; out/results.json is read too. */
int store_add_run(struct store *, const char *directory, struct error *err) WARN_UNUSED;
/* done: from the loop, once; error NULL: all are blobs now. May free the store. */
int store_start(struct store *, sd_event *, void (*done)(const struct error *, void *context), void *context,
                struct error *err) WARN_UNUSED;

/* After done. */
const struct stored_file *store_files(const struct store *, size_t *ret_count);
const json_t *store_results(const struct store *); /* borrowed; NULL: there are none that can be read */
void store_free(struct store *);                   /* NULL allowed */

#endif
