/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of unknown length. The library asks for the next block when the one before is with the socket; when there is none the connection
 * is suspended, which costs nothing, and http_stream_wake() resumes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_private.h"

struct http_stream {
	struct http_link link; /* first */
	struct http_server *server;
	struct http_connection *connection;
	struct MHD_Connection *mhd;
	struct http_stream_calls calls;
	void *context;
	uint64_t sent_ms; /* when something was written last */
	bool events, suspended, filling, woken, comment_due, dead;
	unsigned newlines; /* at the end of what was written: two end an event */
};

/* Blocks are no longer than this, so that one fast stream does not hold up the others. */
#define BLOCK (32u << 10)

static const char comment[] = ":\n\n";

static void wrote(struct http_stream *stream, const char *buffer, size_t length)
{
	stream->sent_ms = http_now_ms();
	stream->comment_due = false;
	for (size_t i = length > 2 ? length - 2 : 0; i < length; i++)
		stream->newlines = buffer[i] == '\n' ? stream->newlines + 1 : 0;
}

static ssize_t fill(struct http_stream *stream, char *buffer, size_t size)
{
	ssize_t n;

	stream->filling = true;
	stream->woken = false;
	n = stream->calls.fill(stream->context, buffer, size);
	if (n == 0 && stream->woken) {
		stream->woken = false;
		n = stream->calls.fill(stream->context, buffer, size);
	}
	stream->filling = false;
	return n;
}

static ssize_t on_block(void *context, uint64_t position, char *buffer, size_t size)
{
	struct http_stream *stream = context;
	ssize_t n;

	if (stream->dead)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = fill(stream, buffer, size < BLOCK ? size : BLOCK);
	if (n == -ENODATA)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && stream->comment_due && stream->newlines >= 2) {
		n = sizeof(comment) - 1;
		memcpy(buffer, comment, (size_t)n);
	}
	if (n > 0) {
		wrote(stream, buffer, (size_t)n);
		return n;
	}
	stream->comment_due = false;
	MHD_suspend_connection(stream->mhd);
	stream->suspended = true;
	if (stream->woken)
		http_stream_wake(stream);
	else
		http_connection_watch(stream->connection);
	return 0;
}

static void on_end(void *context)
{
	struct http_stream *stream = context;

	http_list_remove(&stream->link);
	if (stream->connection && stream->connection->stream == stream)
		stream->connection->stream = NULL;
	if (stream->calls.closed)
		stream->calls.closed(stream->context);
	free(stream);
}

struct http_stream *http_answer_stream(struct http_request *request, const char *content_type, const struct http_stream_calls *calls,
                                       void *context)
{
	struct http_stream *stream = request->mhd && !request->answered ? calloc(1, sizeof(*stream)) : NULL;
	struct MHD_Response *response =
	        stream ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_block, stream, on_end) : NULL;

	if (!response) {
		free(stream);
		if (calls->closed)
			calls->closed(context);
		if (!request->answered)
			http_answer_error(request, HTTP_INTERNAL, "out of memory");
		return NULL;
	}
	stream->server = request->server;
	stream->connection = request->connection;
	stream->mhd = request->mhd;
	stream->calls = *calls;
	stream->context = context;
	stream->events = strncmp(content_type, "text/event-stream", 17) == 0;
	stream->newlines = 2;
	stream->sent_ms = http_now_ms();
	request->connection->stream = stream;
	http_list_add(&request->server->streams, &stream->link);
	(void)MHD_add_response_header(response, "Content-Type", content_type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-cache, no-transform");
	(void)MHD_add_response_header(response, "X-Accel-Buffering", "no");
	http_answer_queue(request, 200, response, HTTP_POLICY_PAGE);
	return stream;
}

void http_stream_wake(struct http_stream *stream)
{
	if (stream->filling) {
		stream->woken = true;
		return;
	}
	if (!stream->suspended)
		return; /* it will be asked anyway */
	stream->suspended = false;
	MHD_resume_connection(stream->mhd);
	http_endpoint_kick(stream->connection->endpoint);
}

void http_stream_gone(struct http_stream *stream)
{
	stream->dead = true;
	http_stream_wake(stream);
}

void http_streams_tick(struct http_server *server, uint64_t now_ms)
{
	for (struct http_link *link = server->streams.next; link != &server->streams; link = link->next) {
		struct http_stream *stream = (struct http_stream *)link;

		if (!stream->events || !stream->suspended || now_ms - stream->sent_ms < server->limits.comment_ms)
			continue;
		stream->comment_due = true;
		http_stream_wake(stream);
	}
}

void http_streams_end(struct http_server *server)
{
	for (struct http_link *link = server->streams.next; link != &server->streams; link = link->next)
		http_stream_gone((struct http_stream *)link);
}
