/* SPDX-License-Identifier: Apache-2.0 */
#include "submit_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX      32
#define FILE_MAX       ((size_t)4 << 20) /* the language takes no more */
#define FILES_MAX      10000
#define NAME_MAX_BYTES 512

struct collection {
	struct submit_files *files;
	char cwd[PATH_MAX];
};

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static int refuse(const char *path, const char *why, struct error *err)
{
	return error_set_place(err, ERROR_USAGE, EINVAL, ((struct place){.file = place_intern(path)}), "%s", why);
}

/* ---- names ---- */

/* Absolute, without empty parts, "." and "..": newly allocated. */
static char *absolute_of(const char *cwd, const char *path)
{
	char *whole = NULL;
	if (asprintf(&whole, "%s/%s", *path == '/' ? "" : cwd, path) < 0)
		return NULL;
	char *to = whole;
	for (const char *at = whole; *at;) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		if (length == 2 && at[0] == '.' && at[1] == '.') {
			while (to > whole && *--to != '/')
				;
		} else if (length > 0 && !(length == 1 && at[0] == '.')) {
			*to++ = '/';
			memmove(to, at, length);
			to += length;
		}
		at += length;
	}
	if (to == whole)
		*to++ = '/';
	*to = '\0';
	return whole;
}

/* Of a directory's absolute name, whether another one is it or lies below. */
static int is_below(const char *base, const char *absolute)
{
	size_t length = strlen(base); /* with "/" at its end */
	return !strncmp(base, absolute, length) || (strlen(absolute) == length - 1 && !strncmp(base, absolute, length - 1));
}

/* The base, "/" at its end. */
static int find_base(struct collection *collection, struct error *err)
{
	struct submit_files *files = collection->files;
	char base[PATH_MAX + 2];
	(void)snprintf(base, sizeof(base), "%s%s", collection->cwd, collection->cwd[1] ? "/" : "");
	for (size_t i = 0; i < files->count && !files->base_told; i++)
		files->base_told = !is_below(base, files->files[i].absolute);
	if (files->base_told) {
		(void)snprintf(base, sizeof(base), "%s", files->files[0].absolute);
		*(strrchr(base, '/') + 1) = '\0';
		for (size_t i = 1; i < files->count; i++)
			while (!is_below(base, files->files[i].absolute)) {
				base[strlen(base) - 1] = '\0';
				*(strrchr(base, '/') + 1) = '\0';
			}
	}
	files->base = strdup(base);
	return files->base ? 0 : no_memory(err);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct submit_file *)a)->absolute, ((const struct submit_file *)b)->absolute);
}

static int name_files(struct submit_files *files, struct error *err)
{
	size_t kept = 0;
	qsort(files->files, files->count, sizeof(*files->files), compare_names);
	for (size_t i = 0; i < files->count; i++) {
		struct submit_file *file = &files->files[i];
		if (kept > 0 && !strcmp(files->files[kept - 1].absolute, file->absolute)) { /* named twice */
			free(file->path);
			free(file->absolute);
			free(file->data);
			continue;
		}
		files->files[kept++] = *file;
	}
	files->count = kept;
	for (size_t i = 0; i < kept; i++) {
		struct submit_file *file = &files->files[i];
		file->name = file->absolute + strlen(files->base);
		if (strlen(file->name) > NAME_MAX_BYTES)
			return refuse(file->path, "the name is too long to be sent", err);
		for (const char *c = file->name; *c; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '\\')
				return refuse(file->path, "a name with control characters or a backslash cannot be sent", err);
		json_t *text = json_string(file->name);
		json_decref(text);
		if (!text)
			return refuse(file->path, "a name that is no UTF-8 cannot be sent", err);
	}
	return 0;
}

/* ---- content ---- */

