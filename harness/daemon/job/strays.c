/* SPDX-License-Identifier: Apache-2.0 */
#include "strays.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define ENVIRONMENT_MAX (256u << 10)

static bool has_variable(const char *environment, size_t length, const char *mark)
{
	const size_t mark_length = strlen(mark);
	for (size_t at = 0; at < length; at += strnlen(environment + at, length - at) + 1)
		if (length - at >= mark_length && strnlen(environment + at, length - at) == mark_length &&
		    memcmp(environment + at, mark, mark_length) == 0)
			return true;
	return false;
}

static bool is_marked(const char *pid, const char *mark)
{
	static char environment[ENVIRONMENT_MAX];
	char path[64];
	size_t length = 0;
	ssize_t n;
	(void)snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (length < sizeof(environment) && (n = read(fd, environment + length, sizeof(environment) - length)) > 0)
		length += (size_t)n;
	(void)close(fd);
	return has_variable(environment, length, mark);
}

static char state_of(const char *pid)
{
	char path[64], text[512];
	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'X';
	ssize_t n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 'X';
}

/* The descriptor first, then the look: what is signalled is what was looked at. False: it is none of them. */
static bool stray_signal(const char *name, const char *mark, int signal, bool *ret_running)
{
	int fd = pidfd_open((pid_t)strtol(name, NULL, 10), 0);
	if (fd < 0)
		return false;
	bool marked = is_marked(name, mark);
	const char state = marked ? state_of(name) : 'X';
	marked = marked && state != 'Z' && state != 'X';
	*ret_running = state != 'T' && state != 't';
	if (marked)
		(void)pidfd_send_signal(fd, signal, NULL, 0);
	(void)close(fd);
	return marked;
}

static unsigned strays_signal(const char *mark, int signal, unsigned *ret_running)
{
	DIR *processes = opendir("/proc");
	unsigned found = 0;
	bool running;
	*ret_running = 0;
	if (!processes)
		return 0;
	for (const struct dirent *entry; (entry = readdir(processes));) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		if (!stray_signal(entry->d_name, mark, signal, &running))
			continue;
		found++;
		*ret_running += running;
	}
	(void)closedir(processes);
	return found;
}

unsigned strays_round(const char *mark, unsigned *killed)
{
	unsigned running, found = strays_signal(mark, SIGSTOP, &running);
	if (found > 0 && running == 0)
		*killed += strays_signal(mark, SIGKILL, &running);
	return found;
}
