/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a run that still runs, as far as they are written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_private.h"

#define NAMES_MOST 1000

/* A regular file; whatever else a run makes is not offered. */
static void add_file(json_t *list, int folder, const char *name)
{
	struct stat status;
	if (!file_name_clean(name) || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
		return;
	/* NULL for a name that is no UTF-8: nobody could ask for it. */
	json_t *file =
	        json_pack("{s:s,s:I,s:n,s:s}", "name", name, "size", (json_int_t)status.st_size, "sha256", "type", file_content_type(name));
	if (file)
		json_array_append_new(list, file);
}

static void add_folder(json_t *list, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	if (!folder)
		return;
	for (unsigned i = 0; i < NAMES_MOST && (entry = readdir(folder)); i++)
		add_file(list, dirfd(folder), entry->d_name);
	closedir(folder);
}

json_t *run_listing(const char *out)
{
	json_t *list = json_array();
	char parent[PATH_MAX];
	add_folder(list, out);
	run_file_directory(out, "output.log", parent);
	int folder = open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0) {
		add_file(list, folder, "output.log");
		close(folder);
	}
	return list;
}
