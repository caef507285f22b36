/* SPDX-License-Identifier: Apache-2.0 */
/* Files by their digest: whole or not there, whatever ends the writer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/book/blobs.h"
#include "daemon/book/book_private.h"
#include "results_fixture.h"

#define DAY_NS (86400 * SECOND)
static const char empty_sha[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char abc_sha[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void start(void)
{
	fixture_begin();
	fixture_open();
	fixture_rigs(fixture_book);
}

static void path_of(const char *sha, char path[PATH_SIZE])
{
	char name[128];
	(void)snprintf(name, sizeof(name), "blobs/%.2s/%s", sha, sha + 2);
	fixture_file(path, name);
}

/* Files below blobs/, those that are coming in too. */
static unsigned files_there(bool incoming)
{
	char path[PATH_SIZE];
	unsigned count = 0;
	for (int i = 0; i <= 256; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), i < 256 ? "blobs/%02x" : "blobs/incoming", i);
		fixture_file(path, name);
		DIR *folder = (i == 256) == incoming ? opendir(path) : NULL;
		for (struct dirent *entry; folder && (entry = readdir(folder));)
			count += entry->d_name[0] != '.';
		if (folder)
			closedir(folder);
	}
	return count;
}

static unsigned sweep(int64_t older_than)
{
	unsigned removed, all = 0;
	bool more = true;
	while (more) {
		ck_done(blobs_sweep(fixture_book, older_than, 2, &removed, &more, &fixture_error));
		ck_assert_uint_le(removed, 2);
		all += removed;
	}
	return all;
}

static void make_old(const char *sha)
{
	char path[PATH_SIZE];
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	path_of(sha, path);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
}

static bool is_whole(const char *sha256)
{
	unsigned char digest[32];
	char path[PATH_SIZE], is[65];
	size_t size = 0;
	path_of(sha256, path);
	unsigned char *bytes = fixture_read(path, &size);
	ck_assert_int_eq(EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL), 1);
	free(bytes);
	for (unsigned i = 0; i < sizeof(digest); i++)
		(void)snprintf(is + 2 * i, 3, "%02x", digest[i]);
	return strcmp(is, sha256) == 0;
}

START_TEST(names)
{
	ck_assert(blob_name_valid(abc_sha));
	ck_assert(!blob_name_valid(NULL));
	static const char *const bad[] = {
	        "",
	        "a",
	        "../../../../../../../../../../../../../../../../../../../../etc/passwd",
	        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
	        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a/",
	        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
	        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
	};
	uint64_t size;
	int fd;
	char place[80];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert(!blob_name_valid(bad[i]));
		ck_fails(EINVAL, blob_find(fixture_book, bad[i], &size, &fixture_error));
		ck_assert_int_eq(fixture_error.domain, ERROR_USAGE);
		ck_fails(EINVAL, blob_open(fixture_book, bad[i], &fd, &size, &fixture_error));
		ck_fails(EINVAL, blob_place(bad[i], place, sizeof(place), &fixture_error));
	}
	ck_fails(ENOENT, blob_find(fixture_book, abc_sha, &size, &fixture_error));
	ck_fails(ENOENT, blob_open(fixture_book, abc_sha, &fd, &size, &fixture_error));
}
END_TEST

