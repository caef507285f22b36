/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_COUNT   (CPU_RAM + 1)
#define FD_ABOVE   64 /* where descriptors are parked while the low ones are laid out */
#define STATUS_FD  (FD_ABOVE - 1)
#define PROGRAM_FD (FD_ABOVE - 2)
#define KEEP_ERROR 2

/* Why the program did not start, from the child. */
struct start_error {
	int code;
	char what[24];
};

static _Noreturn void child_fail(int status_fd, const char *what)
{
	struct start_error error = {.code = errno};
	strncpy(error.what, what, sizeof error.what - 1);
	(void)!write(status_fd, &error, sizeof error);
	_exit(127);
}

static int child_layout(const int *fds, int program, int *status_fd)
{
	int parked[FD_COUNT];
	int high = fcntl(program, F_DUPFD_CLOEXEC, FD_ABOVE);
	if (high < 0)
		return -1;
	for (int i = 0; i < FD_COUNT; i++) {
		parked[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, FD_ABOVE);
		if (fds[i] >= 0 && parked[i] < 0)
			return -1;
	}
	if (dup3(*status_fd, STATUS_FD, O_CLOEXEC) < 0)
		return -1;
	*status_fd = STATUS_FD;
	if (dup3(high, PROGRAM_FD, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < FD_COUNT; i++) {
		if (parked[i] >= 0 && dup2(parked[i], i) < 0)
			return -1;
		if (parked[i] < 0 && i != KEEP_ERROR)
			close(i);
	}
	return close_range(FD_COUNT, ~0u, CLOSE_RANGE_CLOEXEC);
}

static _Noreturn void child_run(const struct cpu_start *start, const int *fds, int status_fd, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (start->netns >= 0 && setns(start->netns, CLONE_NEWNET) < 0)
		child_fail(status_fd, "network namespace");
	if (child_layout(fds, start->program, &status_fd) < 0)
		child_fail(status_fd, "descriptors");
	char name[] = "bootloader";
	char *arguments[] = {name, NULL};
	fexecve(PROGRAM_FD, arguments, environ);
	child_fail(status_fd, "bootloader");
}

static void layout_of(const struct cpu_start *start, int trace, int flash, int *fds)
{
	for (int i = 0; i < FD_COUNT; i++)
		fds[i] = -1;
	fds[0] = start->console_input;
	fds[1] = start->console_output;
	fds[3] = trace;
	fds[4] = start->parameters;
	fds[5] = flash;
	fds[6] = start->nvm;
	for (size_t i = 0; i < start->object_count; i++)
		fds[CPU_FIRST_OBJECT + i] = start->objects[i];
	for (int i = 0; i < CPU_MAX_CAN; i++)
		fds[CPU_FIRST_CAN + i] = start->can[i];
	fds[CPU_RAM] = start->ram;
}

static int spawn(struct cpu *cpu, const struct cpu_start *start, int trace, int flash)
{
	int status[2], fds[FD_COUNT];
	struct start_error error = {0};
	layout_of(start, trace, flash, fds);
	if (pipe2(status, O_CLOEXEC) < 0)
		return -1;
	pid_t parent = getpid();
	cpu->pid = fork();
	if (cpu->pid == 0)
		child_run(start, fds, status[1], parent);
	close(status[1]);
	/* Ends without a byte when exec closed the other end. */
	ssize_t n = cpu->pid < 0 ? -1 : read(status[0], &error, sizeof error);
	close(status[0]);
	if (n == 0)
		return 0;
	if (n == (ssize_t)sizeof error)
		snprintf(cpu->exit, sizeof cpu->exit, "%s: %s", error.what, strerror(error.code));
	if (cpu->pid > 0)
		waitpid(cpu->pid, NULL, 0);
	cpu->pid = 0;
	return -1;
}

int cpu_start(struct cpu *cpu, const struct cpu_start *start)
{
	int trace[2], flash[2];
	snprintf(cpu->exit, sizeof cpu->exit, "the process cannot be made");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, trace) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, flash) < 0) {
		close(trace[0]);
		close(trace[1]);
		return -1;
	}
	int r = spawn(cpu, start, trace[1], flash[1]);
	close(trace[1]);
	close(flash[1]);
	cpu->trace = trace[0];
	cpu->flash = flash[0];
	if (r == 0) {
		cpu->exit[0] = '\0';
		cpu->pid_fd = pidfd_open(cpu->pid, 0);
		if (cpu->pid_fd >= 0)
			return 0;
	}
	cpu_end(cpu);
	return -1;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void cpu_reap(struct cpu *cpu)
{
	int status = 0;
	if (cpu->pid > 0) {
		while (waitpid(cpu->pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFSIGNALED(status))
			snprintf(cpu->exit, sizeof cpu->exit, "signal %d", WTERMSIG(status));
		else
			snprintf(cpu->exit, sizeof cpu->exit, "exit %d", WEXITSTATUS(status));
	}
	cpu->pid = 0;
	close_end(&cpu->pid_fd);
	close_end(&cpu->trace);
	close_end(&cpu->flash);
}

void cpu_freeze(struct cpu *cpu)
{
	if (cpu->pid > 0)
		kill(cpu->pid, SIGSTOP);
	close_end(&cpu->trace);
	close_end(&cpu->flash);
}

void cpu_halt(const struct cpu *cpu)
{
	siginfo_t info;
	if (cpu->pid <= 0 || kill(cpu->pid, SIGSTOP) < 0)
		return;
	/* One that ended just then is left for cpu_reap(). */
	while (waitid(P_PID, (id_t)cpu->pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
}

void cpu_resume(const struct cpu *cpu)
{
	if (cpu->pid > 0)
		kill(cpu->pid, SIGCONT);
}

void cpu_end(struct cpu *cpu)
{
	if (cpu->pid > 0)
		kill(cpu->pid, SIGKILL);
	cpu_reap(cpu);
}
