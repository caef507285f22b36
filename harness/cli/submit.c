/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench submit: gives test cases to the daemon. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../base/hex.h"
#include "../run/steps/ota_package.h"
#include "commands.h"
#include "daemon_command.h"
#include "job_result.h"
#include "job_wait.h"
#include "submit_files.h"
#include "submit_named.h"

#define COMMAND     "submit"
#define LIST_LIMIT  64
#define KEY_MAX     64
#define PATIENCE_NS INT64_C(30000000000) /* of a daemon that goes away in the middle of a submission */

struct submission {
	struct daemon_where where;
	json_t *request, *options; /* options: borrowed from the request */
	const char *tags[LIST_LIMIT + 1], *globs[LIST_LIMIT + 1];
	unsigned tag_count, glob_count, param_count;
	struct job_wait_options wait;
	const char *directory;
	bool waits;
};

enum {
	RIG = 1,
	POOL,
	REQUIRES,
	PRIORITY,
	SPREAD,
	SERIES,
	TITLE,
	KEY,
	TIME_LIMIT,
	SILENCE_LIMIT,
	RETRIES,
	TAG,
	CASE,
	PARAM,
	REPEAT,
	RETRY,
	SEED,
	STOP,
	DIRECTORY,
	WAIT,
	FOLLOW,
	CANCEL,
	OUT
};
static const struct option options[] = {{"rig", required_argument, NULL, RIG},
                                        {"pool", required_argument, NULL, POOL},
                                        {"requires", required_argument, NULL, REQUIRES},
                                        {"priority", required_argument, NULL, PRIORITY},
                                        {"spread", required_argument, NULL, SPREAD},
                                        {"series", required_argument, NULL, SERIES},
                                        {"title", required_argument, NULL, TITLE},
                                        {"key", required_argument, NULL, KEY},
                                        {"time-limit", required_argument, NULL, TIME_LIMIT},
                                        {"silence-limit", required_argument, NULL, SILENCE_LIMIT},
                                        {"retries", required_argument, NULL, RETRIES},
                                        {"tag", required_argument, NULL, TAG},
                                        {"case", required_argument, NULL, CASE},
                                        {"param", required_argument, NULL, PARAM},
                                        {"repeat", required_argument, NULL, REPEAT},
                                        {"retry", required_argument, NULL, RETRY},
                                        {"seed", required_argument, NULL, SEED},
                                        {"stop-at-failure", no_argument, NULL, STOP},
                                        {"directory", required_argument, NULL, DIRECTORY},
                                        {"wait", no_argument, NULL, WAIT},
                                        {"follow", no_argument, NULL, FOLLOW},
                                        {"cancel-on-signal", no_argument, NULL, CANCEL},
                                        {"out", required_argument, NULL, OUT},
                                        DAEMON_OPTIONS,
                                        {0}};

/* ---- options ---- */

static int set_text(json_t *object, const char *key, const char *text)
{
	json_t *string = json_string(text);
	if (!string)
		return command_usage_error(COMMAND, "--%s is no UTF-8", key);
	return json_object_set_new(object, key, string) < 0 ? EXIT_BENCH : 0;
}

static int add_text(json_t *object, const char *key, const char *text)
{
	json_t *list = json_object_get(object, key), *string = json_string(text);
	if (!string)
		return command_usage_error(COMMAND, "\"%s\" is no UTF-8", text);
	if (!list && json_object_set_new(object, key, list = json_array()) < 0)
		return EXIT_BENCH;
	if (json_array_size(list) == LIST_LIMIT) {
		json_decref(string);
		return command_usage_error(COMMAND, "at most %d of an option", LIST_LIMIT);
	}
	return json_array_append_new(list, string) < 0 ? EXIT_BENCH : 0;
}

static int set_number(json_t *object, const char *key, const char *text, int64_t least, int64_t most)
{
	char name[40];
	int64_t number = 0;
	(void)snprintf(name, sizeof(name), "--%s", key);
	int status = daemon_number(COMMAND, name, text, least, most, &number);
	return status ? status : json_object_set_new(object, key, json_integer(number)) < 0 ? EXIT_BENCH : 0;
}

