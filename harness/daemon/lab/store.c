/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"
#include "submission.h"

#define PORTION    (1u << 20) /* bytes a turn of the loop */
#define MOST_FILES 1000

struct store {
	struct book *book;
	sd_event_source *work;
	char directory[PATH_MAX - 300];
	struct stored_file *files;
	size_t count, at;
	int fd;
	struct blob_writer *writer;
	uint8_t *portion;
	void (*done)(const struct error *, void *context);
	void *context;
};

/* ---- which files ---- */

static int add(struct store *store, const char *name, struct error *err)
{
	struct stored_file *files = realloc(store->files, (store->count + 1) * sizeof(*files));
	if (files)
		store->files = files;
	char *copy = files ? strdup(name) : NULL;
	if (!copy)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	files[store->count++] = (struct stored_file){.name = copy};
	return 0;
}

static int find_files(struct store *store, struct error *err)
{
	char path[PATH_MAX];
	struct stat status;
	const struct dirent *entry;
	int r = 0;
	(void)snprintf(path, sizeof(path), "%s/out", store->directory);
	DIR *directory = opendir(path);
	while (directory && r == 0 && store->count < MOST_FILES && (entry = readdir(directory))) {
		/* A name that no request could ask for, a link, a device: left out. */
		if (!submission_path_clean(entry->d_name) || strcmp(entry->d_name, "output.log") == 0)
			continue;
		if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
			r = add(store, entry->d_name, err);
	}
	if (directory)
		closedir(directory);
	(void)snprintf(path, sizeof(path), "%s/output.log", store->directory);
	return r == 0 && lstat(path, &status) == 0 && S_ISREG(status.st_mode) ? add(store, "output.log", err) : r;
}

/* ---- one portion ---- */

static int open_next(struct store *store, struct error *err)
{
	const struct stored_file *file = &store->files[store->at];
	char path[PATH_MAX];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s/%s%s", store->directory, strcmp(file->name, "output.log") ? "out/" : "", file->name);
	store->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (store->fd < 0 || fstat(store->fd, &status) < 0 || !S_ISREG(status.st_mode))
		return error_set(err, ERROR_BENCH, errno ? errno : EINVAL, "cannot read %s: %s", path, strerror(errno));
	return blob_begin(store->book, &store->writer, err);
}

static int end_file(struct store *store, struct error *err)
{
	struct blob_writer *writer = store->writer;
	store->writer = NULL;
	close(store->fd);
	store->fd = -1;
	return blob_end(writer, NULL, store->files[store->at++].sha256, NULL, err);
}

static int copy_portion(struct store *store, struct error *err)
{
	if (store->fd < 0) {
		int r = open_next(store, err);
		if (r < 0)
			return r;
	}
	ssize_t n = read(store->fd, store->portion, PORTION);
	if (n < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot read %s: %s", store->files[store->at].name, strerror(errno));
	if (n == 0)
		return end_file(store, err);
	store->files[store->at].size += (uint64_t)n;
	return blob_write(store->writer, store->portion, (size_t)n, err);
}

static int on_work(sd_event_source *source, void *context)
{
	struct store *store = context;
	struct error error = {0};
	int r = store->at < store->count ? copy_portion(store, &error) : 0;
	if (r == 0 && store->at < store->count)
		return 0;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	store->done(r < 0 ? &error : NULL, store->context); /* may free it */
	return 0;
}

int store_begin(struct store **ret, sd_event *event, struct book *book, const char *directory,
                void (*done)(const struct error *, void *context), void *context, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*store = (struct store){.book = book, .fd = -1, .portion = malloc(PORTION), .done = done, .context = context};
	(void)snprintf(store->directory, sizeof(store->directory), "%s", directory);
	int r = store->portion ? find_files(store, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0 && (r = sd_event_add_defer(event, &store->work, on_work, store)) >= 0)
		r = sd_event_source_set_enabled(store->work, SD_EVENT_ON);
	if (r < 0) {
		store_free(store);
		return r;
	}
	*ret = store;
	return 0;
}

const struct stored_file *store_files(const struct store *store, size_t *ret_count)
{
	*ret_count = store->count;
	return store->files;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	sd_event_source_disable_unref(store->work);
	blob_drop(store->writer);
	if (store->fd >= 0)
		close(store->fd);
	for (size_t i = 0; i < store->count; i++)
		free(store->files[i].name);
	free(store->files);
	free(store->portion);
	free(store);
}
