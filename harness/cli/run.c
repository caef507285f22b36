/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench run: test cases on a rig, with reports. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/log.h"
#include "../report/report.h"
#include "../rig/rig_lock.h"
#include "../run/executor.h"
#include "case_ids.h"
#include "commands.h"
#include "progress.h"
#include "run_directory.h"
#include "shell.h"

#define MEMORY_EVENTS 16384 /* what waiting steps can look back to */
#define LIST_LIMIT    64

struct arguments {
	const char *rig, *out, *cases_from;
	const char *tags[LIST_LIMIT + 1], *globs[LIST_LIMIT + 1], *params[LIST_LIMIT + 1];
	const char *const *ids; /* of cases_from, as patterns */
	unsigned tag_count, glob_count, param_count, repeat, retries;
	bool stop_at_failure, break_on_failure, portable;
	uint64_t seed;
};

/* ---- arguments ---- */

static int read_number(const char *name, const char *text, uint64_t least, uint64_t limit, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || number < least || number > limit)
		return command_usage_error("run", "%s must be a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", name, least, limit,
		                           text);
	*ret = number;
	return 0;
}

static int add_text(const char **list, unsigned *count, const char *text)
{
	if (*count == LIST_LIMIT)
		return command_usage_error("run", "at most %d of an option", LIST_LIMIT);
	list[(*count)++] = text;
	return 0;
}

static int take_option(struct arguments *arguments, int option, const char *text)
{
	uint64_t number = 0;
	int status = 0;
	switch (option) {
	case 'r':
		arguments->rig = text;
		return 0;
	case 'o':
		arguments->out = text;
		return 0;
	case 't':
		return add_text(arguments->tags, &arguments->tag_count, text);
	case 'c':
		return add_text(arguments->globs, &arguments->glob_count, text);
	case 'f':
		arguments->cases_from = text;
		return 0;
	case 'p':
		return add_text(arguments->params, &arguments->param_count, text);
	case 's':
		return read_number("--seed", text, 0, INT64_MAX, &arguments->seed);
	case 'n':
		status = read_number("--repeat", text, 1, 1000000, &number);
		arguments->repeat = (unsigned)number;
		return status;
	case 'a':
		status = read_number("--retry", text, 0, 100, &number);
		arguments->retries = (unsigned)number;
		return status;
	case 'b':
		arguments->break_on_failure = true;
		return 0;
	case 'P':
		arguments->portable = true;
		return 0;
	default:
		arguments->stop_at_failure = true;
		return 0;
	}
}

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {{"rig", required_argument, NULL, 'r'},
	                                        {"out", required_argument, NULL, 'o'},
	                                        {"tag", required_argument, NULL, 't'},
	                                        {"case", required_argument, NULL, 'c'},
	                                        {"cases-from", required_argument, NULL, 'f'},
	                                        {"param", required_argument, NULL, 'p'},
	                                        {"repeat", required_argument, NULL, 'n'},
	                                        {"seed", required_argument, NULL, 's'},
	                                        {"retry", required_argument, NULL, 'a'},
	                                        {"stop-at-failure", no_argument, NULL, 'x'},
	                                        {"break-on-failure", no_argument, NULL, 'b'},
	                                        {"portable", no_argument, NULL, 'P'},
	                                        {0}};
	int option, status = 0;
	optind = 0;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return command_usage_error(argv[0], "wrong or incomplete option %s", argv[optind - 1]);
		status = take_option(arguments, option, optarg);
	}
	return status;
}

/* ---- running ---- */

/* What a run on a terminal consists of. */
struct runner {
	struct loop *loop;
	struct timeline *timeline;
	struct progress *progress;
	struct shell shell; /* with --break-on-failure */
	bool breaks, talking;
};

