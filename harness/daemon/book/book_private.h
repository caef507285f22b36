/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the book: the database handle, statements, and what its parts ask of each other. Only files of this folder and their tests
 * include it.
 *
 *     int r = book_execute(book, err, "UPDATE jobs SET pinned = ?1 WHERE id = ?2", VALUES(INTEGER(pinned), INTEGER(id)));
 *
 *     sqlite3_stmt *rows;
 *     int r = book_select(book, &rows, err, "SELECT id FROM runs WHERE job = ?1", VALUES(INTEGER(job)));
 *     while (r >= 0 && (r = book_next(book, rows, err)) > 0)
 *             … sqlite3_column_int64(rows, 0) …
 *     book_select_end(book, rows);
 *     return r;
 */
#ifndef HARNESS_DAEMON_BOOK_BOOK_PRIVATE_H
#define HARNESS_DAEMON_BOOK_BOOK_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>

#include "book.h"
#include "jobs.h"

#define BOOK_FILE           "book.sqlite"
#define BOOK_APPLICATION_ID 0x48494c42 /* "HILB" in the file's header */

struct book {
	char *directory;
	int directory_fd, lock_fd; /* lock_fd -1: only to read */
	sqlite3 *db;
	sqlite3_stmt **statements; /* prepared and kept; found by their text */
	size_t statement_count, statement_room;
	unsigned depth;   /* of book_begin() */
	bool lost;        /* SQLite rolled the whole transaction back by itself: nothing goes on before the outermost end */
	char damage[512]; /* what is known of it, "": nothing; then there is no more writing */
	bool only_read;
	int wal_pages;         /* after the last commit */
	int64_t optimised_ns;  /* CLOCK_MONOTONIC of the last PRAGMA optimize */
	uint64_t over_bytes;   /* book_retention_over() */
	unsigned sweep_folder; /* where blobs_sweep() goes on */
	char keys_behind[65];  /* the last that blobs_remove_keys() looked at, "": none */
	/* Held while a file gets its place and while one is taken away: writers are in threads of their own. Nothing is waited for under
	 * it. */
	pthread_mutex_t places;
};

/* ---- statements ---- */
struct book_value {
	enum { BOOK_NULL, BOOK_INTEGER, BOOK_REAL, BOOK_TEXT, BOOK_BYTES } type;
	int64_t integer;
	double real;
	const void *bytes; /* not copied: must live until the statement is at its end */
	size_t length;
};
#define INTEGER(v)         ((struct book_value){.type = BOOK_INTEGER, .integer = (int64_t)(v)})
#define INTEGER_OR_NULL(v) book_integer_or_null(v) /* 0 becomes NULL */
#define REAL(v)            ((struct book_value){.type = BOOK_REAL, .real = (v)})
#define TEXT(v)            book_text(v) /* NULL becomes NULL */
#define BYTES(v, n)        ((struct book_value){.type = BOOK_BYTES, .bytes = (v), .length = (n)})
#define VALUES(...)        (const struct book_value[]){__VA_ARGS__}, sizeof((const struct book_value[]){__VA_ARGS__}) / sizeof(struct book_value)
#define NO_VALUES          NULL, 0
struct book_value book_text(const char *);
struct book_value book_integer_or_null(int64_t);

/* A statement that gives no rows, to its end. The number of rows that it changed, or -errno: -ENOSPC, -EIO, -EUCLEAN, -EEXIST (a UNIQUE
 * constraint), -ENOENT (a foreign key), -EINVAL (any other constraint; err has the text of a trigger), -EBUSY. Outside of
 * book_begin()…book_commit() it is on the disk when this returns. Text is kept prepared: no values written into it. */
int book_execute(struct book *, struct error *err, const char *sql, const struct book_value *, size_t count) WARN_UNUSED;
/* Rows. *ret is NULL after a failure; book_select_end() takes NULL. The same text may be open twice (it is prepared again). */
int book_select(struct book *, sqlite3_stmt **ret, struct error *err, const char *sql, const struct book_value *, size_t count) WARN_UNUSED;
int book_next(struct book *, sqlite3_stmt *, struct error *err) WARN_UNUSED; /* 1: a row, 0: no more, -errno */
void book_select_end(struct book *, sqlite3_stmt *);
/* The first column of the first row; -ENOENT (err set too) when there is no row or it is NULL. */
int book_integer(struct book *, int64_t *ret, struct error *err, const char *sql, const struct book_value *, size_t count) WARN_UNUSED;
/* What SQLite said, as error; used by the above. Also notes damage and lost transactions. */
int book_sqlite_error(struct book *, int code, const char *doing, struct error *err);
int64_t book_last_id(struct book *);

/* ---- rows that become something: book_rows.c ---- */
/* Makes something of a row, in *ret: its type is between the reader and whoever names it. 0: on, or -errno with err filled and nothing
 * left of it. It may read other rows meanwhile. */
typedef int (*book_reader)(struct book *, sqlite3_stmt *row, void *ret, struct error *err);
typedef json_t *(*book_json_reader)(sqlite3_stmt *row); /* a new reference; NULL: no memory */
/* Every row. 0: all were read; more than 0: what a reader returned, nothing is read after it. */
int book_each(struct book *, book_reader, void *context, struct error *err, const char *sql, const struct book_value *,
              size_t count) WARN_UNUSED;
