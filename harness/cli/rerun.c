/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rerun: a job once more, with the files that it had. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "daemon_command.h"
#include "job_result.h"
#include "job_wait.h"

#define COMMAND "rerun"

struct arguments {
	struct daemon_where where;
	struct job_wait_options wait;
	bool failed, waits;
	int64_t job;
};

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {{"failed", no_argument, NULL, 'f'},
	                                        {"wait", no_argument, NULL, 'w'},
	                                        {"follow", no_argument, NULL, 'l'},
	                                        {"cancel-on-signal", no_argument, NULL, 'c'},
	                                        {"out", required_argument, NULL, 'o'},
	                                        DAEMON_OPTIONS,
	                                        {0}};
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (daemon_option(&arguments->where, option, optarg))
			continue;
		arguments->failed = arguments->failed || option == 'f';
		arguments->waits = arguments->waits || option == 'w' || option == 'l';
		if (option == 'l')
			arguments->wait.show = JOB_SHOW_LOG;
		if (option == 'c')
			arguments->wait.cancel_on_signal = true;
		if (option == 'o')
			arguments->wait.out = optarg;
	}
	if (argc - optind != 1)
		return command_usage_error(COMMAND, "which job?");
	if (!arguments->waits && (arguments->wait.out || arguments->wait.cancel_on_signal))
		return command_usage_error(COMMAND, "%s needs --wait or --follow", arguments->wait.out ? "--out" : "--cancel-on-signal");
	return daemon_job_number(COMMAND, argv[optind], &arguments->job);
}

static int ask(struct daemon_client *client, const struct arguments *arguments, json_t **ret, struct error *err)
{
	char path[64];
	json_t *body = json_pack("{s:b}", "failed", arguments->failed);
	(void)snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64 "/rerun", arguments->job);
	const struct daemon_request request = {.method = "POST", .path = path, .json = body, .whole = true};
	int r = body ? daemon_ask(client, &request, NULL, ret, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	json_decref(body);
	return r;
}

static int rerun(struct daemon_client *client, const struct arguments *arguments)
{
	struct error error = {0};
	json_t *job = NULL;
	int r = arguments->wait.out ? job_result_open(arguments->wait.out, &error) : 0;
	if (r == 0 && arguments->waits)
		r = daemon_client_catch_signals(client, &error);
	if (r == 0)
		r = ask(client, arguments, &job, &error);
	int64_t id = daemon_integer(job, "id");
	json_decref(job);
	if (r < 0)
		return daemon_fail(COMMAND, &error);
	(void)printf("job %" PRId64 "\n", id);
	(void)fflush(stdout);
	if (!arguments->waits)
		return 0;
	if (arguments->wait.out)
		job_result_clear(arguments->wait.out);
	return job_wait(client, id, &arguments->wait);
}

static int run(int argc, char **argv)
{
	struct arguments arguments = {.wait = {.command = COMMAND}};
	struct daemon_client *client = NULL;
	struct error error = {0};
	int status = read_arguments(&arguments, argc, argv);
	if (status)
		return status;
	status = daemon_client_new(&client, &arguments.where, &error) < 0 ? daemon_fail(COMMAND, &error) : rerun(client, &arguments);
	daemon_client_free(client);
	return status;
}

const struct command command_rerun = {
        .name = COMMAND,
        .summary = "runs a job once more, with the files that it had",
        .usage = "rerun [OPTION…] JOB\n\n"
                 "  --failed           only the cases that did not pass\n"
                 "  --wait, --follow, --cancel-on-signal, --out DIR\n"
                 "                     as of `hilbench submit`\n" DAEMON_USAGE,
        .run = run,
};
