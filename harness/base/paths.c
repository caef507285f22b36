/* SPDX-License-Identifier: Apache-2.0 */
#include "paths.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directory of the running program, without a slash at the end; "" when /proc does not tell. */
static void own_directory(char ret[static PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	char *slash;

	ret[length > 0 ? length : 0] = '\0';
	slash = strrchr(ret, '/');
	if (slash)
		*slash = '\0';
}

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static int path_take(const char *path, char *ret, size_t size, struct error *err)
{
	size_t length = strlen(path);

	if (length >= size)
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "the path %s is too long", path);
	memcpy(ret, path, length + 1);
	return 0;
}

int program_find(const char *name, char *ret, size_t size, struct error *err)
{
	char directory[PATH_MAX], path[PATH_MAX * 2];
	const char *list = getenv("HILBENCH_PROGRAMS"), *at = list;
	int length;

	if (strchr(name, '/')) {
		if (!is_program(name))
			return error_set(err, ERROR_BENCH, ENOENT, "there is no program %s", name);
		return path_take(name, ret, size, err);
	}
	own_directory(directory);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (is_program(path))
		return path_take(path, ret, size, err);
	while (at && *at) {
		length = (int)strcspn(at, ":");
		(void)snprintf(path, sizeof(path), "%.*s/%s", length, at, name);
		if (length > 0 && is_program(path))
			return path_take(path, ret, size, err);
		at += length + (at[length] == ':');
	}
	return error_set(err, ERROR_BENCH, ENOENT, "there is no program \"%s\" in %s%s%s", name, directory,
	                 list && *list ? " nor in HILBENCH_PROGRAMS=" : " (HILBENCH_PROGRAMS is not set)", list ? list : "");
}

int fixture_find(const char *relative, char *ret, size_t size, struct error *err)
{
	char directory[PATH_MAX], path[PATH_MAX * 2];
	const char *root = getenv("HILBENCH_FIXTURES");

	if (root && *root) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, relative);
		if (access(path, F_OK) == 0)
			return path_take(path, ret, size, err);
	}
	own_directory(directory);
	(void)snprintf(path, sizeof(path), "%s/../share/hilbench/fixtures/%s", directory, relative);
	if (access(path, F_OK) == 0)
		return path_take(path, ret, size, err);
	return error_set(err, ERROR_BENCH, ENOENT,
	                 "there is no fixture %s: HILBENCH_FIXTURES is %s, %s/../share/hilbench/fixtures has none", relative,
	                 root && *root ? root : "not set", directory);
}
