/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench shell: a rack under the fingers. */
#include "shell.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../base/suggest.h"
#include "../rig/rig_lock.h"
#include "commands.h"
#include "daemon_command.h"
#include "run_directory.h"
#include "shell_lease.h"

#define MEMORY_EVENTS 16384
#define POWER_OFF_NS  INT64_C(5000000000)
#define INTERRUPTED   130 /* exit status */

struct options {
	const char *rig, *out, *first, *second;
	const char *daemon; /* name of its rig; NULL: a rig file of ours */
	struct daemon_where where;
	struct shell_lease *lease; /* NULL: none */
	bool leave_powered;
};

/* ---- signals ---- */

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info, void *shell)
{
	shell_interrupt(shell);
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *shell)
{
	shell_end(shell);
	return 0;
}

static int on_resize(sd_event_source *source, const struct signalfd_siginfo *info, void *shell)
{
	shell_input_resize(((struct shell *)shell)->input);
	return 0;
}

static int catch_signals(struct shell *shell, struct error *err)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} handlers[] = {{SIGINT, on_interrupt}, {SIGTERM, on_end}, {SIGHUP, on_end}, {SIGWINCH, on_resize}};
	sigset_t set;
	int r = 0;
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		sigaddset(&set, handlers[i].number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned i = 0; r >= 0 && i < sizeof(handlers) / sizeof(*handlers); i++)
		r = sd_event_add_signal(loop_event(shell->loop), NULL, handlers[i].number, handlers[i].handler, shell);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot catch signals: %s", strerror(-r)) : 0;
}

/* ---- one session ---- */

static void power_off(struct shell *shell, struct session *session)
{
	struct rig *rig = session_rig(session);
	for (unsigned i = 0; rig && i < rig_board_count(rig); i++) {
		struct rig_board *board = rig_board_at(rig, i);
		struct error error = {0};
		if (!rig_board_powered(board) || rig_board_power(board, false, loop_now_ns() + POWER_OFF_NS, &error) == 0)
			continue;
		error_prefix(&error, "the power could not be switched off at the end");
		session_left_on(session, &error);
		rig_board_keep(board); /* once is enough */
	}
}

static void keep_power(struct session *session)
{
	struct rig *rig = session_rig(session);
	for (unsigned i = 0; rig && i < rig_board_count(rig); i++)
		rig_board_keep(rig_board_at(rig, i));
}

/* What stays when the shell ends. */
static void leave(struct shell *shell, struct session *session, const struct options *options)
{
	const struct rig_file *file = shell->rig->context;
	enum verdict verdict;
	struct error why;
	session_finish(session, &verdict, &why);
	loop_rearm(shell->loop);
	if (!options->leave_powered)
		power_off(shell, session);
	else if (rig_file_is_virtual(file))
		shell_say(shell, "the boards of a virtual rack have power only as long as this program runs: they are off now\n");
	else
		shell_say(shell, "the boards are left as they are\n");
	if (options->leave_powered)
		keep_power(session);
}

static int talk(struct shell *shell, const struct options *options, const struct executor_options *run)
{
	struct session *session;
	struct verdict_tally tally = {0};
	struct error error = {0};
	if (session_new(&session, shell->loop, shell->timeline, run, &error) < 0) {
		int status = run_failure("shell", &error);
		return shell->ended ? INTERRUPTED : status;
	}
	shell->session = session;
	if (options->first) {
		char text[PATH_MAX + 300];
		snprintf(text, sizeof(text), "%s %s", options->first, options->second ? options->second : "");
		shell_do_load(shell, text);
	}
	shell_talk(shell, session);
	leave(shell, session, options);
	if (shell->ended)
		session_interrupt(session);
	session_free(session, &tally);
	/* A script is to know that not all of its lines were understood, or could be done as they stand. */
	if (!shell->terminal && shell->wrong > 0)
		verdict_tally_add(&tally, VERDICT_ERROR, CAUSE_TESTCASE);
	if (timeline_failed(shell->timeline, &error))
		(void)run_failure("shell", &error);
	return verdict_exit_status(&tally);
}

static int session_in(const char *directory, const struct program_rig *rig, const struct options *options, struct executor_options *run)
{
	struct shell shell = {.input = NULL};
	struct loop *loop = NULL;
	struct timeline *timeline = NULL;
	struct error error = {0};
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	int status, r = loop_new(&loop, &error);
	if (r == 0)
		r = timeline_new(&timeline, directory, MEMORY_EVENTS, &error);
	if (r == 0)
		r = shell_open(&shell, loop, timeline, rig, terminal, &error);
	if (r == 0)
		r = catch_signals(&shell, &error);
	if (r == 0 && options->lease)
		r = shell_lease_watch(options->lease, &shell, directory, &error);
	run->run_directory = directory;
	status = r < 0 ? run_failure("shell", &error) : talk(&shell, options, run);
	if (options->lease)
		shell_lease_unwatch(options->lease);
	shell_close(&shell);
	if (timeline && timeline_sync(timeline, &error) < 0 && status != INTERRUPTED)
		status = EXIT_BENCH;
	timeline_free(timeline);
	loop_free(loop);
	return r < 0 ? status : run_directory_report("shell", directory, status);
}