/* Ctrl-C ends the run; while somebody sits at the prompt, what he typed. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct runner *runner = context;
	if (!runner->talking)
		loop_cancel(runner->loop);
	else if (info->ssi_signo == SIGINT)
		shell_interrupt(&runner->shell);
	else
		shell_end(&runner->shell);
	return 0;
}

static void on_failure(struct session *session, void *context)
{
	struct runner *runner = context;
	progress_pause(runner->progress, true);
	runner->talking = true;
	shell_on_failure(session, &runner->shell);
	runner->talking = false;
	progress_pause(runner->progress, false);
}

static int catch_signals(struct runner *runner, struct error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;
	int r = 0;
	sigemptyset(&set);
	for (unsigned i = 0; i < 3; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A full disk may announce itself by the file size limit; the write's error says it better. */
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned i = 0; r >= 0 && i < 3; i++)
		r = sd_event_add_signal(loop_event(runner->loop), NULL, signals[i], on_signal, runner);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot catch signals: %s", strerror(-r)) : 0;
}

static int execute(const struct program *program, struct runner *runner, const struct executor_options *options)
{
	struct verdict_tally tally;
	struct error error = {0};
	int r = progress_new(&runner->progress, runner->loop, runner->timeline, stdout, isatty(STDOUT_FILENO), &error);
	if (r == 0)
		r = executor_run(program, runner->loop, runner->timeline, options, &tally, &error);
	progress_free(runner->progress);
	if (r == 0 && timeline_failed(runner->timeline, &error))
		run_failure("run", &error);
	return r < 0 ? run_failure("run", &error) : verdict_exit_status(&tally);
}

static int start(struct runner *runner, const char *directory, const struct program_rig *rig, struct error *err)
{
	int r = loop_new(&runner->loop, err);
	if (r == 0)
		r = catch_signals(runner, err);
	if (r == 0)
		r = timeline_new(&runner->timeline, directory, MEMORY_EVENTS, err);
	if (r == 0 && runner->breaks)
		r = shell_open(&runner->shell, runner->loop, runner->timeline, rig, true, err);
	return r;
}

static void stop(struct runner *runner)
{
	shell_close(&runner->shell);
	timeline_free(runner->timeline);
	loop_free(runner->loop);
}

/* With a reason in `refused` nothing runs: the results say why. */
static int run_in(const struct program *program, const char *directory, const struct program_rig *rig, const struct arguments *arguments,
                  struct executor_options *options, const struct error *refused)
{
	struct runner runner = {.breaks = arguments->break_on_failure && !refused};
	struct error error = {0};
	int status;
	if (start(&runner, directory, rig, &error) < 0) {
		stop(&runner);
		return run_failure("run", &error);
	}
	options->run_directory = directory;
	options->on_failure = runner.breaks ? on_failure : NULL;
	options->on_failure_context = &runner;
	if (refused) {
		executor_refuse(program, runner.timeline, options, refused);
		status = run_failure("run", refused);
	} else {
		status = execute(program, &runner, options);
	}
	if (timeline_sync(runner.timeline, &error) < 0 && status != 130)
		status = EXIT_BENCH;
	stop(&runner);
	return run_directory_report_with("run", directory, &(struct report_options){.portable = arguments->portable}, status);
}

static unsigned count_selected(const struct program *program, const struct executor_options *options)
{
	unsigned count = 0;
	for (unsigned i = 0; i < program->count; i++)
		count += executor_selects(options, program->cases[i]);
	return count;
}

static int set_params(const struct arguments *arguments, struct rig_file *file, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < arguments->param_count; i++)
		r = rig_file_set_param(file, arguments->params[i], err);
	return r;
}

static int run_into_directory(const struct program *program, const struct arguments *arguments, const struct program_rig *rig,
                              struct executor_options *options, const struct error *refused)
{
	struct error error = {0};
	char directory[PATH_MAX - 64];
	if (run_directory_open(arguments->out, "", directory, sizeof(directory), NULL, &error) < 0)
		return run_failure("run", &error);
	const char *slash = arguments->portable ? strrchr(arguments->rig, '/') : NULL;
	printf("rig %s, seed %" PRIu64, slash ? slash + 1 : arguments->rig, arguments->seed);
	printf(arguments->portable ? "\n" : ", results in %s\n", directory);
	fflush(stdout);
	return run_in(program, directory, rig, arguments, options, refused);
}

