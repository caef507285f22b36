/* SPDX-License-Identifier: Apache-2.0 */
/* The database as a whole: made, examined at start, migrated. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/log.h"
#include "book_private.h"

static int newest_version(void)
{
	int count = 0;

	while (book_migrations[count].number)
		count++;
	return count;
}

static int sync_path(const char *path, int flags, struct error *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW), r = 0;

	if (fd < 0 || fsync(fd) < 0)
		r = error_set(err, ERROR_BENCH, errno, "%s: cannot be brought to the disk: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

/* A file that was written under another name gets its own: on the disk before, its folder after. */
static int into_place(const struct book *book, const char *from, const char *to, struct error *err)
{
	int r = sync_path(from, O_RDWR, err);

	if (r < 0)
		return r;
	if (rename(from, to) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
	return sync_path(book->directory, O_RDONLY | O_DIRECTORY, err);
}

static int migrate_one(struct book *book, const struct book_migration *migration, struct error *err)
{
	char version[64];
	int r = book_script(book, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	(void)snprintf(version, sizeof(version), "PRAGMA user_version = %d", migration->number);
	r = book_script(book, migration->sql, err);
	if (r >= 0)
		r = book_script(book, version, err);
	if (r >= 0)
		r = book_script(book, "COMMIT", err);
	if (r < 0) {
		if (!sqlite3_get_autocommit(book->db))
			(void)sqlite3_exec(book->db, "ROLLBACK", NULL, NULL, NULL);
		error_prefix(err, "migration %d of the book", migration->number);
	}
	return r;
}

static int fill_new(struct book *fresh, const char *path, struct error *err)
{
	int r, code = sqlite3_open_v2(path, &fresh->db, SQLITE_OPEN_READWRITE, NULL);

	if (code != SQLITE_OK)
		return book_sqlite_error(fresh, code, "making the book", err);
	r = book_script(fresh, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA application_id = 1212763202", err);
	for (const struct book_migration *m = book_migrations; m->number && r >= 0; m++)
		r = migrate_one(fresh, m, err);
	return r;
}
_Static_assert(BOOK_APPLICATION_ID == 1212763202, "the number in fill_new()");

/* What a creation that was cut off has left. */
static void remove_new(const struct book *book)
{
	static const char *const names[] = {BOOK_FILE ".new", BOOK_FILE ".new-wal", BOOK_FILE ".new-shm", BOOK_FILE ".new-journal"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)unlinkat(book->directory_fd, names[i], 0);
}

int book_schema_create(struct book *book, struct error *err)
{
	struct book fresh = {.directory = book->directory, .directory_fd = -1, .lock_fd = -1};
	char *new_path = book_path(book, BOOK_FILE ".new"), *path = book_path(book, BOOK_FILE);
	int fd, r;

	remove_new(book);
	fd = openat(book->directory_fd, BOOK_FILE ".new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		r = error_set(err, ERROR_BENCH, errno, "%s: cannot make the book: %s", book->directory, strerror(errno));
	else
		r = new_path && path ? fill_new(&fresh, new_path, err) : book_no_memory(err);
	if (fd >= 0)
		close(fd);
	if (sqlite3_close(fresh.db) != SQLITE_OK && r >= 0)
		r = error_set(err, ERROR_BENCH, EIO, "%s: cannot finish the book", book->directory);
	if (r >= 0)
		r = into_place(book, new_path, path, err);
	if (r < 0)
		remove_new(book);
	free(new_path);
	free(path);
	return r;
}

/* ---- the examination at start ---- */
/* Every table, index and trigger of the migrations up to this version is there as it was made. */
static int compare_schema(struct book *book, struct book *expected, struct error *err)
{
	sqlite3_stmt *rows;
	int64_t found = 0;
	int r = book_select(expected, &rows, err, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'",
	                    NO_VALUES);

	while (r >= 0 && (r = book_next(expected, rows, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(rows, 0), *sql = (const char *)sqlite3_column_text(rows, 1);
		char what[200];

		r = book_integer(book, &found, err, "SELECT count(*) FROM sqlite_schema WHERE name = ?1 AND sql = ?2",
		                 VALUES(TEXT(name), TEXT(sql)));
		if (r >= 0 && !found) {
			(void)snprintf(what, sizeof(what), "its %s is missing or was changed", name);
			r = book_is_damaged(book, err, what);
		}
	}
	book_select_end(expected, rows);
	return r;
}

static int examine_tables_there(struct book *book, int version, struct error *err)
{
	struct book expected = {.directory = book->directory, .directory_fd = -1, .lock_fd = -1};
	int r = sqlite3_open(":memory:", &expected.db) == SQLITE_OK ? 0 : book_no_memory(err);

	for (int i = 0; i < version && r >= 0; i++)
		r = migrate_one(&expected, &book_migrations[i], err);
	if (r >= 0)
		r = compare_schema(book, &expected, err);
	book_close_database(&expected);
	return r;
}

int book_schema_examine(struct book *book, int *ret_version, struct error *err)
{
	int64_t version = 0;
	int r = book_integer(book, &version, err, "PRAGMA user_version", NO_VALUES);

	if (r < 0)
		return r;
	if (version > newest_version())
		return error_set(err, ERROR_BENCH, EUCLEAN,
		                 "%s/" BOOK_FILE
		                 " was written by a newer hilbench (version %d of the book, this program knows %d); it is left as "
		                 "it is: use that program, or one of the copies " BOOK_FILE ".before-N",
		                 book->directory, (int)version, newest_version());
	if (version < 1)
		return book_is_damaged(book, err, "it says no version");
	r = examine_tables_there(book, (int)version, err);
	if (r >= 0)
		r = book_examine_start(book, BOOK_EXAMINE_NS, err);
	if (r >= 0)
		*ret_version = (int)version;
	return r;
}

/* ---- migration ---- */
/* A copy as it was before migration N. One that is there already is of an earlier try, and older is better. */
static int copy_before(struct book *book, int number, struct error *err)
{
	char name[64], part[80];
	char *from, *to;
	int r;

	(void)snprintf(name, sizeof(name), BOOK_FILE ".before-%d", number);
	(void)snprintf(part, sizeof(part), "%s.part", name);
	if (!faccessat(book->directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	(void)unlinkat(book->directory_fd, part, 0);
	from = book_path(book, part);
	to = book_path(book, name);
	r = from && to ? book_execute(book, err, "VACUUM INTO ?1", VALUES(TEXT(from))) : book_no_memory(err);
	if (r >= 0 && chmod(from, 0640) < 0)
		r = error_set(err, ERROR_BENCH, errno, "%s: %s", from, strerror(errno));
	if (r >= 0)
		r = into_place(book, from, to, err);
	if (r < 0) {
		(void)unlinkat(book->directory_fd, part, 0);
		error_prefix(err, "copy of the book before its migration %d", number);
	}
	free(from);
	free(to);
	return r;
}

int book_schema_migrate(struct book *book, int version, struct error *err)
{
	int r = 0;

	for (const struct book_migration *m = &book_migrations[version]; m->number && r >= 0; m++) {
		r = copy_before(book, m->number, err);
		if (r >= 0)
			r = migrate_one(book, m, err);
		if (r >= 0)
			log_info("the book was migrated to version %d", m->number);
	}
	return r < 0 ? r : 0;
}
