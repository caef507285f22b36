/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /api/v1/jobs/ID/log: what the runs of a job printed. Runs that follow each other come one after the other; those of a job that is
 * spread over rigs come line by line, each with its rig in front.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_private.h"

#define LOOK_US   200000 /* between two looks at files that may grow */
#define CHUNK     8192
#define RUNS_MOST 1000

struct log_source {
	int64_t run;
	unsigned number;
	char rig[80];
	int fd; /* -1: not there yet */
	uint64_t offset;
	bool done;     /* the run is; what the file has now is all */
	bool finished; /* and it is sent */
	bool begun;
};
struct log_viewer {
	struct viewer viewer; /* first */
	int64_t job;
	bool follow, spread, job_done;
	struct log_source *sources;
	size_t count;
	sd_event_source *timer;
};

/* ---- which runs there are ---- */

static int add_source(struct log_viewer *log, const struct run_record *record)
{
	struct log_source *sources = reallocarray(log->sources, log->count + 1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	log->sources = sources;
	struct log_source *source = &sources[log->count++];
	*source = (struct log_source){.run = record->id, .number = record->number, .fd = -1};
	snprintf(source->rig, sizeof(source->rig), "%s", record->rig);
	return 0;
}

static struct log_source *find(struct log_viewer *log, int64_t run)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->sources[i].run == run)
			return &log->sources[i];
	return NULL;
}

static int note_runs(struct log_viewer *log, struct run_record **runs, size_t count)
{
	int r = 0;
	for (size_t i = 0; i < count; i++) {
		if (r == 0 && log->count < RUNS_MOST && !find(log, runs[i]->id))
			r = add_source(log, runs[i]);
		struct log_source *source = find(log, runs[i]->id);
		if (source)
			source->done = runs[i]->state == RUN_DONE;
		run_record_free(runs[i]);
	}
	free(runs);
	return r;
}

static int look(struct log_viewer *log)
{
	struct api *api = log->viewer.api;
	struct error error = {0};
	struct job_record *job;
	struct run_record **runs;
	size_t count;
	if (log->job_done)
		return 0;
	int r = book_job(api->book, log->job, &job, &error);
	if (r < 0)
		return r;
	bool done = job->state == JOB_DONE;
	log->spread = job->spread > 1;
	job_record_free(job);
	r = book_runs_of(api->book, log->job, &runs, &count, &error);
	if (r == 0)
		r = note_runs(log, runs, count);
	log->job_done = r == 0 && done;
	return r;
}

/* ---- what they say ---- */

static size_t put_head(const struct log_viewer *log, struct log_source *source, char *buffer)
{
	if (source->begun || log->spread || source->number == 1)
		return 0;
	source->begun = true;
	return (size_t)snprintf(buffer, 160, "--- run %u on %s ---\n", source->number, source->rig);
}

/* Whole lines with the rig before each; a line without an end only when it is long or the last. Returns how many bytes of the chunk were
 * used up. */
static size_t put_lines(const struct log_source *source, const char *chunk, size_t length, bool all, char *buffer, size_t size,
                        size_t *filled)
{
	size_t used = 0;
	while (used < length) {
		const char *newline = memchr(chunk + used, '\n', length - used);
		size_t line = newline ? (size_t)(newline - chunk) + 1 - used : length - used;
		if (!newline && !all && length < CHUNK)
			break;
		if (*filled + line + sizeof(source->rig) + 4 > size)
			break;
		*filled += (size_t)snprintf(buffer + *filled, size - *filled, "%s: ", source->rig);
		memcpy(buffer + *filled, chunk + used, line);
		*filled += line;
		if (!newline)
			buffer[(*filled)++] = '\n';
		used += line;
	}
	return used;
}

static void open_source(struct log_viewer *log, struct log_source *source)
{
	char sha256[BLOB_NAME_SIZE];
	struct error error = {0};
	uint64_t size;
	if (source->fd < 0 && run_file_open(log->viewer.api, source->run, "output.log", &source->fd, &size, sha256, &error) < 0)
		source->fd = -1;
}

