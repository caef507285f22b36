/* SPDX-License-Identifier: Apache-2.0 */
/* Folders are made, and removed in portions. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

#define PORTION 256                 /* entries a turn of the loop */
#define SHORTER (INT64_C(16) << 20) /* bytes of a file a turn, about */
#define DEEPEST 16                  /* below that, folders are brought up first: no path is too long and no stack too small */

struct folder_remover {
	sd_event_source *idle;
	char trash[PATH_MAX];
	int fd;
	unsigned number;
	bool moved; /* a folder was brought up: the trash has more than was seen */
};

int folder_make(const char *path, struct error *err)
{
	char part[PATH_MAX];
	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "%.200s… is too long", path);
	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0750) < 0 && errno != EEXIST)
			return error_set(err, ERROR_BENCH, errno, "cannot make %s: %s", part, strerror(errno));
		if (!slash)
			break;
		*slash = '/';
	}
	return 0;
}

static void fresh_name(struct folder_remover *remover, char *name, size_t size)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(name, size, "%lld.%09ld-%u", (long long)now.tv_sec, now.tv_nsec, ++remover->number);
}

static bool empty_some(struct folder_remover *remover, int parent, const char *name, unsigned depth, unsigned *budget);

/* A file system needs its time to give hundreds of MB free. Whether more is to be done before it is removed; a file with a second name
 * keeps its bytes. */
static bool shorten(int parent, const char *name)
{
	struct stat status;
	if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1 ||
	    status.st_blocks * INT64_C(512) <= SHORTER)
		return false;
	/* In parts of its length: of one with holes nobody knows where its bytes are. */
	off_t parts = (off_t)(status.st_blocks * INT64_C(512) / SHORTER) + 1, less = status.st_size / parts + 1;
	int fd = openat(parent, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool shorter = fd >= 0 && ftruncate(fd, status.st_size > less ? status.st_size - less : 0) == 0;
	if (fd >= 0)
		close(fd);
	return shorter;
}

/* True: it is gone. */
static bool remove_entry(struct folder_remover *remover, int parent, const char *name, unsigned depth, unsigned *budget)
{
	char other[64];
	if (*budget == 0)
		return false;
	(*budget)--;
	if (shorten(parent, name)) {
		*budget = 0;
		return false;
	}
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return true;
	if (depth < DEEPEST)
		return empty_some(remover, parent, name, depth + 1, budget) && unlinkat(parent, name, AT_REMOVEDIR) == 0;
	fresh_name(remover, other, sizeof(other));
	if (renameat(parent, name, remover->fd, other) < 0)
		return false;
	remover->moved = true;
	return true;
}

static bool empty_some(struct folder_remover *remover, int parent, const char *name, unsigned depth, unsigned *budget)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)fchmod(fd, 0700);
	DIR *directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return false;
	}
	bool empty = true;
	const struct dirent *entry;
	while (*budget > 0 && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			empty &= remove_entry(remover, fd, entry->d_name, depth, budget);
	empty &= *budget > 0;
	closedir(directory);
	return empty;
}

static int on_idle(sd_event_source *source, void *context)
{
	struct folder_remover *remover = context;
	unsigned budget = PORTION;
	remover->moved = false;
	(void)empty_some(remover, remover->fd, ".", 0, &budget);
	/* Something that cannot be removed is left for the next start, not tried for ever. */
	if (budget > 0 && !remover->moved)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

int folder_remover_new(struct folder_remover **ret, sd_event *event, const char *trash, struct error *err)
{
	int r = folder_make(trash, err);
	if (r < 0)
		return r;
	struct folder_remover *remover = calloc(1, sizeof(*remover));
	if (!remover)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	(void)snprintf(remover->trash, sizeof(remover->trash), "%s", trash);
	remover->fd = open(trash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = remover->fd < 0 ? -errno : sd_event_add_defer(event, &remover->idle, on_idle, remover);
	if (r >= 0)
		r = sd_event_source_set_priority(remover->idle, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(remover->idle, SD_EVENT_ON);
	if (r < 0) {
		folder_remover_free(remover);
		return error_set(err, ERROR_BENCH, -r, "cannot use %s: %s", trash, strerror(-r));
	}
	*ret = remover;
	return 0;
}

void folder_remover_free(struct folder_remover *remover)
{
	if (!remover)
		return;
	sd_event_source_unref(remover->idle);
	if (remover->fd >= 0)
		close(remover->fd);
	free(remover);
}

int folder_remove(struct folder_remover *remover, const char *path, struct error *err)
{
	char name[64];
	fresh_name(remover, name, sizeof(name));
	if (renameat(AT_FDCWD, path, remover->fd, name) < 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_BENCH, errno, "cannot remove %s: %s", path, strerror(errno));
	(void)sd_event_source_set_enabled(remover->idle, SD_EVENT_ON);
	return 0;
}
