/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "descendants.h"
#include "given.h"
#include "keeper_stop.h"
#include "keeper_watch.h"
#include "order.h"

struct keeper {
	int lock, reserved, stop, signals, limit_timer, tick_timer, grace_timer, command;
	struct order_file file;
	struct reaper reaper;
	struct keeper_watch watch;
	struct keeper_exit exit;
};

/* The locked file as the daemon handed it over; by hand, from a shell, it is locked here. */
static int take_lock(struct keeper *keeper)
{
	struct stat given, named;
	bool handed = fstat(KEEPER_LOCK_FD, &given) == 0 && stat("lock", &named) == 0 && given.st_dev == named.st_dev &&
	              given.st_ino == named.st_ino;
	char text[24];
	keeper->lock = handed ? KEEPER_LOCK_FD : open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (keeper->lock < 0 || flock(keeper->lock, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	if (keeper->lock != KEEPER_LOCK_FD) {
		/* Where the daemon looks for it. */
		if (dup3(keeper->lock, KEEPER_LOCK_FD, O_CLOEXEC) < 0)
			return -errno;
		(void)close(keeper->lock);
		keeper->lock = KEEPER_LOCK_FD;
	}
	(void)fcntl(keeper->lock, F_SETFD, FD_CLOEXEC);
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(keeper->lock, 0) < 0 || pwrite(keeper->lock, text, (size_t)length, 0) != length)
		return errno ? -errno : -EIO;
	return 0;
}

/* A session of its own, nothing inherited but the lock, and every orphan below. */
static int stand_alone(struct keeper *keeper)
{
	sigset_t taken;
	(void)setsid(); /* fails when the daemon made the session already */
	(void)close_range(KEEPER_LOCK_FD + 1, ~0u, 0);
	for (int signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	/* Only SIGTERM ends a keeper; a full disk or a limit of file sizes is told by errno. */
	static const int unheard[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < sizeof(unheard) / sizeof(*unheard); i++)
		(void)sigaction(unheard[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	sigemptyset(&taken);
	sigaddset(&taken, SIGTERM);
	sigaddset(&taken, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &taken, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	keeper->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signals < 0 ? -errno : 0;
}

static int timer_new(int clock_id, int64_t after_ns, int64_t every_ns)
{
	int fd = timerfd_create(clock_id, TFD_CLOEXEC | TFD_NONBLOCK);
	const struct itimerspec when = {.it_value = {.tv_sec = after_ns / 1000000000, .tv_nsec = after_ns % 1000000000},
	                                .it_interval = {.tv_sec = every_ns / 1000000000, .tv_nsec = every_ns % 1000000000}};
	if (fd >= 0 && after_ns > 0)
		(void)timerfd_settime(fd, 0, &when, NULL);
	return fd;
}

static int refuse(struct keeper *keeper, const struct error *err)
{
	const char *reason = err->domain == ERROR_OPERATOR ? "cancelled" : err->code == ENOSPC || err->code == EDQUOT ? "disk" : "start";
	(void)snprintf(keeper->exit.reason, sizeof(keeper->exit.reason), "%s", reason);
	(void)snprintf(keeper->exit.message, sizeof(keeper->exit.message), "%.500s", err->message);
	return -1;
}

/* SIGTERM before there is a command. */
static bool is_stopped(void *context)
{
	const struct keeper *keeper = context;
	struct signalfd_siginfo taken;
	bool stopped = false;
	while (read(keeper->signals, &taken, sizeof(taken)) == (ssize_t)sizeof(taken))
		stopped |= taken.ssi_signo == SIGTERM;
	return stopped;
}

/* 0, or -1 with the exit filled. */
static int take_files(struct keeper *keeper)
{
	struct error err = {0};
	const struct keeper_order *order = &keeper->file.order;
	return !order->store || given_fill(order->store, order->free_bytes, is_stopped, keeper, &err) == 0 ? 0 : refuse(keeper, &err);
}

/* 0, or -1 with the exit filled. */
static int start_command(struct keeper *keeper)
{
	struct error err = {0};
	if (!descendants_supported()) {
		(void)error_set(&err, ERROR_BENCH, ENOSYS, "the kernel does not tell the children of processes (CONFIG_PROC_CHILDREN)");
		return refuse(keeper, &err);
	}
	int log = open("output.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0) {
		(void)error_set(&err, ERROR_BENCH, errno, "cannot make output.log: %s", strerror(errno));
		return refuse(keeper, &err);
	}
	const struct command command = {.argv = keeper->file.order.argv,
	                                .environment = keeper->file.order.environment,
	                                .directory = "files",
	                                .output = log,
	                                .errors = log,
	                                .file_bytes = keeper->file.order.output_bytes};
	keeper_watch_begin(&keeper->watch, &keeper->file.order); /* before there is anything that is output */
	keeper->reaper.command = command_start(&command, &err);
	(void)close(log);
	if (keeper->reaper.command < 0)
		return refuse(keeper, &err);
	keeper->command = pidfd_open(keeper->reaper.command, 0);
	keeper->limit_timer = timer_new(CLOCK_BOOTTIME, keeper->file.order.time_limit_ns, 0);
	keeper->tick_timer = timer_new(CLOCK_MONOTONIC, WATCH_TICK_NS, WATCH_TICK_NS);
	keeper->grace_timer = timer_new(CLOCK_MONOTONIC, 0, 0);
	return 0;
}

static void command_signal(const struct keeper *keeper, int signal)
{
	if (!keeper->reaper.ended)
		(void)pidfd_send_signal(keeper->command, signal, NULL, 0);
}

/* The first reason counts. SIGINT, and SIGKILL after the grace. A command that is ended at a limit can read why. */
static void end_command(struct keeper *keeper, const char *reason, const char *message)
{
	const int64_t grace_ns = keeper->file.order.grace_ns;
	if (keeper->exit.reason[0] || keeper->reaper.ended)
		return;
	(void)snprintf(keeper->exit.reason, sizeof(keeper->exit.reason), "%s", reason);
	(void)snprintf(keeper->exit.message, sizeof(keeper->exit.message), "%s", message);
	if (strcmp(reason, "cancelled") != 0)
		(void)keeper_stop_write(keeper->stop, reason, message);
	const bool at_once = grace_ns <= 0 || strcmp(reason, "memory") == 0;
	command_signal(keeper, at_once ? SIGKILL : SIGINT);
	const struct itimerspec when = {.it_value = {.tv_sec = grace_ns / 1000000000, .tv_nsec = grace_ns % 1000000000}};
	(void)timerfd_settime(keeper->grace_timer, 0, &when, NULL);
}

static void take_signals(struct keeper *keeper)
{
	struct signalfd_siginfo taken;
	while (read(keeper->signals, &taken, sizeof(taken)) == (ssize_t)sizeof(taken))
		if (taken.ssi_signo == SIGTERM)
			end_command(keeper, "cancelled", "cancelled");
	(void)reaper_reap(&keeper->reaper);
}

static void take_tick(struct keeper *keeper)
{
	char message[sizeof(keeper->exit.message)] = "";
	const char *reason = keeper_watch_tick(&keeper->watch, message, sizeof(message));
	if (reason)
		end_command(keeper, reason, message);
	/* Whatever the first reason was: what eats up the machine gets no grace. */
	if ((reason && strcmp(reason, "memory") == 0) || keeper_watch_flooded(&keeper->watch))
		command_signal(keeper, SIGKILL);
}

static bool expired(int timer)
{
	uint64_t times;
	return read(timer, &times, sizeof(times)) == (ssize_t)sizeof(times);
}

static void keep(struct keeper *keeper)
{
	struct pollfd ready[] = {{.fd = keeper->signals, .events = POLLIN},
	                         {.fd = keeper->limit_timer, .events = POLLIN},
	                         {.fd = keeper->tick_timer, .events = POLLIN},
	                         {.fd = keeper->grace_timer, .events = POLLIN}};
	char message[96];
	while (!keeper->reaper.ended) {
		if (poll(ready, sizeof(ready) / sizeof(*ready), -1) < 0 && errno != EINTR)
			break;
		take_signals(keeper);
		if (expired(keeper->limit_timer)) {
			(void)snprintf(message, sizeof(message), "not done after %lld s",
			               (long long)(keeper->file.order.time_limit_ns / 1000000000));
			end_command(keeper, "time_limit", message);
		}
		if (expired(keeper->grace_timer))
			command_signal(keeper, SIGKILL);
		if (!keeper->reaper.ended && expired(keeper->tick_timer))
			take_tick(keeper);
	}
}

static void settle(struct keeper *keeper)
{
	struct keeper_exit *exit = &keeper->exit;
	const int status = keeper->reaper.status;
	const uint64_t limit = keeper->file.order.output_bytes;
	bool clean = descendants_end(&keeper->reaper, KEEPER_SWEEP_NS);
	exit->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	exit->signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
	exit->strays = keeper->reaper.strays;
	exit->max_rss_bytes =
	        keeper->watch.max_rss_bytes > keeper->reaper.max_rss_bytes ? keeper->watch.max_rss_bytes : keeper->reaper.max_rss_bytes;
	/* What came since the last look counts too. */
	if (!exit->reason[0] && limit > 0 && (exit->signal == SIGXFSZ || keeper_watch_output(&keeper->watch) > limit)) {
		(void)snprintf(exit->reason, sizeof(exit->reason), "output");
		(void)snprintf(exit->message, sizeof(exit->message), "more output than the limit of %llu kB",
		               (unsigned long long)(limit / 1000));
	}
	if (!exit->reason[0])
		(void)snprintf(exit->reason, sizeof(exit->reason), "exited");
	size_t length = strlen(exit->message);
	if (!clean)
		(void)snprintf(exit->message + length, sizeof(exit->message) - length, "%sprocesses of it could not be ended",
		               length > 0 ? "; " : "");
}

int keeper_main(const char *directory)
{
	struct keeper keeper = {.exit = {.exit_status = -1, .signal = -1}};
	struct error err = {0};
	int r = chdir(directory) < 0 ? -errno : take_lock(&keeper);
	if (r == 0)
		r = stand_alone(&keeper);
	if (r < 0)
		return EXIT_FAILURE; /* nobody to tell: the daemon finds the lock free and no exit.json */
	keeper.exit.started_utc_ns = clock_ns(CLOCK_REALTIME);
	keeper.reserved = exit_reserve(".", &err);
	if (keeper.reserved < 0)
		return EXIT_FAILURE;
	keeper.stop = keeper_stop_reserve();
	r = order_read(".", &keeper.file, &err);
	r = r < 0 ? refuse(&keeper, &err) : take_files(&keeper);
	if (r == 0)
		r = start_command(&keeper);
	if (r == 0) {
		keep(&keeper);
		settle(&keeper);
	}
	keeper_stop_drop(keeper.stop);
	keeper.exit.ended_utc_ns = clock_ns(CLOCK_REALTIME);
	r = exit_write(".", keeper.reserved, &keeper.exit, &err);
	order_clear(&keeper.file);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
