/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define EXTRA_FD 3

static int stream(posix_spawn_file_actions_t *actions, int from, int to)
{
	if (from >= 0)
		return posix_spawn_file_actions_adddup2(actions, from, to);
	return to == EXTRA_FD ? 0 : posix_spawn_file_actions_addopen(actions, to, "/dev/null", O_RDWR, 0);
}

/* A positive errno, as the functions of spawn.h give it. */
static int actions_fill(posix_spawn_file_actions_t *actions, const struct spawn *spawn)
{
	int code = stream(actions, spawn->input, STDIN_FILENO);
	if (code == 0)
		code = stream(actions, spawn->output, STDOUT_FILENO);
	if (code == 0)
		code = stream(actions, spawn->errors, STDERR_FILENO);
	if (code == 0)
		code = stream(actions, spawn->extra, EXTRA_FD);
	if (code == 0)
		code = posix_spawn_file_actions_addclosefrom_np(actions, spawn->extra >= 0 ? EXTRA_FD + 1 : EXTRA_FD);
	if (code == 0 && spawn->directory)
		code = posix_spawn_file_actions_addchdir_np(actions, spawn->directory);
	return code;
}

static int attributes_fill(posix_spawnattr_t *attributes)
{
	sigset_t all, blocked;
	sigfillset(&all);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	int code = posix_spawnattr_setsigdefault(attributes, &all);
	if (code == 0)
		code = posix_spawnattr_setsigmask(attributes, &blocked);
	if (code == 0)
		code = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return code;
}

int spawn_session(const struct spawn *spawn, int *ret_pidfd, struct error *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid = -1;
	int code = posix_spawn_file_actions_init(&actions);
	if (code != 0)
		return error_set(err, ERROR_BENCH, code, "out of memory");
	code = posix_spawnattr_init(&attributes);
	if (code == 0) {
		code = actions_fill(&actions, spawn);
		if (code == 0)
			code = attributes_fill(&attributes);
		if (code == 0)
			code = posix_spawn(&pid, spawn->argv[0], &actions, &attributes, (char *const *)spawn->argv,
			                   (char *const *)spawn->environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	if (code != 0)
		return error_set(err, ERROR_BENCH, code, "cannot start %s: %s", spawn->argv[0], strerror(code));
	/* Our child, not waited for yet: the number cannot be another's. */
	*ret_pidfd = pidfd_open(pid, 0);
	if (*ret_pidfd >= 0)
		return 0;
	code = errno;
	(void)kill(pid, SIGTERM);
	return error_set(err, ERROR_BENCH, code, "cannot watch %s: %s", spawn->argv[0], strerror(code));
}
