/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys that jobs came with before uploads of keys were refused. What is kept here everybody can fetch who may look at the lab. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/log.h"
#include "../../base/private_key.h"
#include "blobs_private.h"
#include "book_private.h"

#define KEY_MOST  65536 /* bytes of a file of keys */
#define BATCH     128
#define ROWS_MOST 500       /* of a key that many jobs came with, at once */
#define BUDGET_NS 20000000L /* of one call: the daemon has one thread */

static const char pem_begin[] = "-----BEGIN ";

struct batch {
	char names[BATCH][BLOB_NAME_SIZE];
	bool given[BATCH]; /* small, and a job came with it */
	size_t count;
};

static int read_name(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct batch *batch = ret;
	const char *name = (const char *)sqlite3_column_text(row, 0);
	if (!blob_name_valid(name))
		return error_set(err, ERROR_BENCH, EUCLEAN, "the book names a file that has no valid name");
	memcpy(batch->names[batch->count], name, BLOB_NAME_SIZE);
	batch->given[batch->count++] = sqlite3_column_int(row, 1) != 0;
	return 0;
}

/* ---- whether it is one ---- */

static bool read_whole(int fd, char *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, bytes + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* A file that is PEM and has a private key: not a test case in which one is written. */
static bool holds_key(const char *bytes, size_t size)
{
	struct private_key_search search = {0};
	if (size < sizeof(pem_begin) || memcmp(bytes, pem_begin, sizeof(pem_begin) - 1) != 0)
		return false;
	private_key_look(&search, bytes, size);
	return search.in_text;
}

static bool is_key(struct book *book, const char *name)
{
	char path[PATH_SIZE], *bytes = NULL;
	struct stat status;
	if (blob_path(name, path, NULL) < 0)
		return false;
	int fd = openat(book->directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool small = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= KEY_MOST;
	if (small)
		bytes = malloc((size_t)status.st_size + 1);
	bool found = bytes && read_whole(fd, bytes, (size_t)status.st_size) && holds_key(bytes, (size_t)status.st_size);
	if (bytes)
		explicit_bzero(bytes, (size_t)status.st_size);
	free(bytes);
	close(fd);
	return found;
}

/* ---- its removal ---- */

static int tell(struct book *book, sqlite3_stmt *row, void *context, struct error *err)
{
	log_warning("removed the private key %s that job %lld came with: others could fetch it, so replace it",
	            (const char *)sqlite3_column_text(row, 1), (long long)sqlite3_column_int64(row, 0));
	return 0;
}

/* The number of names that were taken away. */
static int unname(struct book *book, const char *name, struct error *err)
{
	int files = 0, artefacts = 0, r = book_begin(book, err);
	if (r < 0)
		return r;
	r = files = book_execute(book, err,
	                         "DELETE FROM job_files WHERE (job, path) IN (SELECT job, path FROM job_files WHERE sha256 = ?1 LIMIT ?2)",
	                         VALUES(TEXT(name), INTEGER(ROWS_MOST)));
	if (r >= 0)
		r = artefacts = book_execute(
		        book, err,
		        "DELETE FROM artefacts WHERE (run, name) IN (SELECT run, name FROM artefacts WHERE sha256 = ?1 LIMIT ?2)",
		        VALUES(TEXT(name), INTEGER(ROWS_MOST)));
	if (r >= 0 && (r = book_commit(book, err)) >= 0)
		return files + artefacts;
	book_roll_back(book);
	return r;
}

/* A crash after the names are gone leaves a file that blobs_sweep() takes away. */
static void take_away(struct book *book, const char *name)
{
	char path[PATH_SIZE];
	if (blob_path(name, path, NULL) < 0)
		return;
	(void)pthread_mutex_lock(&book->places);
	(void)unlinkat(book->directory_fd, path, 0);
	(void)pthread_mutex_unlock(&book->places);
}

/* 1: gone, 0: it stays (a job that is not done has it), -EAGAIN (err not filled): more of its names are to be taken away. */
static int remove_key(struct book *book, const char *name, struct error *err)
{
	int64_t used = 0;
	int r = book_integer(book, &used, err,
	                     "SELECT 1 FROM jobs INDEXED BY jobs_active WHERE state <> 'done' AND EXISTS (SELECT 1 FROM job_files WHERE "
	                     "job = jobs.id AND sha256 = ?1) LIMIT 1",
	                     VALUES(TEXT(name)));
	if (r != -ENOENT)
		return r;
	r = book_each(book, tell, NULL, err, "SELECT job, path FROM job_files WHERE sha256 = ?1 ORDER BY job DESC LIMIT 1",
	              VALUES(TEXT(name)));
	const int unnamed = r < 0 ? r : unname(book, name, err);
	if (unnamed < 0)
		return unnamed;
	r = book_integer(book, &used, err, "SELECT names FROM blobs WHERE sha256 = ?1", VALUES(TEXT(name)));
	if (r != -ENOENT)
		return r < 0 ? r : unnamed > 0 ? -EAGAIN : 0;
	take_away(book, name);
	return 1;
}

/* ---- all of them, in portions ---- */

static int look_through(struct book *book, const struct batch *batch, int64_t until_ns, unsigned *removed, struct error *err)
{
	for (size_t i = 0; i < batch->count && (i == 0 || book_monotonic_ns() < until_ns); i++) {
		const char *name = batch->names[i];
		int r = batch->given[i] && is_key(book, name) ? remove_key(book, name, err) : 0;
		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		*removed += r > 0;
		memcpy(book->keys_behind, name, BLOB_NAME_SIZE);
	}
	return 0;
}

int blobs_remove_keys(struct book *book, unsigned *ret_removed, bool *ret_more, struct error *err)
{
	int64_t until_ns = book_monotonic_ns() + BUDGET_NS;
	struct batch *batch = calloc(1, sizeof(*batch));
	*ret_removed = 0;
	*ret_more = false;
	if (!batch)
		return book_no_memory(err);
	int r = book_each(book, read_name, batch, err,
	                  "SELECT sha256, size BETWEEN 1 AND ?2 AND EXISTS (SELECT 1 FROM job_files f WHERE f.sha256 = blobs.sha256) "
	                  "FROM blobs WHERE sha256 > ?1 ORDER BY sha256 LIMIT ?3",
	                  VALUES(TEXT(book->keys_behind), INTEGER(KEY_MOST), INTEGER(BATCH)));
	if (r >= 0)
		r = look_through(book, batch, until_ns, ret_removed, err);
	*ret_more = r >= 0 && batch->count > 0;
	if (!*ret_more)
		book->keys_behind[0] = '\0'; /* the next time from the beginning */
	free(batch);
	return r;
}
