/* SPDX-License-Identifier: Apache-2.0 */
/* A journal as server-sent events: lines as they come, and a last word. What a viewer has not taken is kept encoded, one portion at a time.
 */
#ifndef HARNESS_DAEMON_API_LINE_STREAM_H
#define HARNESS_DAEMON_API_LINE_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct line_stream {
	char *text; /* what is encoded and not taken yet; NULL: nothing */
	size_t length, taken;
	bool last; /* nothing follows `text` */
};
/* Whole lines as one event; offset: behind them. 0, -ENOMEM. Only while `text` is NULL. */
int line_stream_lines(struct line_stream *, const char *lines, size_t length, uint64_t offset);
/* The last event; takes data (NULL: there was no memory for it). 0, -ENOMEM. */
int line_stream_last(struct line_stream *, const char *event, json_t *stolen);
/* For http_stream_calls.fill. more(): encodes what comes next, or nothing; 0, -errno. */
ssize_t line_stream_fill(struct line_stream *, int (*more)(void *context), void *context, char *buffer, size_t size);
void line_stream_clear(struct line_stream *);

/* What a viewer asks for. */
struct http_request;
struct line_wish {
	uint64_t offset;
	bool summary, again; /* again: by Last-Event-ID, what comes before the offset is known */
};
/* False: answered with 400. */
bool line_stream_wish(struct http_request *, struct line_wish *ret);

#endif
