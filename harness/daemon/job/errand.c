/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that the daemon runs for itself. Between the daemon and the command stands `hilbenchd --errand LIMIT_MS -- COMMAND…`, or
 * `… LIMIT_MS --order` for the command of the order.json of its directory, a subreaper: its descriptor 3 is a socket to the daemon, by
 * which it tells the end, and whose end tells it that the daemon is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "descendants.h"
#include "given.h"
#include "helper.h"
#include "keeper.h"
#include "order.h"

#define OUTPUT_MAX    (1u << 20)
#define SWEEP_NS      (10 * INT64_C(1000000000))
#define LINE_FD       3
#define FIRST_FREE_FD 10
#define CHUNK         65536

/* What the helper tells. */
struct word {
	int exit_status, signal, timed_out;
};

/* ---- the helper ---- */

static void helper_keep(struct reaper *reaper, int signals, int64_t limit_ns, struct word *word)
{
	const int64_t deadline_ns = clock_ns(CLOCK_BOOTTIME) + limit_ns;
	struct pollfd ready[] = {{.fd = LINE_FD, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	struct signalfd_siginfo taken;
	while (!reaper->ended) {
		int64_t left_ns = deadline_ns - clock_ns(CLOCK_BOOTTIME);
		word->timed_out = left_ns <= 0;
		if (word->timed_out)
			return;
		/* In pieces: the clock of poll(2) stands still while the machine is suspended. */
		int left_ms = left_ns > 1000000000 ? 1000 : (int)(left_ns / 1000000) + 1;
		if (poll(ready, 2, left_ms) > 0 && ready[0].revents)
			return; /* the daemon is gone, or does not want it any more */
		while (read(signals, &taken, sizeof(taken)) == (ssize_t)sizeof(taken))
			if (taken.ssi_signo == SIGTERM)
				return;
		(void)reaper_reap(reaper);
	}
}

static int helper_prepare(void)
{
	sigset_t taken;
	sigemptyset(&taken);
	sigaddset(&taken, SIGTERM);
	sigaddset(&taken, SIGCHLD);
	(void)close_range(LINE_FD + 1, ~0u, 0);
	(void)fcntl(LINE_FD, F_SETFD, FD_CLOEXEC);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || sigprocmask(SIG_SETMASK, &taken, NULL) < 0)
		return -errno;
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	return signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The daemon is gone, or it does not want it any more. */
static bool helper_unwanted(void *context)
{
	struct pollfd ready[] = {{.fd = LINE_FD, .events = POLLIN}, {.fd = *(const int *)context, .events = POLLIN}};
	return poll(ready, 2, 0) > 0;
}

static int helper_command(char **argv, struct order_file *file, int signals, struct error *err)
{
	struct command command = {.argv = (const char *const *)argv,
	                          .environment = (const char *const *)environ,
	                          .output = STDOUT_FILENO,
	                          .errors = STDERR_FILENO};
	if (signals < 0)
		return error_set(err, ERROR_BENCH, -signals, "%s", strerror(-signals));
	if (!argv) {
		int r = order_read(".", file, err);
		if (r == 0 && file->order.store)
			r = given_fill(file->order.store, file->order.free_bytes, helper_unwanted, &signals, err);
		if (r < 0)
			return r;
		command.argv = file->order.argv;
		command.environment = file->order.environment;
		command.directory = "files";
	}
	return command_start(&command, err);
}

/* argv NULL: what the order of this directory says. */
static int helper_run(int64_t limit_ns, char **argv)
{
	struct word word = {.exit_status = -1, .signal = -1};
	struct error err = {0};
	struct order_file file = {0};
	int signals = helper_prepare();
	struct reaper reaper = {.command = helper_command(argv, &file, signals, &err)};
	if (reaper.command < 0) {
		(void)fprintf(stderr, "hilbenchd --errand: %s\n", err.message);
		word.exit_status = 127;
	} else {
		helper_keep(&reaper, signals, limit_ns, &word);
		(void)descendants_end(&reaper, SWEEP_NS);
		if (reaper.ended && WIFEXITED(reaper.status))
			word.exit_status = WEXITSTATUS(reaper.status);
		if (reaper.ended && WIFSIGNALED(reaper.status))
			word.signal = WTERMSIG(reaper.status);
	}
	order_clear(&file);
	(void)send(LINE_FD, &word, sizeof(word), MSG_NOSIGNAL);
	return EXIT_SUCCESS;
}

int errand_main(int argc, char **argv)
{
	int at = 1;
	char *end = NULL;
	while (at < argc && strcmp(argv[at], "--errand") != 0)
		at++;
	long long limit_ms = at + 1 < argc ? strtoll(argv[at + 1], &end, 10) : 0;
	bool ordered = at + 3 == argc && strcmp(argv[at + 2], "--order") == 0;
	if (!end || *end || limit_ms <= 0 || (!ordered && (at + 3 >= argc || strcmp(argv[at + 2], "--") != 0))) {
		(void)fputs("hilbenchd --errand LIMIT_MS -- COMMAND… | hilbenchd --errand LIMIT_MS --order\n", stderr);
		return 2;
	}
	return helper_run(limit_ms > INT64_MAX / 2000000 ? INT64_MAX / 2 : limit_ms * 1000000, ordered ? NULL : argv + at + 3);
}

/* ---- the daemon's side ---- */

struct stream {
	int fd;
	char *text;
	size_t length, capacity;
	sd_event_source *source;
};
struct errand {
	sd_event *event; /* borrowed: an errand that nobody wants any more must not keep the loop */
	sd_event_source *gone, *patience;
	int helper, line;
	bool over, telling, unwanted;
	struct stream output, errors;
	errand_done done;
	void *context;
};

static void stream_close(struct stream *stream)
{
	sd_event_source_disable_unref(stream->source);
	stream->source = NULL;
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
}

static void errand_release(struct errand *errand)
{
	sd_event_source_disable_unref(errand->patience);
	stream_close(&errand->output);
	stream_close(&errand->errors);
	if (errand->line >= 0)
		(void)close(errand->line);
	if (errand->helper >= 0)
		(void)close(errand->helper);
	free(errand->output.text);
	free(errand->errors.text);
	free(errand);
}

static void stream_keep(struct stream *stream, const char *data, size_t length)
{
	size_t wanted = stream->length + length, capacity;
	if (wanted > OUTPUT_MAX) {
		length -= wanted - OUTPUT_MAX;
		wanted = OUTPUT_MAX;
	}
	if (wanted + 1 > stream->capacity) {
		capacity = wanted * 2 + 1024;
		char *grown = realloc(stream->text, capacity);
		if (!grown)
			return;
		stream->text = grown;
		stream->capacity = capacity;
	}
	memcpy(stream->text + stream->length, data, length);
	stream->length += length;
	stream->text[stream->length] = '\0';
}

/* One chunk. False: there is nothing now. */
static bool stream_take(struct stream *stream)
{
	char chunk[CHUNK];
	ssize_t n = stream->fd >= 0 ? read(stream->fd, chunk, sizeof(chunk)) : 0;
	if (n > 0)
		stream_keep(stream, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		stream_close(stream);
	return n > 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	(void)stream_take(context);
	return 0;
}

static void errand_tell(struct errand *errand)
{
	static char nothing[1];
	struct word word = {.exit_status = -1, .signal = SIGKILL}; /* unless it says something else */
	/* Everything below the helper is dead: what is in the pipes is all. */
	while (stream_take(&errand->output) || stream_take(&errand->errors))
		;
	(void)!recv(errand->line, &word, sizeof(word), MSG_DONTWAIT);
	const struct errand_result result = {.exit_status = word.exit_status,
	                                     .signal = word.signal,
	                                     .timed_out = word.timed_out,
	                                     .output = errand->output.text ? errand->output.text : nothing,
	                                     .errors = errand->errors.text ? errand->errors.text : nothing,
	                                     .output_length = errand->output.length};
	errand->telling = true;
	errand->done(&result, errand->context);
	errand->telling = false;
}

static void errand_drop(struct errand *errand)
{
	sd_event_source_disable_unref(errand->gone);
	errand_release(errand);
}

static int on_gone(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct errand *errand = context;
	siginfo_t ended;
	(void)waitid(P_PIDFD, (id_t)fd, &ended, WEXITED | WNOHANG);
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	errand->over = true;
	if (errand->unwanted) {
		(void)sd_event_source_set_floating(source, false); /* the loop's was the last reference: takes the errand along */
		return 0;
	}
	errand_tell(errand);
	if (errand->unwanted)
		errand_drop(errand);
	return 0;
}

static int on_patience(sd_event_source *source, uint64_t now_us, void *context)
{
	const struct errand *errand = context;
	(void)pidfd_send_signal(errand->helper, SIGKILL, NULL, 0);
	return 0;
}

static void on_destroy(void *context)
{
	errand_release(context);
}

static void close_if(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

/* As spawn_session() needs it: above the standard streams. Takes fd. */
static int raise_fd(int fd)
{
	int high = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD) : -1;
	close_if(fd);
	return high;
}

static int helper_start(struct errand *errand, const struct spawn *plan, struct error *err)
{
	int output[2] = {-1, -1}, errors[2] = {-1, -1}, line[2] = {-1, -1};
	struct spawn spawn = *plan;
	int r = pipe2(output, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0 ||
	                        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) < 0
	                ? -errno
	                : 0;
	errand->output.fd = output[0];
	errand->errors.fd = errors[0];
	errand->line = line[0];
	spawn.input = -1;
	spawn.output = raise_fd(output[1]);
	spawn.errors = raise_fd(errors[1]);
	spawn.extra = raise_fd(line[1]);
	if (r == 0 && (spawn.output < 0 || spawn.errors < 0 || spawn.extra < 0))
		r = -EMFILE;
	if (r < 0)
		(void)error_set(err, ERROR_BENCH, -r, "cannot make pipes: %s", strerror(-r));
	else
		r = spawn_session(&spawn, &errand->helper, err);
	close_if(spawn.output);
	close_if(spawn.errors);
	close_if(spawn.extra);
	return r;
}

static int errand_watch(struct errand *errand, int64_t limit_ns)
{
	(void)fcntl(errand->output.fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(errand->errors.fd, F_SETFL, O_NONBLOCK);
	int r = sd_event_add_io(errand->event, &errand->output.source, errand->output.fd, EPOLLIN, on_output, &errand->output);
	if (r >= 0)
		r = sd_event_add_io(errand->event, &errand->errors.source, errand->errors.fd, EPOLLIN, on_output, &errand->errors);
	if (r >= 0)
		r = sd_event_add_time_relative(errand->event, &errand->patience, CLOCK_BOOTTIME,
		                               (uint64_t)(limit_ns / 1000 + 2 * SWEEP_NS / 1000), 0, on_patience, errand);
	if (r >= 0)
		r = sd_event_add_io(errand->event, &errand->gone, errand->helper, EPOLLIN, on_gone, errand);
	return r;
}

static const char *limit_text(int64_t limit_ns, char text[24])
{
	(void)snprintf(text, 24, "%lld", limit_ns > 1000000 ? (long long)(limit_ns / 1000000) : 1LL);
	return text;
}

static int errand_begin(struct errand **ret, sd_event *event, const struct spawn *plan, int64_t limit_ns, errand_done done, void *context,
                        struct error *err)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	if (!errand)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*errand = (struct errand){
	        .event = event, .helper = -1, .line = -1, .output = {.fd = -1}, .errors = {.fd = -1}, .done = done, .context = context};
	int r = helper_start(errand, plan, err);
	if (r == 0) {
		r = errand_watch(errand, limit_ns);
		if (r < 0)
			(void)error_set(err, ERROR_BENCH, -r, "cannot watch an errand: %s", strerror(-r));
	}
	if (r < 0) {
		errand_drop(errand);
		return r;
	}
	*ret = errand;
	return 0;
}

int errand_start(struct errand **ret, sd_event *event, const char *program, const char *directory, const char *const *argv,
                 const char *const *environment, int64_t limit_ns, errand_done done, void *context, struct error *err)
{
	char limit[24];
	size_t count = 0;
	while (argv[count])
		count++;
	const char **whole = calloc(count + 5, sizeof(*whole));
	if (!whole || count == 0) {
		free((void *)whole);
		return error_set(err, ERROR_BENCH, count ? ENOMEM : EINVAL, count ? "out of memory" : "no command");
	}
	const char *const head[] = {program, "--errand", limit_text(limit_ns, limit), "--"};
	memcpy(whole, head, sizeof(head));
	memcpy(whole + 4, argv, count * sizeof(*argv));
	const struct spawn plan = {.argv = whole, .environment = environment, .directory = directory};
	int r = errand_begin(ret, event, &plan, limit_ns, done, context, err);
	free((void *)whole);
	return r;
}

int errand_start_order(struct errand **ret, sd_event *event, const char *program, const char *directory, const struct keeper_order *order,
                       int64_t limit_ns, errand_done done, void *context, struct error *err)
{
	char limit[24];
	const char *const argv[] = {program, "--errand", limit_text(limit_ns, limit), "--order", NULL};
	const struct spawn plan = {.argv = argv, .environment = order->environment, .directory = directory};
	int r = order_write(directory, order, err);
	return r < 0 ? r : errand_begin(ret, event, &plan, limit_ns, done, context, err);
}

void errand_free(struct errand *errand)
{
	if (!errand)
		return;
	errand->unwanted = true;
	if (errand->telling)
		return; /* on_gone() does it */
	if (errand->over) {
		errand_drop(errand);
		return;
	}
	/* The end of the line ends the helper and everything below it. The loop takes it over, to wait for it. */
	(void)close(errand->line);
	errand->line = -1;
	stream_close(&errand->output);
	stream_close(&errand->errors);
	sd_event_source_disable_unref(errand->patience);
	errand->patience = NULL;
	(void)sd_event_source_set_destroy_callback(errand->gone, on_destroy);
	(void)sd_event_source_set_floating(errand->gone, true);
	sd_event_source_unref(errand->gone);
}
