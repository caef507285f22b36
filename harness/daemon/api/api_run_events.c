/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/runs/ID/events: the journal of a run as it grows, and of one that is stored. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/log.h"
#include "../book/results.h"
#include "api_private.h"
#include "journal_file.h"
#include "line_stream.h"

struct run_viewer {
	struct viewer viewer; /* first */
	struct tail_reader reader;
	int fd;      /* of the stored journal; -1: not known yet, or still growing */
	bool stored; /* nothing comes to it any more */
	struct line_stream stream;
};

/* ---- what is said ---- */

static int say_end(struct run_viewer *run)
{
	struct run_record *record;
	struct error error = {0};
	int r = book_run(run->viewer.api->book, run->viewer.id, &record, &error);
	if (r < 0)
		return r;
	const char *outcome = job_outcome_name(record->outcome);
	json_t *end = json_pack("{s:s, s:s?}", "state", run_state_name(record->state), "outcome", outcome);
	run_record_free(record);
	return line_stream_last(&run->stream, "end", end);
}

static int say_dropped(struct run_viewer *run, const char *reason)
{
	run->viewer.api->dropped++;
	return line_stream_last(&run->stream, "dropped", json_pack("{s:s}", "reason", reason));
}

static int say_lines(struct run_viewer *run, const char *lines, size_t length)
{
	return line_stream_lines(&run->stream, lines, length, run->reader.offset);
}

/* ---- where the lines come from ---- */

/* Of a run that is done. What it did not write cannot be shown, and is no fault. */
static int open_stored(struct run_viewer *run)
{
	struct api *api = run->viewer.api;
	struct error error = {0};
	char sha256[BLOB_NAME_SIZE];
	uint64_t size;
	run->stored = true;
	int r = book_artefact_find(api->book, run->viewer.id, "events.jsonl", sha256, &size, &error);
	if (r == 0)
		r = blob_open(api->book, sha256, &run->fd, &size, &error);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		log_warning("journal of run %" PRId64 ": %s", run->viewer.id, error.message);
		return r;
	}
	return journal_file_line_begins(run->fd, run->reader.offset) ? 0 : say_dropped(run, "no line begins at this offset");
}

static int read_stored(struct run_viewer *run)
{
	struct api *api = run->viewer.api;
	size_t length = 0;
	int r = run->fd < 0 ? 0 : journal_file_read(run->fd, &run->reader.offset, run->reader.summary, api->scratch, API_SCRATCH, &length);
	if (r < 0)
		return r;
	if (r == 0)
		return say_end(run);
	if (length > 0)
		return say_lines(run, api->scratch, length);
	http_stream_wake(run->viewer.stream); /* on with it, but after others had their turn */
	return 0;
}

static int read_growing(struct run_viewer *run, struct tail *tail)
{
	struct api *api = run->viewer.api;
	struct error error = {0};
	size_t length = 0;
	int r = tail_read(tail, &run->reader, api->scratch, API_SCRATCH, &length, &error);
	if (r == -EOVERFLOW)
		return say_dropped(run, "too slow: the run is far ahead");
	if (r == -EINVAL)
		return say_dropped(run, "no line begins at this offset");
	if (r < 0) {
		log_warning("journal of run %" PRId64 ": %s", run->viewer.id, error.message);
		return r;
	}
	return length > 0 ? say_lines(run, api->scratch, length) : 0;
}

static int read_more(void *context)
{
	struct run_viewer *run = context;
	struct api *api = run->viewer.api;
	struct run_record *record;
	struct error error = {0};
	if (run->stored)
		return read_stored(run);
	struct tail *tail = lab_run_tail(api->lab, run->viewer.id);
	if (tail)
		return read_growing(run, tail);
	int r = book_run(api->book, run->viewer.id, &record, &error);
	if (r < 0)
		return r;
	bool done = record->state == RUN_DONE;
	run_record_free(record);
	if (!done) /* it has not begun to write */
		return 0;
	r = open_stored(run);
	return r < 0 || run->stream.text ? r : read_stored(run);
}

/* ---- the stream ---- */

static ssize_t fill(void *context, char *buffer, size_t size)
{
	struct run_viewer *run = context;
	if (run->viewer.api->stopping && !run->stream.text)
		return -ENODATA;
	return line_stream_fill(&run->stream, read_more, run, buffer, size);
}

static void closed(void *context)
{
	struct run_viewer *run = context;
	if (run->fd >= 0)
		close(run->fd);
	line_stream_clear(&run->stream);
	viewer_gone(&run->viewer);
	free(run);
}

/* Its tail goes away, its file is a blob now. */
void run_viewers_storing(struct api *api, int64_t id)
{
	viewers_wake(api, VIEWER_RUN, id);
}

void api_run_events(struct http_request *request, void *context)
{
	static const struct http_stream_calls calls = {fill, closed};
	struct api *api = api_enter(request, context);
	struct line_wish wish;
	struct run_record *record;
	struct error error = {0};
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !line_stream_wish(request, &wish))
		return;
	int r = book_run(api->book, id, &record, &error);
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no run %lld", (long long)id);
	else if (r < 0)
		api_fail(request, r, &error);
	if (r < 0)
		return;
	run_record_free(record);
	struct run_viewer *run = calloc(1, sizeof(*run));
	if (!run) {
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
		return;
	}
	run->fd = -1;
	run->reader = (struct tail_reader){.offset = wish.offset, .summary = wish.summary};
	viewer_open(&run->viewer, api, VIEWER_RUN, id, request, "text/event-stream", &calls);
}
