/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench trace: looks through a journal, recorded or still being written, and converts it. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/value.h"
#include "../report/journal.h"
#include "commands.h"
#include "trace_choice.h"
#include "trace_notice.h"
#include "trace_sink.h"

#define FOLLOW_POLL_MS  250 /* file systems that tell nothing are looked at so often */
#define JOURNAL_NAME    "events.jsonl"
#define FOLLOW_QUIET_S  60    /* without a lock: a journal that nobody wrote for so long belongs to a run that is gone */
#define FOLLOW_START_MS 10000 /* a run that was just started gets so long to write its first event */

static const struct trace_sink *const sinks[] = {&trace_sink_text, &trace_sink_json, &trace_sink_csv, &trace_sink_candump,
                                                 &trace_sink_pcapng};

struct options {
	struct trace_choice choice;
	int64_t from_ns, to_ns;
	const struct trace_sink *sink;
	const char *from, *to; /* as they were written */
	const char *output, *path;
	bool follow, utc;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static int fail(const struct error *err)
{
	char text[1400];
	(void)fprintf(stderr, "hilbench trace: %s\n", error_describe(err, text, sizeof(text)));
	return err->domain == ERROR_USAGE ? EXIT_USAGE : EXIT_BENCH;
}

static int sink_choose(struct options *options, const char *name)
{
	for (size_t i = 0; i < sizeof(sinks) / sizeof(*sinks); i++)
		if (strcmp(sinks[i]->name, name) == 0) {
			options->sink = sinks[i];
			return 0;
		}
	return command_usage_error("trace", "no format \"%s\"; there are text, json, csv, candump, pcapng", name);
}

/* "1.5s", "250ms": as in a test case. */
static int duration(const char *option, const char *text, int64_t *ret_ns)
{
	struct value *written = value_new_text(text), *converted = NULL;
	struct error err = {0};
	int r = written ? value_convert(written, VALUE_DURATION, &converted, &err) : -ENOMEM;
	if (r == 0)
		*ret_ns = converted->integer;
	value_free(converted);
	value_free(written);
	return r < 0 ? command_usage_error("trace", "--%s %s: %s", option, text, err.message) : 0;
}

static int option_take(struct options *options, int option, const char *value)
{
	switch (option) {
	case 'F':
		options->from = value;
		return duration("from", value, &options->from_ns);
	case 'T':
		options->to = value;
		return duration("to", value, &options->to_ns);
	case 't':
		return sink_choose(options, value);
	case 'o':
		options->output = value;
		return 0;
	case 'f':
		options->follow = true;
		return 0;
	case 'u':
		options->utc = true;
		return 0;
	default:
		return command_usage_error("trace", "unknown option, or its value is missing");
	}
}

static int options_read(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {TRACE_CHOICE_OPTIONS,
	                                      {"from", required_argument, NULL, 'F'},
	                                      {"to", required_argument, NULL, 'T'},
	                                      {"format", required_argument, NULL, 't'},
	                                      {"output", required_argument, NULL, 'o'},
	                                      {"follow", no_argument, NULL, 'f'},
	                                      {"utc", no_argument, NULL, 'u'},
	                                      {NULL, 0, NULL, 0}};
	*options = (struct options){.from_ns = INT64_MIN, .to_ns = INT64_MAX, .sink = &trace_sink_text};
	opterr = 0;
	optind = 1;
	for (int option; (option = getopt_long(argc, argv, "fo:", known, NULL)) != -1;) {
		int status = trace_choice_has(option) ? trace_choice_take(&options->choice, "trace", option, optarg)
		                                      : option_take(options, option, optarg);
		if (status != 0)
			return status;
	}
	if (argc - optind != 1)
		return command_usage_error("trace", "one run directory or journal is needed");
	options->path = argv[optind];
	if (options->from_ns >= options->to_ns)
		return command_usage_error("trace", "--from %s is not before --to %s: no time is left", options->from, options->to);
	if (options->sink->needs_file && !options->output)
		return command_usage_error("trace", "the format %s needs -o FILE", options->sink->name);
	return 0;
}

/* The journal of a run's directory, or the file itself. */
static int journal_path(const char *path, char *out, size_t size)
{
	struct stat status;
	bool directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
	int length = snprintf(out, size, directory ? "%s/" JOURNAL_NAME : "%s", path);
	return length < 0 || (size_t)length >= size ? command_usage_error("trace", "the path is too long: %.80s…", path) : 0;
}

struct reading {
	const struct options *options;
	struct trace trace;
	struct journal *journal;
	const char *path;
	void *state;
	int watch; /* inotify, -1 none */
	bool held; /* the journal was seen to be locked by its writer */
	unsigned long shown, left_out;
};

/* Until the journal may have grown. */
static void wait_for_growth(const struct reading *reading)
{
	struct pollfd pollfd = {.fd = reading->watch, .events = POLLIN};
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	if (poll(&pollfd, 1, FOLLOW_POLL_MS) > 0)
		(void)!read(reading->watch, events, sizeof(events));
}

static int take(struct reading *reading, const json_t *event, struct error *err)
{
	const struct trace_sink *sink = reading->options->sink;
	if (!trace_takes(&reading->trace, event)) {
		if (sink->aside)
			sink->aside(reading->state, event);
		return 0;
	}
	if (sink->knows(json_string_value(json_object_get(event, "kind"))))
		reading->shown++;
	else
		reading->left_out++;
	return sink->event(reading->state, event, err);
}

static bool quiet_for_long(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && time(NULL) - status.st_mtime >= FOLLOW_QUIET_S;
}

/* Nobody writes the journal any more. */
static bool writer_gone(struct reading *reading)
{
	int written = journal_written(reading->journal);
	reading->held = reading->held || written > 0;
	if (written > 0)
		return false;
	if (written == 0 && (reading->held || reading->trace.locked))
		return true;
	return quiet_for_long(reading->path);
}

static int read_all(struct reading *reading, struct error *err)
{
	int r = 0;
	bool gone = false;
	while (r == 0 && !interrupted && !(reading->options->follow && reading->trace.ended)) {
		json_t *event = NULL;
		r = journal_next(reading->journal, &event, err);
		if (r == 0)
			break;
		if (r == -EAGAIN) {
			if (fflush(stdout) != 0)
				return error_set(err, ERROR_BENCH, errno, "standard output: %s", strerror(errno));
			if (gone)
				return error_set(err, ERROR_BENCH, ENODATA,
				                 "%s has no end and nobody writes it any more: the run was killed", reading->path);
			/* What it wrote before it went is read first. */
			gone = writer_gone(reading);
			if (!gone)
				wait_for_growth(reading);
			r = 0;
			continue;
		}
		if (r > 0)
			r = take(reading, event, err);
		json_decref(event);
	}
	return r;
}

static int journal_wait_open(struct reading *reading, const char *path, struct error *err)
{
	int r = journal_open(&reading->journal, path, err);
	for (int waited_ms = 0; r == -ENOENT && reading->options->follow && !interrupted && waited_ms < FOLLOW_START_MS;
	     waited_ms += FOLLOW_POLL_MS) {
		(void)poll(NULL, 0, FOLLOW_POLL_MS);
		r = journal_open(&reading->journal, path, err);
	}
	if (r < 0 && err->domain == ERROR_BENCH && err->code == ENOENT)
		err->domain = ERROR_USAGE;
	return r;
}

/* Whether the journal has what the options name, before anything is shown of it. */
static int look_through(const struct reading *reading, struct error *err)
{
	struct journal *journal;
	struct trace trace;
	json_t *event = NULL;
	int r = journal_open(&journal, reading->path, err);
	if (r < 0)
		return r;
	trace_begin(&trace, &reading->trace.filter);
	while (!interrupted && (r = journal_next(journal, &event, err)) > 0) {
		(void)trace_takes(&trace, event);
		json_decref(event);
	}
	if (r == 0)
		r = trace_check(&trace, err);
	trace_end(&trace);
	journal_close(journal);
	return r;
}

static int show(struct reading *reading, struct error *err)
{
	const struct options *options = reading->options;
	struct stat status;
	bool names = options->choice.boards.count > 0 || options->choice.cases.count > 0;
	bool twice = !options->follow && stat(reading->path, &status) == 0 && S_ISREG(status.st_mode);
	int r = names && twice ? look_through(reading, err) : 0;
	if (r == 0)
		r = options->sink->open(&reading->state, &reading->trace, options->output, options->utc, err);
	if (r == 0)
		r = read_all(reading, err);
	/* What a run that is under way has is known when it has ended. */
	if (r == 0 && !twice && !interrupted)
		r = trace_check(&reading->trace, err);
	return r;
}

static int trace_run(struct reading *reading, const char *path, struct error *err)
{
	const struct options *options = reading->options;
	int r = journal_wait_open(reading, path, err);
	if (r < 0)
		return r;
	reading->path = path;
	if (options->follow) {
		journal_follow(reading->journal);
		reading->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (reading->watch >= 0)
			(void)inotify_add_watch(reading->watch, path, IN_MODIFY);
	}
	r = show(reading, err);
	if (reading->state) {
		struct error late = {0};
		int closed = options->sink->close(reading->state, r < 0 ? &late : err);
		r = r < 0 ? r : closed;
	}
	if (journal_was_cut(reading->journal))
		(void)fprintf(stderr, "hilbench trace: the last line of %s is cut off (the run was killed)\n", path);
	if (reading->watch >= 0)
		(void)close(reading->watch);
	journal_close(reading->journal);
	return r;
}

static int run(int argc, char **argv)
{
	struct options options;
	struct error err = {0};
	char path[4096];
	int status = options_read(argc, argv, &options);
	if (status == 0)
		status = journal_path(options.path, path, sizeof(path));
	if (status != 0)
		return status;
	struct trace_filter filter = trace_choice_filter(&options.choice);
	filter.from_ns = options.from_ns;
	filter.to_ns = options.to_ns;
	struct reading reading = {.options = &options, .watch = -1};
	struct sigaction action = {.sa_handler = on_interrupt};
	trace_begin(&reading.trace, &filter);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	int r = trace_run(&reading, path, &err);
	if (r == 0 && !interrupted)
		trace_notice(&reading.trace, reading.shown + reading.left_out);
	trace_end(&reading.trace);
	/* Whoever reads only the first lines (head) has what he wanted. */
	if (r < 0 && err.code == EPIPE && !options.output) {
		__fpurge(stdout);
		clearerr(stdout);
		return 0;
	}
	if (r < 0)
		return fail(&err);
	if (options.output)
		(void)fprintf(stderr, "%lu events in %s\n", reading.shown, options.output);
	if (reading.left_out > 0)
		(void)fprintf(stderr, "hilbench trace: %lu events are of kinds that the format %s has no form for\n", reading.left_out,
		              options.sink->name);
	return 0;
}

const struct command command_trace = {
        .name = "trace",
        .summary = "follows, filters or converts the journal of a run",
        .usage = "trace [OPTION…] RUN_DIRECTORY|JOURNAL\n"
                 "  --board ROLE        only events of this board, of its links, of testers with it, and of buses; this and the next four "
                 "may be repeated\n"
                 "  --channel GLOB      only of channels that fit: 'link:*', can:can0, tester:main\n"
                 "  --protocol NAME     only of: steps, power, boot, console, tcp, tls, doip, uds, can, isotp, secoc, flash, probe\n"
                 "  --kind GLOB         only events of this kind: 'tls.*', boot.stage\n"
                 "  --case GLOB         only while a case runs whose id fits\n"
                 "  --from T, --to T    time since the begin of the run: 1.5s, 250ms\n"
                 "  -f, --follow        goes on with a run that is under way, until it ends\n"
                 "  --utc               time of day in place of the time since the begin\n"
                 "  --format FORMAT     text, json, csv, candump or pcapng\n"
                 "  -o, --output FILE   default: standard output",
        .run = run,
};
