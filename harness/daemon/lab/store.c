/* SPDX-License-Identifier: Apache-2.0 */
/* Files become blobs in a thread. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "submission.h"
#include "worker.h"

#define PORTION       (1u << 20) /* bytes between two looks whether to stop */
#define MOST_FILES    1000
#define RESULTS_LIMIT (64 << 20)

struct store {
	struct book *book;
	struct worker *worker;
	struct stored_file *files;
	size_t count;
	bool of_run;
	json_t *results;
	void (*done)(const struct error *, void *context);
	void *context;
};

/* ---- which files ---- */

int store_new(struct store **ret, struct book *book, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	store->book = book;
	*ret = store;
	return 0;
}

int store_add(struct store *store, const char *name, const char *path, struct error *err)
{
	struct stored_file *files = realloc(store->files, (store->count + 1) * sizeof(*files));
	if (files)
		store->files = files;
	struct stored_file file = {.name = files ? strdup(name) : NULL, .path = files ? strdup(path) : NULL};
	if (!file.name || !file.path) {
		free(file.name);
		free(file.path);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	files[store->count++] = file;
	return 0;
}

static int add_from(struct store *store, const char *folder, const char *name, struct error *err)
{
	char path[PATH_MAX];
	struct stat status;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "%s: the name is too long", name);
	return lstat(path, &status) == 0 && S_ISREG(status.st_mode) ? store_add(store, name, path, err) : 0;
}

int store_add_run(struct store *store, const char *directory, struct error *err)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	int r = 0;
	(void)snprintf(path, sizeof(path), "%.4000s/out", directory);
	DIR *out = opendir(path);
	while (out && r == 0 && store->count < MOST_FILES && (entry = readdir(out)))
		/* A name that no request could ask for, a link, a device: left out. */
		if (submission_path_clean(entry->d_name) && strcmp(entry->d_name, "output.log") != 0)
			r = add_from(store, path, entry->d_name, err);
	if (out)
		closedir(out);
	store->of_run = true;
	return r == 0 ? add_from(store, directory, "output.log", err) : r;
}

/* ---- in the thread ---- */

static int open_regular(const char *path, off_t limit, struct error *err)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot read %s: %s", path, strerror(errno));
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (!limit || status.st_size <= limit))
		return fd;
	close(fd);
	return error_set(err, ERROR_BENCH, EINVAL, "cannot read %s: it is no file, or too large", path);
}

static int copy(int fd, struct stored_file *file, struct blob_writer *writer, uint8_t *portion, const struct worker *worker,
                struct error *err)
{
	int r = 0;
	file->size = 0;
	while (r == 0) {
		ssize_t n = read(fd, portion, PORTION);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, ERROR_BENCH, errno, "cannot read %s: %s", file->path, strerror(errno));
		if (n == 0)
			return 0;
		file->size += (uint64_t)n;
		r = blob_write(writer, portion, (size_t)n, err);
		if (r == 0 && worker_stopped(worker))
			r = error_set(err, ERROR_BENCH, ECANCELED, "stopped");
	}
	return r;
}

static int store_file(struct store *store, struct stored_file *file, uint8_t *portion, const struct worker *worker, struct error *err)
{
	struct blob_writer *writer = NULL;
	int fd = open_regular(file->path, 0, err);
	if (fd < 0)
		return fd;
	int r = blob_begin(store->book, &writer, err);
	if (r == 0)
		r = copy(fd, file, writer, portion, worker, err);
	close(fd);
	if (r == 0)
		return blob_end(writer, NULL, file->sha256, NULL, err);
	blob_drop(writer);
	return r;
}

/* Whatever a job has left there. */
static json_t *read_results(const struct store *store)
{
	struct error ignored = {0};
	for (size_t i = 0; store->of_run && i < store->count; i++) {
		if (strcmp(store->files[i].name, "results.json") != 0)
			continue;
		int fd = open_regular(store->files[i].path, RESULTS_LIMIT, &ignored);
		json_t *results = fd < 0 ? NULL : json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
		if (fd >= 0)
			close(fd);
		if (json_is_object(results))
			return results;
		json_decref(results);
	}
	return NULL;
}

static int work(void *context, const struct worker *worker, struct error *err)
{
	struct store *store = context;
	uint8_t *portion = malloc(PORTION);
	int r = portion ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < store->count; i++)
		r = store_file(store, &store->files[i], portion, worker, err);
	free(portion);
	if (r == 0)
		store->results = read_results(store);
	return r;
}

/* ---- in the loop ---- */

static void on_worked(const struct error *error, void *context)
{
	struct store *store = context;
	store->done(error, store->context); /* may free it */
}

int store_start(struct store *store, sd_event *event, void (*done)(const struct error *, void *context), void *context, struct error *err)
{
	store->done = done;
	store->context = context;
	return worker_start(&store->worker, event, work, on_worked, store, err);
}

const struct stored_file *store_files(const struct store *store, size_t *ret_count)
{
	*ret_count = store->count;
	return store->files;
}

const json_t *store_results(const struct store *store)
{
	return store->results;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	worker_free(store->worker);
	for (size_t i = 0; i < store->count; i++) {
		free(store->files[i].name);
		free(store->files[i].path);
	}
	json_decref(store->results);
	free(store->files);
	free(store);
}
