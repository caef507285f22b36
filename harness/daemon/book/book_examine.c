/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the file is whole: at start as far as a bounded time allows, and later all of it, beside its use.
 *
 * The later one has a connection of its own. Page by page it reads what is committed, from the file and its log, and nothing of what the
 * daemon has in its memory; while a statement of it runs, the log is merged only up to where it began.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../base/log.h"
#include "book_private.h"

#define SMALL_PAGES     4096 /* examined in one piece at start, with the pages that no table has */
#define START_STEPS     500  /* of SQLite between two looks at the clock */
#define BESIDE_STEPS    50   /* few, for pages that come from a slow disk */
#define SLICE_NS        INT64_C(5000000)
#define PAUSE_NS        INT64_C(20000000) /* after each slice: a fifth of one processor at most */
#define BESIDE_PAGES_KB "4000"

int book_is_damaged(struct book *book, struct error *err, const char *what)
{
	struct error own;

	err = err ? err : &own;
	(void)error_set(err, ERROR_BENCH, EUCLEAN,
	                "%s/" BOOK_FILE " is damaged: %s; it is left as it is: put a backup in its place, or save what can be read with "
	                "\"sqlite3 " BOOK_FILE " .recover\"",
	                book->directory, what);
	book_set_damaged(book, err->message);
	return -EUCLEAN;
}

/* What SQLite found, without its heading: "*** in database main ***" and a line feed. */
static const char *finding(const char *text)
{
	const char *line = strchr(text, '\n');

	return strncmp(text, "***", 3) == 0 && line ? line + 1 : text;
}

/* Runs a PRAGMA that gives "ok" or what is wrong. 1: through, 0: it was interrupted. */
static int examine_by(struct book *book, const char *pragma, const char *good, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int code = sqlite3_prepare_v2(book->db, pragma, -1, &rows, NULL), r = 1;

	if (code == SQLITE_OK)
		code = sqlite3_step(rows);
	if (code == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(rows, 0);

		if (!good || !text || strcmp(text, good) != 0)
			r = book_is_damaged(book, err, good && text ? finding(text) : "a row names another that is not there");
	} else if ((code & 0xff) == SQLITE_INTERRUPT) {
		r = 0;
	} else if (code != SQLITE_DONE) {
		r = book_sqlite_error(book, code, "examining the book", err);
	}
	sqlite3_finalize(rows);
	return r;
}

static int examine_table(struct book *book, const char *format, const char *table, const char *good, struct error *err)
{
	char *pragma = sqlite3_mprintf(format, table);
	int r = pragma ? examine_by(book, pragma, good, err) : book_no_memory(err);

	sqlite3_free(pragma);
	return r;
}

static int read_name(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	char *name = column_text(row, 0);

	if (!name)
		return book_no_memory(err);
	*(char **)ret = name;
	return 0;
}

/* In the order of the migrations. SQLite's own tables have no structure of their own to speak of. */
static int examine_tables(struct book *book, const char *format, const char *good, struct error *err)
{
	char **names = NULL;
	size_t count = 0;
	int r = book_list(book, read_name, free, &names, &count, err,
	                  "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY rowid", NO_VALUES);

	if (r == -ECANCELED)
		return 0;
	r = r < 0 ? r : 1;
	for (size_t i = 0; i < count; i++) {
		if (r > 0)
			r = examine_table(book, format, names[i], good, err);
		free(names[i]);
	}
	free(names);
	return r;
}

static int examine_references(struct book *book, struct error *err)
{
	return examine_tables(book, "PRAGMA foreign_key_check(%Q)", NULL, err);
}

/* ---- at start ---- */
static int is_late(void *limit)
{
	return book_monotonic_ns() > *(const int64_t *)limit;
}

int book_examine_start(struct book *book, int64_t most_ns, struct error *err)
{
	int64_t limit = book_monotonic_ns() + most_ns, pages = 0;
	int r = book_integer(book, &pages, err, "PRAGMA page_count", NO_VALUES);

	if (r < 0)
		return r;
	sqlite3_progress_handler(book->db, START_STEPS, is_late, &limit);
	if (pages <= SMALL_PAGES)
		r = examine_by(book, "PRAGMA quick_check(1)", "ok", err);
	else
		r = examine_tables(book, "PRAGMA quick_check(%Q)", "ok", err);
	if (r > 0)
		r = examine_references(book, err);
	sqlite3_progress_handler(book->db, 0, NULL, NULL);
	if (r == 0)
		log_info("the book is too large to be examined whole before the start: the rest is examined beside the work");
	return r < 0 ? r : 0;
}

/* ---- beside its use ---- */
struct pace {
	bool (*stop)(void *context);
	void *context;
	int64_t slice_end_ns;
};

/* Called by SQLite in the middle of its work, with nothing locked that others need. */
static int keep_pace(void *context)
{
	struct pace *pace = context;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	if (pace->stop(pace->context))
		return 1;
	if (book_monotonic_ns() < pace->slice_end_ns)
		return 0;
	(void)nanosleep(&pause, NULL);
	pace->slice_end_ns = book_monotonic_ns() + SLICE_NS;
	return pace->stop(pace->context);
}

static int examine_beside(struct book *beside, struct pace *pace, struct error *err)
{
	int r = book_open_database(beside, err);

	if (r >= 0)
		r = book_script(beside, "PRAGMA cache_size = -" BESIDE_PAGES_KB, err);
	if (r < 0)
		return r;
	sqlite3_progress_handler(beside->db, BESIDE_STEPS, keep_pace, pace);
	r = examine_by(beside, "PRAGMA integrity_check(1)", "ok", err);
	if (r > 0)
		r = examine_references(beside, err);
	sqlite3_progress_handler(beside->db, 0, NULL, NULL);
	return r == 0 ? error_set(err, ERROR_BENCH, ECANCELED, "the examination of the book was stopped") : r < 0 ? r : 0;
}

int book_examine(const char *state_directory, bool (*stop)(void *context), void *context, struct error *err)
{
	struct book beside = {.directory = strdup(state_directory), .directory_fd = -1, .lock_fd = -1, .only_read = true};
	struct pace pace = {.stop = stop, .context = context, .slice_end_ns = book_monotonic_ns() + SLICE_NS};
	int r = beside.directory ? examine_beside(&beside, &pace, err) : book_no_memory(err);

	book_close_database(&beside);
	free(beside.directory);
	return r;
}
