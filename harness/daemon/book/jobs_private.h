/* SPDX-License-Identifier: Apache-2.0 */
/* What jobs.c, runs.c, rigs.c and jobs_json.c share. */
#ifndef HARNESS_DAEMON_BOOK_JOBS_PRIVATE_H
#define HARNESS_DAEMON_BOOK_JOBS_PRIVATE_H

#include "book_private.h"
#include "rigs.h"

/* The place of a name, 0 when it is not among them. */
int name_index(const char *const *names, size_t count, const char *name);
enum job_outcome outcome_from_name(const char *name);
int no_such(const char *what, int64_t id, struct error *err); /* -ENOENT */
json_t *column_json_or_null(sqlite3_stmt *row, int column);   /* a C NULL for NULL */
/* The lease of a rig that is not over, as the API shows it; json null without one. */
int lease_of_rig_json(struct book *book, const char *rig, json_t **ret, struct error *err) WARN_UNUSED;

#endif
