/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs_private.h"
#include "book_private.h"

#define FOLDERS   256       /* then the one of files that are coming in */
#define BUDGET_NS 20000000L /* of one call: the daemon has one thread */
#define AHEAD_NS  (int64_t)60000000000

struct sweep {
	struct book *book;
	int64_t older_than_ns, now_ns;
	unsigned at_most, removed;
};

static bool old_enough(struct sweep *s, int folder, const char *file)
{
	struct stat st;
	if (fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	int64_t changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	/* Written while the clock was wrong: its age counts from now on. */
	if (changed_ns > s->now_ns + AHEAD_NS)
		(void)utimensat(folder, file, NULL, AT_SYMLINK_NOFOLLOW);
	return changed_ns < s->older_than_ns;
}

/* A worker may have brought it again since it was looked at: then it is no longer old. */
static bool take_away(struct sweep *s, int folder, const char *file)
{
	(void)pthread_mutex_lock(&s->book->places);
	bool taken = old_enough(s, folder, file) && unlinkat(folder, file, 0) == 0;
	(void)pthread_mutex_unlock(&s->book->places);
	return taken;
}

static int sweep_blob(struct sweep *s, int folder, unsigned number, const char *file, struct error *err)
{
	char name[BLOB_NAME_SIZE + 1];
	int64_t names;
	if (snprintf(name, sizeof(name), "%02x%s", number, file) != BLOB_NAME_SIZE - 1 || !blob_name_valid(name) ||
	    !old_enough(s, folder, file))
		return 0;
	int r = book_integer(s->book, &names, err, "SELECT names FROM blobs WHERE sha256 = ?1", VALUES(TEXT(name)));
	if (r != -ENOENT)
		return r;
	s->removed += take_away(s, folder, file);
	return 0;
}

/* Who writes one has it locked; a dead daemon has not. */
static void sweep_incoming(struct sweep *s, int folder, const char *file)
{
	int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(folder, file, 0) == 0)
		s->removed++;
	close(fd);
}

static int sweep_folder(struct sweep *s, unsigned number, struct error *err)
{
	char path[PATH_SIZE];
	if (number < FOLDERS)
		(void)snprintf(path, sizeof(path), "blobs/%02x", number);
	else
		(void)snprintf(path, sizeof(path), "blobs/incoming");
	int fd = openat(s->book->directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (!folder) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return code == ENOENT ? 0 : blob_disk_error(err, code, "read", path);
	}
	int r = 0;
	for (struct dirent *entry; r >= 0 && s->removed < s->at_most && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		if (number < FOLDERS)
			r = sweep_blob(s, dirfd(folder), number, entry->d_name, err);
		else
			sweep_incoming(s, dirfd(folder), entry->d_name);
	}
	closedir(folder);
	return r;
}

int blobs_sweep(struct book *book, int64_t older_than_utc_ns, unsigned at_most, unsigned *ret_removed, bool *ret_more, struct error *err)
{
	struct sweep s = {.book = book, .older_than_ns = older_than_utc_ns, .now_ns = book_now_utc_ns(), .at_most = at_most};
	int64_t begun_ns = book_monotonic_ns();
	int r = 0;
	*ret_removed = 0;
	*ret_more = true;
	/* A name that was taken away in a transaction may come back with it. */
	if (book->only_read || !sqlite3_get_autocommit(book->db))
		return error_set(err, ERROR_BENCH, EBUSY, "files are not removed inside of a transaction");
	while (r >= 0 && s.removed < at_most && book_monotonic_ns() - begun_ns < BUDGET_NS) {
		r = sweep_folder(&s, book->sweep_folder, err);
		if (r < 0 || s.removed == at_most)
			break;
		if (book->sweep_folder++ == FOLDERS) {
			book->sweep_folder = 0;
			*ret_more = false;
			break;
		}
	}
	*ret_removed = s.removed;
	return r;
}
