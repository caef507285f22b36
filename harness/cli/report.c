/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench report: makes the reports of a run again from its journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../report/merge.h"
#include "../report/report.h"
#include "commands.h"

static int fail(const struct error *err)
{
	char buffer[1400];

	(void)fprintf(stderr, "hilbench report: %s\n", error_describe(err, buffer, sizeof(buffer)));
	return EXIT_BENCH;
}

static int print_summary(struct report_summary *summary)
{
	report_summary_print(stdout, summary);
	report_summary_free(summary);
	return fflush(stdout) == 0 ? 0 : EXIT_BENCH;
}

/* Reads OUT LABEL=DIRECTORY… into parts; the labels point into the words. */
static int read_parts(char **words, int count, struct merge_part *parts)
{
	for (int i = 0; i < count; i++) {
		char *equals = strchr(words[i], '=');
		if (!equals || equals == words[i] || equals[1] == '\0')
			return command_usage_error("report", "\"%s\" is not LABEL=DIRECTORY", words[i]);
		*equals = '\0';
		parts[i] = (struct merge_part){.label = words[i], .directory = equals + 1};
	}
	return 0;
}

static int merge(const char *out, char **words, int count)
{
	struct error err = {0};
	struct report_summary summary;
	struct merge_part *parts = calloc((size_t)count, sizeof(*parts));
	if (!parts)
		return EXIT_BENCH;
	int status = read_parts(words, count, parts);
	if (status == 0 && mkdir(out, 0777) < 0 && errno != EEXIST) {
		(void)error_set(&err, ERROR_BENCH, errno, "cannot make %s: %s", out, strerror(errno));
		status = fail(&err);
	}
	if (status == 0 && report_write_merged(out, parts, (size_t)count, &summary, &err) < 0)
		status = fail(&err);
	free(parts);
	return status ? status : print_summary(&summary);
}

static int run(int argc, char **argv)
{
	struct error err = {0};
	struct report_summary summary;

	if (argc > 1 && strcmp(argv[1], "--merge") == 0) {
		if (argc < 4)
			return command_usage_error(argv[0], "--merge needs a directory to write to and at least one run");
		return merge(argv[2], argv + 3, argc - 3);
	}
	if (argc > 1 && argv[1][0] == '-' && argv[1][1] != '\0')
		return command_usage_error(argv[0], "unknown option %s", argv[1]);
	if (argc != 2)
		return command_usage_error(argv[0], "exactly one run directory is needed");
	if (report_write_all(argv[1], &err) < 0)
		return fail(&err);
	if (report_summary_load(argv[1], &summary, &err) < 0)
		return fail(&err);
	return print_summary(&summary);
}

const struct command command_report = {
        .name = "report",
        .summary = "makes the reports of a run again from its journal",
        .usage =
                "report RUN_DIRECTORY\n"
                "       hilbench report --merge OUT LABEL=RUN_DIRECTORY…\n"
                "  Reads RUN_DIRECTORY/events.jsonl, also of a run that was interrupted, and writes results.json, junit.xml and\n"
                "  report.html beside it. The status tells whether that worked (0 or 3), not the verdict of the run.\n"
                "  --merge  one report of several runs, in the order of their beginnings, into OUT: parts of a suite on several rigs, and\n"
                "           later runs of what the bench broke. A case that several runs had keeps all its attempts.",
        .run = run,
};