START_TEST(bytes_come_back)
{
	struct blob_writer *w;
	char name[65], path[PATH_SIZE], buffer[8], place[80];
	bool is_new;
	uint64_t size;
	int fd;
	for (int i = 0; i < 2; i++) {
		ck_done(blob_begin(fixture_book, &w, &fixture_error));
		ck_done(blob_write(w, "a", 1, &fixture_error));
		ck_done(blob_write(w, "bc", 2, &fixture_error));
		ck_done(blob_end(w, i ? abc_sha : NULL, name, &is_new, &fixture_error));
		ck_assert_str_eq(name, abc_sha);
		ck_assert_int_eq(is_new, i == 0);
	}
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	ck_done(blob_end(w, empty_sha, name, &is_new, &fixture_error));
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	ck_done(blob_write(w, "abd", 3, &fixture_error));
	ck_fails(EBADMSG, blob_end(w, abc_sha, name, NULL, &fixture_error));
	ck_assert_int_eq(fixture_error.domain, ERROR_USAGE);
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	blob_drop(w);
	blob_drop(NULL);
	ck_assert_uint_eq(files_there(true), 0);
	ck_assert_uint_eq(files_there(false), 2);
	ck_done(blob_open(fixture_book, abc_sha, &fd, &size, &fixture_error));
	ck_assert_uint_eq(size, 3);
	ck_assert_int_eq(read(fd, buffer, sizeof(buffer)), 3);
	ck_assert_mem_eq(buffer, "abc", 3);
	close(fd);
	struct stat st;
	ck_done(blob_place(abc_sha, place, sizeof(place), &fixture_error));
	fixture_file(path, place);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0440);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_fails(ENAMETOOLONG, blob_place(abc_sha, place, 10, &fixture_error));
}
END_TEST

START_TEST(files_become_blobs)
{
	char path[PATH_SIZE], other[PATH_SIZE], name[65];
	uint64_t size;
	fixture_file(path, "made");
	for (int take = 0; take < 2; take++) {
		fixture_write(path, "abc", 3);
		ck_done(blob_from_file(fixture_book, path, take, name, &size, &fixture_error));
		ck_assert_str_eq(name, abc_sha);
		ck_assert_uint_eq(size, 3);
		ck_assert_int_eq(access(path, F_OK), take ? -1 : 0);
	}
	/* A second name of a file could be written to. */
	fixture_write(path, "ab", 2);
	fixture_file(other, "second");
	ck_assert_int_eq(link(path, other), 0);
	ck_done(blob_from_file(fixture_book, path, true, name, &size, &fixture_error));
	fixture_write(other, "AB", 2);
	int fd;
	char buffer[2];
	ck_done(blob_open(fixture_book, name, &fd, &size, &fixture_error));
	ck_assert_int_eq(read(fd, buffer, 2), 2);
	ck_assert_mem_eq(buffer, "ab", 2);
	close(fd);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_lt(blob_from_file(fixture_book, path, true, name, &size, &fixture_error), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_fails(EINVAL, blob_from_file(fixture_book, path, true, name, &size, &fixture_error));
	ck_fails(EINVAL, blob_from_file(fixture_book, "/", false, name, &size, &fixture_error));
	ck_assert_uint_eq(files_there(true), 0);
}
END_TEST

START_TEST(damage_is_noticed)
{
	char path[PATH_SIZE], sha[65];
	uint64_t size;
	int fd;
	int64_t job = night_begin("nightly", NIGHT_NS), run = night_run(job, (struct night_run){.results = results_of("a=pass")});
	blob_of("some bytes", sha);
	ck_done(book_artefact_add(fixture_book, run, "x", sha, 10, &fixture_error));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	path_of(sha, path);
	ck_assert_int_eq(chmod(path, 0600), 0);
	fixture_write(path, "some bytez", 10); /* the same size */
	ck_assert_uint_eq(fixture_breaches(fixture_book, false), 0);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 1);
	ck_assert(!is_whole(sha));
	fixture_write(path, "some", 4);
	ck_assert_uint_eq(fixture_breaches(fixture_book, false), 1);
	ck_fails(EUCLEAN, blob_open(fixture_book, sha, &fd, &size, &fixture_error));
	ck_fails(ENOENT, blob_find(fixture_book, sha, &size, &fixture_error));
	blob_of("some bytes", sha); /* brought again, it is whole again */
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_uint_eq(fixture_breaches(fixture_book, false), 1);
}
END_TEST

