/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OOM_SCORE "500" /* when the machine has no memory left, the job goes before everything else */

static void signals_reset(void)
{
	sigset_t none;
	for (int signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void sacrifice(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, OOM_SCORE, strlen(OOM_SCORE));
	(void)close(fd);
}

static int streams(const struct command *command)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(command->output, STDOUT_FILENO) < 0 ||
	    dup2(command->errors, STDERR_FILENO) < 0)
		return -errno;
	return close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

/* In the child. Returns only when it failed: the errno. */
static int become(const struct command *command, pid_t parent)
{
	const struct rlimit limit = {.rlim_cur = command->file_bytes, .rlim_max = command->file_bytes};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(EXIT_FAILURE); /* it died before it could be watched */
	(void)setpgid(0, 0);
	sacrifice();
	if (streams(command) < 0 || (command->directory && chdir(command->directory) < 0))
		return errno;
	if (command->file_bytes > 0)
		(void)setrlimit(RLIMIT_FSIZE, &limit);
	signals_reset();
	(void)execve(command->argv[0], (char *const *)command->argv, (char *const *)command->environment);
	return errno;
}

pid_t command_start(const struct command *command, struct error *err)
{
	int word[2], code = 0;
	const pid_t parent = getpid();
	if (pipe2(word, O_CLOEXEC) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		code = become(command, parent);
		(void)!write(word[1], &code, sizeof(code));
		_exit(EXIT_FAILURE);
	}
	const int fork_errno = errno;
	(void)close(word[1]);
	if (pid < 0) {
		(void)close(word[0]);
		return error_set(err, ERROR_BENCH, fork_errno, "cannot make a process: %s", strerror(fork_errno));
	}
	/* End of file: the exec closed it. */
	ssize_t n;
	do
		n = read(word[0], &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	(void)close(word[0]);
	if (n != (ssize_t)sizeof(code))
		return pid;
	(void)waitpid(pid, NULL, 0);
	return error_set(err, ERROR_BENCH, code, "cannot start %s: %s", command->argv[0], strerror(code));
}
