/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench cancel: ends a job. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "daemon_command.h"

#define COMMAND "cancel"

static int run(int argc, char **argv)
{
	static const struct option options[] = {DAEMON_OPTIONS, {0}};
	struct daemon_where where = {0};
	struct daemon_client *client = NULL;
	struct error error = {0};
	int64_t job = 0;
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!daemon_option(&where, option, optarg))
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
	if (argc - optind != 1)
		return command_usage_error(COMMAND, "which job?");
	int status = daemon_job_number(COMMAND, argv[optind], &job);
	if (status)
		return status;
	int r = daemon_client_new(&client, &where, &error);
	if (r == 0)
		r = daemon_post(client, NULL, NULL, &error, "/api/v1/jobs/%" PRId64 "/cancel", job);
	if (r == 0)
		(void)printf("job %" PRId64 " is being cancelled\n", job);
	daemon_client_free(client);
	return r < 0 ? daemon_fail(COMMAND, &error) : 0;
}

const struct command command_cancel = {
        .name = COMMAND,
        .summary = "ends a job; its rig is cleaned",
        .usage = "cancel JOB\n\n" DAEMON_USAGE,
        .run = run,
};