/* size: at least CHUNK + 256. */
static ssize_t read_source(struct log_viewer *log, struct log_source *source, char *buffer, size_t size)
{
	char chunk[CHUNK];
	size_t filled = 0;
	bool all = source->done || !log->follow;
	open_source(log, source);
	ssize_t n = source->fd < 0 ? 0 : pread(source->fd, chunk, sizeof(chunk), (off_t)source->offset);
	if (n < 0)
		return -errno;
	if (n == 0) {
		source->finished = all;
		return 0;
	}
	filled = put_head(log, source, buffer);
	if (log->spread) {
		source->offset += put_lines(source, chunk, (size_t)n, all, buffer, size, &filled);
	} else {
		memcpy(buffer + filled, chunk, (size_t)n);
		filled += (size_t)n;
		source->offset += (uint64_t)n;
	}
	return (ssize_t)filled;
}

/* Those before it, unless they go on side by side. */
static ssize_t read_sources(struct log_viewer *log, char *buffer, size_t size)
{
	for (size_t i = 0; i < log->count; i++) {
		if (log->sources[i].finished)
			continue;
		ssize_t n = read_source(log, &log->sources[i], buffer, size);
		if (n != 0)
			return n;
		if (!log->spread && !log->sources[i].finished)
			break;
	}
	return 0;
}

static bool is_over(const struct log_viewer *log)
{
	for (size_t i = 0; i < log->count; i++)
		if (!log->sources[i].finished)
			return false;
	return log->job_done || !log->follow;
}

/* ---- the stream ---- */

static int on_look(sd_event_source *source, uint64_t usec, void *context)
{
	struct log_viewer *log = context;
	http_stream_wake(log->viewer.stream);
	return 0;
}

static int look_later(struct log_viewer *log)
{
	int r = log->timer ? sd_event_source_set_time_relative(log->timer, LOOK_US)
	                   : sd_event_add_time_relative(log->viewer.api->event, &log->timer, CLOCK_MONOTONIC, LOOK_US, LOOK_US / 4, on_look,
	                                                log);
	return r < 0 ? r : sd_event_source_set_enabled(log->timer, SD_EVENT_ONESHOT);
}

static ssize_t fill(void *context, char *buffer, size_t size)
{
	struct log_viewer *log = context;
	if (log->viewer.api->stopping)
		return -ENODATA;
	if (size < CHUNK + 256) /* does not happen: streams have larger blocks */
		return -EMSGSIZE;
	/* First who is done, then what there is: what is read after that is all of it. */
	int r = look(log);
	ssize_t n = r < 0 ? r : read_sources(log, buffer, size);
	if (n != 0)
		return n == -ENODATA ? -EIO : n;
	if (is_over(log))
		return -ENODATA;
	r = look_later(log);
	return r < 0 ? r : 0;
}

static void closed(void *context)
{
	struct log_viewer *log = context;
	sd_event_source_disable_unref(log->timer);
	for (size_t i = 0; i < log->count; i++)
		if (log->sources[i].fd >= 0)
			close(log->sources[i].fd);
	free(log->sources);
	viewer_gone(&log->viewer);
	free(log);
}

void api_job_log(struct http_request *request, void *context)
{
	static const struct http_stream_calls calls = {fill, closed};
	struct api *api = api_enter(request, context);
	struct job_record *job;
	struct error error = {0};
	int64_t id, follow;
	if (!api || !http_parameter_id(request, "id", &id) || !http_query_number(request, "follow", 0, 1, 0, &follow))
		return;
	int r = book_job(api->book, id, &job, &error);
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no job %lld", (long long)id);
	else if (r < 0)
		api_fail(request, r, &error);
	if (r < 0)
		return;
	job_record_free(job);
	struct log_viewer *log = calloc(1, sizeof(*log));
	if (!log) {
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
		return;
	}
	log->job = id;
	log->follow = follow == 1;
	viewer_open(&log->viewer, api, VIEWER_LOG, 0, request, "text/plain; charset=utf-8", &calls);
}
