/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench fetch: reports of a job and files of its runs. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "daemon_command.h"
#include "job_result.h"

#define COMMAND "fetch"

struct fetching {
	struct daemon_client *client;
	int64_t job;
	const char *out;
	char **names; /* wanted; none: all */
	int count;
	bool *found; /* of each name */
	unsigned *saved;
};

static bool is_wanted(const struct fetching *fetching, const char *name)
{
	bool wanted = fetching->count == 0;
	for (int i = 0; i < fetching->count; i++) {
		if (strcmp(fetching->names[i], name) != 0)
			continue;
		fetching->found[i] = true;
		wanted = true;
	}
	return wanted;
}

static void tell(const struct fetching *fetching, const char *path)
{
	(void)puts(path);
	(*fetching->saved)++;
}

static int save_report(const struct fetching *fetching, const char *name, struct error *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", fetching->out, name);
	int r = daemon_save(fetching->client, path, NULL, err, "/api/v1/jobs/%" PRId64 "/%s", fetching->job, name);
	if (r == 0)
		tell(fetching, path);
	return r;
}

static int save_reports(const struct fetching *fetching, bool done, struct error *err)
{
	static const char *const reports[] = {"junit.xml", "results.json", "report.html"};
	for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
		if (!is_wanted(fetching, reports[i]))
			continue;
		/* Without names it is what there is: a job that has not ended has no reports yet. */
		int r = done || fetching->count ? save_report(fetching, reports[i], err) : 0;
		if (r < 0 && !(r == -ENOENT && fetching->count == 0))
			return r;
	}
	return 0;
}

/* A name of the daemon's becomes a name here: no way out of the directory. */
static bool is_plain(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 256;
}

static int save_artefact(const struct fetching *fetching, int64_t run, const json_t *artefact, struct error *err)
{
	const char *name = daemon_text(artefact, "name"), *sha256 = daemon_text(artefact, "sha256");
	char folder[PATH_MAX], *path = NULL, *escaped;
	if (!is_plain(name) || !is_wanted(fetching, name))
		return 0;
	(void)snprintf(folder, sizeof(folder), "%s/run-%" PRId64, fetching->out, run);
	int r = job_result_open(folder, err);
	escaped = daemon_escape(name, false);
	if (r == 0 && (!escaped || asprintf(&path, "%s/%s", folder, name) < 0))
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = daemon_save(fetching->client, path, *sha256 ? sha256 : NULL, err, "/api/v1/runs/%" PRId64 "/artefacts/%s", run,
		                escaped);
	if (r == 0)
		tell(fetching, path);
	else
		(void)rmdir(folder); /* when nothing is in it */
	free(path);
	free(escaped);
	return r;
}

static int save_run(const struct fetching *fetching, int64_t run, struct error *err)
{
	json_t *answer = NULL, *artefact;
	size_t i;
	int r = daemon_get(fetching->client, &answer, err, "/api/v1/runs/%" PRId64, run);
	json_array_foreach (json_object_get(answer, "artefacts"), i, artefact)
		if (r == 0)
			r = save_artefact(fetching, run, artefact, err);
	json_decref(answer);
	return r;
}

/* A job that is done has had its files, unless it was over before it began; of one that has no submitted ones any more they were removed.
 */
static int nothing_there(const struct fetching *fetching, const json_t *job, struct error *err)
{
	if (strcmp(daemon_text(job, "state"), "done") != 0)
		return error_set(err, ERROR_BENCH, ENOENT, "job %" PRId64 " has no files yet", fetching->job);
	if (json_array_size(json_object_get(job, "files")) == 0)
		return error_set(err, ERROR_BENCH, ENOENT, "the files of job %" PRId64 " are no longer kept", fetching->job);
	return error_set(err, ERROR_BENCH, ENOENT, "job %" PRId64 " has no files", fetching->job);
}

static int save_all(const struct fetching *fetching, struct error *err)
{
	json_t *job = NULL, *run;
	size_t i;
	int r = daemon_get(fetching->client, &job, err, "/api/v1/jobs/%" PRId64, fetching->job);
	if (r == 0)
		r = job_result_open(fetching->out, err);
	if (r == 0)
		r = save_reports(fetching, !strcmp(daemon_text(job, "state"), "done"), err);
	json_array_foreach (json_object_get(job, "runs"), i, run)
		if (r == 0)
			r = save_run(fetching, daemon_integer(run, "id"), err);
	for (int k = 0; r == 0 && k < fetching->count; k++)
		if (!fetching->found[k])
			r = error_set(err, ERROR_USAGE, ENOENT, "no run of job %" PRId64 " has a file %s", fetching->job,
			              fetching->names[k]);
	if (r == 0 && *fetching->saved == 0)
		r = nothing_there(fetching, job, err);
	json_decref(job);
	if (*fetching->saved == 0)
		(void)rmdir(fetching->out); /* only when it is empty */
	return r;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"out", required_argument, NULL, 'o'}, DAEMON_OPTIONS, {0}};
	struct daemon_where where = {0};
	unsigned saved = 0;
	struct fetching fetching = {.saved = &saved};
	struct error error = {0};
	char usual[32];
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (!daemon_option(&where, option, optarg))
			fetching.out = optarg;
	}
	if (optind == argc)
		return command_usage_error(COMMAND, "which job?");
	int status = daemon_job_number(COMMAND, argv[optind], &fetching.job);
	if (status)
		return status;
	(void)snprintf(usual, sizeof(usual), "job-%" PRId64, fetching.job);
	fetching.out = fetching.out ? fetching.out : usual;
	fetching.names = argv + optind + 1;
	fetching.count = argc - optind - 1;
	fetching.found = calloc((size_t)fetching.count + 1, sizeof(*fetching.found));
	int r = fetching.found ? daemon_client_new(&fetching.client, &where, &error)
	                       : error_set(&error, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = save_all(&fetching, &error);
	daemon_client_free(fetching.client);
	free(fetching.found);
	return r < 0 ? daemon_fail(COMMAND, &error) : 0;
}

const struct command command_fetch = {
        .name = COMMAND,
        .summary = "copies reports of a job and files of its runs",
        .usage = "fetch [--out DIR] JOB [NAME…]\n\n"
                 "  NAME               junit.xml, results.json, report.html; a file of its runs (capture.pcapng, events.jsonl …), which\n"
                 "                     goes to DIR/run-ID; without names everything\n"
                 "  --out DIR          where to (job-JOB)\n" DAEMON_USAGE,
        .run = run,
};
