/* SPDX-License-Identifier: Apache-2.0 */
#include "job_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define S_NS         INT64_C(1000000000)
#define DAY_NS       (86400 * S_NS)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a submission says, borrowed from its JSON. */
struct said {
	const char *title, *series, *key, *rig, *pool;
	const json_t *
	        requires,
	                *
	                files,
	        *paths, *options;
	int64_t priority, spread, retries, time_limit_ns, silence_limit_ns;
};

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static int copy_text(const char *text, char **ret, struct error *err)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : no_memory(err);
}

static int copy_texts(const json_t *list, char ***ret, struct error *err)
{
	size_t count = json_array_size(list);
	*ret = calloc(count + 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < count; i++)
		if (!((*ret)[i] = strdup(json_string_value(json_array_get(list, i)))))
			return no_memory(err);
	return *ret ? 0 : no_memory(err);
}

static int check_options(const json_t *options, struct error *err)
{
	const json_t *tags = NULL, *cases = NULL, *params = NULL;
	int64_t repeat = 1, retry = 0, seed = 0;
	bool stop = false;
	const struct field fields[] = {
	        {"tags", FIELD_TEXTS, false, &tags, 0, 64},         {"cases", FIELD_TEXTS, false, &cases, 0, 64},
	        {"params", FIELD_TEXTS, false, &params, 0, 64},     {"repeat", FIELD_INTEGER, false, &repeat, 1, 1000000},
	        {"retry", FIELD_INTEGER, false, &retry, 0, 100},    {"seed", FIELD_INTEGER, false, &seed, 0, INT64_MAX},
	        {"stop_at_failure", FIELD_BOOL, false, &stop, 0, 0}};
	return fields_read(options, "options", fields, COUNT(fields), err);
}

static int read_file(const json_t *item, struct job_file *file, struct error *err)
{
	const char *path = NULL, *digest = NULL;
	const struct field fields[] = {{"path", FIELD_TEXT, true, &path, 1, 512}, {"sha256", FIELD_TEXT, true, &digest, 64, 64}};
	int r = fields_read(item, "file", fields, COUNT(fields), err);
	if (r == 0)
		r = copy_text(path, &file->path, err);
	return r == 0 ? copy_text(digest, &file->sha256, err) : r;
}

static int read_files(const json_t *list, struct job_record *job, struct error *err)
{
	size_t i;
	const json_t *item;
	job->files = calloc(json_array_size(list), sizeof(*job->files));
	if (!job->files)
		return no_memory(err);
	json_array_foreach (list, i, item) {
		job->file_count = i + 1;
		int r = read_file(item, &job->files[i], err);
		if (r < 0) {
			error_prefix(err, "\"files\", item %zu", i + 1);
			return r;
		}
	}
	return 0;
}

/* Folders with the slash that a shell completes them with. */
static int read_paths(const json_t *list, struct job_record *job, struct error *err)
{
	int r = copy_texts(list, &job->paths, err);
	for (size_t i = 0; r == 0 && job->paths[i]; i++) {
		size_t length = strlen(job->paths[i]);
		if (length > 1 && job->paths[i][length - 1] == '/')
			job->paths[i][length - 1] = '\0';
	}
	return r;
}

/* A job that nobody named is called by what it runs. */
static int name_job(struct job_record *job, struct error *err)
{
	if (job->title)
		return 0;
	job->title = strndup(job->paths[0], 200);
	return job->title ? 0 : no_memory(err);
}

static int fill(struct job_record *job, const struct said *said, struct error *err)
{
	job->priority = (int)said->priority;
	job->spread = (unsigned)said->spread;
	job->retries = (unsigned)said->retries;
	job->time_limit_ns = said->time_limit_ns;
	job->silence_limit_ns = said->silence_limit_ns;
	job->options = said->options ? json_deep_copy(said->options) : json_object();
	int r = job->options ? copy_text(said->title, &job->title, err) : no_memory(err);
	if (r == 0)
		r = copy_text(said->series, &job->series, err);
	if (r == 0)
		r = copy_text(said->key, &job->key, err);
	if (r == 0)
		r = copy_text(said->rig, &job->rig, err);
	if (r == 0)
		r = copy_text(said->pool, &job->pool, err);
	if (r == 0)
		r = copy_texts(said->requires, &job->requires, err);
	if (r == 0)
		r = read_files(said->files, job, err);
	if (r == 0)
		r = read_paths(said->paths, job, err);
	return r == 0 ? name_job(job, err) : r;
}

int job_request_read(const json_t *json, unsigned retries, struct job_record **ret, struct error *err)
{
	struct said said = {.series = JOB_REQUEST_SERIES, .spread = 1, .retries = retries};
	const struct field fields[] = {{"title", FIELD_TEXT, false, &said.title, 1, 200},
	                               {"series", FIELD_TEXT, false, &said.series, 1, 64},
	                               {"key", FIELD_TEXT, false, &said.key, 1, 64},
	                               {"rig", FIELD_TEXT, false, &said.rig, 1, 64},
	                               {"pool", FIELD_TEXT, false, &said.pool, 1, 64},
	                               {"requires", FIELD_TEXTS, false, &said.requires, 0, 64},
	                               {"priority", FIELD_INTEGER, false, &said.priority, -100, 100},
	                               {"spread", FIELD_INTEGER, false, &said.spread, 1, 16},
	                               {"files", FIELD_ARRAY, true, &said.files, 1, 10000},
	                               {"paths", FIELD_TEXTS, true, &said.paths, 1, 1000},
	                               {"options", FIELD_OBJECT, false, &said.options, 0, 0},
	                               {"time_limit", FIELD_DURATION, false, &said.time_limit_ns, S_NS, 30 * DAY_NS},
	                               {"silence_limit", FIELD_DURATION, false, &said.silence_limit_ns, S_NS, 30 * DAY_NS},
	                               {"retries", FIELD_INTEGER, false, &said.retries, 0, 10}};
	int r = fields_read(json, "submission", fields, COUNT(fields), err);
	if (r == 0 && said.rig && said.pool)
		r = error_set(err, ERROR_USAGE, EINVAL, "at most one of \"rig\" and \"pool\"");
	if (r == 0 && said.options)
		r = check_options(said.options, err);
	if (r < 0)
		return r;
	struct job_record *job = calloc(1, sizeof(*job));
	if (!job)
		return no_memory(err);
	r = fill(job, &said, err);
	if (r < 0)
		job_record_free(job);
	else
		*ret = job;
	return r;
}
