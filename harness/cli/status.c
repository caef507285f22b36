/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench status: the daemon, its rigs and its queue at a glance, or one job. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/size.h"
#include "commands.h"
#include "daemon_command.h"
#include "job_text.h"

#define COMMAND "status"
#define SHOWN   20 /* jobs at a glance */

struct arguments {
	struct daemon_where where;
	int64_t job; /* 0: none */
	bool rigs, json;
};

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {{"rigs", no_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'}, DAEMON_OPTIONS, {0}};
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (option == 'r')
			arguments->rigs = true;
		else if (option == 'j')
			arguments->json = true;
		else
			(void)daemon_option(&arguments->where, option, optarg);
	}
	if (argc - optind > 1 || (argc - optind == 1 && arguments->rigs))
		return command_usage_error(COMMAND, "one job, or --rigs");
	return optind < argc ? daemon_job_number(COMMAND, argv[optind], &arguments->job) : 0;
}

static void print_rigs(const json_t *answer)
{
	size_t i;
	json_t *rig;
	job_rig_print_header();
	json_array_foreach (json_object_get(answer, "rigs"), i, rig)
		job_rig_print_line(rig);
}

static void print_daemon(struct daemon_client *client, const json_t *status)
{
	char reason[300], space[SIZE_TEXT_MAX];
	const json_t *jobs = json_object_get(status, "jobs"), *disk = json_object_get(status, "disk");
	(void)printf("hilbenchd %s at %s since %.19s UTC: %" PRId64 " running, %" PRId64 " queued, %s free\n",
	             daemon_text(status, "version"), daemon_client_name(client), daemon_text(status, "started"),
	             daemon_integer(jobs, "running"), daemon_integer(jobs, "queued"),
	             size_text((uint64_t)daemon_integer(disk, "free_bytes"), space, sizeof(space)));
	if (json_is_false(json_object_get(status, "accepts_jobs")))
		(void)printf("no new jobs are taken: %s\n", daemon_plain(daemon_text(status, "reason"), reason, sizeof(reason)));
}

static void print_jobs(const json_t *answer)
{
	size_t i;
	json_t *job;
	const json_t *jobs = json_object_get(answer, "jobs");
	if (json_array_size(jobs) == 0)
		return;
	(void)putchar('\n');
	job_print_header();
	json_array_foreach (jobs, i, job)
		job_print_line(job);
	if (json_is_integer(json_object_get(answer, "next")))
		(void)puts("        … `hilbench jobs --state active` has more");
}

static int show_all(struct daemon_client *client, bool json, struct error *err)
{
	json_t *status = NULL, *rigs = NULL, *jobs = NULL;
	int r = daemon_get(client, &status, err, "/api/v1/status");
	if (r == 0)
		r = daemon_get(client, &rigs, err, "/api/v1/rigs");
	if (r == 0)
		r = daemon_get(client, &jobs, err, "/api/v1/jobs?state=active&limit=%d", json ? 1000 : SHOWN);
	if (r == 0 && json) {
		json_t *all = json_pack("{s:O,s:O?,s:O?}", "status", status, "rigs", json_object_get(rigs, "rigs"), "jobs",
		                        json_object_get(jobs, "jobs"));
		daemon_print_json(all);
		json_decref(all);
	} else if (r == 0) {
		print_daemon(client, status);
		(void)putchar('\n');
		print_rigs(rigs);
		print_jobs(jobs);
	}
	json_decref(status);
	json_decref(rigs);
	json_decref(jobs);
	return r;
}

static int show_one(struct daemon_client *client, const struct arguments *arguments, struct error *err)
{
	json_t *answer = NULL;
	int r = arguments->rigs ? daemon_get(client, &answer, err, "/api/v1/rigs")
	                        : daemon_get(client, &answer, err, "/api/v1/jobs/%" PRId64, arguments->job);
	if (r == 0 && arguments->json)
		daemon_print_json(arguments->rigs ? json_object_get(answer, "rigs") : answer);
	else if (r == 0 && arguments->rigs)
		print_rigs(answer);
	else if (r == 0)
		job_print(answer);
	json_decref(answer);
	return r;
}

static int run(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct daemon_client *client = NULL;
	struct error error = {0};
	int status = read_arguments(&arguments, argc, argv);
	if (status)
		return status;
	int r = daemon_client_new(&client, &arguments.where, &error);
	if (r == 0)
		r = arguments.job || arguments.rigs ? show_one(client, &arguments, &error) : show_all(client, arguments.json, &error);
	status = r < 0 ? daemon_fail(COMMAND, &error) : 0;
	daemon_client_free(client);
	return status;
}

const struct command command_status = {
        .name = COMMAND,
        .summary = "tells how the daemon, its rigs and its queue are, or how a job is",
        .usage = "status [JOB | --rigs] [--json]\n\n"
                 "  --rigs             the rigs alone\n"
                 "  --json             as the API has it\n" DAEMON_USAGE,
        .run = run,
};
