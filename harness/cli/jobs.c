/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench jobs: the jobs of the daemon. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "commands.h"
#include "daemon_command.h"
#include "job_text.h"

#define COMMAND "jobs"
#define PAGE    1000

struct arguments {
	struct daemon_where where;
	const char *state, *series, *rig;
	int64_t limit;
	bool json;
};

static int take_state(const char *text, const char **ret)
{
	static const char *const states[] = {"queued", "running", "finishing", "done", "active", NULL};
	char hint[160];
	for (unsigned i = 0; states[i]; i++) {
		if (strcmp(states[i], text) == 0) {
			*ret = text;
			return 0;
		}
	}
	return command_usage_error(COMMAND, "--state is queued, running, finishing, done or active, not \"%s\"%s", text,
	                           suggest_text(text, states, hint, sizeof(hint)));
}

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {{"state", required_argument, NULL, 's'},
	                                        {"series", required_argument, NULL, 'e'},
	                                        {"rig", required_argument, NULL, 'r'},
	                                        {"limit", required_argument, NULL, 'l'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        DAEMON_OPTIONS,
	                                        {0}};
	int option, status = 0;
	optind = 0;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (daemon_option(&arguments->where, option, optarg))
			continue;
		if (option == 's')
			status = take_state(optarg, &arguments->state);
		else if (option == 'l')
			status = daemon_number(COMMAND, "--limit", optarg, 1, 1000000, &arguments->limit);
		else if (option == 'j')
			arguments->json = true;
		else
			*(option == 'e' ? &arguments->series : &arguments->rig) = optarg;
	}
	if (status == 0 && optind < argc)
		return command_usage_error(COMMAND, "\"%s\" is too much; `hilbench status %s` tells of one job", argv[optind],
		                           argv[optind]);
	return status;
}

/* "&series=…", or nothing. */
static char *query_of(const char *name, const char *text)
{
	char *escaped = text ? daemon_escape(text, false) : NULL, *query = NULL;
	if (asprintf(&query, "%s%s%s%s", text ? "&" : "", text ? name : "", text ? "=" : "", escaped ? escaped : "") < 0)
		query = NULL;
	free(escaped);
	return query;
}

static int fetch(struct daemon_client *client, const struct arguments *arguments, const char *query, json_t *jobs, struct error *err)
{
	int64_t before = 0;
	int r = 0;
	do {
		json_t *page = NULL;
		int64_t left = arguments->limit - (int64_t)json_array_size(jobs);
		char from[40] = "";
		if (before > 0)
			(void)snprintf(from, sizeof(from), "&before=%" PRId64, before);
		r = daemon_get(client, &page, err, "/api/v1/jobs?limit=%" PRId64 "%s%s", left < PAGE ? left : PAGE, from, query);
		if (r == 0)
			(void)json_array_extend(jobs, json_object_get(page, "jobs"));
		before = daemon_integer(page, "next");
		json_decref(page);
	} while (r == 0 && before > 0 && (int64_t)json_array_size(jobs) < arguments->limit);
	return r;
}

static int ask(struct daemon_client *client, const struct arguments *arguments, json_t *jobs, struct error *err)
{
	char *state = query_of("state", arguments->state), *series = query_of("series", arguments->series),
	     *rig = query_of("rig", arguments->rig);
	char *query = NULL;
	int r;
	if (!state || !series || !rig || asprintf(&query, "%s%s%s", state, series, rig) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	else
		r = fetch(client, arguments, query, jobs, err);
	free(state);
	free(series);
	free(rig);
	free(query);
	return r;
}

/* That no job ran on a rig says nothing when there is no such rig; one that was taken out of the lab has its jobs still. */
static int check_rig(struct daemon_client *client, const char *rig, struct error *err)
{
	char *name = daemon_escape(rig, false);
	int r = name ? daemon_get(client, NULL, err, "/api/v1/rigs/%s", name) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	free(name);
	return r;
}

static int run(int argc, char **argv)
{
	struct arguments arguments = {.limit = 20};
	struct daemon_client *client = NULL;
	struct error error = {0};
	size_t i;
	json_t *job;
	int status = read_arguments(&arguments, argc, argv);
	if (status)
		return status;
	json_t *jobs = json_array();
	int r = daemon_client_new(&client, &arguments.where, &error);
	if (r == 0)
		r = ask(client, &arguments, jobs, &error);
	if (r == 0 && arguments.rig && json_array_size(jobs) == 0)
		r = check_rig(client, arguments.rig, &error);
	if (r < 0) {
		status = daemon_fail(COMMAND, &error);
	} else if (arguments.json) {
		daemon_print_json(jobs);
	} else {
		job_print_header();
		json_array_foreach (jobs, i, job)
			job_print_line(job);
	}
	json_decref(jobs);
	daemon_client_free(client);
	return status;
}

const struct command command_jobs = {
        .name = COMMAND,
        .summary = "lists the jobs of the daemon, newest first",
        .usage = "jobs [OPTION…]\n\n"
                 "  --state S          queued, running, finishing, done, or active (the first three)\n"
                 "  --series S         of this series\n"
                 "  --rig NAME         that ran on this rig\n"
                 "  --limit N          at most so many (20)\n"
                 "  --json             as the API has them, a list\n" DAEMON_USAGE,
        .run = run,
};
