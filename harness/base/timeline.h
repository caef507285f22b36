/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one timeline. Whatever happens in a run is an event on it; the journal (events.jsonl), the live view, the
 * measurements and the reports are all made from these events. The vocabulary of channels and kinds is
 * docs/reference/journal.md.
 */
#ifndef HARNESS_BASE_TIMELINE_H
#define HARNESS_BASE_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

enum clock_source { CLOCK_SOURCE_USER, CLOCK_SOURCE_KERNEL, CLOCK_SOURCE_HARDWARE };
const char *clock_source_name(enum clock_source); /* "user" "kernel" "hardware" */

/* An instant: CLOCK_MONOTONIC ns, how it was read, and the half width of its uncertainty in ns. */
struct instant {
	int64_t ns;
	enum clock_source source;
	int64_t uncertainty_ns;
};

/* The instant now, read by this process. uncertainty: 1 us plus, for an arrival seen by poll, what the caller adds. */
struct instant instant_now(void);
/* Converts a kernel stamp (CLOCK_REALTIME ns, as SO_TIMESTAMPING gives) to CLOCK_MONOTONIC by the last bracket
 * (REALTIME between two MONOTONIC readings); clock_bracket() renews it. Uncertainty is half the bracket width. */
struct instant instant_from_realtime(int64_t realtime_ns);
void clock_bracket(void);
/* CLOCK_REALTIME - CLOCK_MONOTONIC at the last bracket, ns. */
int64_t clock_realtime_offset_ns(void);
/* The same as it was when this process first asked for it: what run.begin tells and can.log is written with, so that the
 * stamps of both are the same to the nanosecond. */
int64_t clock_run_offset_ns(void);

struct event {
	uint64_t number; /* from 1, without gaps: set by timeline_emit() */
	struct instant at;
	const char *channel; /* "run", "case", "board:zgw", "link:zgw-vmg", "tester:1", … */
	const char *kind;    /* "power.on", "boot.stage", "tcp.syn", "tls.finished", "doip.rx", … */
	const char *step;    /* "CASE/steps/3" of the step that was running, or NULL: set by timeline_emit() */
	json_t *data;        /* object or NULL; borrowed: the timeline takes its own reference */
};

struct timeline;

/* Writes to directory/events.jsonl (created, must not exist), or nowhere if directory is NULL. Keeps the newest
 * memory_events events in memory for timeline_find(). An exclusive flock(2) on the file tells others that it is being written: it goes
 * with timeline_free() and with the process, however that ends. */
int timeline_new(struct timeline **ret, const char *directory, unsigned memory_events, struct error *err) WARN_UNUSED;
void timeline_free(struct timeline *);

/* Appends one event. `data` is STOLEN (may be NULL). A write that fails (full disk) is remembered: the first such
 * error is kept, the partial line is cut off so that the file stays whole, nothing more is written, and
 * timeline_failed() tells. Lines go out with one write(2) each. Thread: the runner's only. */
void timeline_emit(struct timeline *, struct instant at, const char *channel, const char *kind, json_t *data);
void timeline_emit_now(struct timeline *, const char *channel, const char *kind, json_t *data);

/* Step id that following events carry (copied); NULL for none. */
void timeline_set_step(struct timeline *, const char *step);

bool timeline_failed(const struct timeline *, struct error *err);
/* Whether the lock is held; a file system that has none is no error. */
bool timeline_locked(const struct timeline *);
/* Flush to stable storage. */
int timeline_sync(struct timeline *, struct error *err) WARN_UNUSED;

/* Number of the newest event, 0 when there is none: a mark for timeline_find(). */
uint64_t timeline_mark(const struct timeline *);
/* First event in memory with number > mark for which match returns true, else NULL. Valid until the next emit. */
const struct event *timeline_find(const struct timeline *, uint64_t mark, bool (*match)(const struct event *, void *), void *context);

/* Observers see every event right after it was written. Removing from inside a callback is allowed. */
typedef void (*timeline_observer)(const struct event *, void *context);
int timeline_observe(struct timeline *, timeline_observer, void *context) WARN_UNUSED;
void timeline_unobserve(struct timeline *, timeline_observer, void *context);

#endif
