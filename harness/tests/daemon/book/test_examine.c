/* SPDX-License-Identifier: Apache-2.0 */
/* The whole book examined beside its use: damage that the start has no time for is found, and nobody is in anybody's way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "book_fixture.h"

#define PAGE 4096

static struct error *const err = &fixture_error;

/* More pages than are examined in one piece, most of them in the table of what happened to rigs. */
static void write_large(void)
{
	fixture_open();
	fixture_rigs(fixture_book);
	ck_done(book_script(fixture_book,
	                    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO health_entries "
	                    "(rig, at, kind, text) SELECT 'v1', i, 'lease', printf('%0500d', i) FROM n",
	                    err));
	fixture_close();
}

/* As somebody with another program may. */
static void run_sql(const char *sql)
{
	char path[PATH_SIZE];
	sqlite3 *db;

	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* A page in the middle of a table, as a disk may lose it. */
static void lose_page(const char *table)
{
	char path[PATH_SIZE];
	unsigned char garbage[PAGE];
	int64_t page;
	FILE *file;

	ck_done(book_integer(fixture_book, &page, err,
	                     "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET "
	                     "(SELECT count(*) / 2 FROM dbstat WHERE name = ?1 AND pagetype = 'leaf')",
	                     VALUES(TEXT(table))));
	ck_assert_int_gt(page, 1);
	ck_assert_int_eq(sqlite3_wal_checkpoint_v2(fixture_book->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
	memset(garbage, 0xee, sizeof(garbage));
	fixture_file(path, BOOK_FILE);
	file = fopen(path, "r+b");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, (page - 1) * PAGE, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(garbage, PAGE, 1, file), 1);
	ck_assert_int_eq(fflush(file), 0);
	/* Left open: closing it would take this process' locks on the file, and with them SQLite's. */
}

static bool never(void *context)
{
	return false;
}

/* Stops when it is asked so many times. */
static bool after(void *context)
{
	int *times = context;

	return --*times <= 0;
}

START_TEST(a_whole_book_is_whole)
{
	write_large();
	fixture_open();
	ck_done(book_examine(fixture_directory, never, NULL, err));
	ck_assert_ptr_null(book_damage(fixture_book));
}
END_TEST

START_TEST(a_page_beyond_the_start_is_found)
{
	int64_t id = 0;

	write_large();
	fixture_open();
	lose_page("health_entries");
	/* The start with no time at all reaches nothing of it, and says nothing wrong. */
	ck_done(book_examine_start(fixture_book, 0, err));
	ck_assert_ptr_null(book_damage(fixture_book));
	ck_fails(EUCLEAN, book_examine(fixture_directory, never, NULL, err));
	ck_assert_ptr_nonnull(strstr(err->message, "backup"));
	/* It is the loop's to draw the consequence. */
	ck_assert_ptr_null(book_damage(fixture_book));
	ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
}
END_TEST

/* Every page is as it should be, and there are as many entries as rows: the start does not look further, and opens it. */
START_TEST(an_index_that_names_another_row_is_found)
{
	write_large();
	run_sql("CREATE TABLE kept AS SELECT rowid AS place, * FROM sqlite_schema WHERE name = 'health_entries_rig';"
	        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'health_entries_rig'");
	run_sql("UPDATE health_entries SET rig = 'v2' WHERE id = 30000");
	run_sql("PRAGMA writable_schema = ON; INSERT INTO sqlite_schema (rowid, type, name, tbl_name, rootpage, sql) SELECT place, type, "
	        "name, "
	        "tbl_name, rootpage, sql FROM kept");
	run_sql("DROP TABLE kept");
	fixture_open();
	ck_fails(EUCLEAN, book_examine(fixture_directory, never, NULL, err));
	ck_assert_ptr_nonnull(strstr(err->message, "health_entries_rig"));
}
END_TEST

START_TEST(a_reference_to_nothing_is_found)
{
	write_large();
	run_sql("PRAGMA foreign_keys = OFF; INSERT INTO health_entries (rig, at, kind, text) VALUES ('nobody', 1, 'lease', '')");
	ck_fails(EUCLEAN, book_examine(fixture_directory, never, NULL, err));
}
END_TEST

START_TEST(it_stops_when_it_is_told)
{
	write_large();
	fixture_open();
	for (int times = 1; times < 200; times = times * 2 + 1) {
		int left = times;

		ck_fails(ECANCELED, book_examine(fixture_directory, after, &left, err));
		ck_assert_int_le(left, 0);
		ck_assert_int_ge(left, -2); /* not asked on and on after it has said so */
	}
	ck_assert_ptr_null(book_damage(fixture_book));
}
END_TEST

/* The daemon writes on in the middle of it, and merges its log. */
struct writing {
	unsigned asked, jobs;
};

static bool write_meanwhile(void *context)
{
	struct writing *writing = context;
	int64_t id = 0;

	if (++writing->asked % 300 || writing->jobs == 40)
		return false;
	writing->jobs++;
	ck_done(fixture_job(fixture_book, "s", "v1", NULL, &id, &fixture_error));
	ck_done(fixture_whole_run(fixture_book, id, "v1", OUTCOME_PASSED, NULL, &fixture_error));
	ck_done(book_job_done(fixture_book, id, OUTCOME_PASSED, "", NULL, 0, &fixture_error));
	fixture_book->wal_pages = 100000; /* as after many more */
	book_tend(fixture_book);
	return false;
}

START_TEST(the_daemon_writes_on)
{
	struct writing writing = {0};
	struct stat log;
	char path[PATH_SIZE];

	write_large();
	fixture_open();
	ck_done(book_examine(fixture_directory, write_meanwhile, &writing, err));
	ck_assert_uint_ge(writing.jobs, 5);
	ck_assert_uint_eq(fixture_breaches(fixture_book, false), 0);
	/* Nothing holds the log any more: it is merged whole, and begun again. */
	ck_assert_int_eq(sqlite3_wal_checkpoint_v2(fixture_book->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
	fixture_file(path, BOOK_FILE "-wal");
	ck_assert_int_eq(stat(path, &log), 0);
	ck_assert_int_eq(log.st_size, 0);
}
END_TEST

/* As damage that is met by reading. */
START_TEST(what_it_found_ends_the_writing)
{
	unsigned char *before, *after_it;
	char path[PATH_SIZE], log[PATH_SIZE];
	size_t size, size_after;
	int64_t id = 0;

	write_large();
	fixture_open();
	ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	fixture_file(path, BOOK_FILE);
	fixture_file(log, BOOK_FILE "-wal");
	before = fixture_read(log, &size);
	book_set_damaged(fixture_book, "page 7 is gone");
	book_set_damaged(fixture_book, "and another");
	ck_assert_str_eq(book_damage(fixture_book), "page 7 is gone");
	ck_fails(EUCLEAN, book_begin(fixture_book, err));
	ck_assert_str_eq(err->message, "page 7 is gone");
	ck_fails(EUCLEAN, fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	ck_fails(EUCLEAN, book_rig_known(fixture_book, "v9", "virtual", "/etc/v9.yaml", err));
	fixture_book->wal_pages = 100000;
	book_tend(fixture_book);
	fixture_close();
	after_it = fixture_read(log, &size_after);
	ck_assert(size == size_after && size > 0 && !memcmp(before, after_it, size));
	free(before);
	free(after_it);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book: examination");
	TCase *tests = tcase_create("examination");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, a_whole_book_is_whole);
	tcase_add_test(tests, a_page_beyond_the_start_is_found);
	tcase_add_test(tests, an_index_that_names_another_row_is_found);
	tcase_add_test(tests, a_reference_to_nothing_is_found);
	tcase_add_test(tests, it_stops_when_it_is_told);
	tcase_add_test(tests, the_daemon_writes_on);
	tcase_add_test(tests, what_it_found_ends_the_writing);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