START_TEST(only_what_nothing_names_is_swept)
{
	char named[65], loose[65], fresh[65], more_of_it[65];
	unsigned removed;
	bool more;
	uint64_t size;
	int64_t job = night_begin("nightly", NIGHT_NS), run = night_run(job, (struct night_run){.results = results_of("a=pass")});
	int64_t limit = book_now_utc_ns() - DAY_NS;
	blob_of("named", named);
	blob_of("loose", loose);
	blob_of("fresh", fresh);
	blob_of("one more", more_of_it);
	ck_done(book_artefact_add(fixture_book, run, "x", named, 5, &fixture_error));
	make_old(named);
	make_old(loose);
	make_old(more_of_it);
	ck_done(blob_find(fixture_book, more_of_it, &size, &fixture_error)); /* a submission asks: it may name it soon */
	ck_done(book_begin(fixture_book, &fixture_error));
	ck_fails(EBUSY, blobs_sweep(fixture_book, limit, 9, &removed, &more, &fixture_error));
	book_roll_back(fixture_book);
	ck_assert_uint_eq(sweep(limit), 1);
	ck_fails(ENOENT, blob_find(fixture_book, loose, &size, &fixture_error));
	ck_done(blob_find(fixture_book, named, &size, &fixture_error));
	ck_done(blob_find(fixture_book, fresh, &size, &fixture_error));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	/* The last name goes with its job. */
	(void)night_end(job, NULL, NIGHT_NS);
	struct retention rules = {.age_ns = SECOND};
	struct retained retained;
	ck_done(book_retain(fixture_book, &rules, NIGHT_NS + DAY_NS, 9, &retained, &fixture_error));
	make_old(named);
	make_old(more_of_it);
	ck_assert_uint_eq(sweep(limit), 2);
	ck_assert_uint_eq(files_there(false), 1);
}
END_TEST

/* A worker brings a file anew while the sweep asks the book whether it is named. */
static int bring_again(unsigned what, void *context, void *statement, void *sql)
{
	char name[65];
	if (strstr(sqlite3_sql(statement), "FROM blobs WHERE sha256"))
		blob_of(context, name);
	return 0;
}

START_TEST(what_comes_again_meanwhile_is_not_swept)
{
	char again[65];
	uint64_t size;
	blob_of("again", again);
	make_old(again);
	ck_assert_int_eq(sqlite3_trace_v2(fixture_book->db, SQLITE_TRACE_STMT, bring_again, (void *)"again"), SQLITE_OK);
	ck_assert_uint_eq(sweep(book_now_utc_ns() - DAY_NS), 0);
	ck_assert_int_eq(sqlite3_trace_v2(fixture_book->db, 0, NULL, NULL), SQLITE_OK);
	ck_done(blob_find(fixture_book, again, &size, &fixture_error));
	make_old(again);
	ck_assert_uint_eq(sweep(book_now_utc_ns() - DAY_NS), 1);
}
END_TEST

/* ---- keys ---- */

#define PEM(what) "-----BEGIN " what "-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END " what "-----\n"

static void give(int64_t job, const char *path, const char *text, char sha[65])
{
	blob_of(text, sha);
	ck_done(book_execute(fixture_book, &fixture_error, "INSERT INTO job_files (job, path, sha256, size) VALUES (?1, ?2, ?3, ?4)",
	                     VALUES(INTEGER(job), TEXT(path), TEXT(sha), INTEGER(strlen(text)))));
}

static unsigned remove_keys(void)
{
	unsigned removed, all = 0;
	bool more = true;
	while (more) {
		ck_done(blobs_remove_keys(fixture_book, &removed, &more, &fixture_error));
		all += removed;
	}
	return all;
}

