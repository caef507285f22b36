/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody submits is checked before it is kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "submission.h"

#define TEXT_LIMIT  200
#define NAME_LIMIT  64
#define LIST_LIMIT  64 /* of one option, as hilbench run has it */
#define PATHS_LIMIT 1000
#define PATH_LIMIT  512
#define DAY_NS      (INT64_C(86400) * 1000000000)

static int refuse(struct error *err, const char *what, const char *why)
{
	return error_set(err, ERROR_USAGE, EINVAL, "%s: %s", what, why);
}

bool submission_path_clean(const char *path)
{
	size_t length = strlen(path);
	if (length == 0 || length > PATH_LIMIT || path[0] == '/' || path[length - 1] == '/')
		return false;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\')
			return false;
	for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
		size_t n = strcspn(part, "/");
		if (n == 0 || n > 255 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
			return false;
	}
	json_t *text = json_string(path); /* refuses what is no UTF-8 */
	json_decref(text);
	return text != NULL;
}

static bool text_clean(const char *text, size_t limit)
{
	if (strlen(text) > limit)
		return false;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	json_t *string = json_string(text);
	json_decref(string);
	return string != NULL;
}

static int check_text(const char *what, const char *text, size_t limit, bool needed, struct error *err)
{
	if (!text)
		return needed ? refuse(err, what, "is missing") : 0;
	if (needed && !*text)
		return refuse(err, what, "is empty");
	return text_clean(text, limit) ? 0 : refuse(err, what, "is too long or has control characters");
}

/* ---- files and paths ---- */

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct job_file *)a)->path, ((const struct job_file *)b)->path);
}

/* files are sorted: is there one of this name, or below a folder of this name? */
static bool names_file(const struct job_record *job, const char *path, bool or_folder)
{
	size_t low = 0, high = job->file_count, length = strlen(path);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(job->files[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < job->file_count && strcmp(job->files[low].path, path) == 0)
		return true;
	/* "a-b" lies between "a" and "a/b". */
	for (; or_folder && low < job->file_count && strncmp(job->files[low].path, path, length) == 0; low++)
		if (job->files[low].path[length] == '/')
			return true;
	return false;
}

static int check_parents(const struct job_record *job, const char *path, struct error *err)
{
	char folder[PATH_LIMIT + 1];
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		memcpy(folder, path, (size_t)(slash - path));
		folder[slash - path] = '\0';
		if (names_file(job, folder, false))
			return error_set(err, ERROR_USAGE, EINVAL, "files: %s is a file and a folder", folder);
	}
	return 0;
}

static int check_file(struct book *book, struct job_file *file, struct error *err)
{
	if (!file->path || !submission_path_clean(file->path))
		return error_set(err, ERROR_USAGE, EINVAL, "files: \"%.100s\" is no clean relative path", file->path ? file->path : "");
	if (!file->sha256 || !blob_name_valid(file->sha256))
		return error_set(err, ERROR_USAGE, EINVAL, "files: %s: sha256 must be 64 lower-case hexadecimal digits", file->path);
	int r = blob_find(book, file->sha256, &file->size, err);
	if (r == -ENOENT)
		return error_set(err, ERROR_USAGE, EINVAL, "files: %s: %s was not uploaded", file->path, file->sha256);
	return r;
}

static int check_files(struct book *book, struct job_record *job, struct error *err)
{
	int r = 0;
	if (job->file_count == 0)
		return refuse(err, "files", "there must be one at least");
	if (job->file_count > SUBMISSION_FILES)
		return refuse(err, "files", "more than 10000");
	for (size_t i = 0; r == 0 && i < job->file_count; i++)
		r = check_file(book, &job->files[i], err);
	if (r < 0)
		return r;
	qsort(job->files, job->file_count, sizeof(*job->files), compare_files);
	for (size_t i = 0; r == 0 && i < job->file_count; i++) {
		if (i > 0 && strcmp(job->files[i - 1].path, job->files[i].path) == 0)
			return error_set(err, ERROR_USAGE, EINVAL, "files: %s is there twice", job->files[i].path);
		r = check_parents(job, job->files[i].path, err);
	}
	return r;
}

static int check_paths(const struct job_record *job, struct error *err)
{
	size_t count = 0;
	for (char **path = job->paths; path && *path; path++, count++) {
		if (strcmp(*path, ".") == 0)
			continue;
		if (!submission_path_clean(*path))
			return error_set(err, ERROR_USAGE, EINVAL, "paths: \"%.100s\" is no clean relative path", *path);
		if (!names_file(job, *path, true))
			return error_set(err, ERROR_USAGE, EINVAL, "paths: %s is not among the files", *path);
	}
	if (count == 0 || count > PATHS_LIMIT)
		return refuse(err, "paths", "from 1 to 1000 are needed");
	return 0;
}

/* ---- options ---- */

