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
#include <time.h>
#include <unistd.h>

#include "../group_guard.h"

#define TAIL        65536 /* bytes of the log that are looked at */
#define PATIENCE_MS 500
#define LOOK_NS     2000000

struct openocd_process {
	pid_t pid; /* and its group; 0: ended and waited for */
	struct group_guard guard;
	int pidfd, log;
	off_t begin; /* of this process in the log */
	sd_event_source *pid_source;
	unsigned port;
	char reason[64];
	char tail[TAIL + 1]; /* of the log, lines ended by NUL */
	size_t length;
};

/* ---- what it says: straight into its log, which costs this process nothing while all is well ---- */

/* Reads the lines since the mark, or the newest when there are too many. */
static void read_tail(struct openocd_process *process, uint64_t mark)
{
	off_t end = lseek(process->log, 0, SEEK_END);
	off_t from = end - (off_t)mark > TAIL ? end - TAIL : (off_t)mark;
	ssize_t n = end < 0 ? -1 : pread(process->log, process->tail, TAIL, from);
	process->length = n > 0 ? (size_t)n : 0;
	process->tail[process->length] = '\0';
	for (size_t i = 0; i < process->length; i++)
		if (process->tail[i] == '\n')
			process->tail[i] = '\0';
}

static const char *next_line(const struct openocd_process *process, const char *line)
{
	const char *next = line + strlen(line) + 1;
	return next < process->tail + process->length ? next : NULL;
}

static const char *first_line(const struct openocd_process *process)
{
	return process->length ? process->tail : NULL;
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

/* The program may be a script that starts the real one: what it leaves behind holds the adapter. */
static void kill_group(pid_t group, int number)
{
	if (kill(-group, number) < 0)
		(void)kill(group, number);
}

static int on_exit_of_child(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct openocd_process *process = context;
	if (process->pid > 0)
		kill_group(process->pid, SIGKILL); /* not waited for yet, so that the number is still its own */
	group_guard_end(&process->guard);
	reap(process, WNOHANG);
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

unsigned openocd_process_port(struct openocd_process *process)
{
	if (process->port)
		return process->port;
	const char *line = openocd_process_said(process, (uint64_t)process->begin, "Listening on port ");
	for (; line; line = next_line(process, line)) {
		const char *port = strstr(line, "Listening on port ");
		if (port && strstr(port, " for tcl connections"))
			process->port = (unsigned)strtoul(port + strlen("Listening on port "), NULL, 10);
	}
	return process->port;
}

uint64_t openocd_process_begin(const struct openocd_process *process)
{
	return (uint64_t)process->begin;
}

uint64_t openocd_process_mark(const struct openocd_process *process)
{
	off_t end = lseek(process->log, 0, SEEK_END);
	return end < 0 ? 0 : (uint64_t)end;
}

const char *openocd_process_said(struct openocd_process *process, uint64_t mark, const char *words)
{
	read_tail(process, mark);
	for (const char *line = first_line(process); line; line = next_line(process, line))
		if (strstr(line, words))
			return line;
	return NULL;
}

void openocd_process_errors(struct openocd_process *process, uint64_t mark, char *ret, size_t size)
{
	unsigned told = 0;
	size_t used = 0;
	const char *last = NULL;
	read_tail(process, mark);
	ret[0] = '\0';
	for (const char *line = first_line(process); line && told < 3 && used < size; line = next_line(process, line)) {
		const char *error = strstr(line, "Error: "); /* a script's place may stand before it */
		if (error)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", told++ ? "; " : "", error + 7);
		if (*line)
			last = line;
	}
	/* What stops it at the begin is not always called an error: it is the last that it says. */
	if (told == 0 && process->port == 0 && last)
		snprintf(ret, size, "%s", last);
}

/* ---- begin and end ---- */

/* Runs in the child: only async-signal-safe calls. */
static _Noreturn void become(char *const *words, int log, pid_t parent)
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
	dup2(log, 1);
	dup2(log, 2);
	execv(words[0], words);
	_exit(127);
}

static int spawn(struct openocd_process *process, char *const *words, const char *log, struct error *err)
{
	process->log = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (process->log < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", log, strerror(errno));
	process->begin = lseek(process->log, 0, SEEK_END);
	pid_t parent = getpid();
	process->pid = fork();
	if (process->pid == 0)
		become(words, process->log, parent);
	if (process->pid < 0) {
		const int code = errno;
		process->pid = 0;
		return error_set(err, ERROR_BENCH, code, "cannot start %s: %s", words[0], strerror(code));
	}
	(void)setpgid(process->pid, process->pid); /* whoever comes first */
	process->pidfd = pidfd_open(process->pid, 0);
	if (process->pidfd < 0)
		return error_set(err, ERROR_BENCH, errno, "pidfd_open: %s", strerror(errno));
	return group_guard_begin(&process->guard, process->pid, err);
}

static int watch(struct openocd_process *process, struct loop *loop, struct error *err)
{
	int r = sd_event_add_io(loop_event(loop), &process->pid_source, process->pidfd, EPOLLIN, on_exit_of_child, process);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch OpenOCD: %s", strerror(-r)) : 0;
}

int openocd_process_start(struct openocd_process **ret, struct loop *loop, char *const *words, const char *log, struct error *err)
{
	struct openocd_process *process = calloc(1, sizeof(*process));
	if (!process)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	process->pidfd = process->log = -1;
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

/* Until nobody of a group is left, whose first process was waited for, or the time is over. */
static void await_group(pid_t group, int64_t end_ns)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	while (kill(-group, 0) == 0 && loop_now_ns() < end_ns)
		(void)nanosleep(&pause, NULL);
}

static void end_now(struct openocd_process *process, bool well)
{
	struct pollfd poller = {process->pidfd, POLLIN, 0};
	const pid_t group = process->pid;
	const int64_t end_ns = loop_now_ns() + PATIENCE_MS * INT64_C(1000000);
	kill_group(group, well ? SIGTERM : SIGKILL);
	if (well && poll(&poller, 1, PATIENCE_MS) <= 0)
		kill_group(group, SIGKILL);
	if (process->pidfd >= 0)
		reap(process, 0);
	else
		(void)waitpid(group, NULL, 0);
	if (well)
		await_group(group, end_ns);
	(void)kill(-group, SIGKILL);
}

void openocd_process_end(struct openocd_process *process, bool well)
{
	if (!process)
		return;
	sd_event_source_disable_unref(process->pid_source);
	if (process->pid > 0)
		end_now(process, well);
	group_guard_end(&process->guard);
	if (process->pidfd >= 0)
		close(process->pidfd);
	if (process->log >= 0)
		close(process->log);
	free(process);
}