/* The first row. 1: it was read, 0: there is none (err is not set). */
int book_one(struct book *, book_reader, void *ret, struct error *err, const char *sql, const struct book_value *,
             size_t count) WARN_UNUSED;
/* The row of an id, ?1. -ENOENT: there is no such thing; what: the word for it. */
int book_by_id(struct book *, const char *what, int64_t id, book_reader, void *ret, struct error *err, const char *sql) WARN_UNUSED;
/* All rows as an array of pointers, NULL when there are none; the reader's *ret is such a pointer, ret is the address of the array. drop
 * frees what was made before a failure. */
int book_list(struct book *, book_reader, void (*drop)(void *thing), void *ret, size_t *ret_count, struct error *err, const char *sql,
              const struct book_value *, size_t count) WARN_UNUSED;
/* All rows to the end of an array (borrowed; NULL: no memory). */
int book_json_list(struct book *, book_json_reader, json_t *into, struct error *err, const char *sql, const struct book_value *,
                   size_t count) WARN_UNUSED;

/* ---- columns and JSON ---- */
char *column_text(sqlite3_stmt *, int column);           /* a copy, NULL for NULL */
json_t *column_text_json(sqlite3_stmt *, int column);    /* string or null */
json_t *column_integer_json(sqlite3_stmt *, int column); /* integer or null */
json_t *column_time_json(sqlite3_stmt *, int column);    /* ns since 1970 -> RFC 3339, ms, Z; null for NULL and 0 */
json_t *column_json(sqlite3_stmt *, int column);         /* text that is JSON; null for NULL and what is not */
json_t *book_time_json(int64_t utc_ns);                  /* null for 0 */
int64_t book_now_utc_ns(void);
int book_no_memory(struct error *err); /* fills err, -ENOMEM */

/* ---- migrations: number N is migrations/00N-*.sql ---- */
struct book_migration {
	int number; /* from 1, without gaps */
	const char *sql;
};
extern const struct book_migration book_migrations[]; /* ends with number 0 */

/* ---- the file: book_file.c, book_schema.c ---- */
int64_t book_monotonic_ns(void);
/* Directory and lock; then *ret_there says whether a database is there that may be opened (owner, mode, header, length). */
int book_file_directory(struct book *, const char *path, bool make, struct error *err) WARN_UNUSED;
int book_file_lock(struct book *, struct error *err) WARN_UNUSED;
int book_file_examine(struct book *, bool *ret_there, struct error *err) WARN_UNUSED;
/* Path of a file of the state directory; NULL: no memory. */
char *book_path(const struct book *, const char *name);
/* A database with every migration under its name, whole or not at all. */
int book_schema_create(struct book *, struct error *err) WARN_UNUSED;
/* Version, schema, and book_examine_start(). Nothing is written. -EUCLEAN. */
int book_schema_examine(struct book *, int *ret_version, struct error *err) WARN_UNUSED;
int book_schema_migrate(struct book *, int version, struct error *err) WARN_UNUSED;
/* The connection to the file, with what every connection to a book has set. */
int book_open_database(struct book *, struct error *err) WARN_UNUSED;
void book_close_database(struct book *); /* with its statements */
/* Structure and references as far as most_ns goes, the tables that the daemon acts on first. -EUCLEAN. */
#define BOOK_EXAMINE_NS INT64_C(400000000)
int book_examine_start(struct book *, int64_t most_ns, struct error *err) WARN_UNUSED;
/* Notes that the file is damaged, and says it with what to do. -EUCLEAN. */
int book_is_damaged(struct book *, struct error *err, const char *what);
/* -EUCLEAN when damage is known; whoever wants to write asks it. */
int book_refuse_damaged(const struct book *, struct error *err) WARN_UNUSED;
/* One statement or several without values and rows; -errno. */
int book_script(struct book *, const char *sql, struct error *err) WARN_UNUSED;

/* ---- the check ---- */
/* A query that gives one row with one text for each breach. */
struct book_rule {
	const char *name;
	const char *sql;
};
struct book_breaches {
	struct book *book;
	bool deep;
	void (*tell)(const char *breach, void *context);
	void *context;
	unsigned count;
};
void book_breach(struct book_breaches *, const char *format, ...) PRINTF_LIKE(2, 3);

/* ---- implemented beside results.c ---- */
/* Rules of the tables of 002-results.sql and later; ends with name NULL. */
extern const struct book_rule book_rules_results[];
/* What SQL cannot say: every blob that any table names (job_files, job_reports, …) is there with its size, and its digest when `deep`. */
int book_check_blobs(struct book_breaches *, struct error *err) WARN_UNUSED;
/* Likewise: counts of every job are what its cases say; when `deep`, histograms are the sums of those below them. */
int book_check_figures(struct book_breaches *, struct error *err) WARN_UNUSED;
/* Sets "cases", "measurements", "artefacts" of a run (docs/reference/api.md). */
int results_of_run_json(struct book *, int64_t run, json_t *into, struct error *err) WARN_UNUSED;
/* Bytes of all blobs, as known without a walk over the folders. */
int blobs_used(struct book *, uint64_t *ret, struct error *err) WARN_UNUSED;

#endif
