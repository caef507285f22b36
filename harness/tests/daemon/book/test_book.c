/* SPDX-License-Identifier: Apache-2.0 */
/* The book as a file: opened, refused, damaged, full, migrated; and transactions. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "book_fixture.h"

static struct error *const err = &fixture_error;

static int64_t count_jobs(struct book *book)
{
	int64_t count = -1;

	ck_done(book_integer(book, &count, err, "SELECT count(*) FROM jobs", NO_VALUES));
	return count;
}

/* ---- opening ---- */
START_TEST(a_new_directory_is_made)
{
	struct stat stat_;
	char path[PATH_SIZE];

	fixture_open();
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	ck_assert_int_eq(stat(fixture_directory, &stat_), 0);
	ck_assert_uint_eq(stat_.st_mode & 07027, 0);
	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(stat(path, &stat_), 0);
	ck_assert_uint_eq(stat_.st_mode & 0137, 0);
	fixture_file(path, BOOK_FILE ".new");
	ck_assert_int_ne(stat(path, &stat_), 0);
	ck_assert_str_eq(book_directory(fixture_book), fixture_directory);
}
END_TEST

START_TEST(a_directory_has_one_daemon)
{
	struct book *other = NULL;
	char pid[32];
	int64_t id = 0;

	fixture_open();
	(void)snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	ck_fails(EBUSY, book_open(&other, fixture_directory, err));
	ck_assert_ptr_nonnull(strstr(err->message, pid));
	ck_assert_ptr_null(other);
	ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	ck_assert_int_eq(count_jobs(fixture_book), 1);
	fixture_close();
	fixture_open();
}
END_TEST

