/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_job.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define JOB         "HILBENCH_JOB"
#define CLEANUP     "HILBENCH_CLEANUP"
#define FOUND_MAX   256
#define ROUNDS      4 /* what is ended may have started something meanwhile */
#define PATIENCE_MS 1000
#define ENVIRON_MAX (256u << 10) /* of an environment that is looked at */

/* Whose processes are looked for: of the job, and with `cleaners` also those that clean up after it. */
struct wanted {
	const char *mark;
	bool cleaners;
};
struct process {
	pid_t pid;
	int fd;
	char name[32];
};

/* Up to `size` - 1 bytes of /proc/PID/NAME; -1: not for us, or gone. */
static ssize_t read_proc(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	size_t used = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (ssize_t n = 1; n > 0 && used < size - 1;) {
		n = read(fd, ret + used, size - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	(void)close(fd);
	ret[used] = '\0';
	return (ssize_t)used;
}

static pid_t parent_of(pid_t pid)
{
	char text[512];
	int parent = 0;
	/* The program's name may hold anything, parentheses too: the last one ends it. */
	const char *at = read_proc(pid, "stat", text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
	return at && sscanf(at, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_own(pid_t pid)
{
	for (pid_t at = getpid(); at > 0; at = parent_of(at))
		if (at == pid)
			return true;
	return false;
}

static bool is_variable(const char *text, const char *name, const char *value)
{
	size_t length = strlen(name);
	return !strncmp(text, name, length) && text[length] == '=' && !strcmp(text + length + 1, value);
}

static bool has_mark(pid_t pid, const struct wanted *wanted, char *buffer)
{
	ssize_t length = read_proc(pid, "environ", buffer, ENVIRON_MAX);
	for (const char *at = buffer; length > 0 && at < buffer + length; at += strlen(at) + 1)
		if (is_variable(at, JOB, wanted->mark) || (wanted->cleaners && is_variable(at, CLEANUP, wanted->mark)))
			return true;
	return false;
}

/* The descriptor is taken first: from then on the number cannot come to mean another process. */
static bool take(pid_t pid, const struct wanted *wanted, char *buffer, struct process *ret)
{
	int fd = is_own(pid) ? -1 : pidfd_open(pid, 0);
	struct pollfd ended = {fd, POLLIN, 0};
	if (fd < 0)
		return false;
	if (!has_mark(pid, wanted, buffer) || poll(&ended, 1, 0) != 0) {
		(void)close(fd);
		return false;
	}
	*ret = (struct process){.pid = pid, .fd = fd};
	if (read_proc(pid, "comm", ret->name, sizeof(ret->name)) > 0)
		ret->name[strcspn(ret->name, "\n")] = '\0';
	return true;
}

static unsigned find(const struct wanted *wanted, char *buffer, struct process *ret)
{
	unsigned count = 0;
	DIR *folder = opendir("/proc");
	for (const struct dirent *entry; folder && count < FOUND_MAX && (entry = readdir(folder));)
		if (isdigit((unsigned char)entry->d_name[0]) && take((pid_t)atoi(entry->d_name), wanted, buffer, &ret[count]))
			count++;
	if (folder)
		(void)closedir(folder);
	return count;
}

/* Whether all ended by the deadline. */
static bool wait_all(const struct process *processes, unsigned count, int64_t deadline_ns)
{
	bool all = true;
	for (unsigned i = 0; i < count; i++) {
		struct pollfd ended = {processes[i].fd, POLLIN, 0};
		int64_t left_ns = deadline_ns - loop_now_ns();
		all = poll(&ended, 1, left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0) > 0 && all;
	}
	return all;
}

static void end_found(struct rig_work *work, const struct process *processes, unsigned count)
{
	static const int signals[] = {SIGTERM, SIGKILL};
	for (size_t k = 0; k < 2; k++) {
		for (unsigned i = 0; i < count; i++)
			(void)pidfd_send_signal(processes[i].fd, signals[k], NULL, 0);
		if (wait_all(processes, count, loop_now_ns() + PATIENCE_MS * INT64_C(1000000)))
			break;
	}
	for (unsigned i = 0; i < count; i++) {
		struct pollfd ended = {processes[i].fd, POLLIN, 0};
		char name[48];
		bool gone = poll(&ended, 1, 0) > 0;
		(void)snprintf(name, sizeof(name), "process %d", (int)processes[i].pid);
		if (work)
			rig_work_item(work, gone, name,
			              gone ? "%s was left of the job, and is ended" : "%s is left of the job and cannot be ended",
			              processes[i].name);
		(void)close(processes[i].fd);
	}
}

static unsigned end_wanted(const struct wanted *wanted, struct rig_work *work)
{
	struct process processes[FOUND_MAX];
	char *buffer = malloc(ENVIRON_MAX);
	unsigned count = 1;
	for (unsigned i = 0; buffer && i < ROUNDS && count > 0; i++) {
		count = find(wanted, buffer, processes);
		end_found(work, processes, count);
	}
	free(buffer);
	return count;
}

unsigned rig_job_end_all(const char *mark, struct rig_work *work)
{
	return end_wanted(&(struct wanted){.mark = mark}, work);
}

const char *rig_job_mark(void)
{
	const char *cleanup = getenv(CLEANUP), *job = cleanup && *cleanup ? cleanup : getenv(JOB);
	return job && *job ? job : NULL;
}

void rig_job_end(struct rig_work *work)
{
	const char *job = rig_job_mark();
	if (!job) {
		rig_work_item(work, true, "processes", JOB " is not set: nobody's processes are looked for");
		return;
	}
	unsigned count = end_wanted(&(struct wanted){.mark = job, .cleaners = true}, work);
	rig_work_item(work, count == 0, "processes", count ? "new ones of the job %s begin again and again" : "none of the job %s is left",
	              job);
}
