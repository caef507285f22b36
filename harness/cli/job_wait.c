/* SPDX-License-Identifier: Apache-2.0 */
#include "job_wait.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/loop.h"
#include "daemon_command.h"
#include "daemon_stream.h"
#include "job_result.h"

#define S_NS         INT64_C(1000000000)
#define POLL_LIVE_NS (15 * S_NS) /* while events come; else often */
#define POLL_NS      (S_NS / 2)
#define AWAY_TELL_NS (2 * S_NS)
#define AWAY_NS      (600 * S_NS) /* a daemon that is away for so long is given up */
#define CANCEL_NS    (60 * S_NS)  /* for a cancelled job to end */
#define REST_NS      (3 * S_NS)   /* for the rest of the journals when the job is done */
#define RUNS_MAX     256
#define INTERRUPTED  130

struct waiting;
struct waited_run {
	struct waiting *waiting;
	int64_t id, case_ns;
	char rig[64];
	char open_case[200]; /* that began and did not end yet, "": none */
	struct daemon_stream *stream;
	bool ended;
};
struct waiting {
	struct daemon_client *client;
	const struct job_wait_options *options;
	int64_t id, away_ns, next_ns, end_ns; /* away_ns: since when; end_ns: of a cancelled job, 0: none */
	struct daemon_streams *streams;
	struct daemon_stream *events, *log;
	struct waited_run *runs;
	unsigned run_count;
	json_t *job; /* as it was last */
	char told[300];
	bool dirty, away_told, log_over, cancelled, several;
};

static bool is_done(const json_t *job)
{
	return !strcmp(daemon_text(job, "state"), "done");
}

/* ---- journals ---- */

static void print_reason(const json_t *data)
{
	const char *file = daemon_text(data, "file"), *cause = daemon_text(data, "cause");
	char text[1400];
	if (!*daemon_text(data, "message"))
		return;
	(void)fputs("              ", stdout);
	if (*file)
		(void)printf("%s:%" PRId64 ":%" PRId64 ": ", daemon_plain(file, text, sizeof(text)), daemon_integer(data, "line"),
		             daemon_integer(data, "column"));
	(void)printf("%s%s%s%s\n", daemon_plain(daemon_text(data, "message"), text, sizeof(text)), *cause ? " (cause: " : "", cause,
	             *cause ? ")" : "");
}

static void print_case(const struct waited_run *run, const json_t *data)
{
	char id[200], attempt[32] = "";
	if (daemon_integer(data, "attempt") > 1)
		(void)snprintf(attempt, sizeof(attempt), ", attempt %" PRId64, daemon_integer(data, "attempt"));
	(void)printf("%-12s  %s (%.2f s%s)%s%s\n", daemon_text(data, "verdict"), daemon_plain(daemon_text(data, "id"), id, sizeof(id)),
	             (double)daemon_integer(data, "duration_ns") / 1e9, attempt, run->waiting->several ? "  " : "",
	             run->waiting->several ? run->rig : "");
	if (strcmp(daemon_text(data, "verdict"), "pass") != 0)
		print_reason(data);
	(void)fflush(stdout);
}

static void take_line(struct waited_run *run, const char *line, size_t length)
{
	/* Most lines are of steps: they need not be read. */
	if (!memmem(line, length, "case.", 5))
		return;
	json_t *event = json_loadb(line, length, 0, NULL);
	const json_t *data = json_object_get(event, "data");
	if (!strcmp(daemon_text(event, "kind"), "case.begin")) {
		(void)daemon_plain(daemon_text(data, "id"), run->open_case, sizeof(run->open_case));
	} else if (!strcmp(daemon_text(event, "kind"), "case.end")) {
		run->open_case[0] = '\0';
		print_case(run, data);
	}
	json_decref(event);
}

/* The case in which the runner was lost has no end of its own. */
static void print_cut_off(struct waited_run *run)
{
	if (run->open_case[0])
		(void)printf("%-12s  %s (cut off: the run on %s ended)\n", "error", run->open_case, run->rig);
	run->open_case[0] = '\0';
	(void)fflush(stdout);
}

static void on_journal(const char *name, const char *data, size_t length, void *context)
{
	struct waited_run *run = context;
	if (!strcmp(name, "end")) {
		print_cut_off(run);
		run->ended = true;
		daemon_stream_close(run->stream);
		run->stream = NULL;
		run->waiting->dirty = true;
		return;
	}
	for (const char *end; length > 0 && strcmp(name, "dropped") != 0;) {
		end = memchr(data, '\n', length);
		size_t part = end ? (size_t)(end - data) : length;
		take_line(run, data, part);
		data += part + (end != NULL);
		length -= part + (end != NULL);
	}
}

/* A run whose journal is gone says no more. */
static void on_no_journal(int r, const struct error *error, void *context)
{
	struct waited_run *run = context;
	run->ended = true;
}

/* ---- what the daemon tells of its jobs ---- */

