/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig watch: what happens on a rig of the daemon, whoever has it. Nothing is touched. */
#include "rig_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "../base/loop.h"
#include "daemon_command.h"
#include "daemon_stream.h"
#include "trace_sink.h"

#define COMMAND     "rig"
#define INTERRUPTED 130
#define LOOK_MS     500
#define LOOK_NS     INT64_C(5000000000)

struct watching {
	const struct rig_watch *wish;
	struct daemon_client *client;
	struct daemon_streams *streams;
	struct daemon_stream *stream;
	char path[80]; /* of what is watched: "/api/v1/runs/7/events" */
	struct trace trace;
	const struct trace_sink *sink;
	void *state;
	bool over, dropped, gaps; /* gaps: not every line came */
	int r;
	struct error error;
};

static void note(const struct watching *watching, const char *what, const char *why)
{
	char text[400];
	(void)fflush(stdout);
	(void)fprintf(stderr, "hilbench rig: %s %s%s%s\n", watching->wish->rig, what, *why ? ": " : "",
	              daemon_plain(why, text, sizeof(text)));
}

static void fail(struct watching *watching, int r, const struct error *error)
{
	watching->r = r;
	watching->error = *error;
	watching->over = true;
}

/* ---- what comes ---- */

static int show_line(struct watching *watching, const char *line, size_t length, struct error *err)
{
	json_t *event = json_loadb(line, length, 0, NULL);
	const char *kind = json_string_value(json_object_get(event, "kind"));
	int r = 0;
	if (!kind || !strcmp(kind, "left-out"))
		note(watching, "shows a line that is too long", "");
	else if (trace_takes(&watching->trace, event))
		r = watching->sink->event(watching->state, event, err);
	json_decref(event);
	return r;
}

static void show_lines(struct watching *watching, const char *data, size_t length)
{
	struct error error = {0};
	int r = 0;
	for (const char *at = data, *end = data + length; r == 0 && at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t line = (size_t)((newline ? newline : end) - at);
		r = show_line(watching, at, line, &error);
		at += line + 1;
	}
	if (r == 0 && fflush(stdout) != 0)
		r = error_set(&error, ERROR_BENCH, errno, "cannot write standard output: %s", strerror(errno));
	if (r < 0)
		fail(watching, r, &error);
}

static void on_event(const char *name, const char *data, size_t length, void *context)
{
	struct watching *watching = context;
	if (!strcmp(name, "line")) {
		show_lines(watching, data, length);
		return;
	}
	json_t *json = json_loadb(data, length, 0, NULL);
	if (!strcmp(name, "end")) {
		bool run = !strcmp(daemon_text(json, "state"), "done");
		note(watching, run ? "has done the run" : "is given back",
		     run ? daemon_text(json, "outcome") : daemon_text(json, "reason"));
		watching->over = true;
	} else if (!strcmp(name, "dropped")) {
		note(watching, "is ahead of what is shown; lines are missing", daemon_text(json, "reason"));
		watching->dropped = watching->gaps = true;
	}
	json_decref(json);
}

static void on_refused(int r, const struct error *error, void *context)
{
	struct watching *watching = context;
	if (r == -ESTALE) { /* it ended while the daemon was away */
		note(watching, "is given back",
		     *daemon_stream_id(watching->stream) ? "the last lines may be missing, the daemon was away" : "");
		watching->over = true;
	} else {
		fail(watching, r, error);
	}
}

/* ---- following ---- */

static int open_stream(struct watching *watching, const char *from, struct error *err)
{
	static const struct daemon_stream_calls calls = {.event = on_event, .refused = on_refused};
	char path[200];
	(void)snprintf(path, sizeof(path), "%s?level=%s%s%s", watching->path, watching->wish->summary ? "summary" : "all",
	               *from ? "&from=" : "", from);
	watching->stream = daemon_stream_open(watching->streams, path, &calls, watching, err);
	return watching->stream ? 0 : -ENOMEM;
}

/* From the last that came, as far as the daemon still has it. */
static int open_again(struct watching *watching, struct error *err)
{
	char from[64];
	(void)snprintf(from, sizeof(from), "%s", daemon_stream_id(watching->stream));
	watching->dropped = false;
	daemon_stream_close(watching->stream);
	return open_stream(watching, from, err);
}

