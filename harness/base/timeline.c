/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct observer {
	timeline_observer notify; /* NULL: removed while events were being told, slot not yet freed */
	void *context;
};

struct timeline {
	int fd; /* -1: nowhere */
	bool locked;
	off_t whole_bytes; /* end of the last whole line */
	char *line;
	size_t line_capacity;
	struct event *ring;
	unsigned ring_size;
	uint64_t newest;
	const char *step; /* interned */
	struct observer *observers;
	unsigned observer_count, telling;
	struct error failure;
	bool failed;
};

#define LOCK_TRIES 100

/* Whoever looks whether the journal is being written holds the lock for a moment: that is waited for, but never a run long. */
static bool journal_lock(int fd)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		(void)nanosleep(&moment, NULL);
	}
	return false;
}

static int journal_open(struct timeline *timeline, const char *directory, struct error *err)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/events.jsonl", directory);

	if (n < 0 || (size_t)n >= sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "the run directory's name is too long");
	timeline->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (timeline->fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot create %s: %s", path, strerror(errno));
	timeline->locked = journal_lock(timeline->fd);
	return 0;
}

int timeline_new(struct timeline **ret, const char *directory, unsigned memory_events, struct error *err)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	int r;

	if (!timeline)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	timeline->fd = -1;
	timeline->ring_size = memory_events > 0 ? memory_events : 1;
	timeline->ring = calloc(timeline->ring_size, sizeof(*timeline->ring));
	if (!timeline->ring) {
		timeline_free(timeline);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	r = directory ? journal_open(timeline, directory, err) : 0;
	if (r < 0) {
		timeline_free(timeline);
		return r;
	}
	*ret = timeline;
	return 0;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	for (unsigned i = 0; timeline->ring && i < timeline->ring_size; i++)
		json_decref(timeline->ring[i].data);
	if (timeline->fd >= 0)
		(void)close(timeline->fd);
	free(timeline->ring);
	free(timeline->line);
	free(timeline->observers);
	free(timeline);
}

static void remember_failure(struct timeline *timeline, int code, const char *what)
{
	if (timeline->failed)
		return;
	timeline->failed = true;
	(void)error_set(&timeline->failure, ERROR_BENCH, code, "%s: %s", what, strerror(code));
}

/* The event as one JSON object, fields in the order of docs/reference/journal.md. NULL: out of memory or not UTF-8. */
static json_t *event_json(const struct event *event)
{
	json_t *json = json_pack("{s:I, s:I, s:s, s:I, s:s, s:s}", "n", (json_int_t)event->number, "t", (json_int_t)event->at.ns, "clock",
	                         clock_source_name(event->at.source), "u", (json_int_t)event->at.uncertainty_ns, "ch", event->channel,
	                         "kind", event->kind);
	bool whole = json != NULL;

	if (whole && event->step)
		whole = json_object_set_new(json, "step", json_string(event->step)) == 0;
	if (whole && event->data && json_object_size(event->data) > 0)
		whole = json_object_set(json, "data", event->data) == 0;
	if (!whole) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* Fills timeline->line. Bytes including the newline, or 0 when out of memory. */
static size_t event_line(struct timeline *timeline, const struct event *event)
{
	json_t *json = event_json(event);
	size_t length = 0, needed;
	char *grown;

	if (!json)
		return 0;
	needed = json_dumpb(json, timeline->line, timeline->line_capacity, JSON_COMPACT);
	if (needed > 0 && needed + 1 > timeline->line_capacity) {
		grown = realloc(timeline->line, needed * 2 + 512);
		if (grown) {
			timeline->line = grown;
			timeline->line_capacity = needed * 2 + 512;
			length = json_dumpb(json, timeline->line, timeline->line_capacity, JSON_COMPACT);
		}
	} else {
		length = needed;
	}
	json_decref(json);
	if (length == 0)
		return 0;
	timeline->line[length] = '\n';
	return length + 1;
}

static void journal_write(struct timeline *timeline, const struct event *event)
{
	size_t length, written = 0;
	ssize_t n;

	if (timeline->fd < 0 || timeline->failed)
		return;
	length = event_line(timeline, event);
	if (length == 0) {
		remember_failure(timeline, ENOMEM, "cannot make a line of the journal");
		return;
	}
	/* More than one turn only after a short write, to learn its cause. */
	while (written < length) {
		n = write(timeline->fd, timeline->line + written, length - written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			remember_failure(timeline, n < 0 ? errno : EIO, "cannot write the journal");
			if (written > 0 && ftruncate(timeline->fd, timeline->whole_bytes) < 0)
				error_prefix(&timeline->failure, "the last line of the journal is cut");
			return;
		}
		written += (size_t)n;
	}
	timeline->whole_bytes += (off_t)length;
}

static void observers_compact(struct timeline *timeline)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < timeline->observer_count; i++)
		if (timeline->observers[i].notify)
			timeline->observers[kept++] = timeline->observers[i];
	timeline->observer_count = kept;
}

