/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/leases/ID/events: what a person does with a rig, as far as they show it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../base/log.h"
#include "../lab/lease_journal.h"
#include "api_private.h"
#include "journal_file.h"
#include "line_stream.h"

#define LINGER_NS INT64_C(5000000000) /* behind the end of the lease: for the last lines */

struct lease_viewer {
	struct viewer viewer;          /* first */
	struct lease_journal *journal; /* NULL: its holder sent nothing yet */
	struct line_wish wish;         /* offset: of what comes next */
	bool begun;
	struct line_stream stream;
};

/* ---- what is said ---- */

static int say_dropped(struct lease_viewer *lease, const char *reason)
{
	lease->viewer.api->dropped++;
	return line_stream_last(&lease->stream, "dropped", json_pack("{s:s}", "reason", reason));
}

/* The lease is over, or its holder has shown nothing yet. */
static int say_end(struct lease_viewer *lease)
{
	struct lease_record *record;
	struct error error = {0};
	int r = book_lease(lease->viewer.api->book, lease->viewer.id, &record, &error);
	if (r < 0)
		return r;
	if (record->state != LEASE_ACTIVE)
		r = line_stream_last(&lease->stream, "end",
		                     json_pack("{s:s, s:s}", "state", "over", "reason", record->end_reason ? record->end_reason : ""));
	lease_record_free(record);
	return r;
}

/* ---- where the lines come from ---- */

static int open_piece(const struct lease_viewer *lease, int *ret_fd, uint64_t *ret_begin)
{
	struct error error = {0};
	int r = lease_journal_piece(lease->journal, lease->wish.offset, ret_fd, ret_begin, &error);
	if (r < 0)
		log_warning("journal of lease %" PRId64 ": %s", lease->viewer.id, error.message);
	return r;
}

/* Whether a line begins at the offset, which is not behind the end. */
static bool line_begins(const struct lease_viewer *lease)
{
	uint64_t begin;
	int fd;
	if (lease->wish.offset == lease_journal_next(lease->journal))
		return true;
	if (open_piece(lease, &fd, &begin) < 0)
		return false;
	bool begins = journal_file_line_begins(fd, lease->wish.offset - begin);
	(void)close(fd);
	return begins;
}

/* Who says nothing else gets what is still there; who was here before is told what is missing. */
static int begin(struct lease_viewer *lease)
{
	uint64_t first = lease_journal_first(lease->journal);
	lease->begun = true;
	if (lease->wish.offset < first && lease->wish.again)
		return say_dropped(lease, "what comes next is no longer kept");
	if (lease->wish.offset < first)
		lease->wish.offset = first;
	if (lease->wish.offset > lease_journal_next(lease->journal) || !line_begins(lease))
		return say_dropped(lease, "no line begins at this offset");
	return 0;
}

static int read_lines(struct lease_viewer *lease)
{
	struct api *api = lease->viewer.api;
	size_t length = 0;
	uint64_t piece;
	int fd, r = open_piece(lease, &fd, &piece);
	if (r < 0)
		return r;
	uint64_t at = lease->wish.offset - piece;
	r = journal_file_read(fd, &at, lease->wish.summary, api->scratch, API_SCRATCH, &length);
	(void)close(fd);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	lease->wish.offset = piece + at;
	if (length > 0)
		return line_stream_lines(&lease->stream, api->scratch, length, lease->wish.offset);
	http_stream_wake(lease->viewer.stream); /* on with it, but after others had their turn */
	return 0;
}

static int read_more(void *context)
{
	struct lease_viewer *lease = context;
	struct lease_journal *journal = lease->journal ? lease->journal : lab_lease_journal(lease->viewer.api->lab, lease->viewer.id);
	if (!journal)
		return say_end(lease);
	if (!lease->journal)
		lease->journal = lease_journal_ref(journal);
	int r = lease->begun ? 0 : begin(lease);
	if (r < 0 || lease->stream.text)
		return r;
	if (lease->wish.offset < lease_journal_first(journal))
		return say_dropped(lease, "too slow: the session is far ahead");
	int64_t over_ns = lease_journal_over_ns(journal);
	if (over_ns && (lease->wish.offset == lease_journal_next(journal) || api_now_ns() - over_ns > LINGER_NS))
		return say_end(lease);
	return lease->wish.offset < lease_journal_next(journal) ? read_lines(lease) : 0;
}

/* ---- the stream ---- */

static ssize_t fill(void *context, char *buffer, size_t size)
{
	struct lease_viewer *lease = context;
	if (lease->viewer.api->stopping && !lease->stream.text)
		return -ENODATA;
	return line_stream_fill(&lease->stream, read_more, lease, buffer, size);
}

static void closed(void *context)
{
	struct lease_viewer *lease = context;
	line_stream_clear(&lease->stream);
	lease_journal_unref(lease->journal);
	viewer_gone(&lease->viewer);
	free(lease);
}

/* Of a person's lease that is not over; else it is answered. */
static bool may_watch(struct api *api, struct http_request *request, int64_t id)
{
	struct lease_record *record;
	struct error error = {0};
	int r = book_lease(api->book, id, &record, &error);
	if (r < 0) {
		if (r == -ENOENT)
			http_answer_error(request, HTTP_NOT_FOUND, "there is no lease %" PRId64, id);
		else
			api_fail(request, r, &error);
		return false;
	}
	bool person = record->kind == LEASE_PERSON, active = record->state == LEASE_ACTIVE;
	lease_record_free(record);
	if (!person)
		http_answer_error(request, HTTP_BAD_REQUEST, "lease %" PRId64 " is not a person's", id);
	else if (!active)
		http_answer_error(request, HTTP_GONE, "lease %" PRId64 " is over", id);
	return person && active;
}

void api_lease_events(struct http_request *request, void *context)
{
	static const struct http_stream_calls calls = {fill, closed};
	struct api *api = api_enter(request, context);
	struct line_wish wish;
	int64_t id;
	if (!api || !http_parameter_id(request, "id", &id) || !line_stream_wish(request, &wish) || !may_watch(api, request, id))
		return;
	struct lease_viewer *lease = calloc(1, sizeof(*lease));
	if (!lease) {
		http_answer_error(request, HTTP_INTERNAL, "out of memory");
		return;
	}
	lease->wish = wish;
	viewer_open(&lease->viewer, api, VIEWER_LEASE, id, request, "text/event-stream", &calls);
}
