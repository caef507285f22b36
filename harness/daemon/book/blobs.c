/* SPDX-License-Identifier: Apache-2.0 */
#include "blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/hex.h"
#include "blobs_private.h"
#include "book_private.h"

#define INCOMING     "blobs/incoming"
#define CHUNK        (256u << 10)
#define WRITER_TRIES 1000
#define FLUSH_EVERY  (8u << 20)

struct blob_writer {
	struct book *book;
	int fd;
	char path[PATH_SIZE]; /* below the state directory */
	EVP_MD_CTX *digest;
	uint64_t size, flushed;
	bool hasty;
};

bool blob_name_valid(const char *name)
{
	return name && strspn(name, "0123456789abcdef") == BLOB_NAME_SIZE - 1 && name[BLOB_NAME_SIZE - 1] == '\0';
}

int blob_disk_error(struct error *err, int code, const char *doing, const char *what)
{
	/* A quota and a limit of the process are full disks too. */
	if (code == EDQUOT || code == EFBIG)
		code = ENOSPC;
	return error_set(err, ERROR_BENCH, code, "cannot %s %s: %s", doing, what, strerror(code));
}

int blob_path(const char *name, char path[PATH_SIZE], struct error *err)
{
	if (!blob_name_valid(name))
		return error_set(err, ERROR_USAGE, EINVAL, "not the SHA-256 of a file: it has 64 digits of 0-9 and a-f");
	(void)snprintf(path, PATH_SIZE, "blobs/%.2s/%s", name, name + 2);
	return 0;
}

int blob_place(const char *name, char *ret, size_t size, struct error *err)
{
	char path[PATH_SIZE];
	int r = blob_path(name, path, err);
	if (r == 0 && (size_t)snprintf(ret, size, "%s", path) >= size)
		r = error_set(err, ERROR_BENCH, ENAMETOOLONG, "%s: the name is too long", path);
	return r;
}

/* *ret -1: no table names it. */
static int named_size(struct book *book, const char *name, int64_t *ret, struct error *err)
{
	*ret = -1;
	int r = book_integer(book, ret, err, "SELECT size FROM blobs WHERE sha256 = ?1", VALUES(TEXT(name)));
	return r == -ENOENT ? 0 : r;
}