static int read_content(struct submit_file *file, struct error *err)
{
	unsigned char digest[32];
	int fd = open(file->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;
	file->data = malloc(FILE_MAX + 1);
	if (!file->data)
		n = 0;
	while (n > 0 && file->length <= FILE_MAX) {
		n = read(fd, (char *)file->data + file->length, FILE_MAX + 1 - file->length);
		file->length += n > 0 ? (size_t)n : 0;
	}
	int code = errno;
	if (fd >= 0)
		(void)close(fd);
	if (n < 0)
		return refuse(file->path, strerror(code), err);
	if (file->length > FILE_MAX)
		return refuse(file->path, "it is larger than 4 MiB", err);
	if (!file->data || EVP_Digest(file->data, file->length, digest, NULL, EVP_sha256(), NULL) != 1)
		return no_memory(err);
	void *fitting = realloc(file->data, file->length + 1);
	file->data = fitting ? fitting : file->data;
	for (unsigned i = 0; i < sizeof(digest); i++)
		(void)snprintf(file->sha256 + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

/* ---- finding ---- */

static int add_file(struct collection *collection, const char *path, struct error *err)
{
	struct submit_files *files = collection->files;
	if (files->count == FILES_MAX)
		return error_set(err, ERROR_USAGE, E2BIG, "more than %d files", FILES_MAX);
	struct submit_file *grown = realloc(files->files, (files->count + 1) * sizeof(*grown));
	if (!grown)
		return no_memory(err);
	files->files = grown;
	struct submit_file *file = &grown[files->count++];
	*file = (struct submit_file){.path = strdup(path), .absolute = absolute_of(collection->cwd, path)};
	return file->path && file->absolute ? read_content(file, err) : no_memory(err);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* As the language looks at paths: depth 0 is named by the user, below it only *.yaml counts and links to directories are not followed. */
static int add_path(struct collection *collection, const char *path, unsigned depth, struct error *err)
{
	struct dirent **entries;
	struct stat status, link;
	size_t length = strlen(path);
	char *child;
	if (stat(path, &status) < 0 || lstat(path, &link) < 0)
		return depth == 0 ? refuse(path, strerror(errno), err) : 0;
	if (!S_ISDIR(status.st_mode)) {
		bool counts = depth == 0 || (S_ISREG(status.st_mode) && length > 5 && !strcmp(path + length - 5, ".yaml"));
		return counts ? add_file(collection, path, err) : 0;
	}
	if (depth > 0 && (S_ISLNK(link.st_mode) || depth > DEPTH_MAX))
		return 0;
	int r = 0, count = scandir(path, &entries, visible, alphasort);
	if (count < 0)
		return refuse(path, strerror(errno), err);
	for (int i = 0; i < count; i++) {
		if (r == 0 && asprintf(&child, "%s%s%s", path, length > 0 && path[length - 1] == '/' ? "" : "/", entries[i]->d_name) < 0)
			r = no_memory(err);
		else if (r == 0) {
			r = add_path(collection, child, depth + 1, err);
			free(child);
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* ---- what the submission names ---- */

static int add_names_below(struct submit_files *files, const char *directory, struct error *err)
{
	for (size_t i = 0; i < files->count; i++)
		if (is_below(directory, files->files[i].absolute) &&
		    json_array_append_new(files->paths, json_string(files->files[i].name)) < 0)
			return no_memory(err);
	return 0;
}

/* A path by its name; the base itself has none: its files have. */
static int name_path(struct collection *collection, const char *path, struct error *err)
{
	struct submit_files *files = collection->files;
	char *absolute = absolute_of(collection->cwd, path);
	size_t base = strlen(files->base);
	int r;
	if (!absolute)
		return no_memory(err);
	if (strlen(absolute) > base && !strncmp(absolute, files->base, base))
		r = json_array_append_new(files->paths, json_string(absolute + base)) < 0 ? no_memory(err) : 0;
	else
		r = add_names_below(files, files->base, err);
	free(absolute);
	return r;
}

int submit_files_collect(char *const *paths, int count, struct submit_files *ret, struct error *err)
{
	struct collection collection = {.files = ret};
	int r = 0;
	*ret = (struct submit_files){.paths = json_array()};
	if (!getcwd(collection.cwd, sizeof(collection.cwd)))
		return error_set(err, ERROR_BENCH, errno, "the current directory: %s", strerror(errno));
	for (int i = 0; r == 0 && i < count; i++)
		r = add_path(&collection, paths[i], 0, err);
	if (r == 0 && ret->count == 0)
		r = refuse(paths[0], "there is no *.yaml here", err);
	if (r == 0)
		r = find_base(&collection, err);
	if (r == 0)
		r = name_files(ret, err);
	for (int i = 0; r == 0 && i < count; i++)
		r = name_path(&collection, paths[i], err);
	return r;
}

void submit_files_clear(struct submit_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->files[i].path);
		free(files->files[i].absolute);
		free(files->files[i].data);
	}
	free(files->files);
	free(files->base);
	json_decref(files->paths);
	*files = (struct submit_files){0};
}
