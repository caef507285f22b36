/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a run left become blobs, a portion a turn of the loop, however large they are. */
#ifndef HARNESS_DAEMON_LAB_STORE_H
#define HARNESS_DAEMON_LAB_STORE_H

#include <systemd/sd-event.h>

#include "../book/blobs.h"

struct stored_file {
	char *name; /* of the artefact */
	char sha256[BLOB_NAME_SIZE];
	uint64_t size;
};
struct store;
/* Takes the regular files of directory/out and directory/output.log. done: from the loop, once; error NULL: all are blobs now. */
int store_begin(struct store **ret, sd_event *, struct book *, const char *directory, void (*done)(const struct error *, void *context),
                void *context, struct error *err) WARN_UNUSED;
const struct stored_file *store_files(const struct store *, size_t *ret_count);
void store_free(struct store *); /* NULL allowed */

#endif
