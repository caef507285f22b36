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

#include "../base/hex.h"
#include "../base/private_key.h"

#define DEPTH_MAX 32
#define CASES_MAX ((uint64_t)4 << 20) /* of a test case file: the language takes no more */
#define FILES_MAX 10000
#define CHUNK     ((size_t)256 << 10)

struct collection {
	struct submit_files *files;
	char cwd[PATH_MAX];
};

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static int refuse_at(const struct submit_file *file, int code, const char *why, struct error *err)
{
	return error_set_place(err, ERROR_USAGE, code, file->place, "%s%s%s", file->absolute ? "" : file->path, file->absolute ? "" : ": ",
	                       why);
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

static void file_clear(struct submit_file *file)
{
	free(file->path);
	free(file->absolute);
	free(file->name);
}

/* As the daemon takes names. */
static int check_name(const struct submit_file *file, struct error *err)
{
	if (strlen(file->name) > SUBMIT_NAME_MAX)
		return refuse_at(file, EINVAL, "the name is too long to be sent", err);
	for (const char *c = file->name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '\\')
			return refuse_at(file, EINVAL, "a name with control characters or a backslash cannot be sent", err);
	json_t *text = json_string(file->name);
	json_decref(text);
	return text ? 0 : refuse_at(file, EINVAL, "a name that is no UTF-8 cannot be sent", err);
}

static int name_files(struct submit_files *files, struct error *err)
{
	size_t kept = 0;
	qsort(files->files, files->count, sizeof(*files->files), compare_names);
	for (size_t i = 0; i < files->count; i++) {
		struct submit_file *file = &files->files[i];
		if (kept > 0 && !strcmp(files->files[kept - 1].absolute, file->absolute)) /* named twice */
			file_clear(file);
		else
			files->files[kept++] = *file;
	}
	files->count = files->case_count = kept;
	for (size_t i = 0; i < kept; i++) {
		struct submit_file *file = &files->files[i];
		file->name = strdup(file->absolute + strlen(files->base));
		int r = file->name ? check_name(file, err) : no_memory(err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- content ---- */

/* The bytes as they come. */
struct reading {
	EVP_MD_CTX *digest;
	char *buffer;
	uint64_t size;
	struct private_key_search key;
};

static bool take_chunk(struct reading *reading, size_t length)
{
	if (EVP_DigestUpdate(reading->digest, reading->buffer, length) != 1)
		return false;
	reading->size += length;
	private_key_look(&reading->key, reading->buffer, length);
	return true;
}

static int read_bytes(const struct submit_file *file, int fd, struct reading *reading, struct error *err)
{
	ssize_t n = 1;
	while (n > 0) {
		n = read(fd, reading->buffer, CHUNK);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return refuse_at(file, errno, strerror(errno), err);
		else if (n > 0 && !take_chunk(reading, (size_t)n))
			return no_memory(err);
		if (file->absolute && reading->size > CASES_MAX)
			return refuse_at(file, EFBIG, "it is larger than 4 MiB", err);
	}
	return 0;
}

static int take_digest(struct submit_file *file, struct reading *reading, struct error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (EVP_DigestFinal_ex(reading->digest, digest, &length) != 1 || length != 32)
		return no_memory(err);
	(void)hex_text(digest, length, file->sha256);
	file->size = reading->size;
	return 0;
}

/* No link to nowhere, no pipe, no device. */
static int open_regular(const struct submit_file *file, struct stat *ret, struct error *err)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, ret) == 0 && S_ISREG(ret->st_mode))
		return fd;
	int code = errno;
	if (fd < 0)
		return refuse_at(file, code, strerror(code), err);
	(void)close(fd);
	return refuse_at(file, EINVAL, S_ISDIR(ret->st_mode) ? "it is a directory" : "it is no regular file", err);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int changed(const struct submit_file *file, struct error *err)
{
	return refuse_at(file, ESTALE, "it was changed while it was submitted: submit again when it is whole", err);
}

static int digest_file(struct submit_file *file, struct error *err)
{
	struct reading reading = {.digest = EVP_MD_CTX_new(), .buffer = malloc(CHUNK)};
	struct stat after;
	int fd = open_regular(file, &file->seen, err), r = fd < 0 ? fd : 0;
	if (r == 0 && (!reading.digest || !reading.buffer || EVP_DigestInit_ex(reading.digest, EVP_sha256(), NULL) != 1))
		r = no_memory(err);
	if (r == 0)
		r = read_bytes(file, fd, &reading, err);
	if (r == 0)
		r = take_digest(file, &reading, err);
	if (r == 0 && (fstat(fd, &after) < 0 || !same_file(&file->seen, &after) || (uint64_t)after.st_size != file->size))
		r = changed(file, err);
	if (r == 0 && private_key_seen(&reading.key))
		r = refuse_at(file, EPERM, "it holds a private key, and files of a job can be fetched by everybody who may look at the lab",
		              err);
	if (fd >= 0)
		(void)close(fd);
	EVP_MD_CTX_free(reading.digest);
	free(reading.buffer);
	return r;
}

int submit_file_open(const struct submit_file *file, struct error *err)
{
	struct stat now;
	int fd = open_regular(file, &now, err);
	if (fd < 0 || same_file(&file->seen, &now))
		return fd;
	(void)close(fd);
	return changed(file, err);
}

int submit_file_check(const struct submit_file *file, int fd, struct error *err)
{
	struct stat now;
	return fstat(fd, &now) == 0 && same_file(&file->seen, &now) ? 0 : changed(file, err);
}

/* ---- finding ---- */

static struct submit_file *new_file(struct submit_files *files, struct error *err)
{
	if (files->count == FILES_MAX) {
		(void)error_set(err, ERROR_USAGE, E2BIG, "more than %d files", FILES_MAX);
		return NULL;
	}
	struct submit_file *grown = realloc(files->files, (files->count + 1) * sizeof(*grown));
	if (!grown) {
		(void)no_memory(err);
		return NULL;
	}
	files->files = grown;
	grown[files->count] = (struct submit_file){0};
	return &grown[files->count++];
}

static int add_file(struct collection *collection, const char *path, struct error *err)
{
	struct submit_file *file = new_file(collection->files, err);
	if (!file)
		return -ENOMEM;
	file->path = strdup(path);
	file->absolute = absolute_of(collection->cwd, path);
	file->place = (struct place){.file = place_intern(path)};
	return file->path && file->absolute ? digest_file(file, err) : no_memory(err);
}

static const struct submit_file *find_name(const struct submit_files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->files[i].name && !strcmp(files->files[i].name, name))
			return &files->files[i];
	return NULL;
}

int submit_files_add(struct submit_files *files, const char *name, struct place place, struct error *err)
{
	const struct submit_file *other = find_name(files, name);
	if (other && !other->absolute)
		return 0; /* named before */
	struct submit_file file = {.path = strdup(name), .name = strdup(name), .place = place};
	int r = file.path && file.name ? check_name(&file, err) : no_memory(err);
	if (r == 0)
		r = digest_file(&file, err);
	if (r == 0 && other && strcmp(other->sha256, file.sha256) != 0)
		r = error_set_place(err, ERROR_USAGE, EEXIST, place, "%s: another file, %s, travels under this name", name, other->path);
	struct submit_file *kept = r == 0 && !other ? new_file(files, err) : NULL;
	if (kept) {
		*kept = file;
		return 0;
	}
	file_clear(&file);
	return r == 0 && !other ? -ENOMEM : r;
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
	for (size_t i = 0; i < files->count; i++)
		file_clear(&files->files[i]);
	free(files->files);
	free(files->base);
	json_decref(files->paths);
	*files = (struct submit_files){0};
}
