/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_FIELD 22 /* of /proc/PID/stat */

struct bus_folder {
	char path[PATH_MAX];
	int fd; /* locked as long as the process lives */
};

/* When the process began, in clock ticks since the boot; 0: there is none. */
static unsigned long long process_start(unsigned long pid)
{
	char path[48], text[1024];
	(void)snprintf(path, sizeof(path), "/proc/%lu/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The program's name may hold anything, parentheses too: the last one ends it. Behind it stands field 3. */
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < START_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/* PREFIX-PID-START-XXXXXX */
static bool read_name(const char *name, const char *prefix, unsigned long *ret_pid, unsigned long long *ret_start)
{
	size_t length = strlen(prefix);
	int end = 0;
	if (strncmp(name, prefix, length) != 0 || sscanf(name + length, "-%9lu-%19llu-%n", ret_pid, ret_start, &end) != 2 || end == 0)
		return false;
	return strlen(name + length + (size_t)end) == 6;
}

/* Everything but folders. */
static void empty(int fd)
{
	int own = dup(fd);
	DIR *directory = own < 0 ? NULL : fdopendir(own);
	if (!directory) {
		if (own >= 0)
			close(own);
		return;
	}
	rewinddir(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		(void)unlinkat(fd, entry->d_name, 0);
	closedir(directory);
}

/* A name in a folder that everybody may write to proves nothing: the folder must be this user's, and no link. */
static int open_own(int parent, const char *name)
{
	struct stat status;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && status.st_uid == geteuid())
		return fd;
	close(fd);
	return -1;
}

static bool remove_stale(int parent, const char *name)
{
	bool removed = false;
	int fd = open_own(parent, name);
	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		empty(fd);
		removed = unlinkat(parent, name, AT_REMOVEDIR) == 0;
	}
	close(fd);
	return removed;
}

unsigned bus_folder_sweep(const char *parent, const char *prefix)
{
	unsigned removed = 0;
	unsigned long pid;
	unsigned long long start;
	DIR *directory = opendir(parent);
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (read_name(entry->d_name, prefix, &pid, &start) && process_start(pid) != start)
			removed += remove_stale(dirfd(directory), entry->d_name);
	if (directory)
		closedir(directory);
	return removed;
}

int bus_folder_new(struct bus_folder **ret, const char *parent, const char *prefix, struct error *err)
{
	struct bus_folder *folder = calloc(1, sizeof(*folder));
	if (!folder)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	(void)bus_folder_sweep(parent, prefix);
	int n = snprintf(folder->path, sizeof(folder->path), "%s/%s-%ld-%llu-XXXXXX", parent, prefix, (long)getpid(),
	                 process_start((unsigned long)getpid()));
	folder->fd = -1;
	if (n >= 0 && (size_t)n < sizeof(folder->path) && mkdtemp(folder->path))
		folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0 || flock(folder->fd, LOCK_EX | LOCK_NB) < 0) {
		int r = error_set(err, ERROR_BENCH, errno, "cannot create a folder in %s: %s", parent, strerror(errno));
		bus_folder_free(folder);
		return r;
	}
	*ret = folder;
	return 0;
}

const char *bus_folder_path(const struct bus_folder *folder)
{
	return folder->path;
}

void bus_folder_free(struct bus_folder *folder)
{
	if (!folder)
		return;
	if (folder->fd >= 0) {
		empty(folder->fd);
		(void)rmdir(folder->path);
		close(folder->fd);
	}
	free(folder);
}