static int set_duration(json_t *object, const char *key, const char *option, const char *text)
{
	int status = daemon_duration(COMMAND, option, text);
	return status ? status : set_text(object, key, text);
}

/* Longer keys than the daemon takes (names of builds) are as good by their digest. */
static int set_key(json_t *request, const char *text)
{
	unsigned char digest[32];
	char hex[2 * sizeof(digest) + 1];
	if (!*text)
		return command_usage_error(COMMAND, "--key is empty");
	if (strlen(text) <= KEY_MAX)
		return set_text(request, "key", text);
	if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
		return EXIT_BENCH;
	return set_text(request, "key", hex_text(digest, sizeof(digest), hex));
}

static int take_selection(struct submission *submission, int option, const char *text)
{
	switch (option) {
	case TAG:
		if (submission->tag_count < LIST_LIMIT)
			submission->tags[submission->tag_count++] = text;
		return add_text(submission->options, "tags", text);
	case CASE:
		if (submission->glob_count < LIST_LIMIT)
			submission->globs[submission->glob_count++] = text;
		return add_text(submission->options, "cases", text);
	case PARAM:
		return add_text(submission->options, "params", text);
	case REPEAT:
		return set_number(submission->options, "repeat", text, 1, 1000000);
	case RETRY:
		return set_number(submission->options, "retry", text, 0, 100);
	case SEED:
		return set_number(submission->options, "seed", text, 0, INT64_MAX);
	default:
		return json_object_set_new(submission->options, "stop_at_failure", json_true()) < 0 ? EXIT_BENCH : 0;
	}
}

static int take_waiting(struct submission *submission, int option, const char *text)
{
	if (option == WAIT)
		submission->waits = true;
	else if (option == FOLLOW)
		submission->waits = true, submission->wait.show = JOB_SHOW_LOG;
	else if (option == CANCEL)
		submission->wait.cancel_on_signal = true;
	else
		submission->wait.out = text;
	return 0;
}

static int take_option(struct submission *submission, int option, const char *text)
{
	json_t *request = submission->request;
	switch (option) {
	case RIG:
		return set_text(request, "rig", text);
	case POOL:
		return set_text(request, "pool", text);
	case REQUIRES:
		return add_text(request, "requires", text);
	case PRIORITY:
		return set_number(request, "priority", text, -100, 100);
	case SPREAD:
		return set_number(request, "spread", text, 1, 16);
	case SERIES:
		return set_text(request, "series", text);
	case TITLE:
		return set_text(request, "title", text);
	case KEY:
		return set_key(request, text);
	case TIME_LIMIT:
		return set_duration(request, "time_limit", "--time-limit", text);
	case SILENCE_LIMIT:
		return set_duration(request, "silence_limit", "--silence-limit", text);
	case RETRIES:
		return set_number(request, "retries", text, 0, 10);
	case DIRECTORY:
		submission->directory = text;
		return 0;
	default:
		return option >= WAIT ? take_waiting(submission, option, text) : take_selection(submission, option, text);
	}
}

static int set_fresh_key(json_t *request)
{
	unsigned char random[16];
	char hex[2 * sizeof(random) + 1];
	if (json_object_get(request, "key"))
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return EXIT_BENCH;
	return set_text(request, "key", hex_text(random, sizeof(random), hex));
}

static int read_arguments(struct submission *submission, int argc, char **argv)
{
	int option, status = 0;
	optind = 0;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (!daemon_option(&submission->where, option, optarg))
			status = take_option(submission, option, optarg);
	}
	if (status == 0 && json_object_get(submission->request, "rig") && json_object_get(submission->request, "pool"))
		return command_usage_error(COMMAND, "--rig names one rig, --pool any of equal ones: give one of them");
	if (status == 0 && !submission->waits && (submission->wait.out || submission->wait.cancel_on_signal))
		return command_usage_error(COMMAND, "%s needs --wait or --follow", submission->wait.out ? "--out" : "--cancel-on-signal");
	return status ? status : set_fresh_key(submission->request);
}

