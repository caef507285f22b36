/* SPDX-License-Identifier: Apache-2.0 */
/* A command that has a rig of the daemon for as long as it runs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/loop.h"
#include "command.h"
#include "lease.h"
#include "rig_lab.h"

#define GRACE_NS INT64_C(1000000000) /* from SIGTERM to SIGKILL: as of the clean-up, which has begun */

static int catch_all(struct error *err)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? error_set(err, ERROR_BENCH, errno, "cannot catch signals: %s", strerror(errno)) : fd;
}

static pid_t start(const struct lease *lease, char *const *words)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;
	if (pid != 0)
		return pid;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* A rig that is not ours any more is not to be touched. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || setenv("HILBENCH_RIG_FILE", lease->file, 1) < 0)
		_exit(EXIT_BENCH);
	(void)execvp(words[0], words);
	int code = errno;
	(void)fprintf(stderr, "hilbench rig: cannot run %s: %s\n", words[0], strerror(code));
	_exit(code == ENOENT ? 127 : 126);
}

/* What comes by the terminal went to the command too. */
static void pass_on(int fd, pid_t pid)
{
	struct signalfd_siginfo info;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
			(void)kill(pid, (int)info.ssi_signo);
}

static int watch(struct lease *lease, int signals, pid_t pid, bool *ret_lost)
{
	int64_t kill_ns = INT64_MAX;
	for (;;) {
		int status;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		struct pollfd fds[2] = {{signals, POLLIN, 0}, {*ret_lost ? -1 : lease->lost, POLLIN, 0}};
		(void)poll(fds, 2, *ret_lost ? 200 : -1);
		if (fds[0].revents)
			pass_on(signals, pid);
		if (fds[1].revents) {
			char why[600];
			*ret_lost = true;
			(void)fprintf(stderr, "hilbench rig: the lease of %s is lost: %s; the command is ended\n", lease->rig,
			              lease_why(lease, why, sizeof(why)));
			(void)kill(pid, SIGTERM);
			kill_ns = loop_now_ns() + GRACE_NS;
		}
		if (loop_now_ns() > kill_ns)
			(void)kill(pid, SIGKILL);
	}
}

int rig_hold(struct lease *lease, char *const *words, bool *ret_lost)
{
	struct error error = {0};
	int signals = catch_all(&error);
	pid_t pid = signals < 0 ? -1 : start(lease, words);
	if (pid < 0) {
		(void)fprintf(stderr, "hilbench rig: cannot start %s: %s\n", words[0], signals < 0 ? error.message : strerror(errno));
		if (signals >= 0)
			(void)close(signals);
		return EXIT_BENCH;
	}
	int status = watch(lease, signals, pid, ret_lost);
	(void)close(signals);
	return *ret_lost ? EXIT_BENCH : status;
}
