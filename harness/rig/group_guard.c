/* SPDX-License-Identifier: Apache-2.0 */
#include "group_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nothing of the parent's stays open here: no lock, no pipe that somebody reads to its end. */
static _Noreturn void guard(pid_t group, int input)
{
	sigset_t none;
	char byte;
	(void)setsid(); /* a Ctrl-C at the terminal, or the end of the parent's group, is not for it */
	(void)prctl(PR_SET_NAME, "hilbench-guard");
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input, 0) < 0)
		_exit(1);
	(void)close_range(1, ~0U, 0);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	(void)kill(-group, SIGKILL);
	_exit(0);
}

int group_guard_begin(struct group_guard *ret, pid_t group, struct error *err)
{
	int pipes[2];
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	const int code = errno;
	if (pid == 0)
		guard(group, pipes[0]);
	(void)close(pipes[0]);
	if (pid < 0) {
		(void)close(pipes[1]);
		return error_set(err, ERROR_BENCH, code, "cannot start a process: %s", strerror(code));
	}
	*ret = (struct group_guard){pid, pipes[1]};
	return 0;
}

void group_guard_end(struct group_guard *guard)
{
	if (guard->pid <= 0)
		return;
	(void)kill(guard->pid, SIGKILL);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(guard->fd); /* not before: its end is what the guard waits for */
	*guard = (struct group_guard){0};
}
