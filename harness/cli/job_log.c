/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench log: what the runs of a job printed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/loop.h"
#include "commands.h"
#include "daemon_command.h"
#include "daemon_stream.h"

#define COMMAND     "log"
#define LOOK_NS     INT64_C(5000000000)
#define INTERRUPTED 130

static int on_text(const void *data, size_t length, void *context)
{
	return fwrite(data, 1, length, stdout) == length ? 0 : -EIO;
}

static int print_once(struct daemon_client *client, int64_t job, struct error *err)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64 "/log", job);
	return daemon_ask(client, &(struct daemon_request){.path = path, .sink = on_text}, NULL, NULL, err);
}

/* ---- while it grows ---- */

struct following {
	struct daemon_client *client;
	struct daemon_stream *stream;
	int64_t job;
	bool ended, over;
	int r;
	struct error error;
};

static void on_more(const char *data, size_t length, void *context)
{
	struct following *following = context;
	if (fwrite(data, 1, length, stdout) != length || fflush(stdout) != 0)
		following->over = true; /* nobody reads any more */
}

static void on_end(void *context)
{
	((struct following *)context)->ended = true;
}

static void on_refused(int r, const struct error *error, void *context)
{
	struct following *following = context;
	following->r = r;
	following->error = *error;
	following->over = true;
}

/* A log ends with its job, and with the daemon: which of them it was, the job tells. */
static int is_over(struct following *following, struct error *err)
{
	struct error why = {0};
	json_t *job = NULL;
	following->ended = false;
	int r = daemon_get(following->client, &job, &why, "/api/v1/jobs/%" PRId64, following->job);
	if (r < 0 && !daemon_is_away(r) && r != -ECANCELED) {
		*err = why;
		return r;
	}
	following->over = r == 0 && !strcmp(daemon_text(job, "state"), "done");
	json_decref(job);
	return 0;
}

static int follow_with(struct following *following, struct daemon_streams *streams, struct error *err)
{
	int r = 0;
	while (r == 0 && !following->over) {
		if (daemon_streams_wait(streams, loop_now_ns() + LOOK_NS) == -ECANCELED)
			return error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
		if (following->ended)
			r = is_over(following, err);
	}
	if (following->r < 0) {
		*err = following->error;
		return following->r;
	}
	return r;
}

static int follow(struct daemon_client *client, int64_t job, struct error *err)
{
	static const struct daemon_stream_calls calls = {.text = on_more, .ended = on_end, .refused = on_refused};
	struct following following = {.client = client, .job = job};
	struct daemon_streams *streams = NULL;
	json_t *known = NULL;
	char path[64];
	(void)snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64 "/log?follow=1", job);
	int r = daemon_client_catch_signals(client, err);
	if (r == 0) /* who is not there at the beginning is not waited for */
		r = daemon_get(client, &known, err, "/api/v1/jobs/%" PRId64, job);
	json_decref(known);
	if (r == 0)
		r = daemon_streams_new(&streams, client, err);
	if (r == 0 && !(following.stream = daemon_stream_open(streams, path, &calls, &following, err)))
		r = -ENOMEM;
	if (r == 0)
		r = follow_with(&following, streams, err);
	daemon_streams_free(streams);
	return r;
}

/* ---- the command ---- */

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"follow", no_argument, NULL, 'f'}, DAEMON_OPTIONS, {0}};
	struct daemon_where where = {0};
	struct daemon_client *client = NULL;
	struct error error = {0};
	int64_t job = 0;
	bool follows = false;
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (!daemon_option(&where, option, optarg))
			follows = true;
	}
	if (argc - optind != 1)
		return command_usage_error(COMMAND, "which job?");
	int status = daemon_job_number(COMMAND, argv[optind], &job);
	if (status)
		return status;
	int r = daemon_client_new(&client, &where, &error);
	if (r == 0)
		r = follows ? follow(client, job, &error) : print_once(client, job, &error);
	daemon_client_free(client);
	if (r == -ECANCELED)
		return INTERRUPTED;
	return r < 0 ? daemon_fail(COMMAND, &error) : 0;
}

const struct command command_log = {
        .name = COMMAND,
        .summary = "prints what the runs of a job printed",
        .usage = "log JOB [--follow]\n\n"
                 "  -f, --follow       until the job is done or Ctrl-C, also across a restart of the daemon\n" DAEMON_USAGE,
        .run = run,
};
