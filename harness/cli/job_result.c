/* SPDX-License-Identifier: Apache-2.0 */
#include "job_result.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_command.h"

static const char *const reports[] = {"junit.xml", "results.json", "report.html"};
#define REPORTS (sizeof(reports) / sizeof(*reports))

/* ---- status ---- */

static const struct {
	const char *outcome;
	int status;
} statuses[] = {{"passed", 0}, {"failed", 1}, {"inconclusive", 4}, {"error", EXIT_BENCH}, {"cancelled", 130}};

/* Errors are the test case's when none of them is somebody else's. */
static bool is_testcase_error(const json_t *job)
{
	bool found = false;
	size_t i;
	json_t *run;
	json_array_foreach (json_object_get(job, "runs"), i, run) {
		const char *cause = daemon_text(run, "cause");
		if (*cause && strcmp(cause, "testcase") != 0)
			return false;
		found = found || *cause;
	}
	return found;
}

int job_result_status(const json_t *job)
{
	const char *outcome = daemon_text(job, "outcome");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (!strcmp(statuses[i].outcome, outcome))
			return statuses[i].status == EXIT_BENCH && is_testcase_error(job) ? EXIT_USAGE : statuses[i].status;
	return EXIT_BENCH;
}

/* ---- summary ---- */

static void print_problem(const json_t *item)
{
	const json_t *place = json_object_get(item, "place");
	const char *verdict = daemon_text(item, "verdict"), *cause = daemon_text(item, "cause"), *file = daemon_text(place, "file");
	char text[1400];
	if (!strcmp(verdict, "pass") || !strcmp(verdict, "skipped"))
		return;
	if (*file)
		(void)printf("%s:%" PRId64 ":%" PRId64 ": ", daemon_plain(file, text, sizeof(text)), daemon_integer(place, "line"),
		             daemon_integer(place, "column"));
	(void)printf("%s%s%s%s: %s: ", verdict, *cause ? " (" : "", cause, *cause ? ")" : "", daemon_text(item, "id"));
	(void)printf("%s\n", daemon_plain(daemon_text(item, "message"), text, sizeof(text)));
}

static void print_counts(const json_t *counts)
{
	int64_t total = daemon_integer(counts, "total");
	(void)printf("%" PRId64 " case%s: %" PRId64 " passed, %" PRId64 " failed, %" PRId64 " in error, %" PRId64 " inconclusive, %" PRId64
	             " skipped",
	             total, total == 1 ? "" : "s", daemon_integer(counts, "pass"), daemon_integer(counts, "fail"),
	             daemon_integer(counts, "error"), daemon_integer(counts, "inconclusive"), daemon_integer(counts, "skipped"));
	if (daemon_integer(counts, "flaky") > 0)
		(void)printf("; %" PRId64 " passed only when repeated", daemon_integer(counts, "flaky"));
	(void)putchar('\n');
}

/* What an earlier attempt lost and a further one made good does not touch the outcome, and is not hidden either. */
static void print_mended(const json_t *job)
{
	char text[1000];
	size_t i;
	json_t *run;
	if (!strcmp(daemon_text(job, "outcome"), "error") || !strcmp(daemon_text(job, "outcome"), "cancelled"))
		return;
	json_array_foreach (json_object_get(job, "runs"), i, run)
		if (*daemon_text(run, "reason"))
			(void)printf("further attempts were needed: run %" PRId64 " on %s: %s\n", daemon_integer(run, "number"),
			             daemon_text(run, "rig"), daemon_plain(daemon_text(run, "reason"), text, sizeof(text)));
}

void job_result_print(struct daemon_client *client, const json_t *job)
{
	json_t *results = NULL, *item;
	struct error error = {0};
	char text[600];
	size_t i;
	int r = daemon_get(client, &results, &error, "/api/v1/jobs/%" PRId64 "/results.json", daemon_integer(job, "id"));
	if (r == 0) {
		json_array_foreach (json_object_get(results, "cases"), i, item)
			print_problem(item);
	} else if (r != -ENOENT) {
		(void)daemon_fail("submit", &error);
	}
	json_decref(results);
	/* The job's own, which it has also when no report could be made. */
	print_counts(json_object_get(job, "counts"));
	print_mended(job);
	(void)printf("job %" PRId64 " %s%s%s\n", daemon_integer(job, "id"), daemon_text(job, "outcome"),
	             *daemon_text(job, "reason") ? ": " : "", daemon_plain(daemon_text(job, "reason"), text, sizeof(text)));
}

/* ---- files ---- */

int job_result_open(const char *out, struct error *err)
{
	char path[PATH_MAX];
	if (!*out || (size_t)snprintf(path, sizeof(path), "%s", out) >= sizeof(path) - 64)
		return error_set(err, ERROR_USAGE, EINVAL, "--out: \"%s\" is no name for a directory", out);
	for (char *at = path + 1;; at++) {
		char kept = *at;
		if (kept != '/' && kept)
			continue;
		*at = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
		*at = kept;
		if (!kept)
			break;
	}
	struct stat status;
	if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode))
		return error_set(err, ERROR_USAGE, ENOTDIR, "--out: %s is no directory", path);
	return access(path, W_OK | X_OK) == 0 ? 0 : error_set(err, ERROR_BENCH, errno, "cannot write to %s: %s", path, strerror(errno));
}

void job_result_clear(const char *out)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < REPORTS; i++)
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", out, reports[i]) < sizeof(path))
			(void)unlink(path);
}

int job_result_save(struct daemon_client *client, int64_t job, const char *out, struct error *err)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < REPORTS; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", out, reports[i]);
		int r = daemon_save(client, path, NULL, err, "/api/v1/jobs/%" PRId64 "/%s", job, reports[i]);
		if (r == -ENOENT) {
			(void)fprintf(stderr, "hilbench: %s\n", err->message);
			return 0;
		}
		if (r < 0)
			return r;
	}
	(void)printf("results  %s/results.json\njunit    %s/junit.xml\nreport   %s/report.html\n", out, out, out);
	return 0;
}