/* ---- sending ---- */

static int send_bytes(struct daemon_client *client, const char *path, const struct submit_file *file, struct error *err)
{
	struct error why;
	int fd = submit_file_open(file, err);
	if (fd < 0)
		return fd;
	const struct daemon_request request = {
	        .method = "PUT", .path = path, .from_file = true, .file = fd, .file_size = file->size, .patience_ns = PATIENCE_NS};
	int r = daemon_ask(client, &request, NULL, NULL, err);
	/* What was changed meanwhile has another digest, or another size. */
	if (r < 0 && r != -ECANCELED && submit_file_check(file, fd, &why) < 0) {
		*err = why;
		r = -ESTALE;
	} else if (r < 0) {
		err->place = file->place;
		if (!file->absolute)
			error_prefix(err, "%s", file->path);
	}
	(void)close(fd);
	return r;
}

static int send_blob(struct daemon_client *client, const struct submit_file *file, bool first, struct error *err)
{
	char path[120];
	long status = 0;
	(void)snprintf(path, sizeof(path), "/api/v1/blobs/%s", file->sha256);
	const struct daemon_request request = {.method = "HEAD", .path = path, .patience_ns = first ? 0 : PATIENCE_NS};
	int r = daemon_ask(client, &request, &status, NULL, err);
	/* The answer to HEAD has no body: its status alone says that there is none. */
	return r < 0 && status == 404 ? send_bytes(client, path, file, err) : r;
}

static int send_files(struct daemon_client *client, const struct submit_files *files, struct error *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < files->count; i++)
		r = send_blob(client, &files->files[i], i == 0, err);
	return r;
}

