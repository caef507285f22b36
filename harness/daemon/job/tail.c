/* SPDX-License-Identifier: Apache-2.0 */
#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "line.h"
#include "regions.h"
#include "tail_progress.h"

#define PAUSE_US   20000      /* between two calls of changed() */
#define LOOK_US    500000     /* without inotify (network file systems) */
#define TURN_MAX   (1u << 20) /* bytes read in one turn of the loop */
#define REREAD_MAX 65536
#define LEFT_OUT   "{\"kind\":\"left-out\"}\n"
#define PATH_SIZE  4096

struct tail {
	char *path;
	int file, inotify;
	sd_event_source *noticed, *timer;
	void (*changed)(struct tail *, void *context);
	void *context;
	uint64_t read_end, line_end; /* bytes of the file that are read; of whole lines */
	uint64_t highest;            /* read_end ever was */
	char *ring;                  /* byte n of the file is ring[n % TAIL_RING], for the newest TAIL_RING bytes below highest */
	struct regions *regions;     /* where lines are that are not traffic */
	struct tail_progress *progress;
	struct progress *state;
	bool finished;
};

/* ---- reading ---- */

static uint64_t ring_begin(const struct tail *tail)
{
	return tail->highest > TAIL_RING ? tail->highest - TAIL_RING : 0;
}

static void ring_copy(const struct tail *tail, uint64_t offset, char *to, size_t length)
{
	const size_t at = offset % TAIL_RING, first = length < TAIL_RING - at ? length : TAIL_RING - at;
	memcpy(to, tail->ring + at, first);
	memcpy(to + first, tail->ring, length - first);
}

static void line_take(struct tail *tail, uint64_t begin, const char *line, size_t length)
{
	const char *kind;
	size_t kind_length;
	tail->progress->events++;
	if (!line_kind(line, length, &kind, &kind_length))
		return;
	if (!line_is_traffic(kind, kind_length))
		regions_add(tail->regions, begin, begin + length + 1);
	progress_take(tail->state, tail->progress, kind, kind_length, line, length);
}

/* The line [line_end, end) is whole. Where the ring ends within it, it is put together elsewhere. */
static void line_whole(struct tail *tail, uint64_t end)
{
	const size_t length = (size_t)(end - tail->line_end), at = tail->line_end % TAIL_RING;
	if (tail->line_end < ring_begin(tail)) {
		regions_add(tail->regions, tail->line_end, end + 1); /* longer than the ring: no look at it */
		tail->progress->events++;
	} else if (at + length <= TAIL_RING) {
		line_take(tail, tail->line_end, tail->ring + at, length);
	} else {
		char *copy = malloc(length);
		if (copy) {
			ring_copy(tail, tail->line_end, copy, length);
			line_take(tail, tail->line_end, copy, length);
		}
		free(copy);
	}
	tail->line_end = end + 1;
}

static void lines_take(struct tail *tail, uint64_t begin, size_t length)
{
	const char *data = tail->ring + begin % TAIL_RING, *at = data, *newline;
	while ((newline = memchr(at, '\n', length - (size_t)(at - data)))) {
		line_whole(tail, begin + (uint64_t)(newline - data));
		at = newline + 1;
	}
}

/* The writer takes back a line that it could not write whole, and may write another then: what is not whole is read again. A long one only
 * if the file has become shorter, for that costs. */
static void take_back(struct tail *tail)
{
	struct stat found;
	if (tail->read_end - tail->line_end < REREAD_MAX || (fstat(tail->file, &found) == 0 && (uint64_t)found.st_size < tail->read_end))
		tail->read_end = tail->line_end;
}

/* One piece; bytes read. */
static size_t piece_take(struct tail *tail, size_t limit)
{
	const size_t at = tail->read_end % TAIL_RING;
	size_t size = TAIL_RING - at < limit ? TAIL_RING - at : limit;
	ssize_t n = pread(tail->file, tail->ring + at, size, (off_t)tail->read_end);
	if (n <= 0)
		return 0;
	const uint64_t begin = tail->read_end;
	tail->read_end += (uint64_t)n;
	if (tail->read_end > tail->highest)
		tail->highest = tail->read_end;
	lines_take(tail, begin, (size_t)n);
	tail->progress->bytes = tail->line_end;
	return (size_t)n;
}

