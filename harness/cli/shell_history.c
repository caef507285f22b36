/* SPDX-License-Identifier: Apache-2.0 */
#include "shell_history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_KEPT 2000

/* The folder, made when it is not there (only for this user), with `name` behind it. */
static int history_path(char *path, size_t size, const char *name)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;
	if (state && *state == '/')
		n = snprintf(path, size, "%s/hilbench", state);
	else if (home && *home == '/')
		n = snprintf(path, size, "%s/.local/state/hilbench", home);
	else
		return -ENOENT;
	if (n < 0 || (size_t)n + strlen(name) + 2 > size)
		return -ENAMETOOLONG;
	for (char *slash = path + 1;; slash++) {
		char kept = *slash;
		if (kept != '/' && kept)
			continue;
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = kept;
		if (!kept)
			break;
	}
	snprintf(path + n, size - (size_t)n, "/%s", name);
	return 0;
}

History *shell_history_open(void)
{
	char path[PATH_MAX];
	struct stat status;
	HistEvent event;
	History *lines = history_init();
	if (!lines)
		return NULL;
	(void)history(lines, &event, H_SETSIZE, LINES_KEPT);
	(void)history(lines, &event, H_SETUNIQUE, 1);
	/* Only a plain file: nobody is to wait for a pipe that stands in its place. */
	if (history_path(path, sizeof(path), "history") == 0 && lstat(path, &status) == 0 && S_ISREG(status.st_mode))
		(void)history(lines, &event, H_LOAD, path);
	return lines;
}

void shell_history_add(History *lines, const char *line)
{
	HistEvent event;
	if (*line && *line != ' ' && *line != '\t')
		(void)history(lines, &event, H_ENTER, line);
}

static void save(History *lines)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	HistEvent event;
	if (history_path(path, sizeof(path), "history") < 0 || history_path(fresh, sizeof(fresh), "history.XXXXXX") < 0)
		return;
	int fd = mkostemp(fresh, O_CLOEXEC); /* mode 0600 */
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	bool whole = history(lines, &event, H_SAVE_FP, file) >= 0 && fflush(file) == 0;
	whole = fclose(file) == 0 && whole;
	if (!whole || rename(fresh, path) < 0)
		unlink(fresh);
}

void shell_history_close(History *lines)
{
	if (!lines)
		return;
	save(lines);
	history_end(lines);
}