static uint64_t fresh_seed(void)
{
	uint32_t seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint32_t)loop_now_ns();
	return seed;
}

static int with_rig(const struct program_rig *rig, const struct options *options, json_t *words)
{
	struct executor_options run = {
	        .rig_file = rig->context, .rig_path = options->rig, .repeat = 1, .seed = fresh_seed(), .arguments = words};
	struct rig_lock *lock;
	struct error error = {0};
	char directory[PATH_MAX - 64];
	if (rig_lock_take(&lock, rig->context, "hilbench shell", &error) < 0)
		return run_failure("shell", &error);
	int status, r = run_directory_open(options->out, "", directory, sizeof(directory), NULL, &error);
	if (r < 0) {
		status = run_failure("shell", &error);
	} else {
		printf("rig %s, results in %s; `help` lists the commands\n", options->rig, directory);
		fflush(stdout);
		status = session_in(directory, rig, options, &run);
	}
	rig_lock_release(lock);
	return status;
}

/* ---- the command ---- */

static int wrong_option(const char *command, const char *text)
{
	static const char *const options[] = {"--rig", "--daemon", "--out", "--leave-powered", "--url", "--token-file", "--ca-file", NULL};
	char hint[160];
	return command_usage_error(command, "wrong or incomplete option %s%s", text, suggest_text(text, options, hint, sizeof(hint)));
}

static int read_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {{"rig", required_argument, NULL, 'r'},
	                                      {"out", required_argument, NULL, 'o'},
	                                      {"leave-powered", no_argument, NULL, 'l'},
	                                      {"daemon", required_argument, NULL, 'd'},
	                                      DAEMON_OPTIONS,
	                                      {0}};
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (daemon_option(&options->where, option, optarg))
			continue;
		if (option == 'r')
			options->rig = optarg;
		else if (option == 'd')
			options->daemon = optarg;
		else if (option == 'o')
			options->out = optarg;
		else if (option == 'l')
			options->leave_powered = true;
		else
			return wrong_option(argv[0], argv[optind - 1]);
	}
	if (options->rig && options->daemon)
		return command_usage_error(argv[0], "--rig is a file of yours, --daemon a rig of the daemon: give one of them");
	if (argc - optind > 2)
		return command_usage_error(argv[0], "one case, please");
	options->first = optind < argc ? argv[optind] : NULL;
	options->second = optind + 1 < argc ? argv[optind + 1] : NULL;
	return 0;
}

static int on_rig(struct options *options, json_t *words)
{
	struct program_rig rig;
	struct error error = {0};
	if (backend.rig_open(options->rig, &rig, &error) < 0)
		return run_failure("shell", &error);
	int status = with_rig(&rig, options, words);
	backend.rig_close(&rig);
	return status;
}

/* The daemon's rig is ours only while the shell runs. */
static int on_leased_rig(struct options *options, json_t *words)
{
	struct shell_lease lease;
	int status = shell_lease_begin(&lease, &options->where, options->daemon);
	if (status)
		return status;
	options->lease = &lease;
	options->rig = lease.lease.file;
	return shell_lease_end(&lease, on_rig(options, words));
}

static int run(int argc, char **argv)
{
	struct options options = {0};
	json_t *words = json_array();
	for (int i = 1; i < argc; i++)
		json_array_append_new(words, json_string(argv[i]));
	int status = read_options(&options, argc, argv);
	if (!options.rig)
		options.rig = "rigs/virtual.yaml";
	if (status == 0)
		status = options.daemon ? on_leased_rig(&options, words) : on_rig(&options, words);
	json_decref(words);
	return status;
}

const struct command command_shell = {
        .name = "shell",
        .summary = "works on a rig by hand: steps as commands, cases step by step",
        .usage = "shell [OPTION…] [CASE | FILE [CASE]]\n\n"
                 "  --rig FILE         the rig (rigs/virtual.yaml)\n"
                 "  --daemon NAME      a rig of the daemon on this machine, which is locked meanwhile\n"
                 "  --out DIR          where results go (reports/out/UTC-N)\n"
                 "  --leave-powered    the boards stay on at the end; those of a virtual rack end with the program\n" DAEMON_USAGE,
        .run = run,
};
