/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: prepared once, found by their text; what SQLite says becomes -errno. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "book_private.h"

int book_no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "no memory");
}

struct book_value book_text(const char *text)
{
	if (!text)
		return (struct book_value){.type = BOOK_NULL};
	return (struct book_value){.type = BOOK_TEXT, .bytes = text, .length = strlen(text)};
}

struct book_value book_integer_or_null(int64_t value)
{
	return value ? INTEGER(value) : (struct book_value){.type = BOOK_NULL};
}

/* ---- errors ---- */
static int constraint_errno(int code)
{
	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return EEXIST;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return ENOENT;
	default:
		return EINVAL;
	}
}

/* A quota and a file size limit are a full disk too, but SQLite calls them I/O errors. */
static int io_errno(sqlite3 *db)
{
	int code = db ? sqlite3_system_errno(db) : 0;

	return code == ENOSPC || code == EDQUOT || code == EFBIG ? ENOSPC : EIO;
}

static int errno_of(sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_IOERR:
		return io_errno(db);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EUCLEAN;
	case SQLITE_CONSTRAINT:
		return constraint_errno(code);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_INTERRUPT:
		return ECANCELED;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_CANTOPEN:
		return io_errno(db) == ENOSPC ? ENOSPC : EACCES;
	case SQLITE_TOOBIG:
		return EFBIG;
	case SQLITE_MISMATCH:
		return EINVAL;
	default:
		return EIO;
	}
}

/* ---- damage ---- */
void book_set_damaged(struct book *book, const char *text)
{
	/* The first that was seen: what is met later follows from it, or is found again. */
	if (!book->damage[0])
		(void)snprintf(book->damage, sizeof(book->damage), "%s", text[0] ? text : "the book is damaged");
}

const char *book_damage(const struct book *book)
{
	return book->damage[0] ? book->damage : NULL;
}

int book_refuse_damaged(const struct book *book, struct error *err)
{
	return book->damage[0] ? error_set(err, ERROR_BENCH, EUCLEAN, "%s", book->damage) : 0;
}

static int damage_met(struct book *book, const char *doing, struct error *err)
{
	struct error own;

	err = err ? err : &own;
	(void)error_set(err, ERROR_BENCH, EUCLEAN,
	                "%s: %s/" BOOK_FILE " is damaged (%s); nothing more is written to it: put a backup in its place", doing,
	                book->directory, sqlite3_errmsg(book->db));
	book_set_damaged(book, err->message);
	return -EUCLEAN;
}

int book_sqlite_error(struct book *book, int code, const char *doing, struct error *err)
{
	int number = errno_of(book->db, code);

	if (book->depth > 0 && sqlite3_get_autocommit(book->db))
		book->lost = true;
	if (number == ENOSPC)
		return error_set(err, ERROR_BENCH, ENOSPC, "%s: no space for the book in %s (%s)", doing, book->directory,
		                 sqlite3_errmsg(book->db));
	if (number == EUCLEAN)
		return damage_met(book, doing, err);
	return error_set(err, ERROR_BENCH, number, "%s: %s", doing, sqlite3_errmsg(book->db));
}

