/* SPDX-License-Identifier: Apache-2.0 */
#include "book_fixture.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct error fixture_error;
char fixture_directory[PATH_SIZE];
struct book *fixture_book;
static char top[PATH_SIZE / 2];

void fixture_begin(void)
{
	const char *place = getenv("TMPDIR");

	(void)snprintf(top, sizeof(top), "%s/book-XXXXXX", place ? place : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(top));
	(void)snprintf(fixture_directory, sizeof(fixture_directory), "%s/state", top);
	memset(&fixture_error, 0, sizeof(fixture_error));
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	return remove(path);
}

void fixture_remove(const char *directory)
{
	(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_end(void)
{
	fixture_close();
	fixture_remove(top);
}

void fixture_open(void)
{
	ck_assert_ptr_null(fixture_book);
	ck_done(book_open(&fixture_book, fixture_directory, &fixture_error));
}

void fixture_close(void)
{
	book_close(fixture_book);
	fixture_book = NULL;
}

void fixture_rigs(struct book *book)
{
	ck_done(book_rig_known(book, "v1", "virtual", "/etc/v1.yaml", &fixture_error));
	ck_done(book_rig_known(book, "v2", "virtual", "/etc/v2.yaml", &fixture_error));
	ck_done(book_rig_known(book, "v3", "virtual", "/etc/v3.yaml", &fixture_error));
}

int fixture_job(struct book *book, const char *series, const char *rig, const char *key, int64_t *ret_id, struct error *err)
{
	static char digest_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static char digest_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	static char path_a[] = "cases/a.yaml", path_b[] = "cases/b.yaml", paths_entry[] = "cases", capability[] = "can-fd";
	struct job_file files[] = {{path_a, digest_a, 812}, {path_b, digest_b, 17}};
	char *paths[] = {paths_entry, NULL}, *
	        requires[
	] = {capability, NULL};
	char title[] = "a title", submitter[] = "ada";
	struct job_record job = {
	        .title = title,
	        .series = (char *)(uintptr_t)series,
	        .submitter = submitter,
	        .key = (char *)(uintptr_t)key,
	        .rig = (char *)(uintptr_t)rig,
	        .requires = requires,
	        .paths = paths,
	        .spread = 1,
	        .retries = 1,
	        .options = json_pack("{si}", "repeat", 1),
	        .time_limit_ns = INT64_C(7200000000000),
	        .silence_limit_ns = INT64_C(600000000000),
	        .files = files,
	        .file_count = 2,
	};
	int r = book_job_add(book, &job, ret_id, err);

	json_decref(job.options);
	return r;
}

int fixture_whole_run(struct book *book, int64_t job, const char *rig, enum job_outcome outcome, int64_t *ret_id, struct error *err)
{
	struct run_record run = {.job = job, .rig = (char *)(uintptr_t)rig};
	int r = book_run_add(book, &run, err);

	if (r >= 0)
		r = book_run_running(book, run.id, 0, err);
	if (r >= 0)
		r = book_run_ended(book, run.id, 0, -1, 0, err);
	if (r >= 0)
		r = book_lease_cleaning(book, run.lease, "the run is over", err);
	if (r >= 0)
		r = book_run_done(book, run.id, outcome, outcome == OUTCOME_ERROR ? "bench" : NULL, "", err);
	if (r >= 0)
		r = book_lease_over(book, run.lease, err);
	if (r >= 0 && ret_id)
		*ret_id = run.id;
	return r;
}

/* The files that the fixture's jobs name are no blobs; that is the business of another test. */
static void tell(const char *breach, void *context)
{
	unsigned *count = context;

	if (strstr(breach, "aaaaaaaa") || strstr(breach, "bbbbbbbb") || strstr(breach, "cccccccc"))
		return;
	(void)fprintf(stderr, "breach: %s\n", breach);
	++*count;
}

unsigned fixture_breaches(struct book *book, bool deep)
{
	unsigned told = 0, all = 0;

	ck_done(book_check(book, deep, tell, &told, &all, &fixture_error));
	ck_assert_uint_ge(all, told);
	return told;
}

void fixture_file(char path[PATH_SIZE], const char *name)
{
	ck_assert_int_lt(snprintf(path, PATH_SIZE, "%.256s/%.200s", fixture_directory, name), PATH_SIZE);
}

unsigned char *fixture_read(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes;
	long size;

	ck_assert_msg(file != NULL, "%s cannot be read", path);
	(void)fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	bytes = malloc((size_t)size + 1);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(fread(bytes, 1, (size_t)size, file), (size_t)size);
	(void)fclose(file);
	*ret_size = (size_t)size;
	return bytes;
}

void fixture_write(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}