static int run_program(const struct program *program, const struct arguments *arguments, json_t *words)
{
	struct executor_options options = {.rig_path = arguments->rig,
	                                   .tags = arguments->tags,
	                                   .globs = arguments->ids ? arguments->ids : arguments->globs,
	                                   .repeat = arguments->repeat,
	                                   .retries = arguments->retries,
	                                   .stop_at_failure = arguments->stop_at_failure,
	                                   .seed = arguments->seed,
	                                   .arguments = words};
	struct program_rig rig;
	struct error error = {0};
	if (count_selected(program, &options) == 0)
		return command_usage_error("run", "no case fits what was asked for");
	if (backend.rig_open(arguments->rig, &rig, &error) < 0)
		return run_into_directory(program, arguments, NULL, &options, &error);
	options.rig_file = rig.context;
	int status = set_params(arguments, rig.context, &error);
	if (status < 0) {
		backend.rig_close(&rig);
		return run_failure("run", &error);
	}
	struct rig_lock *lock = NULL;
	bool taken = rig_lock_take(&lock, rig.context, "hilbench run", &error) == 0;
	status = run_into_directory(program, arguments, &rig, &options, taken ? NULL : &error);
	rig_lock_release(lock);
	backend.rig_close(&rig);
	return status;
}

static uint64_t fresh_seed(void)
{
	uint32_t seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint32_t)loop_now_ns();
	return seed;
}

static int run(int argc, char **argv)
{
	struct arguments arguments = {.rig = "rigs/virtual.yaml", .repeat = 1, .retries = 1, .seed = fresh_seed()};
	struct program *program;
	json_t *words = json_array();
	for (int i = 1; i < argc; i++)
		json_array_append_new(words, json_string(argv[i]));
	char **ids = NULL;
	int status = read_arguments(&arguments, argc, argv);
	if (status == 0 && arguments.cases_from)
		status = case_ids_load(arguments.cases_from, &ids);
	arguments.ids = (const char *const *)ids;
	if (status == 0 && arguments.ids && arguments.glob_count)
		status = command_usage_error(argv[0], "--cases-from takes the place of --case");
	if (status == 0 && arguments.break_on_failure && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		status = command_usage_error(argv[0], "--break-on-failure needs a terminal: nobody could answer");
	if (status == 0)
		status = command_load(argv + optind, argc - optind, &program);
	if (status == 0) {
		status = run_program(program, &arguments, words);
		program_free(program);
	}
	json_decref(words);
	case_ids_free(ids);
	return status;
}

const struct command command_run = {
        .name = "run",
        .summary = "runs test cases on a rig and writes reports",
        .usage = "run [OPTION…] [FILE|DIR]…\n\n"
                 "  --rig FILE         the rig (rigs/virtual.yaml)\n"
                 "  --out DIR          where results go (reports/out/UTC-N)\n"
                 "  --tag TAG          only cases with this tag; may be repeated; !TAG: without it\n"
                 "  --case GLOB        only cases whose id fits; may be repeated\n"
                 "  --cases-from FILE  only cases whose id is a line of it\n"
                 "  --param R:N=V      board parameter N of role R in place of the rig file's; may be repeated\n"
                 "  --repeat N         everything N times\n"
                 "  --retry N          further attempts of a case that the bench itself broke (1)\n"
                 "  --stop-at-failure  no further case after one that failed\n"
                 "  --break-on-failure stays at the first failed step of a case, with its boards alive, at a prompt\n"
                 "  --portable         reports for other machines: no absolute path, no attachment, and no path is printed\n"
                 "  --seed N           of everything random in the run",
        .run = run,
};
