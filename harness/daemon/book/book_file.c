/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory before SQLite sees it: its lock, and whether the file there may be taken for a database. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/log.h"
#include "book_private.h"

#define LOCK_POLL_MS     10
#define LOCK_PATIENCE_MS 2000
#define LOCK_FILE        "lock"

char *book_path(const struct book *book, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", book->directory, name) < 0 ? NULL : path;
}

static int io_error(const char *path, const char *doing, struct error *err)
{
	int number = errno;

	return error_set(err, ERROR_BENCH, number, "%s: %s: %s", path, doing, strerror(number));
}

/* A new directory is only there for good when its parent is on the disk. */
static void sync_parent(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

int book_file_directory(struct book *book, const char *path, bool make, struct error *err)
{
	struct stat stat;

	if (make && !mkdir(path, 0750))
		sync_parent(path);
	else if (make && errno != EEXIST)
		return io_error(path, "cannot make the state directory", err);
	book->directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (book->directory_fd < 0)
		return io_error(path, "cannot open the state directory", err);
	if (fstat(book->directory_fd, &stat) < 0)
		return io_error(path, "cannot look at the state directory", err);
	if (stat.st_mode & S_IWOTH)
		return error_set(err, ERROR_BENCH, EPERM, "%s: everybody may write to the state directory: take that away (chmod o-w)",
		                 path);
	book->directory = realpath(path, NULL);
	return book->directory ? 0 : io_error(path, "cannot find the state directory", err);
}

/* Of whoever wrote into the lock file last; 0: nobody did. */
static pid_t lock_owner(int fd)
{
	char text[32] = "";
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

static int locked_by_other(const struct book *book, int fd, struct error *err)
{
	long pid = (long)lock_owner(fd);

	if (pid <= 0)
		return error_set(err, ERROR_BENCH, EBUSY, "%s belongs to another hilbenchd", book->directory);
	return error_set(err, ERROR_BENCH, EBUSY, "%s belongs to another hilbenchd, process %ld", book->directory, pid);
}

/* A daemon that was killed while it started a process leaves its descriptors, and so its lock, to that process until the exec, a few
 * milliseconds later: that is waited for. One that lives is not. 0 or -errno. */
static int lock_patiently(int fd)
{
	for (unsigned waited_ms = 0;; waited_ms += LOCK_POLL_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		int code = errno;
		pid_t owner = code == EWOULDBLOCK ? lock_owner(fd) : 0;
		if (owner <= 0 || waited_ms >= LOCK_PATIENCE_MS || kill(owner, 0) == 0 || errno != ESRCH)
			return -code;
		usleep(LOCK_POLL_MS * 1000);
	}
}

/* The lock is the flock, not the file: the file stays, and what a dead daemon wrote into it does not matter. */
int book_file_lock(struct book *book, struct error *err)
{
	int fd = openat(book->directory_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return io_error(book->directory, "cannot make the lock file", err);
	int r = lock_patiently(fd);
	if (r < 0) {
		errno = -r;
		r = r == -EWOULDBLOCK ? locked_by_other(book, fd, err) : io_error(book->directory, "cannot lock", err);
		close(fd);
		return r;
	}
	book->lock_fd = fd;
	/* Only for people: on a full disk the lock holds all the same. */
	if (ftruncate(fd, 0) == 0)
		(void)!dprintf(fd, "%ld\n", (long)getpid());
	return 0;
}

static int damaged(const struct book *book, const char *what, struct error *err)
{
	return error_set(err, ERROR_BENCH, EUCLEAN,
	                 "%s/" BOOK_FILE " %s; it is left as it is: put a backup in its place, or move it away to begin anew",
	                 book->directory, what);
}

static bool has_entries(const struct book *book, const char *name)
{
	int fd = openat(book->directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (entry = readdir(folder)))
		found = strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(folder);
	return found;
}

/* A directory with blobs or a log of changes had a book: a new one beside them would soon sweep away what the old one names. */
static int examine_absence(const struct book *book, struct error *err)
{
	struct stat stat;

	if (!fstatat(book->directory_fd, BOOK_FILE "-wal", &stat, AT_SYMLINK_NOFOLLOW) && stat.st_size > 0)
		return damaged(book, "is missing, but its log " BOOK_FILE "-wal is there", err);
	if (has_entries(book, "blobs"))
		return damaged(book, "is missing, but its files (blobs) are there", err);
	return 0;
}

static uint32_t big_endian(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* SQLite file format, 1.3 "The Database Header". The length is only told by the header when no log of changes waits to be merged in. */
static int examine_header(const struct book *book, const uint8_t header[100], off_t size, bool has_log, struct error *err)
{
	uint32_t page_size = (uint32_t)header[16] << 8 | header[17];
	uint64_t pages = big_endian(header + 28);

	if (page_size == 1)
		page_size = 65536;
	if (memcmp(header, "SQLite format 3", 16) != 0)
		return damaged(book, "is not a database (its beginning is not SQLite's)", err);
	if (page_size < 512 || (page_size & (page_size - 1)) || header[18] < 1 || header[18] > 2 || header[19] < 1 || header[19] > 2 ||
	    big_endian(header + 44) > 4 || big_endian(header + 56) != 1)
		return damaged(book, "has a damaged header", err);
	if (big_endian(header + 68) != BOOK_APPLICATION_ID)
		return damaged(book, "is a database of another program", err);
	if (!has_log && big_endian(header + 24) == big_endian(header + 92) && (uint64_t)size < pages * page_size)
		return damaged(book, "is cut off (shorter than its header says)", err);
	return 0;
}

static int examine_owner(const struct book *book, const struct stat *stat, struct error *err)
{
	if (!S_ISREG(stat->st_mode))
		return damaged(book, "is not a file", err);
	if (!book->only_read && stat->st_uid != geteuid())
		return error_set(err, ERROR_BENCH, EPERM, "%s/" BOOK_FILE " belongs to user %u, and this is user %u: it is left as it is",
		                 book->directory, (unsigned)stat->st_uid, (unsigned)geteuid());
	if (stat->st_mode & S_IWOTH)
		return error_set(err, ERROR_BENCH, EPERM, "%s/" BOOK_FILE " may be written by everybody: take that away (chmod o-w)",
		                 book->directory);
	if (!(stat->st_mode & S_IRUSR) || (!book->only_read && !(stat->st_mode & S_IWUSR)))
		return error_set(err, ERROR_BENCH, EACCES, "%s/" BOOK_FILE " may not be read and written by its owner (chmod u+rw)",
		                 book->directory);
	return 0;
}

/* A copy that somebody put back has the mode of his umask. Tokens are kept as digests, but who did what is nobody else's business. */
static void mend_modes(const struct book *book)
{
	static const char *const names[] = {BOOK_FILE, BOOK_FILE "-wal", BOOK_FILE "-shm"};
	struct stat stat;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (fstatat(book->directory_fd, names[i], &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode) ||
		    !(stat.st_mode & S_IRWXO))
			continue;
		if (fchmodat(book->directory_fd, names[i], S_IRUSR | S_IWUSR, 0) == 0)
			log_warning("%s/%s was open to everybody (mode %o): now it is only to its owner (600)", book->directory, names[i],
			            (unsigned)stat.st_mode & 07777);
		else
			log_warning("%s/%s is open to everybody (mode %o): %s", book->directory, names[i], (unsigned)stat.st_mode & 07777,
			            strerror(errno));
	}
}

int book_file_examine(struct book *book, bool *ret_there, struct error *err)
{
	struct stat stat, log;
	uint8_t header[100];
	ssize_t length;
	int fd, r;

	if (fstatat(book->directory_fd, BOOK_FILE, &stat, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return io_error(book->directory, "cannot look at " BOOK_FILE, err);
		*ret_there = false;
		return examine_absence(book, err);
	}
	r = examine_owner(book, &stat, err);
	if (r < 0)
		return r;
	if (!book->only_read)
		mend_modes(book);
	fd = openat(book->directory_fd, BOOK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return io_error(book->directory, "cannot read " BOOK_FILE, err);
	length = pread(fd, header, sizeof(header), 0);
	close(fd);
	if (length < 0)
		return io_error(book->directory, "cannot read " BOOK_FILE, err);
	if (length < (ssize_t)sizeof(header))
		return damaged(book, length ? "is cut off (shorter than a header)" : "is empty", err);
	r = examine_header(book, header, stat.st_size,
	                   !fstatat(book->directory_fd, BOOK_FILE "-wal", &log, AT_SYMLINK_NOFOLLOW) && log.st_size > 0, err);
	if (r >= 0)
		*ret_there = true;
	return r;
}