/* A process that a killed daemon was just starting has its descriptors a moment longer. */
START_TEST(what_a_killed_daemon_left_is_waited_for)
{
	struct book *book = NULL;
	int ready[2], status;

	fixture_open();
	fixture_close();
	ck_assert_int_eq(pipe(ready), 0);
	pid_t daemon = fork();
	if (daemon == 0) {
		struct book *killed = NULL;
		ck_done(book_open(&killed, fixture_directory, err));
		if (fork() == 0) {
			(void)!write(ready[1], "!", 1);
			usleep(300000); /* as long as it is not at its exec, nobody gets the lock */
			_exit(0);
		}
		pause();
		_exit(0);
	}
	char byte;
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(kill(daemon, SIGKILL), 0);
	ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
	ck_done(book_open(&book, fixture_directory, err));
	book_close(book);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

static void read_beside(void)
{
	struct book *reader = NULL;
	int64_t id;

	ck_done(book_open_to_read(&reader, fixture_directory, err));
	ck_assert_int_eq(count_jobs(reader), 1);
	ck_assert_uint_eq(fixture_breaches(reader, true), 0);
	ck_assert_int_lt(fixture_job(reader, "s", NULL, NULL, &id, err), 0);
	book_close(reader);
}

START_TEST(a_reader_may_come_beside)
{
	struct book *reader = NULL;
	int64_t id = 0;
	int status = 0;
	pid_t pid;

	ck_fails(ENOENT, book_open_to_read(&reader, fixture_directory, err));
	fixture_open();
	ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		/* A failed assertion ends the child with another status. */
		read_beside();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	fixture_close();
	fixture_open();
	ck_assert_int_eq(count_jobs(fixture_book), 2);
}
END_TEST

START_TEST(usage_is_told)
{
	uint64_t used = 0, left = 0;

	fixture_open();
	ck_done(book_usage(fixture_book, &used, &left, err));
	ck_assert_uint_gt(used, 4096);
	ck_assert_uint_gt(left, 0);
	book_tend(fixture_book);
}
END_TEST

START_TEST(the_log_is_merged)
{
	char path[PATH_SIZE];
	struct stat stat_;
	int64_t id;

	fixture_open();
	for (int i = 0; i < 200; i++)
		ck_done(fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	ck_assert_int_gt(fixture_book->wal_pages, 256);
	book_tend(fixture_book);
	ck_assert_int_eq(fixture_book->wal_pages, 0);
	fixture_close();
	fixture_file(path, BOOK_FILE "-wal");
	ck_assert_int_ne(stat(path, &stat_), 0);
}
END_TEST

/* ---- transactions ---- */
START_TEST(transactions_nest)
{
	int64_t id = 0;

	fixture_open();
	ck_done(book_begin(fixture_book, err));
	ck_done(fixture_job(fixture_book, "s", NULL, "a", &id, err));
	ck_done(book_begin(fixture_book, err));
	ck_done(fixture_job(fixture_book, "s", NULL, "b", &id, err));
	book_roll_back(fixture_book);
	ck_done(book_begin(fixture_book, err));
	ck_done(fixture_job(fixture_book, "s", NULL, "c", &id, err));
	ck_done(book_commit(fixture_book, err));
	/* One that fails inside does not take the others with it. */
	ck_fails(EEXIST, fixture_job(fixture_book, "s", NULL, "c", &id, err));
	ck_done(book_commit(fixture_book, err));
	ck_assert_int_eq(count_jobs(fixture_book), 2);
	ck_done(book_begin(fixture_book, err));
	ck_done(fixture_job(fixture_book, "s", NULL, "d", &id, err));
	book_roll_back(fixture_book);
	book_roll_back(fixture_book);
	ck_fails(EINVAL, book_commit(fixture_book, err));
	ck_done(book_begin(fixture_book, err));
	ck_done(fixture_job(fixture_book, "s", NULL, "e", &id, err));
	fixture_close(); /* what was begun and not committed is not there */
	fixture_open();
	ck_assert_int_eq(count_jobs(fixture_book), 2);
}
END_TEST

START_TEST(a_lost_transaction_takes_nothing_more)
{
	int64_t id = 0;

	fixture_open();
	ck_done(book_begin(fixture_book, err));
	ck_done(book_begin(fixture_book, err));
	ck_done(fixture_job(fixture_book, "s", NULL, "a", &id, err));
	/* As SQLite does by itself after some failures of the disk. */
	ck_assert_int_eq(sqlite3_exec(fixture_book->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_lt(book_execute(fixture_book, err, "UPDATE nothing SET no = 1", NO_VALUES), 0);
	ck_assert(fixture_book->lost);
	ck_fails(EIO, fixture_job(fixture_book, "s", NULL, "b", &id, err));
	ck_fails(EIO, book_execute(fixture_book, err, "UPDATE jobs SET pinned = 1", NO_VALUES));
	ck_fails(EIO, book_commit(fixture_book, err));
	ck_fails(EIO, book_commit(fixture_book, err));
	ck_assert_int_eq(count_jobs(fixture_book), 0);
	ck_done(fixture_job(fixture_book, "s", NULL, "c", &id, err));
}
END_TEST

/* ---- damage ---- */
/* A book with several pages in every tree, closed. */
static void write_book(int jobs)
{
	char text[300], v1[] = "v1";
	int64_t id = 0;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fixture_open();
	fixture_rigs(fixture_book);
	ck_done(book_begin(fixture_book, err));
	for (int i = 0; i < jobs; i++) {
		char key[40], name[65], token[TOKEN_SIZE];
		int64_t token_id;

		(void)snprintf(key, sizeof(key), "key-%030d", i);
		(void)snprintf(name, sizeof(name), "token-%050d", i);
		ck_done(fixture_job(fixture_book, "a series with quite a long name", i & 1 ? "a rig with quite a long name" : NULL, key,
		                    &id, err));
		ck_done(fixture_whole_run(fixture_book, id, v1, OUTCOME_PASSED, NULL, err));
		ck_done(book_job_report(fixture_book, id, "report.html", "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
		                        5, err));
		ck_done(book_job_done(fixture_book, id, OUTCOME_PASSED, "", NULL, 0, err));
		ck_done(book_health_entry(fixture_book, v1, "lease", text, id, id, err));
		ck_done(book_board_error(fixture_book, v1, name, text, err));
		ck_done(book_token_add(fixture_book, name, ROLE_VIEWER, 0, &token_id, token, err));
		(void)snprintf(name, sizeof(name), "rig-%050d", i);
		ck_done(book_rig_known(fixture_book, name, text, text, err));
	}
	ck_done(book_commit(fixture_book, err));
	fixture_close();
}

/* Opening says damage, twice, and the file is what it was. */
static void refused(int number, const char *what)
{
	struct book *book = NULL;
	unsigned char *before, *after;
	size_t size_before, size_after;
	char path[PATH_SIZE];

	fixture_file(path, BOOK_FILE);
	before = fixture_read(path, &size_before);
	for (int i = 0; i < 2; i++) {
		int r = book_open(&book, fixture_directory, err);

		ck_assert_msg(r == -number, "%s: %d instead of %d", what, r, -number);
		ck_assert_ptr_null(book);
		ck_assert_ptr_nonnull(strstr(err->message, BOOK_FILE));
	}
	after = fixture_read(path, &size_after);
	ck_assert_msg(size_before == size_after && !memcmp(before, after, size_before), "%s: the file was written to", what);
	free(before);
	free(after);
}

START_TEST(a_damaged_file_is_left_alone)
{
	unsigned char *good, *bad;
	char path[PATH_SIZE];
	size_t size;

	write_book(40);
	fixture_file(path, BOOK_FILE);
	good = fixture_read(path, &size);
	bad = malloc(size);
	fixture_write(path, "", 0);
	refused(EUCLEAN, "empty");
	fixture_write(path, good, 60);
	refused(EUCLEAN, "60 bytes");
	for (size_t length = 4096; length < size; length += (size / 7 + 511) & ~511UL) {
		fixture_write(path, good, length);
		refused(EUCLEAN, "cut off");
	}
	memset(bad, 0x5a, size);
	fixture_write(path, bad, size);
	refused(EUCLEAN, "garbage");
	for (size_t at = 0; at < 100; at += 4) {
		memcpy(bad, good, size);
		memset(bad + at, 0xa5, 4);
		fixture_write(path, bad, size);
		/* Counters and numbers of versions that say nothing of the structure. */
		if ((at >= 24 && at < 28) || (at >= 40 && at < 44) || at == 48 || at == 92 || at == 96 || (at >= 72 && at < 92))
			continue;
		struct book *book = NULL;
		int r = book_open(&book, fixture_directory, err);

		ck_assert_msg(r < 0, "opened with garbage at %zu of the header", at);
		ck_assert_msg(r == -EUCLEAN, "garbage at %zu: %d %s", at, r, err->message);
	}
	fixture_write(path, good, size);
	fixture_open();
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	free(good);
	free(bad);
}
END_TEST

struct leaf {
	char name[64];
	size_t page;
};

/* The page in the middle of each tree that has more than one. */
static size_t middle_pages(struct leaf *leaves, size_t room)
{
	sqlite3_stmt *rows;
	size_t count = 0;
	sqlite3 *db;
	char path[PATH_SIZE];

	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_int_eq(
	        sqlite3_prepare_v2(
	                db,
	                "SELECT name, pageno FROM (SELECT name, pageno, count(*) OVER (PARTITION BY name) AS leaves, row_number() OVER "
	                "(PARTITION BY name "
	                "ORDER BY path) AS number FROM dbstat WHERE pagetype = 'leaf') WHERE leaves > 1 AND number = leaves / 2 + 1 "
	                "AND name NOT GLOB 'sqlite_s*'",
	                -1, &rows, NULL),
	        SQLITE_OK);
	while (sqlite3_step(rows) == SQLITE_ROW && count < room) {
		(void)snprintf(leaves[count].name, sizeof(leaves[count].name), "%s", (const char *)sqlite3_column_text(rows, 0));
		leaves[count++].page = (size_t)sqlite3_column_int64(rows, 1);
	}
	sqlite3_finalize(rows);
	sqlite3_close(db);
	return count;
}

START_TEST(a_damaged_page_is_found_in_every_table)
{
	struct leaf leaves[64];
	unsigned char *good, *bad;
	char path[PATH_SIZE];
	size_t size, count;
	bool jobs = false, tokens = false;

	write_book(120);
	count = middle_pages(leaves, 64);
	ck_assert_uint_ge(count, 15);
	fixture_file(path, BOOK_FILE);
	good = fixture_read(path, &size);
	bad = malloc(size);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_gt(leaves[i].page, 1);
		ck_assert_uint_le(leaves[i].page * 4096, size);
		memcpy(bad, good, size);
		for (size_t byte = 0; byte < 4096; byte++)
			bad[(leaves[i].page - 1) * 4096 + byte] = (unsigned char)(rand() >> 4);
		fixture_write(path, bad, size);
		refused(EUCLEAN, leaves[i].name);
		jobs |= !strcmp(leaves[i].name, "jobs");
		tokens |= !strcmp(leaves[i].name, "tokens");
	}
	ck_assert(jobs && tokens);
	free(good);
	free(bad);
}
END_TEST

/* A page that goes bad under a running daemon: said, and nothing more is written, at the end neither. */
START_TEST(damage_seen_later_ends_the_writing)
{
	struct leaf leaves[64];
	unsigned char *good, *bad, *after;
	char path[PATH_SIZE];
	size_t size, count, i = 0, size_after;
	json_t *json = NULL;
	int64_t id = 0;

	write_book(300);
	count = middle_pages(leaves, 64);
	while (i < count && strcmp(leaves[i].name, "health_entries") != 0)
		i++;
	ck_assert_uint_lt(i, count);
	fixture_open();
	fixture_file(path, BOOK_FILE);
	good = fixture_read(path, &size);
	bad = malloc(size);
	memcpy(bad, good, size);
	memset(bad + (leaves[i].page - 1) * 4096, 0xff, 4096);
	FILE *file = fopen(path, "r+b");
	ck_assert_uint_eq(fwrite(bad, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(sqlite3_db_release_memory(fixture_book->db), SQLITE_OK);
	ck_fails(EUCLEAN, book_health_json(fixture_book, "v1", 1000, 0, &json, err));
	ck_fails(EUCLEAN, fixture_job(fixture_book, "s", NULL, NULL, &id, err));
	ck_fails(EUCLEAN, book_begin(fixture_book, err));
	book_tend(fixture_book);
	fixture_close();
	after = fixture_read(path, &size_after);
	ck_assert(size == size_after && !memcmp(bad, after, size));
	free(good);
	free(bad);
	free(after);
}
END_TEST

static void run_sql(const char *sql)
{
	char path[PATH_SIZE];
	sqlite3 *db;

	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(what_is_not_our_book_is_refused)
{
	write_book(3);
	run_sql("PRAGMA user_version = 4711");
	refused(EUCLEAN, "newer");
	ck_assert_ptr_nonnull(strstr(err->message, "newer"));
	run_sql("PRAGMA user_version = 0");
	refused(EUCLEAN, "without a version");
	run_sql("PRAGMA user_version = 1; PRAGMA application_id = 5");
	refused(EUCLEAN, "of another program");
	run_sql("PRAGMA application_id = 1212763202; ALTER TABLE tokens RENAME TO tickets");
	refused(EUCLEAN, "without a table");
	run_sql("ALTER TABLE tickets RENAME TO tokens; DROP INDEX leases_rig_open");
	refused(EUCLEAN, "without an index");
}
END_TEST

/* As a backup that was made with a usual umask comes back. */
START_TEST(a_mode_that_is_too_wide_is_mended)
{
	char path[PATH_SIZE];
	struct stat stat;

	write_book(3);
	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(chmod(path, 0644), 0);
	fixture_open();
	ck_assert_int_eq(lstat(path, &stat), 0);
	ck_assert_uint_eq(stat.st_mode & 07777, 0600);
	ck_assert_uint_eq(fixture_breaches(fixture_book, false), 0);
}
END_TEST

START_TEST(what_may_not_be_ours_is_refused)
{
	char path[PATH_SIZE], other[PATH_SIZE];
	struct book *book = NULL;

	write_book(3);
	fixture_file(path, BOOK_FILE);
	fixture_file(other, "other");
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_fails(EACCES, book_open(&book, fixture_directory, err));
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_fails(EPERM, book_open(&book, fixture_directory, err));
	ck_assert_int_eq(chmod(path, 0640), 0);
	if (!geteuid()) {
		ck_assert_int_eq(chown(path, 1, 1), 0);
		ck_fails(EPERM, book_open(&book, fixture_directory, err));
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert_int_eq(symlink("other", path), 0);
	ck_fails(EUCLEAN, book_open(&book, fixture_directory, err));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_fails(EUCLEAN, book_open(&book, fixture_directory, err));
	ck_assert_int_eq(rmdir(path), 0);
	/* Its files without the book: a new one would sweep them away. */
	fixture_file(path, "blobs");
	(void)mkdir(path, 0700);
	fixture_file(path, "blobs/ab");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_fails(EUCLEAN, book_open(&book, fixture_directory, err));
	ck_fails(EUCLEAN, book_open_to_read(&book, fixture_directory, err));
	ck_assert_int_eq(chmod(fixture_directory, 0777), 0);
	ck_fails(EPERM, book_open(&book, fixture_directory, err));
	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(chmod(fixture_directory, 0700), 0);
	ck_assert_int_eq(rename(other, path), 0);
	fixture_open();
	ck_assert_int_eq(count_jobs(fixture_book), 3);
}
END_TEST

/* ---- migration ---- */
START_TEST(an_old_book_is_migrated_after_a_copy)
{
	char path[PATH_SIZE];
	struct stat stat_;
	json_t *json = NULL;
	int64_t version = 0;

	ck_assert_int_eq(mkdir(fixture_directory, 0700), 0);
	run_sql("PRAGMA journal_mode = WAL; PRAGMA application_id = 1212763202");
	run_sql(book_migrations[0].sql);
	run_sql("PRAGMA user_version = 1; INSERT INTO rigs (name, since) VALUES ('old', 5)");
	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(chmod(path, 0640), 0);
	fixture_open();
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	ck_done(book_integer(fixture_book, &version, err, "PRAGMA user_version", NO_VALUES));
	for (const struct book_migration *m = &book_migrations[1]; m->number; m++) {
		char name[64];

		(void)snprintf(name, sizeof(name), BOOK_FILE ".before-%d", m->number);
		fixture_file(path, name);
		ck_assert_int_eq(stat(path, &stat_), 0);
		ck_assert_uint_eq(stat_.st_mode & 0137, 0);
		ck_assert_int_ge(version, m->number);
	}
	ck_done(book_rig_json(fixture_book, "old", &json, err));
	json_decref(json);
}
END_TEST

/* A migration that meets what it does not expect changes nothing. */
START_TEST(a_migration_is_whole_or_not_at_all)
{
	sqlite3_stmt *rows;
	char first[128] = "", sql[256], path[PATH_SIZE];
	struct book *book = NULL;
	sqlite3 *db;

	if (!book_migrations[1].number)
		return;
	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, book_migrations[0].sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, book_migrations[1].sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid DESC", -1, &rows, NULL),
	                 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(rows), SQLITE_ROW);
	(void)snprintf(first, sizeof(first), "%s", (const char *)sqlite3_column_text(rows, 0));
	sqlite3_finalize(rows);
	sqlite3_close(db);
	ck_assert_int_eq(mkdir(fixture_directory, 0700), 0);
	run_sql("PRAGMA journal_mode = WAL; PRAGMA application_id = 1212763202");
	run_sql(book_migrations[0].sql);
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = 1; CREATE TABLE %s (in_the_way INTEGER)", first);
	run_sql(sql);
	ck_assert_int_lt(book_open(&book, fixture_directory, err), 0);
	ck_assert_ptr_nonnull(strstr(err->message, "migration 2"));
	(void)snprintf(sql, sizeof(sql), "DROP TABLE %s", first);
	run_sql(sql);
	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(chmod(path, 0640), 0);
	fixture_open();
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

/* ---- a full disk ---- */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int three_jobs(struct book *book, struct error *e)
{
	int64_t id;
	int r = book_begin(book, e);

	if (r < 0)
		return r;
	for (int i = 0; i < 3 && r >= 0; i++)
		r = fixture_job(book, "s", NULL, NULL, &id, e);
	if (r < 0) {
		book_roll_back(book);
		return r;
	}
	return book_commit(book, e);
}

START_TEST(a_full_disk_leaves_nothing_half_done)
{
	char path[PATH_SIZE];
	struct stat stat_;
	int64_t expected = 0;
	unsigned full = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	fixture_open();
	fixture_file(path, BOOK_FILE "-wal");
	for (unsigned i = 0; i < 80; i++) {
		int r;

		if (stat(path, &stat_) < 0)
			stat_.st_size = 0;
		limit_files((rlim_t)stat_.st_size + i * 397);
		r = three_jobs(fixture_book, err);
		limit_files(0);
		ck_assert_msg(r == 0 || r == -ENOSPC, "%d: %s", r, err->message);
		full += r < 0;
		expected += r < 0 ? 0 : 3;
		ck_assert_int_eq(count_jobs(fixture_book), expected);
	}
	ck_assert_uint_gt(full, 10);
	ck_assert_int_gt(expected, 0);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	fixture_close();
	fixture_open();
	ck_assert_int_eq(count_jobs(fixture_book), expected);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(a_merge_on_a_full_disk_loses_nothing)
{
	char path[PATH_SIZE];
	struct stat stat_;

	(void)signal(SIGXFSZ, SIG_IGN);
	fixture_open();
	for (int i = 0; i < 60; i++)
		ck_done(three_jobs(fixture_book, err));
	fixture_file(path, BOOK_FILE);
	ck_assert_int_eq(stat(path, &stat_), 0);
	limit_files((rlim_t)stat_.st_size + 4096);
	book_tend(fixture_book);
	fixture_close();
	limit_files(0);
	fixture_open();
	ck_assert_int_eq(count_jobs(fixture_book), 180);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

START_TEST(a_bounded_database_says_no_space)
{
	int64_t expected = 0;
	int r;

	fixture_open();
	ck_done(book_script(fixture_book, "PRAGMA max_page_count = 60", err));
	while ((r = three_jobs(fixture_book, err)) >= 0)
		expected += 3;
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_eq(count_jobs(fixture_book), expected);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	ck_done(book_script(fixture_book, "PRAGMA max_page_count = 1000000", err));
	ck_done(three_jobs(fixture_book, err));
}
END_TEST

START_TEST(a_book_that_cannot_be_made_leaves_nothing)
{
	static const char *const names[] = {BOOK_FILE, BOOK_FILE ".new", BOOK_FILE ".new-wal"};
	struct book *book = NULL;
	char path[PATH_SIZE];
	struct stat stat_;

	(void)signal(SIGXFSZ, SIG_IGN);
	for (rlim_t limit = 512; limit < 60000; limit += 9000) {
		limit_files(limit);
		ck_fails(ENOSPC, book_open(&book, fixture_directory, err));
		limit_files(0);
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			fixture_file(path, names[i]);
			ck_assert_int_ne(stat(path, &stat_), 0);
		}
	}
	fixture_open();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book");
	TCase *tests = tcase_create("book");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, fixture_begin, fixture_end);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, a_new_directory_is_made);
	tcase_add_test(tests, a_directory_has_one_daemon);
	tcase_add_test(tests, what_a_killed_daemon_left_is_waited_for);
	tcase_add_test(tests, a_reader_may_come_beside);
	tcase_add_test(tests, usage_is_told);
	tcase_add_test(tests, the_log_is_merged);
	tcase_add_test(tests, transactions_nest);
	tcase_add_test(tests, a_lost_transaction_takes_nothing_more);
	tcase_add_test(tests, a_damaged_file_is_left_alone);
	tcase_add_test(tests, a_damaged_page_is_found_in_every_table);
	tcase_add_test(tests, damage_seen_later_ends_the_writing);
	tcase_add_test(tests, what_is_not_our_book_is_refused);
	tcase_add_test(tests, what_may_not_be_ours_is_refused);
	tcase_add_test(tests, a_mode_that_is_too_wide_is_mended);
	tcase_add_test(tests, an_old_book_is_migrated_after_a_copy);
	tcase_add_test(tests, a_migration_is_whole_or_not_at_all);
	tcase_add_test(tests, a_full_disk_leaves_nothing_half_done);
	tcase_add_test(tests, a_merge_on_a_full_disk_loses_nothing);
	tcase_add_test(tests, a_bounded_database_says_no_space);
	tcase_add_test(tests, a_book_that_cannot_be_made_leaves_nothing);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
