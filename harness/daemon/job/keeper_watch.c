/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "../../base/size.h"
#include "descendants.h"

#define DEPTH_MAX   32
#define WALK_SHARE  20 /* a walk may take this part of the time at most */
#define BLOCK_BYTES 512

static uint64_t walk(int parent, const char *name, unsigned depth);

static uint64_t entry_bytes(int directory, const char *name, unsigned depth)
{
	struct stat found;
	if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	uint64_t bytes = (uint64_t)found.st_blocks * BLOCK_BYTES;
	return S_ISDIR(found.st_mode) && depth < DEPTH_MAX ? bytes + walk(directory, name, depth + 1) : bytes;
}

static uint64_t walk(int parent, const char *name, unsigned depth)
{
	uint64_t bytes = 0;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	for (const struct dirent *entry; (entry = readdir(directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			bytes += entry_bytes(fd, entry->d_name, depth);
	(void)closedir(directory);
	return bytes;
}

uint64_t keeper_watch_output(const struct keeper_watch *watch)
{
	uint64_t bytes = walk(AT_FDCWD, ".", 0);
	return bytes > watch->given_bytes ? bytes - watch->given_bytes : 0;
}

static uint64_t size_of(const char *path)
{
	struct stat found;
	return stat(path, &found) == 0 ? (uint64_t)found.st_size : 0;
}

void keeper_watch_begin(struct keeper_watch *watch, const struct keeper_order *order)
{
	*watch = (struct keeper_watch){
	        .order = order, .grown_at_ns = clock_ns(CLOCK_MONOTONIC), .given_bytes = order->store ? walk(AT_FDCWD, ".", 0) : 0};
}

static const char *watch_memory(struct keeper_watch *watch, char *message, size_t size)
{
	const uint64_t limit = watch->order->memory_bytes, bytes = descendants_memory(limit);
	if (bytes > watch->max_rss_bytes)
		watch->max_rss_bytes = bytes;
	if (limit == 0 || bytes <= limit)
		return NULL;
	(void)snprintf(message, size, "%" PRIu64 " MiB of memory in use, more than the limit of %" PRIu64 " MiB", bytes >> 20, limit >> 20);
	return "memory";
}

static const char *watch_silence(struct keeper_watch *watch, char *message, size_t size)
{
	const int64_t now_ns = clock_ns(CLOCK_MONOTONIC), limit_ns = watch->order->silence_limit_ns;
	const uint64_t grown = size_of("out/events.jsonl") + size_of("output.log");
	if (grown != watch->grown) {
		watch->grown = grown;
		watch->grown_at_ns = now_ns;
	}
	if (limit_ns <= 0 || now_ns - watch->grown_at_ns < limit_ns)
		return NULL;
	(void)snprintf(message, size, "no event and no output for %" PRId64 ".%01" PRId64 " s", limit_ns / 1000000000,
	               limit_ns / 100000000 % 10);
	return "silence";
}

/* A directory of very many files is walked less often than one of few. */
static const char *watch_output(struct keeper_watch *watch, char *message, size_t size)
{
	const uint64_t limit = watch->order->output_bytes;
	const int64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	if (limit == 0 || begin_ns < watch->walk_at_ns)
		return NULL;
	watch->output_bytes = keeper_watch_output(watch);
	const int64_t end_ns = clock_ns(CLOCK_MONOTONIC);
	watch->walk_at_ns = end_ns + WALK_SHARE * (end_ns - begin_ns);
	if (watch->output_bytes <= limit)
		return NULL;
	(void)snprintf(message, size, "%" PRIu64 " kB of output, more than the limit of %" PRIu64 " kB", watch->output_bytes / 1000,
	               limit / 1000);
	return "output";
}

static const char *watch_disk(struct keeper_watch *watch, char *message, size_t size)
{
	struct statvfs disk;
	if (watch->order->free_bytes == 0 || statvfs(".", &disk) < 0)
		return NULL;
	const uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (free_bytes >= watch->order->free_bytes)
		return NULL;
	char is[SIZE_TEXT_MAX], needed[SIZE_TEXT_MAX];
	(void)snprintf(message, size, "%s are free on the disk, less than the %s that running jobs need",
	               size_text(free_bytes, is, sizeof(is)), size_text(watch->order->free_bytes, needed, sizeof(needed)));
	return "disk";
}

const char *keeper_watch_tick(struct keeper_watch *watch, char *message, size_t size)
{
	const char *reason = watch_memory(watch, message, size);
	watch->odd = !watch->odd;
	if (!reason)
		reason = watch_silence(watch, message, size);
	if (!reason && watch->odd)
		reason = watch_output(watch, message, size);
	if (!reason && watch->odd)
		reason = watch_disk(watch, message, size);
	return reason;
}

bool keeper_watch_flooded(const struct keeper_watch *watch)
{
	return watch->order->output_bytes > 0 && watch->output_bytes / 2 > watch->order->output_bytes;
}
