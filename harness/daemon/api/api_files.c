/* SPDX-License-Identifier: Apache-2.0 */
/* Files as answers: blobs, and what a run is still writing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../book/results.h"
#include "api_private.h"

static const struct {
	const char *ending, *type;
	bool shown;
} types[] = {
        {".html", "text/html; charset=utf-8", true},
        {".json", "application/json", true},
        {".jsonl", "application/x-ndjson", false},
        {".xml", "application/xml", true},
        {".log", "text/plain; charset=utf-8", true},
        {".txt", "text/plain; charset=utf-8", true},
        {".yaml", "text/plain; charset=utf-8", true},
        {".yml", "text/plain; charset=utf-8", true},
        {".md", "text/plain; charset=utf-8", true},
        {".csv", "text/csv; charset=utf-8", true},
        {".png", "image/png", true},
        {".svg", "image/svg+xml", true},
        {".pcapng", "application/x-pcapng", false},
        {".gz", "application/gzip", false},
};

static size_t type_of(const char *name)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < API_COUNT(types); i++) {
		size_t ending = strlen(types[i].ending);
		if (length > ending && strcmp(name + length - ending, types[i].ending) == 0)
			return i;
	}
	return SIZE_MAX;
}

const char *file_content_type(const char *name)
{
	size_t i = type_of(name);
	return i == SIZE_MAX ? "application/octet-stream" : types[i].type;
}

bool file_is_shown(const char *name)
{
	size_t i = type_of(name);
	return i != SIZE_MAX && types[i].shown;
}

bool file_name_clean(const char *name)
{
	size_t length = strlen(name);
	if (length == 0 || length > 255 || name[0] == '.' || strstr(name, ".."))
		return false;
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || *name == 0x7f || *name == '/' || *name == '\\')
			return false;
	return true;
}

int file_open_below(const char *directory, const char *name, int *ret_fd, uint64_t *ret_size, struct error *err)
{
	struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	                       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	struct stat status;
	int folder = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = folder < 0 ? -1 : (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
	int code = fd < 0 ? errno : 0;
	if (folder >= 0)
		close(folder);
	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		code = ENOENT;
	}
	/* A link, a folder, a pipe: to somebody who asks for a file of the run there is none of this name. */
	if (code == ELOOP || code == EXDEV || code == ENOTDIR || code == ENXIO || code == EINVAL)
		code = ENOENT;
	if (code == ENOENT)
		return error_set(err, ERROR_USAGE, ENOENT, "there is no file %s", name);
	if (code)
		return error_set(err, ERROR_BENCH, code, "%s: %s", name, strerror(code));
	*ret_fd = fd;
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

void answer_blob(struct api *api, struct http_request *request, int r, struct error *err, const char *sha256, const char *name)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	bool shown = file_is_shown(base) && !http_query(request, "download");
	uint64_t size;
	int fd;
	if (r == 0 && (r = blob_open(api->book, sha256, &fd, &size, err)) == -ENOENT) /* the book promised it */
		http_answer_error(request, HTTP_INTERNAL, "%s is lost: %s", name, err->message);
	else if (r < 0)
		api_fail(request, r, err);
	else
		http_answer_file(request, fd, size, file_content_type(base), shown ? NULL : base, sha256);
}

/* ---- files of a run ---- */

/* What the runner prints lies beside its directory. */
void run_file_directory(const char *out, const char *name, char directory[PATH_MAX])
{
	size_t length = strlen(out);
	memcpy(directory, out, length + 1);
	if (strcmp(name, "output.log") == 0 && length > 4 && strcmp(out + length - 4, "/out") == 0)
		directory[length - 4] = '\0';
}

static int find_stored(struct api *api, int64_t run, const char *name, int *ret_fd, uint64_t *ret_size, char sha256[BLOB_NAME_SIZE],
                       struct error *err)
{
	struct run_record *record;
	int r = book_artefact_find(api->book, run, name, sha256, ret_size, err);
	if (r == 0)
		return blob_open(api->book, sha256, ret_fd, ret_size, err);
	if (r != -ENOENT)
		return r;
	r = book_run(api->book, run, &record, err);
	if (r == 0) {
		run_record_free(record);
		r = error_set(err, ERROR_USAGE, ENOENT, "run %lld has no file %s", (long long)run, name);
	} else if (r == -ENOENT) {
		r = error_set(err, ERROR_USAGE, ENOENT, "there is no run %lld", (long long)run);
	}
	return r;
}

int run_file_open(struct api *api, int64_t run, const char *name, int *ret_fd, uint64_t *ret_size, char sha256[BLOB_NAME_SIZE],
                  struct error *err)
{
	char out[PATH_MAX] = "", directory[PATH_MAX];
	sha256[0] = '\0';
	lab_run_directory(api->lab, run, out, sizeof(out));
	if (out[0]) {
		run_file_directory(out, name, directory);
		int r = file_open_below(directory, name, ret_fd, ret_size, err);
		if (r != -ENOENT)
			return r;
	}
	return find_stored(api, run, name, ret_fd, ret_size, sha256, err);
}

void api_run_artefact(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *name = http_parameter(request, "name");
	char sha256[BLOB_NAME_SIZE];
	struct error error = {0};
	uint64_t size;
	int64_t id;
	int fd;
	if (!api || !http_parameter_id(request, "id", &id))
		return;
	if (!file_name_clean(name)) {
		http_answer_error(request, HTTP_BAD_REQUEST, "that is no name of a file of a run");
		return;
	}
	int r = run_file_open(api, id, name, &fd, &size, sha256, &error);
	bool shown = file_is_shown(name) && !http_query(request, "download");
	if (r < 0)
		api_fail(request, r, &error);
	else
		http_answer_file(request, fd, size, file_content_type(name), shown ? NULL : name, sha256[0] ? sha256 : NULL);
}