static int follow(struct watching *watching, struct error *err)
{
	int r = daemon_streams_new(&watching->streams, watching->client, err);
	if (r == 0)
		r = open_stream(watching, "", err);
	while (r == 0 && !watching->over) {
		if (daemon_streams_wait(watching->streams, loop_now_ns() + LOOK_NS) == -ECANCELED)
			r = error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
		else if (watching->dropped)
			r = open_again(watching, err);
	}
	daemon_streams_free(watching->streams);
	if (r == 0 && watching->r < 0) {
		*err = watching->error;
		r = watching->r;
	}
	return r;
}

/* ---- who has it ---- */

/* 1: watching->path is what to follow; 0: nobody has it. */
static int find(struct watching *watching, struct error *err)
{
	char *name = daemon_escape(watching->wish->rig, false), holder[120];
	json_t *rig = NULL;
	int r = name ? daemon_get(watching->client, &rig, err, "/api/v1/rigs/%s", name)
	             : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	const json_t *lease = json_object_get(rig, "lease");
	const char *kind = daemon_text(lease, "kind");
	(void)daemon_plain(daemon_text(lease, "holder"), holder, sizeof(holder));
	if (r == 0 && !strcmp(daemon_text(lease, "state"), "active") && !strcmp(kind, "person")) {
		(void)snprintf(watching->path, sizeof(watching->path), "/api/v1/leases/%" PRId64 "/events", daemon_integer(lease, "id"));
		note(watching, json_is_true(json_object_get(lease, "watchable")) ? "is locked" : "is locked; nothing is shown of it yet",
		     holder);
		r = 1;
	} else if (r == 0 && daemon_integer(lease, "run") > 0 && !strcmp(kind, "job")) {
		(void)snprintf(watching->path, sizeof(watching->path), "/api/v1/runs/%" PRId64 "/events", daemon_integer(lease, "run"));
		note(watching, "runs a job", holder);
		r = 1;
	}
	json_decref(rig);
	free(name);
	return r;
}

static int await(struct watching *watching, struct error *err)
{
	for (;;) {
		int r = find(watching, err);
		if (r != 0 && !(watching->wish->wait && daemon_is_away(r)))
			return r;
		if (!watching->wish->wait)
			return error_set(err, ERROR_BENCH, ENOENT, "nobody has %s; --wait waits for somebody", watching->wish->rig);
		struct pollfd signals = {daemon_client_signal_fd(watching->client), POLLIN, 0};
		if (poll(&signals, 1, LOOK_MS) > 0)
			return error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
	}
}

static int watch(struct watching *watching, struct error *err)
{
	int r = daemon_client_catch_signals(watching->client, err);
	if (r == 0)
		r = await(watching, err);
	if (r >= 0)
		r = watching->sink->open(&watching->state, &watching->trace, NULL, watching->wish->utc, err);
	if (r < 0)
		return r;
	struct error late = {0};
	r = follow(watching, err);
	/* Silence would look as if nothing had happened. Who came late may not know all that there was. */
	if (r == 0 && watching->trace.begun && !watching->gaps)
		r = trace_check(&watching->trace, err);
	int closed = watching->sink->close(watching->state, r < 0 ? &late : err);
	return r < 0 ? r : closed;
}

int rig_watch(struct daemon_client *client, const struct rig_watch *wish)
{
	const struct trace_filter filter = trace_choice_filter(&wish->choice);
	struct watching watching = {.wish = wish, .client = client, .sink = wish->json ? &trace_sink_json : &trace_sink_text};
	struct error error = {0};
	trace_begin(&watching.trace, &filter);
	int r = watch(&watching, &error);
	trace_end(&watching.trace);
	/* Whoever reads only the first lines (head) has what he wanted. */
	if (r < 0 && error.code == EPIPE) {
		__fpurge(stdout);
		clearerr(stdout);
		return 0;
	}
	if (r == -ECANCELED)
		return INTERRUPTED;
	return r < 0 ? daemon_fail(COMMAND, &error) : 0;
}
