/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon keeps, below one state directory:
 *     book.sqlite       SQLite, WAL, synchronous=FULL: whatever a function here reported as done survives kill -9 and power loss
 *     blobs/ab/cdef…    files by SHA-256 (blobs.h)
 *     jobs/JOB/RUN/     working directories of runs that are not stored yet
 *     lock              flock of the daemon that uses it
 * One thread. Functions return 0 or -errno with err filled (ERROR_BENCH unless said otherwise): -ENOENT no such thing, -EEXIST,
 * -ENOSPC the disk is full (nothing was changed), -EUCLEAN the database is damaged. json_t results are new references in the
 * shapes of docs/reference/api.md. Times are CLOCK_REALTIME ns ("_utc_ns"), 0: none.
 */
#ifndef HARNESS_DAEMON_BOOK_BOOK_H
#define HARNESS_DAEMON_BOOK_BOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../base/error.h"

struct book;

/* Takes the directory (made when it is not there, mode 0750) and its lock, checks the database (quick integrity check of the
 * structure, foreign keys, schema version; of a large one as far as 0.4 s go, see book_examine()) and migrates it, each migration in one
 * transaction after a copy book.sqlite.before-N. -EBUSY: another daemon has it (err says its pid). -EUCLEAN: damaged or newer than this
 * program: it is never written to; err says what to do. */
int book_open(struct book **ret, const char *state_directory, struct error *err) WARN_UNUSED;
/* For readers beside the daemon (hilbenchd --check-books): no lock, nothing is written. Not in the process that has the book open: when it
 * closes a file, a process loses its locks on it, SQLite's too. */
int book_open_to_read(struct book **ret, const char *state_directory, struct error *err) WARN_UNUSED;
void book_close(struct book *); /* NULL allowed */
const char *book_directory(const struct book *);

/* The whole of it beside its use, also in a thread beside the one that has the book open: what book_open() has no time for in a large one.
 * Structure, indices and references, by a connection of its own that writes nothing, in slices of 5 ms with pauses of 20 ms and with 4 MB
 * of memory. stop() is asked within each slice, from the same thread. 0: it is whole; -EUCLEAN: err says what is damaged; -ECANCELED:
 * stop() said so; other: it could not be read. */
int book_examine(const char *state_directory, bool (*stop)(void *context), void *context, struct error *err) WARN_UNUSED;
/* Ends all writing, as damage does that is met by reading: changes fail with -EUCLEAN and this text, and closing merges nothing. */
void book_set_damaged(struct book *, const char *text);
/* What is known to be damaged, with what to do; NULL: nothing. Borrowed. */
const char *book_damage(const struct book *);

/* Several changes as one. They nest; the outermost commit is what reaches the disk. After a failure inside, roll back. A commit that fails
 * has rolled back what it belongs to; at the outermost level one more book_roll_back() does no harm. */
int book_begin(struct book *, struct error *err) WARN_UNUSED;
int book_commit(struct book *, struct error *err) WARN_UNUSED;
void book_roll_back(struct book *);

/* Bytes of the state directory as the book knows them (database, blobs), and what the file system still has. */
int book_usage(struct book *, uint64_t *ret_used_bytes, uint64_t *ret_free_bytes, struct error *err) WARN_UNUSED;
/* Idle work: WAL checkpoint, optimise. Cheap when there is nothing to do. */
void book_tend(struct book *);

/* The check of the books: every rule that must hold in a database at any moment (states fit to their times and leases, a done job has an
 * outcome and no open run, every run of a done job is done, one lease a rig at a time, every blob that is named is there with its size and,
 * when `deep`, its digest, counts are what the cases say, roll-ups are the sums of their runs, …). Calls tell() for each breach (text
 * without newline); *ret_breaches: how many. */
int book_check(struct book *, bool deep, void (*tell)(const char *breach, void *context), void *context, unsigned *ret_breaches,
               struct error *err) WARN_UNUSED;

#endif
