/* SPDX-License-Identifier: Apache-2.0 */
#include "run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"

#define WORDS_MAX  64U
#define LONGEST_NS (INT64_C(5) * 1000000000)

struct running {
	pid_t pid;
	int pidfd, output;
	bool ended;
	siginfo_t info;
	sd_event_source *exit_source, *output_source;
	char text[(RUN_COMMAND_OUTPUT - 1) / 4]; /* a byte may be shown as four */
	size_t length;
};

int run_command_check(const struct value *words, const char *name, struct error *err)
{
	if (words->type != VALUE_LIST || words->list.count == 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, words->place,
		                       "`%s` must be a list of words, the first a program with its path", name);
	if (words->list.count > WORDS_MAX)
		return error_set_place(err, ERROR_USAGE, E2BIG, words->place, "`%s` has more than %u words", name, WORDS_MAX);
	for (unsigned i = 0; i < words->list.count; i++)
		if (words->list.items[i]->type != VALUE_TEXT)
			return error_set_place(err, ERROR_USAGE, EINVAL, words->list.items[i]->place,
			                       "`%s`: a word must be text, in quotes where it looks like something else", name);
	if (!strchr(words->list.items[0]->text, '/'))
		return error_set_place(err, ERROR_USAGE, EINVAL, words->list.items[0]->place,
		                       "`%s`: \"%s\" must be a program with its path", name, words->list.items[0]->text);
	return 0;
}

int run_command_look(const struct value *words, struct error *err)
{
	const char *path = words->list.items[0]->text;
	if (access(path, X_OK) == 0)
		return 0;
	return error_set_place(err, ERROR_BENCH, errno, words->list.items[0]->place, "%s cannot be run: %s", path, strerror(errno));
}

/* Runs in the child: only async-signal-safe calls. Whatever is wrong goes to the pipe as errno. */
static _Noreturn void become(char *const *words, int output, int report, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR);
	if (getppid() == parent && dup2(null, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0)
		execv(words[0], words);
	int code = errno;
	(void)!write(report, &code, sizeof(code));
	_exit(127);
}

