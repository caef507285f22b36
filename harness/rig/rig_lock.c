/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX      512
#define LOOKS         20 /* at a lock whose holder has not written yet who he is */
#define LOOK_PAUSE_NS 10000000
#define TRIES         8

struct rig_lock {
	int fd;
	char path[PATH_MAX];
};

static const char *lock_folder(void)
{
	const char *given = getenv("HILBENCH_LOCKS");
	if (given && *given)
		return given;
	return access("/run/lock", W_OK) == 0 ? "/run/lock" : "/tmp";
}

/* The rig's name with everything else than letters and digits as "-". */
static int lock_path(const struct rig_file *file, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/hilbench-%s.lock", lock_folder(), rig_file_name(file));
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	for (char *at = path + strlen(lock_folder()) + strlen("/hilbench-"); at < path + n - strlen(".lock"); at++)
		if (!isalnum((unsigned char)*at) && *at != '_' && *at != '.')
			*at = '-';
	return 0;
}

/* Opens the file, or makes it. Never through a link, and never one that is no plain file: the folder is everybody's. The
 * kernel (fs.protected_regular) lets nobody open another user's file there with O_CREAT, so that is asked for only
 * when there is none. */
static int open_file(const char *path)
{
	struct stat status;
	for (unsigned i = 0; i < TRIES; i++) {
		int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) {
			fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
			if (fd < 0 && errno == EEXIST)
				continue;
			/* Whatever the umask: the next user of the rack is another one. */
			if (fd >= 0 && fchmod(fd, 0666) < 0) {
				int code = errno;
				close(fd);
				return -code;
			}
		}
		if (fd < 0)
			return -errno;
		if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1)
			return fd;
		close(fd);
		return -EPERM;
	}
	return -EAGAIN;
}

/* "alice (process 123) since 2026-01-02 03:04:05, hilbench run …", as its holder wrote it; no control characters. */
static void read_holder(int fd, char *text)
{
	ssize_t n = 0;
	/* Between taking the lock and writing his name there is a moment. */
	for (unsigned i = 0; i < LOOKS && n <= 0; i++) {
		const struct timespec pause = {0, LOOK_PAUSE_NS};
		n = pread(fd, text, TEXT_MAX - 1, 0);
		if (n <= 0)
			(void)nanosleep(&pause, NULL);
	}
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	if (!*text)
		snprintf(text, TEXT_MAX, "somebody who does not say who he is");
}

static void write_holder(int fd, const char *command)
{
	char text[TEXT_MAX], since[32], name[64];
	time_t now = time(NULL);
	struct tm parts;
	const struct passwd *user = getpwuid(geteuid());
	localtime_r(&now, &parts);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &parts);
	if (user)
		snprintf(name, sizeof(name), "%s", user->pw_name);
	else
		snprintf(name, sizeof(name), "user %u", (unsigned)geteuid());
	int n = snprintf(text, sizeof(text), "%s (process %d) since %s: %.300s\n", name, (int)getpid(), since, command);
	/* Without a name in it the lock still holds. */
	if (n > 0 && ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

/* Whether the path still names this file: its last holder may have removed it. */
static bool same_file(int fd, const char *path)
{
	struct stat open_one, named;
	return fstat(fd, &open_one) == 0 && lstat(path, &named) == 0 && open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static int take(struct rig_lock *lock, const char *name, struct error *err)
{
	char holder[TEXT_MAX];
	for (unsigned i = 0; i < TRIES; i++) {
		lock->fd = open_file(lock->path);
		if (lock->fd < 0)
			return error_set(err, ERROR_BENCH, -lock->fd, "cannot use %s: %s", lock->path, strerror(-lock->fd));
		if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0) {
			read_holder(lock->fd, holder);
			close(lock->fd);
			return error_set(err, ERROR_BENCH, EBUSY, "the rig \"%s\" is taken by %s", name, holder);
		}
		if (same_file(lock->fd, lock->path))
			return 0;
		close(lock->fd);
	}
	return error_set(err, ERROR_BENCH, EAGAIN, "%s is removed again and again", lock->path);
}

int rig_lock_take(struct rig_lock **ret, const struct rig_file *file, const char *command, struct error *err)
{
	*ret = NULL;
	if (rig_file_is_virtual(file))
		return 0;
	struct rig_lock *lock = calloc(1, sizeof(*lock));
	if (!lock)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = lock_path(file, lock->path, sizeof(lock->path));
	r = r < 0 ? error_set(err, ERROR_BENCH, -r, "the rig's name is too long") : take(lock, rig_file_name(file), err);
	if (r < 0) {
		free(lock);
		return r;
	}
	write_holder(lock->fd, command);
	*ret = lock;
	return 0;
}

void rig_lock_release(struct rig_lock *lock)
{
	if (!lock)
		return;
	/* The file goes while it is still locked. In a sticky folder another user's file stays, and holds nothing. */
	(void)unlink(lock->path);
	close(lock->fd);
	free(lock);
}