static int check_list(const char *name, const json_t *value, struct error *err)
{
	const json_t *text;
	size_t i;
	if (!json_is_array(value) || json_array_size(value) > LIST_LIMIT)
		return error_set(err, ERROR_USAGE, EINVAL, "options: %s must be a list of at most %d texts", name, LIST_LIMIT);
	json_array_foreach (value, i, text) {
		const char *string = json_string_value(text);
		if (!string || !*string || !text_clean(string, 4 * TEXT_LIMIT))
			return error_set(err, ERROR_USAGE, EINVAL, "options: %s: each must be a text of 1 to %d characters", name,
			                 4 * TEXT_LIMIT);
		if (string[0] == '-') /* never taken for an option, nor for the value of one by mistake */
			return error_set(err, ERROR_USAGE, EINVAL, "options: %s: \"%.100s\" begins with a dash", name, string);
		if (strcmp(name, "params") == 0 && (!strchr(string, ':') || !strchr(string, '=')))
			return error_set(err, ERROR_USAGE, EINVAL, "options: params: \"%.100s\" is not ROLE:NAME=VALUE", string);
	}
	return 0;
}

static int check_option(const char *name, const json_t *value, struct error *err)
{
	static const struct {
		const char *name;
		int64_t least, most;
	} numbers[] = {{"repeat", 1, 1000000}, {"retry", 0, 100}, {"seed", 0, INT64_MAX}};
	if (!strcmp(name, "tags") || !strcmp(name, "cases") || !strcmp(name, "params"))
		return check_list(name, value, err);
	if (!strcmp(name, "stop_at_failure"))
		return json_is_boolean(value) ? 0 : refuse(err, "options: stop_at_failure", "must be true or false");
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		if (json_is_integer(value) && json_integer_value(value) >= numbers[i].least && json_integer_value(value) <= numbers[i].most)
			return 0;
		return error_set(err, ERROR_USAGE, EINVAL, "options: %s must be a whole number from %lld to %lld", name,
		                 (long long)numbers[i].least, (long long)numbers[i].most);
	}
	return error_set(err, ERROR_USAGE, EINVAL,
	                 "options: \"%.60s\" is unknown; known are tags, cases, params, repeat, retry, seed and stop_at_failure", name);
}

static int check_options(const json_t *options, struct error *err)
{
	const char *name;
	json_t *value;
	if (options && !json_is_object(options))
		return refuse(err, "options", "must be an object");
	json_object_foreach ((json_t *)options, name, value) {
		int r = check_option(name, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- everything ---- */

static int check_names(const struct job_record *job, struct error *err)
{
	unsigned count = 0;
	int r = check_text("title", job->title, TEXT_LIMIT, true, err);
	if (r == 0)
		r = check_text("series", job->series, NAME_LIMIT, true, err);
	if (r == 0)
		r = check_text("key", job->key, NAME_LIMIT, job->key != NULL, err);
	if (r == 0)
		r = check_text("rig", job->rig, NAME_LIMIT, job->rig != NULL, err);
	if (r == 0)
		r = check_text("pool", job->pool, NAME_LIMIT, job->pool != NULL, err);
	for (char **need = job->requires; r == 0 && need && *need; need++) {
		r = check_text("requires", *need, NAME_LIMIT, true, err);
		if (r == 0 && ++count > LIST_LIMIT)
			r = refuse(err, "requires", "more than 64");
	}
	if (r == 0 && job->rig && job->pool)
		r = refuse(err, "rig and pool", "at most one of them");
	return r;
}

static int check_numbers(struct job_record *job, const struct submission_limits *limits, struct error *err)
{
	if (job->priority < -100 || job->priority > 100)
		return refuse(err, "priority", "must be from -100 to 100");
	if (job->spread < 1 || job->spread > 16)
		return refuse(err, "spread", "must be from 1 to 16");
	if (job->retries > 10)
		return refuse(err, "retries", "must be from 0 to 10");
	if (job->time_limit_ns < 0 || job->time_limit_ns > 30 * DAY_NS)
		return refuse(err, "time_limit", "must be at most 30 days");
	if (job->silence_limit_ns < 0 || job->silence_limit_ns > 30 * DAY_NS)
		return refuse(err, "silence_limit", "must be at most 30 days");
	if (!job->time_limit_ns)
		job->time_limit_ns = limits->time_limit_ns;
	if (!job->silence_limit_ns)
		job->silence_limit_ns = limits->silence_limit_ns;
	return 0;
}

int submission_check(struct book *book, struct job_record *job, const struct submission_limits *limits, struct error *err)
{
	int r = check_names(job, err);
	if (r == 0)
		r = check_numbers(job, limits, err);
	if (r == 0)
		r = check_options(job->options, err);
	if (r == 0)
		r = check_files(book, job, err);
	return r == 0 ? check_paths(job, err) : r;
}