/* The pipe `report` is closed by a successful exec: what comes out of it is why there was none. */
static int spawn(struct running *running, char *const *words, struct error *err)
{
	int output[2], report[2], code = 0;
	if (pipe2(output, O_CLOEXEC) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	running->output = output[0];
	(void)fcntl(output[0], F_SETFL, O_NONBLOCK); /* our end only: a program does not expect it of its own */
	if (pipe2(report, O_CLOEXEC) < 0) {
		code = errno;
		close(output[1]);
		return error_set(err, ERROR_BENCH, code, "cannot make a pipe: %s", strerror(code));
	}
	pid_t parent = getpid();
	running->pid = fork();
	if (running->pid == 0)
		become(words, output[1], report[1], parent);
	if (running->pid < 0)
		code = errno;
	close(output[1]);
	close(report[1]);
	ssize_t n = running->pid < 0 ? 0 : read(report[0], &code, sizeof(code));
	close(report[0]);
	if (code && (running->pid < 0 || n == (ssize_t)sizeof(code)))
		return error_set(err, ERROR_BENCH, code, "%s cannot be run: %s", words[0], strerror(code));
	(void)setpgid(running->pid, running->pid);
	running->pidfd = pidfd_open(running->pid, 0);
	return running->pidfd < 0 ? error_set(err, ERROR_BENCH, errno, "pidfd_open: %s", strerror(errno)) : 0;
}

/* The end of what it says is where the reason stands. */
static void keep(struct running *running, const char *data, size_t length)
{
	const size_t size = sizeof(running->text);
	if (length >= size) {
		data += length - size;
		length = size;
	}
	size_t drop = running->length + length > size ? running->length + length - size : 0;
	memmove(running->text, running->text + drop, running->length - drop);
	running->length -= drop;
	memcpy(running->text + running->length, data, length);
	running->length += length;
}

/* False at the end. */
static bool read_some(struct running *running)
{
	char data[1024];
	ssize_t n = read(running->output, data, sizeof(data));
	if (n > 0)
		keep(running, data, (size_t)n);
	return n > 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)fd;
	(void)events;
	if (!read_some(context) && errno != EAGAIN)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int on_exit_of_command(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct running *running = context;
	(void)fd;
	(void)events;
	if (waitid(P_PIDFD, (id_t)running->pidfd, &running->info, WEXITED | WNOHANG) == 0 && running->info.si_pid != 0) {
		running->ended = true;
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return 0;
}

static bool has_ended(void *context)
{
	const struct running *running = context;
	return running->ended;
}

static int await_end(struct running *running, struct loop *loop, const char *path, int64_t deadline_ns, struct error *err)
{
	sd_event *event = loop_event(loop);
	int r = sd_event_add_io(event, &running->exit_source, running->pidfd, EPOLLIN, on_exit_of_command, running);
	if (r >= 0)
		r = sd_event_add_io(event, &running->output_source, running->output, EPOLLIN, on_output, running);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot watch %s: %s", path, strerror(-r));
	int64_t begin_ns = loop_now_ns();
	r = loop_until(loop, has_ended, running, deadline_ns);
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (r < 0)
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "%s has not ended within %.3f s", path,
		                 (double)(loop_now_ns() - begin_ns) / 1e9);
	return 0;
}

/* Its children may live on and hold the pipe: only what is there is read. */
static void clean_up(struct running *running)
{
	sd_event_source_disable_unref(running->exit_source);
	sd_event_source_disable_unref(running->output_source);
	if (running->pid > 0 && !running->ended) {
		(void)kill(-running->pid, SIGKILL);
		(void)kill(running->pid, SIGKILL);
		while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (running->pidfd >= 0)
		(void)close(running->pidfd);
	if (running->output >= 0)
		(void)close(running->output);
}

static void say(const struct running *running, struct run_command_result *ret, int64_t begin_ns)
{
	size_t length = running->length;
	char text[sizeof(running->text)];
	memcpy(text, running->text, length);
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	for (size_t i = 0; i < length; i++)
		text[i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
	char *clean = console_clean(text, length);
	(void)snprintf(ret->output, sizeof(ret->output), "%s", clean ? clean : "");
	free(clean);
	bool exited = running->info.si_code == CLD_EXITED;
	ret->status = exited ? running->info.si_status : -1;
	ret->signal = exited ? 0 : running->info.si_status;
	ret->at = instant_now();
	ret->at.uncertainty_ns += (ret->at.ns - begin_ns) / 2;
	ret->at.ns -= (ret->at.ns - begin_ns) / 2;
}

int run_command(struct loop *loop, const struct value *words, int64_t deadline_ns, struct run_command_result *ret, struct error *err)
{
	struct running running = {.pidfd = -1, .output = -1};
	char *items[WORDS_MAX + 1];
	unsigned count = words->list.count < WORDS_MAX ? words->list.count : WORDS_MAX;
	for (unsigned i = 0; i < count; i++)
		items[i] = words->list.items[i]->text;
	items[count] = NULL;
	int64_t begin_ns = loop_now_ns();
	if (deadline_ns > begin_ns + LONGEST_NS)
		deadline_ns = begin_ns + LONGEST_NS;
	int r = spawn(&running, items, err);
	if (r == 0)
		r = await_end(&running, loop, items[0], deadline_ns, err);
	while (running.output >= 0 && read_some(&running))
		;
	if (r == 0)
		say(&running, ret, begin_ns);
	clean_up(&running);
	return r;
}

int run_command_failed(const struct value *words, const struct run_command_result *result, struct error *err)
{
	const char *path = words->list.items[0]->text, *colon = result->output[0] ? ": " : "";
	if (result->signal)
		return error_set(err, ERROR_BENCH, EREMOTEIO, "%s was ended by signal %d%s%s", path, result->signal, colon, result->output);
	return error_set(err, ERROR_BENCH, EREMOTEIO, "%s ended with status %d%s%s", path, result->status, colon, result->output);
}