START_TEST(keys_of_older_daemons_go)
{
	static const char *const kept_texts[] = {"steps:\n  - note: |\n      " PEM("PRIVATE KEY"), PEM("CERTIFICATE"), "-----BEGIN ",
	                                         "key"};
	char key[65], chain[65], open_key[65], kept[4][65], name[10];
	uint64_t size;
	int64_t done = night_begin("nightly", NIGHT_NS), open = night_begin("nightly", NIGHT_NS);
	int64_t run = night_run(done, (struct night_run){.results = results_of("a=pass")});
	give(done, "keys/a.pem", PEM("PRIVATE KEY"), key);
	give(done, "keys/copy.pem", PEM("PRIVATE KEY"), key);
	give(done, "keys/chain.pem", PEM("CERTIFICATE") PEM("RSA PRIVATE KEY"), chain);
	give(open, "keys/b.pem", PEM("EC PRIVATE KEY"), open_key);
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "kept%zu", i);
		give(done, name, kept_texts[i], kept[i]);
	}
	ck_done(book_artefact_add(fixture_book, run, "key.pem", key, strlen(PEM("PRIVATE KEY")), &fixture_error));
	(void)night_end(done, NULL, NIGHT_NS);
	ck_assert_uint_eq(remove_keys(), 2);
	ck_fails(ENOENT, blob_find(fixture_book, key, &size, &fixture_error));
	ck_fails(ENOENT, blob_find(fixture_book, chain, &size, &fixture_error));
	ck_done(blob_find(fixture_book, open_key, &size, &fixture_error)); /* its job may still need it */
	for (size_t i = 0; i < 4; i++)
		ck_done(blob_find(fixture_book, kept[i], &size, &fixture_error));
	ck_fails(ENOENT, book_job_file(fixture_book, done, "keys/a.pem", key, &size, &fixture_error));
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	(void)night_run(open, (struct night_run){.results = results_of("a=pass")});
	(void)night_end(open, NULL, NIGHT_NS);
	ck_assert_uint_eq(remove_keys(), 1);
	ck_assert_uint_eq(remove_keys(), 0);
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
}
END_TEST