/* -ENOENT also when its size is not what the book says: then it has to be brought again, which mends it. */
int blob_find(struct book *book, const char *name, uint64_t *ret_size, struct error *err)
{
	char path[PATH_SIZE];
	struct stat st;
	int64_t size;
	int r = blob_path(name, path, err);
	if (r < 0 || (r = named_size(book, name, &size, err)) < 0)
		return r;
	if (fstatat(book->directory_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return blob_disk_error(err, errno, "find", path);
	if (!S_ISREG(st.st_mode) || (size >= 0 && size != st.st_size))
		return error_set(err, ERROR_BENCH, ENOENT, "%s is damaged", path);
	/* Who asks is about to name it: it must not be swept away before. */
	if (!book->only_read)
		(void)utimensat(book->directory_fd, path, NULL, AT_SYMLINK_NOFOLLOW);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int blob_open(struct book *book, const char *name, int *ret_fd, uint64_t *ret_size, struct error *err)
{
	char path[PATH_SIZE];
	struct stat st;
	int64_t size;
	int r = blob_path(name, path, err);
	if (r < 0 || (r = named_size(book, name, &size, err)) < 0)
		return r;
	int fd = openat(book->directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return blob_disk_error(err, errno, "open", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size >= 0 && size != st.st_size)) {
		close(fd);
		return error_set(err, ERROR_BENCH, EUCLEAN, "%s is damaged: its size is not that of the file that was stored", path);
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* ---- digests ---- */
EVP_MD_CTX *blob_digest_begin(struct error *err)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
		return digest;
	EVP_MD_CTX_free(digest);
	(void)book_no_memory(err);
	return NULL;
}

int blob_digest_end(EVP_MD_CTX *digest, char name[BLOB_NAME_SIZE], struct error *err)
{
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (EVP_DigestFinal_ex(digest, bytes, &length) != 1 || length != (BLOB_NAME_SIZE - 1) / 2)
		return error_set(err, ERROR_BENCH, EIO, "cannot make a SHA-256");
	(void)hex_text(bytes, length, name);
	return 0;
}

/* Reads to the end, giving each chunk to take(). */
int blob_read_all(int fd, int (*take)(void *context, const void *data, size_t length, struct error *err), void *context, const char *what,
                  struct error *err)
{
	int r = 0;
	uint8_t *chunk = malloc(CHUNK);
	if (!chunk)
		return book_no_memory(err);
	while (r >= 0) {
		ssize_t n = read(fd, chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = blob_disk_error(err, errno, "read", what);
		else if (n > 0)
			r = take(context, chunk, (size_t)n, err);
		else
			break;
	}
	free(chunk);
	return r;
}

static int digest_take(void *context, const void *data, size_t length, struct error *err)
{
	return EVP_DigestUpdate(context, data, length) == 1 ? 0 : error_set(err, ERROR_BENCH, EIO, "cannot make a SHA-256");
}

int blob_digest_of(int fd, const char *what, char name[BLOB_NAME_SIZE], struct error *err)
{
	EVP_MD_CTX *digest = blob_digest_begin(err);
	if (!digest)
		return -ENOMEM;
	int r = blob_read_all(fd, digest_take, digest, what, err);
	if (r >= 0)
		r = blob_digest_end(digest, name, err);
	EVP_MD_CTX_free(digest);
	return r;
}

/* ---- writing ---- */
static int folder_make(struct book *book, const char *path, struct error *err)
{
	if (mkdirat(book->directory_fd, path, 0750) < 0 && errno != EEXIST)
		return blob_disk_error(err, errno, "make", path);
	return 0;
}

static int folder_sync(struct book *book, const char *path, struct error *err)
{
	int fd = openat(book->directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd >= 0 && fsync(fd) >= 0 ? 0 : blob_disk_error(err, errno, "sync", path);
	if (fd >= 0)
		close(fd);
	return r;
}

/* What nobody has locked is left of a dead daemon. blobs_sweep() may have come between the opening and the lock. */
static bool writer_lock(int fd)
{
	struct stat st;
	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static int writer_open(struct blob_writer *w, struct error *err)
{
	static atomic_uint counter;
	int r = folder_make(w->book, "blobs", err);
	if (r < 0 || (r = folder_make(w->book, INCOMING, err)) < 0)
		return r;
	for (unsigned i = 0; i < WRITER_TRIES && w->fd < 0; i++) {
		(void)snprintf(w->path, sizeof(w->path), INCOMING "/%d-%u", (int)getpid(), atomic_fetch_add(&counter, 1));
		w->fd = openat(w->book->directory_fd, w->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (w->fd < 0 && errno != EEXIST)
			break;
		if (w->fd >= 0 && !writer_lock(w->fd)) {
			close(w->fd);
			w->fd = -1;
			errno = EBUSY;
		}
	}
	return w->fd < 0 ? blob_disk_error(err, errno, "make", w->path) : 0;
}

int blob_begin(struct book *book, struct blob_writer **ret, struct error *err)
{
	struct blob_writer *w = calloc(1, sizeof(*w));
	if (!w)
		return book_no_memory(err);
	w->book = book;
	w->fd = -1;
	int r = book->only_read ? error_set(err, ERROR_BENCH, EROFS, "the book was opened to read") : 0;
	if (r >= 0 && !(w->digest = blob_digest_begin(err)))
		r = -ENOMEM;
	if (r >= 0)
		r = writer_open(w, err);
	if (r < 0)
		blob_drop(w);
	else
		*ret = w;
	return r;
}

/* So that hundreds of MB are not flushed at once: every other commit to the disk would wait behind them. That they are kept says the fsync
 * at the end. */
static int writer_flush(struct blob_writer *w, struct error *err)
{
	const unsigned wait = w->hasty ? 0 : SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
	if (w->size - w->flushed < FLUSH_EVERY)
		return 0;
	if (sync_file_range(w->fd, (off_t)w->flushed, (off_t)(w->size - w->flushed), SYNC_FILE_RANGE_WRITE | wait) < 0 && errno != ENOSYS &&
	    errno != EINVAL && errno != ESPIPE && errno != EOPNOTSUPP)
		return blob_disk_error(err, errno, "write", w->path);
	w->flushed = w->size;
	return 0;
}

void blob_hasten(struct blob_writer *w)
{
	w->hasty = true;
}

int blob_write(struct blob_writer *w, const void *data, size_t length, struct error *err)
{
	const uint8_t *p = data;
	for (size_t left = length; left > 0;) {
		ssize_t n = write(w->fd, p, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return blob_disk_error(err, n < 0 ? errno : ENOSPC, "write", w->path);
		p += n;
		left -= (size_t)n;
	}
	w->size += length;
	int r = writer_flush(w, err);
	return r < 0 ? r : digest_take(w->digest, data, length, err);
}

void blob_drop(struct blob_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		(void)unlinkat(w->book->directory_fd, w->path, 0);
		close(w->fd);
	}
	EVP_MD_CTX_free(w->digest);
	free(w);
}

/* Its age begins anew before it is there: blobs_sweep() takes away what is old. */
static int file_move(struct book *book, int fd, int from_fd, const char *from, const char *to)
{
	(void)pthread_mutex_lock(&book->places);
	(void)futimens(fd, NULL);
	int code = renameat(from_fd, from, book->directory_fd, to) < 0 ? errno : 0;
	(void)pthread_mutex_unlock(&book->places);
	return -code;
}

/* An open file goes to its place. Also when there is one already: it may be damaged, and its name may not be on the disk yet. */
static int file_place(struct book *book, int fd, int from_fd, const char *from, const char *name, bool *ret_new, struct error *err)
{
	char path[PATH_SIZE], folder[PATH_SIZE];
	struct stat st;
	int r = blob_path(name, path, err);
	if (r < 0)
		return r;
	(void)snprintf(folder, sizeof(folder), "blobs/%.2s", name);
	if (fchmod(fd, 0440) < 0 || fsync(fd) < 0)
		return blob_disk_error(err, errno, "sync", from);
	if ((r = folder_make(book, "blobs", err)) < 0 || (r = folder_make(book, folder, err)) < 0 ||
	    (r = folder_sync(book, "blobs", err)) < 0)
		return r;
	bool is_new = fstatat(book->directory_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
	if ((r = file_move(book, fd, from_fd, from, path)) < 0)
		return r == -EXDEV ? -EXDEV : blob_disk_error(err, -r, "rename to", path);
	if (ret_new)
		*ret_new = is_new;
	return folder_sync(book, folder, err);
}

int blob_end(struct blob_writer *w, const char *expected, char name[BLOB_NAME_SIZE], bool *ret_new, struct error *err)
{
	int r = blob_digest_end(w->digest, name, err);
	if (r >= 0 && expected && strcmp(expected, name) != 0)
		r = error_set(err, ERROR_USAGE, EBADMSG, "the SHA-256 of the bytes is %s, not %.64s", name, expected);
	if (r >= 0)
		r = file_place(w->book, w->fd, w->book->directory_fd, w->path, name, ret_new, err);
	blob_drop(w); /* the name of the temporary file is gone when all went well */
	return r;
}

/* ---- from and to files ---- */
static int writer_take(void *context, const void *data, size_t length, struct error *err)
{
	return blob_write(context, data, length, err);
}

static int copy_in(struct book *book, int fd, const char *path, char name[BLOB_NAME_SIZE], struct error *err)
{
	struct blob_writer *w = NULL;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return blob_disk_error(err, errno, "read", path);
	int r = blob_begin(book, &w, err);
	if (r < 0)
		return r;
	r = blob_read_all(fd, writer_take, w, path, err);
	if (r >= 0)
		return blob_end(w, NULL, name, NULL, err);
	blob_drop(w);
	return r;
}

/* -EXDEV (err not filled): it has to be copied. */
static int move_in(struct book *book, int fd, const char *path, char name[BLOB_NAME_SIZE], struct error *err)
{
	struct stat open_file, named, folder;
	if (fstat(fd, &open_file) < 0 || lstat(path, &named) < 0 || fstat(book->directory_fd, &folder) < 0)
		return blob_disk_error(err, errno, "look at", path);
	/* A second name of it could be written to; another file of this name is not what was read. */
	if (open_file.st_nlink != 1 || open_file.st_ino != named.st_ino || open_file.st_dev != named.st_dev ||
	    open_file.st_dev != folder.st_dev)
		return -EXDEV;
	int r = blob_digest_of(fd, path, name, err);
	return r < 0 ? r : file_place(book, fd, AT_FDCWD, path, name, NULL, err);
}

int blob_from_file(struct book *book, const char *path, bool take, char name[BLOB_NAME_SIZE], uint64_t *ret_size, struct error *err)
{
	struct stat st;
	/* A job may have left anything there: no links, and no waiting for the other end of a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return blob_disk_error(err, errno, "open", path);
	int r = 0;
	if (fstat(fd, &st) < 0)
		r = blob_disk_error(err, errno, "look at", path);
	else if (!S_ISREG(st.st_mode))
		r = error_set(err, ERROR_BENCH, EINVAL, "%s is not a regular file", path);
	else if (book->only_read)
		r = error_set(err, ERROR_BENCH, EROFS, "the book was opened to read");
	if (r >= 0)
		r = take ? move_in(book, fd, path, name, err) : -EXDEV;
	if (r == -EXDEV) {
		r = copy_in(book, fd, path, name, err);
		if (r >= 0 && take)
			(void)unlink(path);
	}
	if (r >= 0 && fstat(fd, &st) < 0)
		r = blob_disk_error(err, errno, "look at", path);
	close(fd);
	if (r >= 0)
		*ret_size = (uint64_t)st.st_size;
	return r;
}

int blobs_used(struct book *book, uint64_t *ret, struct error *err)
{
	int64_t bytes = 0;
	int r = book_integer(book, &bytes, err, "SELECT bytes FROM blob_bytes", NO_VALUES);
	*ret = (uint64_t)bytes;
	return r == -ENOENT ? error_set(err, ERROR_BENCH, EUCLEAN, "the book does not say how large its files are") : r;
}