static void observers_tell(struct timeline *timeline, const struct event *event)
{
	struct event told = *event;

	/* A copy with its own reference: an observer may emit, which reuses ring slots. */
	json_incref(told.data);
	timeline->telling++;
	for (unsigned i = 0; i < timeline->observer_count; i++)
		if (timeline->observers[i].notify)
			timeline->observers[i].notify(&told, timeline->observers[i].context);
	timeline->telling--;
	if (timeline->telling == 0)
		observers_compact(timeline);
	json_decref(told.data);
}

void timeline_emit(struct timeline *timeline, struct instant at, const char *channel, const char *kind, json_t *data)
{
	struct event *event = &timeline->ring[timeline->newest % timeline->ring_size];

	json_decref(event->data);
	*event = (struct event){
	        .number = ++timeline->newest,
	        .at = at,
	        .channel = place_intern(channel),
	        .kind = place_intern(kind),
	        .step = timeline->step,
	        .data = data,
	};
	journal_write(timeline, event);
	observers_tell(timeline, event);
}

void timeline_emit_now(struct timeline *timeline, const char *channel, const char *kind, json_t *data)
{
	timeline_emit(timeline, instant_now(), channel, kind, data);
}

void timeline_set_step(struct timeline *timeline, const char *step)
{
	timeline->step = place_intern(step);
}

bool timeline_failed(const struct timeline *timeline, struct error *err)
{
	if (timeline->failed && err)
		*err = timeline->failure;
	return timeline->failed;
}

bool timeline_locked(const struct timeline *timeline)
{
	return timeline->locked;
}

int timeline_sync(struct timeline *timeline, struct error *err)
{
	/* EINVAL, EROFS: the file system has nothing to flush. */
	if (!timeline->failed && timeline->fd >= 0 && fsync(timeline->fd) < 0 && errno != EINVAL && errno != EROFS)
		remember_failure(timeline, errno, "cannot flush the journal");
	return timeline_failed(timeline, err) ? -timeline->failure.code : 0;
}

uint64_t timeline_mark(const struct timeline *timeline)
{
	return timeline->newest;
}

const struct event *timeline_find(const struct timeline *timeline, uint64_t mark, bool (*match)(const struct event *, void *),
                                  void *context)
{
	uint64_t oldest = timeline->newest > timeline->ring_size ? timeline->newest - timeline->ring_size : 0;
	const struct event *event;

	for (uint64_t n = mark > oldest ? mark : oldest; n < timeline->newest; n++) {
		event = &timeline->ring[n % timeline->ring_size];
		if (match(event, context))
			return event;
	}
	return NULL;
}

int timeline_observe(struct timeline *timeline, timeline_observer notify, void *context)
{
	struct observer *grown = realloc(timeline->observers, (timeline->observer_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	timeline->observers = grown;
	timeline->observers[timeline->observer_count++] = (struct observer){.notify = notify, .context = context};
	return 0;
}

void timeline_unobserve(struct timeline *timeline, timeline_observer notify, void *context)
{
	for (unsigned i = 0; i < timeline->observer_count; i++)
		if (timeline->observers[i].notify == notify && timeline->observers[i].context == context)
			timeline->observers[i].notify = NULL;
	if (timeline->telling == 0)
		observers_compact(timeline);
}