static int send_job(struct daemon_client *client, json_t *request, const struct submit_files *files, json_t **ret, struct error *err)
{
	json_t *list = json_array();
	long status = 0;
	for (size_t i = 0; i < files->count; i++)
		(void)json_array_append_new(list, json_pack("{s:s,s:s}", "path", files->files[i].name, "sha256", files->files[i].sha256));
	if (json_object_set_new(request, "files", list) < 0 || json_object_set(request, "paths", files->paths) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	const struct daemon_request post = {
	        .method = "POST", .path = "/api/v1/jobs", .json = request, .patience_ns = PATIENCE_NS, .whole = true};
	int r = daemon_ask(client, &post, &status, ret, err);
	if (r == 0 && (!*ret || daemon_integer(*ret, "id") <= 0))
		return error_set(err, ERROR_BENCH, EPROTO, "what answers at %s is no hilbenchd: it names no job",
		                 daemon_client_name(client));
	/* With a random key that is only so when an answer was lost. */
	if (r == 0 && status == 200)
		(void)fprintf(stderr, "hilbench submit: job %" PRId64 " was submitted before with this key\n", daemon_integer(*ret, "id"));
	return r;
}

static int submit_with(struct submission *submission, struct daemon_client *client, const struct submit_files *files)
{
	struct error error = {0};
	json_t *job = NULL;
	int r = submission->wait.out ? job_result_open(submission->wait.out, &error) : 0;
	if (r == 0)
		r = send_files(client, files, &error);
	/* From here on a signal finds a job that it can be about. */
	if (r == 0 && submission->waits)
		r = daemon_client_catch_signals(client, &error);
	if (r == 0)
		r = send_job(client, submission->request, files, &job, &error);
	int64_t id = daemon_integer(job, "id");
	json_decref(job);
	if (r < 0)
		return daemon_fail(COMMAND, &error);
	if (files->base_told)
		(void)fprintf(stderr, "hilbench submit: names of files are relative to %s\n", files->base);
	(void)printf("job %" PRId64 "\n", id);
	(void)fflush(stdout);
	if (!submission->waits)
		return 0;
	if (submission->wait.out)
		job_result_clear(submission->wait.out);
	return job_wait(client, id, &submission->wait);
}

static bool is_fixture(const char *name, bool key)
{
	struct error ignored;
	return ota_package_exists(name, key, &ignored) == 0;
}

static int submit_program(struct submission *submission, const struct program *program, const struct case_filter *filter,
                          char *const *paths, int count)
{
	struct daemon_client *client = NULL;
	struct submit_files files = {0};
	struct error error = {0};
	int status, r = submit_files_collect(paths, count, &files, &error);
	if (r == 0)
		r = submit_named_add(&files, program, filter, is_fixture, &error);
	if (r == 0)
		r = daemon_client_new(&client, &submission->where, &error);
	status = r < 0 ? daemon_fail(COMMAND, &error) : submit_with(submission, client, &files);
	daemon_client_free(client);
	submit_files_clear(&files);
	return status;
}

/* What is wrong is found here, before anything is sent. */
static int submit_paths(struct submission *submission, char *const *paths, int count)
{
	static char *const usual[] = {(char *)"testcases", NULL};
	const struct case_filter filter = {.tags = submission->tag_count ? submission->tags : NULL,
	                                   .patterns = submission->glob_count ? submission->globs : NULL};
	struct program *program;
	unsigned selected = 0;
	int status = command_load(paths, count, &program);
	if (status)
		return status;
	for (unsigned i = 0; i < program->count; i++)
		selected += case_selected(program->cases[i], &filter);
	if (selected == 0)
		status = command_usage_error(COMMAND, "no case fits what was asked for");
	else
		status = submit_program(submission, program, &filter, count ? paths : usual, count ? count : 1);
	program_free(program);
	return status;
}

static int enter_directory(const char *directory)
{
	if (!directory || chdir(directory) == 0)
		return 0;
	return command_usage_error(COMMAND, "--directory %s: %s", directory, strerror(errno));
}

static int run(int argc, char **argv)
{
	struct submission submission = {.request = json_object(), .options = json_object(), .wait = {.command = COMMAND}};
	if (json_object_set_new(submission.request, "options", submission.options) < 0)
		return EXIT_BENCH;
	int status = read_arguments(&submission, argc, argv);
	if (status == 0)
		status = enter_directory(submission.directory);
	if (status == 0)
		status = submit_paths(&submission, argv + optind, argc - optind);
	json_decref(submission.request);
	return status;
}

const struct command command_submit = {
        .name = COMMAND,
        .summary = "gives test cases to the daemon, and waits for them if asked to",
        .usage = "submit [OPTION…] [FILE|DIR]…\n\n"
                 "  --rig NAME         on this rig of the daemon\n"
                 "  --pool NAME        on any rig of this pool\n"
                 "  --requires CAP     on a rig that has it; may be repeated\n"
                 "  --priority N       -100 to 100, more is sooner (0)\n"
                 "  --spread N         over as many equal rigs at most (1)\n"
                 "  --series S         the series that it belongs to, for matrix and history\n"
                 "  --title T          what it is called\n"
                 "  --key K            the same key makes one job, however often it is sent (random)\n"
                 "  --time-limit D     of a run, e.g. 2h\n"
                 "  --silence-limit D  a run that says nothing for so long is ended\n"
                 "  --retries N        further runs of what the bench broke\n"
                 "  --tag, --case, --param, --repeat, --retry, --seed, --stop-at-failure\n"
                 "                     as of `hilbench run`\n"
                 "  --directory DIR    as if it were started there\n"
                 "  --wait             until it is done: a line a case, a summary; the status is that of the job\n"
                 "  --follow           the same, with everything that the runs print\n"
                 "  --cancel-on-signal SIGINT, SIGTERM and SIGHUP cancel the job; else it goes on\n"
                 "  --out DIR          junit.xml, results.json and report.html of the job, in place of those that are there\n" DAEMON_USAGE,
        .run = run,
};
