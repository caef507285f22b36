/* SPDX-License-Identifier: Apache-2.0 */
#include "descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX   131072
#define FREEZE_ROUNDS   32
#define ROUND_PAUSE_NS  1000000
#define CHILDREN_BUFFER 65536

struct process {
	pid_t pid, parent;
};
struct processes {
	struct process *list;
	size_t count, capacity;
};

int64_t clock_ns(int clock_id)
{
	struct timespec now;
	clock_gettime(clock_id, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pause_ns(long ns)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

bool reaper_reap(struct reaper *reaper)
{
	struct rusage usage;
	int status;
	for (;;) {
		pid_t pid = wait4(-1, &status, WNOHANG, &usage);
		if (pid == 0 || (pid < 0 && errno != EINTR))
			return pid == 0;
		if (pid < 0)
			continue;
		if (pid == reaper->command && !reaper->ended) {
			reaper->ended = true;
			reaper->status = status;
			reaper->max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
		} else if (reaper->ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			reaper->strays++;
		}
	}
}

static bool processes_add(struct processes *all, pid_t pid, pid_t parent)
{
	if (all->count == all->capacity) {
		size_t capacity = all->capacity ? all->capacity * 2 : 64;
		struct process *grown = capacity > PROCESSES_MAX ? NULL : realloc(all->list, capacity * sizeof(*grown));
		if (!grown)
			return false;
		all->list = grown;
		all->capacity = capacity;
	}
	all->list[all->count++] = (struct process){.pid = pid, .parent = parent};
	return true;
}

/* Up to size - 1 bytes of a file of /proc, NUL-terminated; -1 when it is not there. */
static ssize_t proc_read(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	if (fd < 0)
		return -1;
	while (length + 1 < size) {
		ssize_t n = read(fd, buffer + length, size - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	(void)close(fd);
	buffer[length] = '\0';
	return (ssize_t)length;
}

static void children_of_thread(struct processes *all, pid_t pid, const char *thread)
{
	static char buffer[CHILDREN_BUFFER];
	char path[96], *end;
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)pid, thread);
	if (proc_read(path, buffer, sizeof(buffer)) <= 0)
		return;
	for (char *text = buffer;; text = end) {
		long child = strtol(text, &end, 10);
		/* A number without the space after it may have been cut by the buffer's end: the next round finds it. */
		if (end == text || *end != ' ' || !processes_add(all, (pid_t)child, pid))
			return;
	}
}

static void children_of(struct processes *all, pid_t pid)
{
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	if (!threads)
		return;
	for (const struct dirent *entry; (entry = readdir(threads));)
		if (entry->d_name[0] != '.')
			children_of_thread(all, pid, entry->d_name);
	(void)closedir(threads);
}

static void processes_find(struct processes *all)
{
	all->count = 0;
	children_of(all, getpid());
	for (size_t i = 0; i < all->count; i++)
		children_of(all, all->list[i].pid);
}

bool descendants_supported(void)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	return access(path, R_OK) == 0;
}

/* Field of /proc/PID/statm: resident pages. */
static uint64_t resident_bytes(pid_t pid)
{
	char path[40], text[128];
	uint64_t size, resident;
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (proc_read(path, text, sizeof(text)) <= 0 || sscanf(text, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Its part of the pages, those that are shared divided by their users; the resident ones where that cannot be read. */
static uint64_t proportional_bytes(pid_t pid)
{
	char path[40], text[2048];
	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	const char *line = proc_read(path, text, sizeof(text)) > 0 ? strstr(text, "\nPss:") : NULL;
	return line ? strtoull(line + 5, NULL, 10) * 1024 : resident_bytes(pid);
}

uint64_t descendants_memory(uint64_t limit_bytes)
{
	struct processes all = {0};
	uint64_t sum = 0, exact = 0;
	processes_find(&all);
	for (size_t i = 0; i < all.count; i++)
		sum += resident_bytes(all.list[i].pid);
	if (limit_bytes > 0 && sum > limit_bytes) {
		for (size_t i = 0; i < all.count && exact <= limit_bytes; i++)
			exact += proportional_bytes(all.list[i].pid);
		sum = exact;
	}
	free(all.list);
	return sum;
}

/* State and parent as /proc/PID/stat has them. The name before them may contain anything. */
static bool process_state(pid_t pid, char *ret_state, pid_t *ret_parent)
{
	char path[32], text[512];
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	const char *end = proc_read(path, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
	int parent;
	if (!end || sscanf(end + 1, " %c %d", ret_state, &parent) != 2)
		return false;
	*ret_parent = (pid_t)parent;
	return true;
}

/* Sends it through a descriptor of the process, after a look whether that is still the one that was found: a number may have become
 * another's. True when it was sent. SIGSTOP goes only to those that run. */
static bool process_signal(const struct process *process, int signal)
{
	int fd = pidfd_open(process->pid, 0);
	char state;
	pid_t parent;
	if (fd < 0)
		return false;
	bool ours = process_state(process->pid, &state, &parent) && (parent == process->parent || parent == getpid());
	bool wanted = ours && state != 'Z' && state != 'X' && (signal != SIGSTOP || (state != 'T' && state != 't'));
	bool sent = wanted && pidfd_send_signal(fd, signal, NULL, 0) == 0;
	(void)close(fd);
	return sent;
}

static unsigned processes_signal(struct processes *all, int signal)
{
	unsigned sent = 0;
	processes_find(all);
	for (size_t i = 0; i < all->count; i++)
		sent += process_signal(&all->list[i], signal);
	return sent;
}

bool descendants_end(struct reaper *reaper, int64_t limit_ns)
{
	const int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + limit_ns;
	struct processes all = {0};
	bool left = reaper_reap(reaper);
	while (left && clock_ns(CLOCK_MONOTONIC) < deadline_ns) {
		/* Frozen first: who is killed while others run may be replaced by them. */
		for (unsigned round = 0; round < FREEZE_ROUNDS && processes_signal(&all, SIGSTOP) > 0; round++)
			pause_ns(ROUND_PAUSE_NS);
		(void)processes_signal(&all, SIGKILL);
		pause_ns(ROUND_PAUSE_NS);
		left = reaper_reap(reaper);
	}
	free(all.list);
	return !left;
}
