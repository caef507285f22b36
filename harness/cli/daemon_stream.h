/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon sends as it happens: server-sent events and growing texts. A stream that breaks is asked for again where it broke (events
 * by Last-Event-ID, texts by what came already), also when the daemon was away meanwhile.
 */
#ifndef HARNESS_CLI_DAEMON_STREAM_H
#define HARNESS_CLI_DAEMON_STREAM_H

#include "daemon_client.h"

struct daemon_streams;
struct daemon_stream;

struct daemon_stream_calls {
	/* An event (its lines of data with "\n" between), or NULL: the stream is text. Valid during the call. */
	void (*event)(const char *name, const char *data, size_t length, void *context);
	void (*text)(const char *data, size_t length, void *context);
	/* The connection ended; it is asked for again unless the stream is closed now. May be NULL. */
	void (*ended)(void *context);
	/* The daemon refuses it: it is not asked for again. May be NULL. */
	void (*refused)(int r, const struct error *, void *context);
};
int daemon_streams_new(struct daemon_streams **ret, struct daemon_client *, struct error *err) WARN_UNUSED;
void daemon_streams_free(struct daemon_streams *); /* with all its streams; NULL allowed */
/* Serves the streams until something came (0), a signal (-ECANCELED, not taken yet), or the deadline (-ETIMEDOUT). */
int daemon_streams_wait(struct daemon_streams *, int64_t deadline_ns) WARN_UNUSED;

struct daemon_stream *daemon_stream_open(struct daemon_streams *, const char *path, const struct daemon_stream_calls *, void *context,
                                         struct error *err); /* NULL: out of memory */
void daemon_stream_close(struct daemon_stream *);            /* also from its calls; NULL allowed */
/* Position behind the last event that came whole, "" before the first. */
const char *daemon_stream_id(const struct daemon_stream *);
bool daemon_stream_live(const struct daemon_stream *); /* an answer has begun, and goes on */

#endif
