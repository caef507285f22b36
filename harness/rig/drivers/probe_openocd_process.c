/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_openocd_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES       64
#define LINE_MAX    400
#define PATIENCE_MS 500

struct openocd_process {
	pid_t pid; /* 0: ended and waited for */
	int pidfd, output, log;
	sd_event_source *pid_source, *output_source;
	unsigned port;
	char reason[64];
	char lines[LINES][LINE_MAX]; /* the newest, by number modulo LINES */
	uint64_t count;
	char line[LINE_MAX]; /* not yet ended */
	size_t length;
};

/* ---- what it says ---- */

/* Every answer of the TCL server is said too: only messages are kept, and what comes before there is a server. */
static bool worth_keeping(const struct openocd_process *process)
{
	static const char *const levels[] = {"Info :", "Warn :", "Error:", "Debug:"};
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (!strncmp(process->line, levels[i], strlen(levels[i])))
			return true;
	return process->port == 0;
}

static void end_line(struct openocd_process *process)
{
	process->line[process->length] = '\0';
	if (worth_keeping(process) && process->length > 0) {
		const char *port = strstr(process->line, "Listening on port ");
		memcpy(process->lines[process->count++ % LINES], process->line, process->length + 1);
		if (process->log >= 0)
			dprintf(process->log, "%s\n", process->line);
		if (port && strstr(port, " for tcl connections"))
			process->port = (unsigned)strtoul(port + strlen("Listening on port "), NULL, 10);
	}
	process->length = 0;
}

static void take(struct openocd_process *process, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			end_line(process);
		else if (process->length < LINE_MAX - 1)
			process->line[process->length++] = text[i];
	}
}

/* false: nothing waits. */
static bool read_some(struct openocd_process *process)
{
	char text[16384];
	ssize_t n = process->output < 0 ? -1 : read(process->output, text, sizeof(text));
	if (n > 0)
		take(process, text, (size_t)n);
	else if (process->output_source && (n == 0 || errno != EAGAIN))
		sd_event_source_set_enabled(process->output_source, SD_EVENT_OFF);
	return n > 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
	read_some(context);
	return 0;
}

static void reap(struct openocd_process *process, int options)
{
	siginfo_t info = {0};
	if (process->pid == 0 || waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | options) < 0 || info.si_pid == 0)
		return;
	process->pid = 0;
	snprintf(process->reason, sizeof(process->reason), info.si_code == CLD_EXITED ? "ended with status %d" : "was ended by signal %d",
	         info.si_status);
}

static int on_exit_of_child(sd_event_source *source, int fd, uint32_t events, void *context)
{
	reap(context, WNOHANG);
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

bool openocd_process_alive(const struct openocd_process *process)
{
	return process->pid != 0;
}

int openocd_process_id(const struct openocd_process *process)
{
	return process->pid;
}

const char *openocd_process_reason(const struct openocd_process *process)
{
	return process->reason;
}

unsigned openocd_process_port(const struct openocd_process *process)
{
	return process->port;
}

uint64_t openocd_process_mark(struct openocd_process *process)
{
	for (int i = 0; i < 100 && read_some(process); i++)
		;
	return process->count;
}

static uint64_t first_kept(const struct openocd_process *process, uint64_t mark)
{
	return process->count > mark + LINES ? process->count - LINES : mark;
}

const char *openocd_process_said(struct openocd_process *process, uint64_t mark, const char *words)
{
	openocd_process_mark(process);
	for (uint64_t i = first_kept(process, mark); i < process->count; i++)
		if (strstr(process->lines[i % LINES], words))
			return process->lines[i % LINES];
	return NULL;
}

void openocd_process_errors(struct openocd_process *process, uint64_t mark, char *ret, size_t size)
{
	unsigned told = 0;
	size_t used = 0;
	openocd_process_mark(process);
	ret[0] = '\0';
	for (uint64_t i = first_kept(process, mark); i < process->count && told < 3 && used < size; i++) {
		const char *error = strstr(process->lines[i % LINES], "Error: "); /* a script's place may stand before it */
		if (error)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", told++ ? "; " : "", error + 7);
	}
	/* What stops it at the begin is not always called an error: it is the last that it says. */
	if (told == 0 && process->port == 0 && process->count > 0)
		snprintf(ret, size, "%s", process->lines[(process->count - 1) % LINES]);
}

/* ---- begin and end ---- */

/* Runs in the child: only async-signal-safe calls. */
static _Noreturn void become(char *const *words, int output, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0); /* a Ctrl-C at the terminal is for the runner */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	execv(words[0], words);
	_exit(127);
}

static int spawn(struct openocd_process *process, char *const *words, const char *log, struct error *err)
{
	int pipes[2];
	process->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (process->log < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", log, strerror(errno));
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	process->output = pipes[0];
	(void)fcntl(pipes[0], F_SETFL, O_NONBLOCK); /* our end only: a pipe's ends are files of their own */
	pid_t parent = getpid();
	process->pid = fork();
	if (process->pid == 0)
		become(words, pipes[1], parent);
	const int code = errno;
	close(pipes[1]);
	if (process->pid < 0) {
		process->pid = 0;
		return error_set(err, ERROR_BENCH, code, "cannot start %s: %s", words[0], strerror(code));
	}
	process->pidfd = pidfd_open(process->pid, 0);
	return process->pidfd < 0 ? error_set(err, ERROR_BENCH, errno, "pidfd_open: %s", strerror(errno)) : 0;
}

static int watch(struct openocd_process *process, struct loop *loop, struct error *err)
{
	sd_event *event = loop_event(loop);
	int r = sd_event_add_io(event, &process->output_source, process->output, EPOLLIN, on_output, process);
	if (r >= 0)
		r = sd_event_add_io(event, &process->pid_source, process->pidfd, EPOLLIN, on_exit_of_child, process);
	/* What it still said comes before the news of its end. */
	if (r >= 0)
		r = sd_event_source_set_priority(process->pid_source, SD_EVENT_PRIORITY_NORMAL + 1);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch OpenOCD: %s", strerror(-r)) : 0;
}

int openocd_process_start(struct openocd_process **ret, struct loop *loop, char *const *words, const char *log, struct error *err)
{
	struct openocd_process *process = calloc(1, sizeof(*process));
	if (!process)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	process->pidfd = process->output = process->log = -1;
	int r = spawn(process, words, log, err);
	if (r == 0)
		r = watch(process, loop, err);
	if (r < 0) {
		openocd_process_end(process, false);
		return r;
	}
	*ret = process;
	return 0;
}

static void end_now(struct openocd_process *process, bool well)
{
	struct pollfd poller = {process->pidfd, POLLIN, 0};
	kill(process->pid, well ? SIGTERM : SIGKILL);
	if (well && poll(&poller, 1, PATIENCE_MS) <= 0)
		kill(process->pid, SIGKILL);
	if (process->pidfd >= 0)
		reap(process, 0);
	else
		waitpid(process->pid, NULL, 0);
}

void openocd_process_end(struct openocd_process *process, bool well)
{
	if (!process)
		return;
	sd_event_source_disable_unref(process->output_source);
	sd_event_source_disable_unref(process->pid_source);
	process->output_source = process->pid_source = NULL;
	if (process->pid > 0)
		end_now(process, well);
	openocd_process_mark(process); /* into the log */
	const int fds[] = {process->pidfd, process->output, process->log};
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(process);
}