static void watch(struct tail *tail)
{
	char directory[PATH_SIZE];
	const char *slash = strrchr(tail->path, '/');
	if (tail->inotify < 0)
		return;
	if (tail->file >= 0) {
		(void)inotify_add_watch(tail->inotify, tail->path, IN_MODIFY | IN_CLOSE_WRITE);
		return;
	}
	(void)snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - tail->path) : 1, slash ? tail->path : ".");
	(void)inotify_add_watch(tail->inotify, directory[0] ? directory : "/", IN_CREATE | IN_MOVED_TO);
}

static bool opened(struct tail *tail)
{
	if (tail->file >= 0)
		return true;
	tail->file = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	if (tail->file >= 0)
		watch(tail);
	return tail->file >= 0;
}

/* Up to limit bytes. Whether the limit stopped it. */
static bool take(struct tail *tail, size_t limit)
{
	size_t taken = 0, n = 1;
	if (!opened(tail))
		return false;
	take_back(tail);
	while (n > 0 && taken < limit) {
		n = piece_take(tail, limit - taken);
		taken += n;
	}
	return n > 0;
}

/* ---- in the loop ---- */

static void drain(const struct tail *tail)
{
	char events[4096];
	while (tail->inotify >= 0 && read(tail->inotify, events, sizeof(events)) > 0)
		;
}

/* Then there is a pause, however fast the file grows: inotify would wake the loop for every line. */
static void turn(struct tail *tail)
{
	const uint64_t before = tail->line_end;
	drain(tail);
	bool more = take(tail, TURN_MAX);
	bool grew = tail->line_end != before;
	(void)sd_event_source_set_enabled(tail->noticed, more || grew ? SD_EVENT_OFF : SD_EVENT_ON);
	(void)sd_event_source_set_time_relative(tail->timer, more ? PAUSE_US / 10 : grew ? PAUSE_US : LOOK_US);
	(void)sd_event_source_set_enabled(tail->timer, SD_EVENT_ONESHOT);
	if (grew && tail->changed)
		tail->changed(tail, tail->context); /* may free it */
}

static int on_notice(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	turn(context);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
	turn(context);
	return 0;
}

static int tail_prepare(struct tail *tail, sd_event *event, const char *path)
{
	tail->path = strdup(path);
	tail->ring = malloc(TAIL_RING); /* the pages come with the bytes */
	tail->progress = calloc(1, sizeof(*tail->progress));
	tail->state = progress_new();
	tail->regions = regions_new();
	if (!tail->path || !tail->ring || !tail->progress || !tail->state || !tail->regions)
		return -ENOMEM;
	tail->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!opened(tail)) {
		watch(tail);
		(void)opened(tail); /* made between the look and the watch */
	}
	int r = tail->inotify >= 0 ? sd_event_add_io(event, &tail->noticed, tail->inotify, EPOLLIN, on_notice, tail) : 0;
	if (r >= 0)
		r = sd_event_add_time_relative(event, &tail->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, tail);
	return r;
}

int tail_new(struct tail **ret, sd_event *event, const char *path, void (*changed)(struct tail *, void *context), void *context,
             struct error *err)
{
	struct tail *tail = calloc(1, sizeof(*tail));
	if (!tail)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*tail = (struct tail){.file = -1, .inotify = -1, .changed = changed, .context = context};
	int r = tail_prepare(tail, event, path);
	if (r < 0) {
		tail_free(tail);
		return error_set(err, ERROR_BENCH, -r, "cannot follow %s: %s", path, strerror(-r));
	}
	*ret = tail;
	return 0;
}

void tail_free(struct tail *tail)
{
	if (!tail)
		return;
	sd_event_source_disable_unref(tail->noticed);
	sd_event_source_disable_unref(tail->timer);
	if (tail->inotify >= 0)
		(void)close(tail->inotify);
	if (tail->file >= 0)
		(void)close(tail->file);
	regions_free(tail->regions);
	free(tail->state);
	free(tail->progress);
	free(tail->ring);
	free(tail->path);
	free(tail);
}

const struct tail_progress *tail_progress(const struct tail *tail)
{
	return tail->progress;
}

uint64_t tail_end(const struct tail *tail)
{
	return tail->line_end;
}

int tail_finish(struct tail *tail, struct error *err)
{
	if (!opened(tail) && errno != ENOENT)
		return error_set(err, ERROR_BENCH, errno, "cannot read %s: %s", tail->path, strerror(errno));
	while (take(tail, SIZE_MAX))
		;
	tail->finished = true;
	sd_event_source_disable_unref(tail->noticed);
	sd_event_source_disable_unref(tail->timer);
	tail->noticed = tail->timer = NULL;
	return 0;
}

