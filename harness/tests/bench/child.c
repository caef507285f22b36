/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../base/paths.h"

#define ARGUMENT_LIMIT 62

static _Noreturn void run_program(const char *path, const char *const *arguments, int input, int output)
{
	const char *argv[ARGUMENT_LIMIT + 2] = {path};

	for (int i = 0; arguments[i] && i < ARGUMENT_LIMIT; i++)
		argv[i + 1] = arguments[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	execv(path, (char *const *)argv);
	_exit(127);
}

void child_start(struct child *child, const char *program, const char *const *arguments)
{
	char path[PATH_MAX];
	struct error err;
	int output[2], input[2];

	if (program_find(program, path, sizeof path, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(input, O_CLOEXEC) < 0 || (child->pid = fork()) < 0) {
		perror("child");
		exit(1);
	}
	if (child->pid == 0)
		run_program(path, arguments, input[0], output[1]);
	close(input[0]);
	close(output[1]);
	child->input = fdopen(input[1], "w");
	child->output = fdopen(output[0], "r");
}

bool child_wait_line(struct child *child, const char *text, char *line, size_t size)
{
	while (fgets(line, (int)size, child->output))
		if (strstr(line, text))
			return true;
	return false;
}

int child_stop(struct child *child)
{
	int status = 0;

	kill(child->pid, SIGKILL);
	fclose(child->input);
	fclose(child->output);
	return waitpid(child->pid, &status, 0) == child->pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
