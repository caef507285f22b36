/* SPDX-License-Identifier: Apache-2.0 */
#include "run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../report/report.h"
#include "command.h"

static int check_writable(const char *path, struct error *err)
{
	struct stat status;
	if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode))
		errno = ENOTDIR;
	else if (access(path, W_OK | X_OK) == 0)
		return 0;
	return error_set(err, ERROR_BENCH, errno, "cannot write to %s: %s", path, strerror(errno));
}

static int make_directories(char *path, struct error *err)
{
	for (char *slash = path + 1;; slash++) {
		if (*slash != '/' && *slash)
			continue;
		char kept = *slash;
		*slash = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
		*slash = kept;
		if (!kept)
			return check_writable(path, err);
	}
}

/* reports/out/20260102T030405Z-1, the first that is not there yet. */
static int new_directory(const char *mark, char *path, size_t size, struct error *err)
{
	char parent[] = "reports/out", utc[32];
	time_t now = time(NULL);
	struct tm parts;
	int r = make_directories(parent, err);
	if (r < 0)
		return r;
	gmtime_r(&now, &parts);
	strftime(utc, sizeof(utc), "%Y%m%dT%H%M%SZ", &parts);
	for (unsigned n = 1;; n++) {
		snprintf(path, size, "%s/%s-%s%u", parent, utc, mark, n);
		if (mkdir(path, 0777) == 0)
			return 0;
		if (errno != EEXIST)
			return error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
	}
}

/* Nothing that a run writes may be there: it would be lost. */
static int check_unused(const char *directory, struct error *err)
{
	static const char *const names[] = {"events.jsonl", "results.json", "junit.xml", "report.html", "capture.pcapng", "sweep.json"};
	char path[PATH_MAX];
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return error_set(err, ERROR_USAGE, EEXIST, "%s holds the results of another run: there is a %s", directory,
			                 names[i]);
	}
	return 0;
}

int run_directory_open(const char *out, const char *mark, char *path, size_t size, bool *ret_made, struct error *err)
{
	struct stat status;
	if (ret_made)
		*ret_made = !out || stat(out, &status) < 0;
	if (!out)
		return new_directory(mark, path, size, err);
	if (!*out || (size_t)snprintf(path, size, "%s", out) >= size)
		return error_set(err, ERROR_USAGE, EINVAL, "--out: \"%s\" is no name for a directory", out);
	int r = check_unused(path, err);
	return r < 0 ? r : make_directories(path, err);
}

int run_failure(const char *command, const struct error *error)
{
	char text[2048];
	(void)fprintf(stderr, "hilbench %s: %s\n", command, error_describe(error, text, sizeof(text)));
	if (error->domain == ERROR_OPERATOR)
		return 130;
	return error->domain == ERROR_USAGE ? EXIT_USAGE : EXIT_BENCH;
}

/* Reports are made from what the journal holds, also of a run that broke off. */
int run_directory_report_with(const char *command, const char *path, const struct report_options *options, int status)
{
	struct error error = {0};
	struct report_summary summary;
	if (report_write(path, options, &summary, &error) < 0) {
		int failure = run_failure(command, &error);
		return status == 130 ? status : failure;
	}
	report_summary_print(stdout, &summary);
	report_summary_free(&summary);
	return status;
}

int run_directory_report(const char *command, const char *path, int status)
{
	return run_directory_report_with(command, path, &(struct report_options){0}, status);
}