/* ---- readers ---- */

/* Bytes of the file, from the ring where it has them. */
static ssize_t bytes_get(const struct tail *tail, uint64_t offset, char *to, size_t length)
{
	if (offset < ring_begin(tail))
		return pread(tail->file, to, length, (off_t)offset);
	ring_copy(tail, offset, to, length);
	return (ssize_t)length;
}

/* The line at offset is longer than the buffer: 0 and the offset behind it. */
static int line_skip(const struct tail *tail, uint64_t *offset, char *buffer, size_t size)
{
	while (*offset < tail->line_end) {
		uint64_t left = tail->line_end - *offset;
		ssize_t n = bytes_get(tail, *offset, buffer, left < size ? (size_t)left : size);
		const char *newline = n > 0 ? memchr(buffer, '\n', (size_t)n) : NULL;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		*offset += newline ? (uint64_t)(newline - buffer) + 1 : (uint64_t)n;
		if (newline)
			return 0;
	}
	return 0;
}

/* Leaves those lines in the buffer that are wanted; their length. */
static size_t filter(char *buffer, size_t length)
{
	const char *kind, *newline;
	size_t kept = 0, kind_length;
	for (char *line = buffer; line < buffer + length; line = buffer + (newline - buffer) + 1) {
		newline = memchr(line, '\n', length - (size_t)(line - buffer));
		const size_t line_length = (size_t)(newline - line) + 1;
		if (line_kind(line, line_length, &kind, &kind_length) && line_is_traffic(kind, kind_length))
			continue;
		memmove(buffer + kept, line, line_length);
		kept += line_length;
	}
	return kept;
}

/* Lines of [offset, end): *ret_length may be 0 when none of them was wanted. */
static int lines_get(const struct tail *tail, struct tail_reader *reader, uint64_t end, char *buffer, size_t size, size_t *ret_length)
{
	const uint64_t left = end - reader->offset;
	ssize_t n = bytes_get(tail, reader->offset, buffer, left < size ? (size_t)left : size);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	const char *last = memrchr(buffer, '\n', (size_t)n);
	if (!last) {
		int r = line_skip(tail, &reader->offset, buffer, size);
		if (r < 0)
			return r;
		*ret_length = strlen(LEFT_OUT);
		memcpy(buffer, LEFT_OUT, *ret_length);
		return 0;
	}
	*ret_length = (size_t)(last - buffer) + 1;
	reader->offset += *ret_length;
	if (reader->summary)
		*ret_length = filter(buffer, *ret_length);
	return 0;
}

/* Whether the offset is one; then what is missed is counted from here on. */
static bool reader_begin(const struct tail *tail, struct tail_reader *reader)
{
	char before = '\n';
	if (reader->offset > tail->line_end || (reader->offset > 0 && bytes_get(tail, reader->offset - 1, &before, 1) != 1) ||
	    before != '\n')
		return false;
	reader->begun = true;
	reader->known = tail->line_end;
	return true;
}

static bool too_far(const struct tail *tail, struct tail_reader *reader)
{
	if (reader->offset > reader->known)
		reader->known = reader->offset;
	return !tail->finished && tail->line_end - reader->known > TAIL_LAG;
}

int tail_read(struct tail *tail, struct tail_reader *reader, char *buffer, size_t size, size_t *ret_length, struct error *err)
{
	uint64_t end;
	int r = 0;
	*ret_length = 0;
	if (size < 2 * strlen(LEFT_OUT) || (!reader->begun && !reader_begin(tail, reader)))
		return error_set(err, ERROR_BENCH, EINVAL, "there begins no line of the journal at byte %llu",
		                 (unsigned long long)reader->offset);
	if (too_far(tail, reader))
		return error_set(err, ERROR_BENCH, EOVERFLOW, "more than %u MiB of the journal behind", TAIL_LAG >> 20);
	while (r == 0 && *ret_length == 0 && reader->offset < tail->line_end) {
		end = tail->line_end;
		if (reader->summary && !regions_next(tail->regions, &reader->offset, &end)) {
			reader->offset = tail->line_end;
			break;
		}
		r = lines_get(tail, reader, end, buffer, size, ret_length);
	}
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot read %s: %s", tail->path, strerror(-r)) : 0;
}
