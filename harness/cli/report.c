/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench report: makes the reports of a run again from its journal. */
#include <stdio.h>

#include "../report/report.h"
#include "commands.h"

static int fail(const struct error *err)
{
	char buffer[1400];

	(void)fprintf(stderr, "hilbench report: %s\n", error_describe(err, buffer, sizeof(buffer)));
	return EXIT_BENCH;
}

static int run(int argc, char **argv)
{
	struct error err = {0};
	struct report_summary summary;

	if (argc > 1 && argv[1][0] == '-' && argv[1][1] != '\0')
		return command_usage_error(argv[0], "unknown option %s", argv[1]);
	if (argc != 2)
		return command_usage_error(argv[0], "exactly one run directory is needed");
	if (report_write_all(argv[1], &err) < 0)
		return fail(&err);
	if (report_summary_load(argv[1], &summary, &err) < 0)
		return fail(&err);
	report_summary_print(stdout, &summary);
	report_summary_free(&summary);
	return fflush(stdout) == 0 ? 0 : EXIT_BENCH;
}

const struct command command_report = {
        .name = "report",
        .summary = "makes the reports of a run again from its journal",
        .usage = "report RUN_DIRECTORY\n"
                 "  Reads RUN_DIRECTORY/events.jsonl, also of a run that was interrupted, and writes results.json, junit.xml and\n"
                 "  report.html beside it. The status tells whether that worked (0 or 3), not the verdict of the run.",
        .run = run,
};
