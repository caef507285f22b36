/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench report: makes the reports of a run again from its journal. */
#include <errno.h>
#include <getopt.h>
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

static bool same_directory(const char *a, const char *b)
{
	struct stat one, other;
	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* A run must not count twice, and the whole must not lie over one of its parts. */
static int check_parts(const char *out, const struct merge_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(out, parts[i].directory) == 0 || same_directory(out, parts[i].directory))
			return command_usage_error("report", "%s is run %s itself: the whole needs a directory of its own", out,
			                           parts[i].label);
		for (size_t k = 0; k < i; k++)
			if (strcmp(parts[k].directory, parts[i].directory) == 0 || same_directory(parts[k].directory, parts[i].directory))
				return command_usage_error("report", "%s=%s and %s=%s are the same run", parts[k].label, parts[k].directory,
				                           parts[i].label, parts[i].directory);
	}
	return 0;
}

/* Reads LABEL=DIRECTORY… into parts; the labels point into the words. */
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

static int write_merged(const char *out, const struct merge_part *parts, size_t count, const struct report_options *options)
{
	struct error err = {0};
	struct report_summary summary;
	if (mkdir(out, 0777) < 0 && errno != EEXIST) {
		(void)error_set(&err, ERROR_BENCH, errno, "cannot make %s: %s", out, strerror(errno));
		return fail(&err);
	}
	if (report_write_merged(out, parts, count, options, &summary, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < summary.never_began_count; i++)
		(void)fprintf(stderr, "hilbench report: %s: the report is not complete\n", summary.never_began[i]);
	return print_summary(&summary);
}

static int merge(const char *out, char **words, int count, const struct report_options *options)
{
	struct merge_part *parts = calloc((size_t)count, sizeof(*parts));
	if (!parts)
		return EXIT_BENCH;
	int status = read_parts(words, count, parts);
	if (status == 0)
		status = check_parts(out, parts, (size_t)count);
	if (status == 0)
		status = write_merged(out, parts, (size_t)count, options);
	free(parts);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option flags[] = {{"merge", no_argument, NULL, 'm'}, {"portable", no_argument, NULL, 'p'}, {0}};
	struct report_options options = {0};
	struct error err = {0};
	struct report_summary summary;
	bool merges = false;
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(argv[0], "unknown option %s", argv[optind - 1]);
		merges |= option == 'm';
		options.portable |= option == 'p';
	}
	if (merges && argc - optind < 2)
		return command_usage_error(argv[0], "--merge needs a directory to write to and at least one run");
	if (merges)
		return merge(argv[optind], argv + optind + 1, argc - optind - 1, &options);
	if (argc - optind != 1)
		return command_usage_error(argv[0], "exactly one run directory is needed");
	if (report_write(argv[optind], &options, &summary, &err) < 0)
		return fail(&err);
	return print_summary(&summary);
}

const struct command command_report = {
        .name = "report",
        .summary = "makes the reports of a run again from its journal",
        .usage =
                "report [--portable] RUN_DIRECTORY\n"
                "       hilbench report [--portable] --merge OUT LABEL=RUN_DIRECTORY…\n"
                "  Reads RUN_DIRECTORY/events.jsonl, also of a run that was interrupted, and writes results.json, junit.xml and\n"
                "  report.html beside it. The status tells whether that worked (0 or 3), not the verdict of the run.\n"
                "  --merge  one report of several runs, in the order of their beginnings, into OUT: parts of a suite on several rigs, and\n"
                "           later runs of what the bench broke. A case that several runs had keeps all its attempts.\n"
                "           A run that left no journal makes the whole incomplete.\n"
                "  --portable  for readers on other machines: no absolute path, no attachment, and no path is printed",
        .run = run,
};