/* ---- the cache ---- */
static sqlite3_stmt **slot_of(struct book *book, const char *sql)
{
	uint32_t hash = 2166136261U;
	size_t at;

	for (const char *c = sql; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	for (at = hash & (book->statement_room - 1); book->statements[at]; at = (at + 1) & (book->statement_room - 1))
		if (!strcmp(sqlite3_sql(book->statements[at]), sql))
			break;
	return &book->statements[at];
}

/* Room is a power of two, at most half full. */
static int grow(struct book *book)
{
	size_t room = book->statement_room, wanted = room ? room * 2 : 128;
	sqlite3_stmt **old = book->statements;

	if (book->statement_count * 2 < room)
		return 0;
	book->statements = calloc(wanted, sizeof(sqlite3_stmt *));
	if (!book->statements) {
		book->statements = old;
		return -ENOMEM;
	}
	book->statement_room = wanted;
	for (size_t i = 0; i < room; i++)
		if (old[i])
			*slot_of(book, sqlite3_sql(old[i])) = old[i];
	free(old);
	return 0;
}

static int prepare(struct book *book, sqlite3_stmt **ret, unsigned flags, const char *sql, struct error *err)
{
	int code = sqlite3_prepare_v3(book->db, sql, -1, flags, ret, NULL);

	return code == SQLITE_OK ? 0 : book_sqlite_error(book, code, "the book's statement", err);
}

static int get_statement(struct book *book, sqlite3_stmt **ret, const char *sql, struct error *err)
{
	sqlite3_stmt **slot, *made;
	int r;

	if (grow(book) < 0)
		return book_no_memory(err);
	slot = slot_of(book, sql);
	if (*slot && !sqlite3_stmt_busy(*slot)) {
		*ret = *slot;
		return 0;
	}
	r = prepare(book, &made, *slot ? 0 : SQLITE_PREPARE_PERSISTENT, sql, err);
	if (r < 0)
		return r;
	if (!*slot) {
		*slot = made;
		book->statement_count++;
	}
	*ret = made;
	return 0;
}

static int bind(sqlite3_stmt *statement, int at, const struct book_value *value)
{
	switch (value->type) {
	case BOOK_INTEGER:
		return sqlite3_bind_int64(statement, at, value->integer);
	case BOOK_REAL:
		return sqlite3_bind_double(statement, at, value->real);
	case BOOK_TEXT:
		return sqlite3_bind_text64(statement, at, value->bytes, value->length, SQLITE_STATIC, SQLITE_UTF8);
	case BOOK_BYTES:
		return sqlite3_bind_blob64(statement, at, value->bytes, value->length, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(statement, at);
	}
}

/* After a transaction that SQLite gave up by itself the next change would stand alone; after damage none may come. */
static int refuse_writing(const struct book *book, struct error *err)
{
	if (book->lost && !book->damage[0])
		return error_set(err, ERROR_BENCH, EIO, "the changes before this one were given up");
	return book_refuse_damaged(book, err);
}

int book_select(struct book *book, sqlite3_stmt **ret, struct error *err, const char *sql, const struct book_value *values, size_t count)
{
	sqlite3_stmt *statement = NULL;
	int r;

	*ret = NULL;
	r = get_statement(book, &statement, sql, err);
	if (r < 0)
		return r;
	if (!sqlite3_stmt_readonly(statement))
		r = refuse_writing(book, err);
	for (size_t i = 0; i < count && r >= 0; i++) {
		int code = bind(statement, (int)i + 1, &values[i]);

		if (code != SQLITE_OK)
			r = book_sqlite_error(book, code, "a value for the book", err);
	}
	if (r < 0) {
		book_select_end(book, statement);
		return r;
	}
	*ret = statement;
	return 0;
}

int book_next(struct book *book, sqlite3_stmt *statement, struct error *err)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return book_sqlite_error(book, code, sqlite3_column_count(statement) ? "reading the book" : "writing the book", err);
}

void book_select_end(struct book *book, sqlite3_stmt *statement)
{
	if (!statement)
		return;
	if (*slot_of(book, sqlite3_sql(statement)) != statement) {
		sqlite3_finalize(statement);
		return;
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

int book_execute(struct book *book, struct error *err, const char *sql, const struct book_value *values, size_t count)
{
	sqlite3_stmt *statement;
	int r = book_select(book, &statement, err, sql, values, count);

	if (r < 0)
		return r;
	do
		r = book_next(book, statement, err);
	while (r > 0);
	book_select_end(book, statement);
	return r < 0 ? r : sqlite3_changes(book->db);
}

int book_integer(struct book *book, int64_t *ret, struct error *err, const char *sql, const struct book_value *values, size_t count)
{
	sqlite3_stmt *rows;
	int r = book_select(book, &rows, err, sql, values, count);

	if (r >= 0)
		r = book_next(book, rows, err);
	if (r > 0 && sqlite3_column_type(rows, 0) != SQLITE_NULL) {
		*ret = sqlite3_column_int64(rows, 0);
		r = 0;
	} else if (r >= 0) {
		r = error_set(err, ERROR_BENCH, ENOENT, "there is no such thing in the book");
	}
	book_select_end(book, rows);
	return r;
}

int book_script(struct book *book, const char *sql, struct error *err)
{
	int code = sqlite3_exec(book->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : book_sqlite_error(book, code, "the book", err);
}

int64_t book_last_id(struct book *book)
{
	return sqlite3_last_insert_rowid(book->db);
}

/* ---- columns ---- */
char *column_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? strdup(text) : NULL;
}

json_t *column_text_json(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? json_stringn(text, (size_t)sqlite3_column_bytes(statement, column)) : json_null();
}

json_t *column_integer_json(sqlite3_stmt *statement, int column)
{
	if (sqlite3_column_type(statement, column) == SQLITE_NULL)
		return json_null();
	return json_integer(sqlite3_column_int64(statement, column));
}

json_t *column_time_json(sqlite3_stmt *statement, int column)
{
	return book_time_json(sqlite3_column_int64(statement, column));
}

json_t *column_json(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	json_t *json = text ? json_loadb(text, (size_t)sqlite3_column_bytes(statement, column), JSON_DECODE_ANY, NULL) : NULL;

	return json ? json : json_null();
}

json_t *book_time_json(int64_t utc_ns)
{
	int64_t milliseconds = utc_ns / 1000000 - (utc_ns % 1000000 < 0);
	int64_t thousandth = ((milliseconds % 1000) + 1000) % 1000;
	time_t seconds = (time_t)((milliseconds - thousandth) / 1000);
	struct tm tm;

	if (!utc_ns || !gmtime_r(&seconds, &tm))
		return json_null();
	return json_sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03" PRId64 "Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	                    tm.tm_min, tm.tm_sec, thousandth);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t book_now_utc_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t book_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}
