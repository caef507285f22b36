/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing, transactions, idle work.
 *
 * A commit is one fsync of the log (WAL, synchronous=FULL); the log is merged into the file by book_tend(), or by the commit that makes
 * it longer than WAL_PAGES_MOST, and only up to where somebody reads (book_examine.c). Until the examination at start is through, closing
 * does not merge either: a damaged file stays as it is.
 */
#include "book.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "book_private.h"

#define WAL_PAGES_TEND    256  /* of 4096 bytes: merged when there is nothing to do */
#define WAL_PAGES_MOST    4096 /* merged at once */
#define OPTIMISE_EVERY_NS INT64_C(3600000000000)
#define BUSY_LIMIT_MS     50 /* nobody else writes; a person with sqlite3 may for a moment */

/* ---- open and close ---- */
static int after_commit(void *context, sqlite3 *db, const char *name, int pages)
{
	struct book *book = context;

	book->wal_pages = pages;
	/* What was committed is safe; a merge that does not succeed now (disk full) is tried again with the next commit. */
	if (pages >= WAL_PAGES_MOST)
		(void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

int book_open_database(struct book *book, struct error *err)
{
	char *path = book_path(book, BOOK_FILE);
	int code, r;

	if (!path)
		return book_no_memory(err);
	code = sqlite3_open_v2(path, &book->db, book->only_read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, NULL);
	free(path);
	if (!book->db)
		return book_no_memory(err);
	if (code != SQLITE_OK)
		return book_sqlite_error(book, code, "opening the book", err);
	(void)sqlite3_extended_result_codes(book->db, 1);
	(void)sqlite3_db_config(book->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_db_config(book->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_busy_timeout(book->db, BUSY_LIMIT_MS);
	r = book_script(book,
	                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
	                "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000",
	                err);
	return r;
}

void book_close_database(struct book *book)
{
	for (size_t i = 0; i < book->statement_room; i++)
		sqlite3_finalize(book->statements[i]);
	free(book->statements);
	if (book->db && book->damage[0])
		(void)sqlite3_db_config(book->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(book->db);
}

/* What is only right for a file that was found good. */
static int begin_writing(struct book *book, int version, struct error *err)
{
	int r = book_script(book, "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 33554432", err);

	if (r < 0)
		return r;
	(void)sqlite3_wal_hook(book->db, after_commit, book);
	r = book_schema_migrate(book, version, err);
	if (r >= 0)
		(void)sqlite3_db_config(book->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return r;
}

static int open_locked(struct book *book, struct error *err)
{
	bool there = false;
	int version = 0, r = book_file_examine(book, &there, err);

	if (r >= 0 && !there)
		r = book_schema_create(book, err);
	if (r >= 0)
		r = book_open_database(book, err);
	if (r >= 0)
		r = book_schema_examine(book, &version, err);
	return r < 0 ? r : begin_writing(book, version, err);
}

static struct book *new_book(bool only_read)
{
	struct book *book = calloc(1, sizeof(*book));

	if (book) {
		*book = (struct book){.directory_fd = -1, .lock_fd = -1, .only_read = only_read, .optimised_ns = book_monotonic_ns()};
		(void)pthread_mutex_init(&book->places, NULL); /* never fails without attributes */
	}
	return book;
}

int book_open(struct book **ret, const char *state_directory, struct error *err)
{
	struct book *book = new_book(false);
	int r;

	if (!book)
		return book_no_memory(err);
	r = book_file_directory(book, state_directory, true, err);
	if (r >= 0)
		r = book_file_lock(book, err);
	if (r >= 0)
		r = open_locked(book, err);
	if (r < 0) {
		book_close(book);
		return r;
	}
	*ret = book;
	return 0;
}

static int open_only_to_read(struct book *book, const char *state_directory, struct error *err)
{
	bool there = false;
	int version, r = book_file_directory(book, state_directory, false, err);

	if (r >= 0)
		r = book_file_examine(book, &there, err);
	if (r >= 0 && !there)
		r = error_set(err, ERROR_BENCH, ENOENT, "%s: there is no book", state_directory);
	if (r >= 0)
		r = book_open_database(book, err);
	return r < 0 ? r : book_schema_examine(book, &version, err);
}

int book_open_to_read(struct book **ret, const char *state_directory, struct error *err)
{
	struct book *book = new_book(true);
	int r;

	if (!book)
		return book_no_memory(err);
	r = open_only_to_read(book, state_directory, err);
	if (r < 0) {
		book_close(book);
		return r;
	}
	*ret = book;
	return 0;
}

void book_close(struct book *book)
{
	if (!book)
		return;
	while (book->depth > 0)
		book_roll_back(book);
	book_close_database(book);
	if (book->lock_fd >= 0)
		close(book->lock_fd);
	if (book->directory_fd >= 0)
		close(book->directory_fd);
	(void)pthread_mutex_destroy(&book->places);
	free(book->directory);
	free(book);
}

const char *book_directory(const struct book *book)
{
	return book->directory;
}

/* ---- transactions ---- */
static int command(struct book *book, const char *verb, unsigned level, struct error *err)
{
	char sql[48];

	(void)snprintf(sql, sizeof(sql), "%s level%u", verb, level);
	return book_execute(book, err, sql, NO_VALUES);
}

int book_begin(struct book *book, struct error *err)
{
	int r = book_refuse_damaged(book, err);

	if (r < 0)
		return r;
	if (book->lost)
		return error_set(err, ERROR_BENCH, EIO, "the changes before this one were given up");
	r = book->depth ? command(book, "SAVEPOINT", book->depth, err) : book_execute(book, err, "BEGIN IMMEDIATE", NO_VALUES);
	if (r < 0)
		return r;
	book->depth++;
	return 0;
}

int book_commit(struct book *book, struct error *err)
{
	int r;

	if (!book->depth)
		return error_set(err, ERROR_BENCH, EINVAL, "nothing was begun in the book");
	if (book->lost)
		r = error_set(err, ERROR_BENCH, EIO, "the changes were given up");
	else
		r = book->depth > 1 ? command(book, "RELEASE", book->depth - 1, err) : book_execute(book, err, "COMMIT", NO_VALUES);
	if (r < 0) {
		book_roll_back(book);
		return r;
	}
	book->depth--;
	return 0;
}

void book_roll_back(struct book *book)
{
	if (!book->depth)
		return;
	book->depth--;
	if (!sqlite3_get_autocommit(book->db)) {
		char sql[80];

		(void)snprintf(sql, sizeof(sql), "ROLLBACK TO level%u; RELEASE level%u", book->depth, book->depth);
		(void)sqlite3_exec(book->db, book->depth ? sql : "ROLLBACK", NULL, NULL, NULL);
	}
	if (!book->depth)
		book->lost = false;
}

/* ---- the disk ---- */
int book_usage(struct book *book, uint64_t *ret_used_bytes, uint64_t *ret_free_bytes, struct error *err)
{
	static const char *const names[] = {BOOK_FILE, BOOK_FILE "-wal", BOOK_FILE "-shm"};
	struct statvfs fs;
	struct stat stat;
	uint64_t used = 0;
	int r = blobs_used(book, &used, err);

	if (r < 0)
		return r;
	if (fstatvfs(book->directory_fd, &fs) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: %s", book->directory, strerror(errno));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!fstatat(book->directory_fd, names[i], &stat, AT_SYMLINK_NOFOLLOW))
			used += (uint64_t)stat.st_size;
	*ret_used_bytes = used;
	*ret_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

void book_tend(struct book *book)
{
	int64_t now = book_monotonic_ns();

	if (book->depth || book->damage[0] || book->only_read)
		return;
	if (now - book->optimised_ns >= OPTIMISE_EVERY_NS) {
		book->optimised_ns = now;
		(void)sqlite3_exec(book->db, "PRAGMA analysis_limit = 400; PRAGMA optimize", NULL, NULL, NULL);
	}
	if (book->wal_pages >= WAL_PAGES_TEND &&
	    sqlite3_wal_checkpoint_v2(book->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
		book->wal_pages = 0;
}