static const struct waited_run *run_find(const struct waiting *waiting, int64_t id)
{
	for (unsigned i = 0; i < waiting->run_count; i++)
		if (waiting->runs[i].id == id)
			return &waiting->runs[i];
	return NULL;
}

static void on_event(const char *name, const char *data, size_t length, void *context)
{
	struct waiting *waiting = context;
	bool is_job = !strcmp(name, "job");
	if (!is_job && strcmp(name, "run") != 0)
		return;
	json_t *json = json_loadb(data, length, 0, NULL);
	if (daemon_integer(json, is_job ? "id" : "job") == waiting->id) {
		const char *state = daemon_text(json, "state");
		waiting->dirty = waiting->dirty || (is_job ? strcmp(state, daemon_text(waiting->job, "state")) != 0 ||
		                                                     strcmp(daemon_text(json, "waiting_for"), waiting->told) != 0
		                                           : !run_find(waiting, daemon_integer(json, "id")) || !strcmp(state, "done"));
	}
	json_decref(json);
}

static void on_events_end(void *context)
{
	((struct waiting *)context)->dirty = true;
}

/* ---- the log ---- */

static void on_log(const char *data, size_t length, void *context)
{
	(void)fwrite(data, 1, length, stdout);
	(void)fflush(stdout);
}

/* It ends with the job, and with the daemon. */
static void on_log_end(void *context)
{
	struct waiting *waiting = context;
	waiting->dirty = true;
	if (is_done(waiting->job)) {
		daemon_stream_close(waiting->log);
		waiting->log = NULL;
		waiting->log_over = true;
	}
}

static void on_no_log(int r, const struct error *error, void *context)
{
	((struct waiting *)context)->log_over = true;
}

/* ---- the job ---- */

static int watch_run(struct waiting *waiting, const json_t *item, struct error *err)
{
	static const struct daemon_stream_calls calls = {.event = on_journal, .refused = on_no_journal};
	char path[80];
	int64_t id = daemon_integer(item, "id");
	if (run_find(waiting, id) || waiting->run_count == RUNS_MAX || !strcmp(daemon_text(item, "state"), "starting"))
		return 0;
	struct waited_run *run = &waiting->runs[waiting->run_count++];
	*run = (struct waited_run){.waiting = waiting, .id = id};
	(void)daemon_plain(daemon_text(item, "rig"), run->rig, sizeof(run->rig));
	(void)printf("job %" PRId64 " runs on %s\n", waiting->id, run->rig);
	(void)fflush(stdout);
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%" PRId64 "/events?level=summary", id);
	run->stream = daemon_stream_open(waiting->streams, path, &calls, run, err);
	return run->stream ? 0 : -ENOMEM;
}

static void tell_waiting(struct waiting *waiting)
{
	const char *text = daemon_text(waiting->job, "waiting_for");
	if (!*text || !strcmp(text, waiting->told))
		return;
	(void)daemon_plain(text, waiting->told, sizeof(waiting->told));
	(void)printf("job %" PRId64 " waits: %s\n", waiting->id, waiting->told);
	(void)fflush(stdout);
}

static int take_job(struct waiting *waiting, json_t *stolen, struct error *err)
{
	size_t i;
	json_t *item;
	int r = 0;
	json_decref(waiting->job);
	waiting->job = stolen;
	waiting->several = daemon_integer(stolen, "spread") > 1;
	if (waiting->options->show != JOB_SHOW_CASES)
		return 0;
	tell_waiting(waiting);
	json_array_foreach (json_object_get(stolen, "runs"), i, item)
		if (r == 0)
			r = watch_run(waiting, item, err);
	return r;
}

/* The daemon does not answer: that is told once, and waited for. */
static int on_away(struct waiting *waiting, const struct error *why, struct error *err)
{
	int64_t now_ns = loop_now_ns();
	if (!waiting->away_ns)
		waiting->away_ns = now_ns;
	if (!waiting->away_told && now_ns - waiting->away_ns > AWAY_TELL_NS) {
		waiting->away_told = true;
		(void)fprintf(stderr, "hilbench %s: %s; it is waited for\n", waiting->options->command, why->message);
	}
	if (now_ns - waiting->away_ns < AWAY_NS)
		return 0;
	*err = *why;
	error_prefix(err, "job %" PRId64 " is out of sight for 10 min", waiting->id);
	return -why->code;
}

static int look(struct waiting *waiting, struct error *err)
{
	struct error why = {0};
	char path[64];
	json_t *job = NULL;
	(void)snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64, waiting->id);
	waiting->dirty = false;
	int r = daemon_ask(waiting->client, &(struct daemon_request){.path = path, .limit_ms = 10000}, NULL, &job, &why);
	waiting->next_ns = loop_now_ns() + (r == 0 && daemon_stream_live(waiting->events) ? POLL_LIVE_NS : POLL_NS);
	if (r == -ECANCELED)
		return 0; /* the signal is taken by the loop */
	if (daemon_is_away(r))
		return on_away(waiting, &why, err);
	if (r < 0) {
		*err = why;
		return r;
	}
	if (waiting->away_told)
		(void)fprintf(stderr, "hilbench %s: the daemon answers again\n", waiting->options->command);
	waiting->away_ns = 0;
	waiting->away_told = false;
	return take_job(waiting, job, err);
}