/* In small portions, also of one key that very many jobs came with, and to the last file. */
START_TEST(keys_among_many_files_are_found)
{
	char sha[65];
	int64_t job = night_begin("nightly", NIGHT_NS), left = 0;
	give(job, "key.pem", PEM("PRIVATE KEY"), sha);
	ck_done(book_execute(
	        fixture_book, &fixture_error,
	        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO job_files (job, path, "
	        "sha256, size) SELECT ?1, 'key' || i || '.pem', ?2, ?3 FROM n",
	        VALUES(INTEGER(job), TEXT(sha), INTEGER(strlen(PEM("PRIVATE KEY"))))));
	ck_done(book_execute(
	        fixture_book, &fixture_error,
	        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO job_files (job, path, "
	        "sha256, size) SELECT ?1, 'other' || i, printf('%064x', i), 5 FROM n",
	        VALUES(INTEGER(job))));
	(void)night_run(job, (struct night_run){.results = results_of("a=pass")});
	(void)night_end(job, NULL, NIGHT_NS);
	ck_assert_uint_eq(remove_keys(), 1);
	ck_assert_uint_eq(files_there(false), 0);
	ck_done(book_integer(fixture_book, &left, &fixture_error, "SELECT count(*) FROM job_files WHERE path GLOB 'other*'", NO_VALUES));
	ck_assert_int_eq(left, 300);
	ck_fails(ENOENT, book_integer(fixture_book, &left, &fixture_error, "SELECT 1 FROM job_files WHERE path GLOB 'key*'", NO_VALUES));
}
END_TEST

/* What a dead daemon was writing goes; what is being written stays. */
START_TEST(what_was_cut_off_is_swept)
{
	char path[PATH_SIZE], name[65];
	struct blob_writer *w;
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	ck_done(blob_write(w, "abc", 3, &fixture_error));
	fixture_file(path, "blobs/incoming/99-1");
	fixture_write(path, "half", 4);
	ck_assert_uint_eq(sweep(book_now_utc_ns() - DAY_NS), 1);
	ck_assert_uint_eq(files_there(true), 1);
	ck_done(blob_end(w, abc_sha, name, NULL, &fixture_error));
	ck_assert_uint_eq(files_there(true), 0);
}
END_TEST

static void write_until_killed(int tell)
{
	static char chunk[4096];
	fixture_open();
	for (unsigned i = 0;; i++) {
		struct blob_writer *w;
		char name[65];
		memset(chunk, (int)i, sizeof(chunk));
		if (blob_begin(fixture_book, &w, NULL) < 0)
			_exit(1);
		for (unsigned k = 0; k < 1 + i % 7; k++)
			if (blob_write(w, chunk, sizeof(chunk), NULL) < 0)
				_exit(2);
		if (blob_end(w, NULL, name, NULL, NULL) < 0 || write(tell, name, 64) != 64)
			_exit(3);
	}
}

START_TEST(kill_leaves_whole_files)
{
	uint64_t state = 31 + (uint64_t)_i, size;
	fixture_close();
	int pipe_fd[2];
	ck_assert_int_eq(pipe(pipe_fd), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		write_until_killed(pipe_fd[1]);
	close(pipe_fd[1]);
	char name[65] = "", last[65] = "";
	unsigned count = 0, kill_after = 1 + (unsigned)(random_next(&state) % 40);
	while (count < kill_after && read(pipe_fd[0], name, 64) == 64)
		count++;
	usleep((useconds_t)(random_next(&state) % 3000));
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	fixture_open();
	/* What was told is there. */
	while (read(pipe_fd[0], last, 64) == 64)
		memcpy(name, last, 64);
	close(pipe_fd[0]);
	ck_done(blob_find(fixture_book, name, &size, &fixture_error));
	/* Whatever has a name has its bytes. */
	char folder[PATH_SIZE];
	for (int i = 0; i < 256; i++) {
		char sub[16];
		(void)snprintf(sub, sizeof(sub), "blobs/%02x", i);
		fixture_file(folder, sub);
		DIR *dir = opendir(folder);
		for (struct dirent *entry; dir && (entry = readdir(dir));) {
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(name, sizeof(name), "%02x%.62s", (unsigned)i, entry->d_name);
			ck_assert(is_whole(name));
		}
		if (dir)
			closedir(dir);
	}
	(void)sweep(book_now_utc_ns() - DAY_NS);
	ck_assert_uint_eq(files_there(true), 0);
}
END_TEST

START_TEST(a_full_disk_leaves_nothing_half)
{
	static char chunk[65536];
	struct blob_writer *w;
	char name[65], path[PATH_SIZE], sha[65];
	uint64_t size;
	memset(chunk, 'x', sizeof(chunk));
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	for (int i = 0; i < 4; i++)
		ck_done(blob_write(w, chunk, sizeof(chunk), &fixture_error));
	ck_done(blob_end(w, NULL, sha, NULL, &fixture_error));
	fixture_file(path, "big");
	FILE *big = fopen(path, "we");
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(fwrite(chunk, 1, sizeof(chunk), big), sizeof(chunk));
	ck_assert_int_eq(fclose(big), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	struct rlimit full = {100000, 100000};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	ck_done(blob_begin(fixture_book, &w, &fixture_error));
	ck_done(blob_write(w, chunk, sizeof(chunk), &fixture_error));
	ck_fails(ENOSPC, blob_write(w, chunk, sizeof(chunk), &fixture_error));
	blob_drop(w);
	ck_fails(ENOSPC, blob_from_file(fixture_book, path, false, name, &size, &fixture_error));
	ck_assert_uint_eq(files_there(true), 0);
	ck_assert_uint_eq(files_there(false), 1);
	blob_of("small", name); /* goes on */
	ck_assert_uint_eq(files_there(false), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blobs");
	TCase *tcase = tcase_create("blobs");
	tcase_add_checked_fixture(tcase, start, fixture_end);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, bytes_come_back);
	tcase_add_test(tcase, files_become_blobs);
	tcase_add_test(tcase, damage_is_noticed);
	tcase_add_test(tcase, only_what_nothing_names_is_swept);
	tcase_add_test(tcase, what_comes_again_meanwhile_is_not_swept);
	tcase_add_test(tcase, keys_of_older_daemons_go);
	tcase_add_test(tcase, keys_among_many_files_are_found);
	tcase_add_test(tcase, what_was_cut_off_is_swept);
	tcase_add_loop_test(tcase, kill_leaves_whole_files, 0, 12);
	tcase_add_test(tcase, a_full_disk_leaves_nothing_half);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
