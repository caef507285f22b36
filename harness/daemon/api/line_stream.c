/* SPDX-License-Identifier: Apache-2.0 */
#include "line_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../http/http.h"

/* ---- encoding ---- */

/* One event of several lines. A carriage return would end a line of the stream, and a journal has none. */
static char *encode(const char *lines, size_t length, uint64_t offset, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);
	if (!out)
		return NULL;
	fprintf(out, "event: line\nid: %" PRIu64 "\n", offset);
	for (const char *end = lines + length; lines < end;) {
		const char *newline = memchr(lines, '\n', (size_t)(end - lines));
		size_t line = (size_t)((newline ? newline : end) - lines);
		fputs("data: ", out);
		for (size_t i = 0; i < line; i++)
			putc_unlocked(lines[i] == '\r' ? ' ' : lines[i], out);
		fputc('\n', out);
		lines += line + 1;
	}
	fputc('\n', out);
	bool failed = ferror(out) != 0;
	if (fclose(out) == 0 && !failed)
		return text;
	free(text);
	return NULL;
}

int line_stream_lines(struct line_stream *stream, const char *lines, size_t length, uint64_t offset)
{
	stream->taken = 0;
	stream->text = encode(lines, length, offset, &stream->length);
	return stream->text ? 0 : -ENOMEM;
}

int line_stream_last(struct line_stream *stream, const char *event, json_t *stolen)
{
	char *json = stolen ? json_dumps(stolen, JSON_COMPACT) : NULL;
	json_decref(stolen);
	int length = json ? asprintf(&stream->text, "event: %s\ndata: %s\n\n", event, json) : -1;
	free(json);
	if (length < 0) {
		stream->text = NULL;
		return -ENOMEM;
	}
	stream->length = (size_t)length;
	stream->taken = 0;
	stream->last = true;
	return 0;
}

/* ---- taking ---- */

static ssize_t take(struct line_stream *stream, char *buffer, size_t size)
{
	size_t left = stream->length - stream->taken, some = left < size ? left : size;
	memcpy(buffer, stream->text + stream->taken, some);
	stream->taken += some;
	if (stream->taken == stream->length)
		line_stream_clear(stream);
	return (ssize_t)some;
}

ssize_t line_stream_fill(struct line_stream *stream, int (*more)(void *context), void *context, char *buffer, size_t size)
{
	if (stream->text)
		return take(stream, buffer, size);
	if (stream->last)
		return -ENODATA;
	int r = more(context);
	if (r < 0)
		return r == -ENODATA ? -EIO : r;
	return stream->text ? take(stream, buffer, size) : 0;
}

void line_stream_clear(struct line_stream *stream)
{
	free(stream->text);
	stream->text = NULL;
}

/* ---- what is asked for ---- */

static bool read_offset(struct http_request *request, struct line_wish *ret)
{
	const char *last = http_header(request, "Last-Event-ID");
	int64_t from;
	char *end;
	if (!http_query_number(request, "from", 0, INT64_MAX, 0, &from))
		return false;
	ret->offset = (uint64_t)from;
	if (!last || !*last)
		return true;
	errno = 0;
	from = strtoll(last, &end, 10);
	if (errno != 0 || *end != '\0' || from < 0) {
		http_answer_error(request, HTTP_BAD_REQUEST, "Last-Event-ID is no offset");
		return false;
	}
	ret->offset = (uint64_t)from;
	ret->again = true;
	return true;
}

bool line_stream_wish(struct http_request *request, struct line_wish *ret)
{
	const char *level = http_query(request, "level");
	*ret = (struct line_wish){.summary = level && strcmp(level, "summary") == 0};
	if (!read_offset(request, ret))
		return false;
	if (!level || ret->summary || strcmp(level, "all") == 0)
		return true;
	http_answer_error(request, HTTP_BAD_REQUEST, "level is all or summary");
	return false;
}