/* ---- signals ---- */

static int on_signal(struct waiting *waiting, struct error *err)
{
	struct error why = {0};
	char path[64];
	int number = daemon_client_signal(waiting->client);
	if (number == 0)
		return 0;
	if (!waiting->options->cancel_on_signal || waiting->cancelled) {
		if (!waiting->cancelled)
			(void)fprintf(stderr,
			              "job %" PRId64 " goes on: `hilbench status %" PRId64 "` tells how it is, `hilbench cancel %" PRId64
			              "` ends it\n",
			              waiting->id, waiting->id, waiting->id);
		return error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
	}
	(void)fprintf(stderr, "hilbench %s: cancels job %" PRId64 "\n", waiting->options->command, waiting->id);
	(void)snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64 "/cancel", waiting->id);
	waiting->cancelled = true;
	waiting->end_ns = loop_now_ns() + CANCEL_NS;
	int r = daemon_ask(waiting->client, &(struct daemon_request){.method = "POST", .path = path, .patience_ns = 10 * S_NS}, NULL, NULL,
	                   &why);
	if (r < 0 && r != -EBUSY) {
		*err = why;
		error_prefix(err, "job %" PRId64 " could not be cancelled", waiting->id);
		return r;
	}
	return 0;
}

/* ---- all ---- */

/* Everything that is to be shown was. */
static bool all_shown(const struct waiting *waiting)
{
	if (waiting->options->show == JOB_SHOW_LOG)
		return waiting->log_over;
	for (unsigned i = 0; i < waiting->run_count; i++)
		if (!waiting->runs[i].ended)
			return false;
	return true;
}

static int serve(struct waiting *waiting, struct error *err)
{
	int64_t rest_ns = 0;
	for (;;) {
		int r = !is_done(waiting->job) && (waiting->dirty || loop_now_ns() >= waiting->next_ns) ? look(waiting, err) : 0;
		if (r < 0)
			return r;
		int64_t now_ns = loop_now_ns();
		if (is_done(waiting->job) && rest_ns == 0)
			rest_ns = now_ns + REST_NS;
		if (rest_ns && (all_shown(waiting) || now_ns >= rest_ns))
			return 0;
		if (waiting->end_ns && now_ns > waiting->end_ns)
			return error_set(err, ERROR_OPERATOR, ECANCELED, "job %" PRId64 " is cancelled, but has not ended yet",
			                 waiting->id);
		if (daemon_streams_wait(waiting->streams, rest_ns ? rest_ns : waiting->next_ns) == -ECANCELED &&
		    (r = on_signal(waiting, err)) < 0)
			return r;
	}
}

static int start(struct waiting *waiting, struct error *err)
{
	static const struct daemon_stream_calls events = {.event = on_event, .ended = on_events_end},
	                                        log = {.text = on_log, .ended = on_log_end, .refused = on_no_log};
	char path[80];
	int r = daemon_client_catch_signals(waiting->client, err);
	if (r == 0)
		r = daemon_streams_new(&waiting->streams, waiting->client, err);
	if (r == 0 && !(waiting->events = daemon_stream_open(waiting->streams, "/api/v1/events", &events, waiting, err)))
		r = -ENOMEM;
	(void)snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64 "/log?follow=1", waiting->id);
	if (r == 0 && waiting->options->show == JOB_SHOW_LOG &&
	    !(waiting->log = daemon_stream_open(waiting->streams, path, &log, waiting, err)))
		r = -ENOMEM;
	return r;
}

static int finish(struct waiting *waiting)
{
	struct error error = {0};
	int status = waiting->cancelled ? INTERRUPTED : job_result_status(waiting->job);
	job_result_print(waiting->client, waiting->job);
	if (waiting->options->out && job_result_save(waiting->client, waiting->id, waiting->options->out, &error) < 0) {
		int failure = daemon_fail(waiting->options->command, &error);
		status = status == INTERRUPTED ? status : failure;
	}
	return status;
}

int job_wait(struct daemon_client *client, int64_t job, const struct job_wait_options *options)
{
	struct waiting waiting = {.client = client, .options = options, .id = job, .dirty = true};
	struct error error = {0};
	waiting.runs = calloc(RUNS_MAX, sizeof(*waiting.runs));
	int r = waiting.runs ? start(&waiting, &error) : error_set(&error, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = serve(&waiting, &error);
	int status = r == 0 ? finish(&waiting) : r == -ECANCELED ? INTERRUPTED : daemon_fail(options->command, &error);
	daemon_streams_free(waiting.streams);
	json_decref(waiting.job);
	free(waiting.runs);
	return status;
}
