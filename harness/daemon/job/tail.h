/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of a run as it grows: inotify, one reader a run however many viewers. Whole lines only. Memory is bounded: a ring of the
 * newest bytes shared by all viewers; who is behind it reads the file itself, and who falls behind by more than `TAIL_LAG` while the run
 * goes on is told so (-EOVERFLOW).
 */
#ifndef HARNESS_DAEMON_JOB_TAIL_H
#define HARNESS_DAEMON_JOB_TAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "../../base/error.h"

#define TAIL_RING (4u << 20)
#define TAIL_LAG  (64u << 20)

struct tail;
struct tail_progress {
	char case_id[256], step[128];                      /* of the case and step that run, "" when none */
	unsigned done, of;                                 /* cases ended, cases of the run (0 unknown) */
	unsigned pass, fail, inconclusive, error, skipped; /* of the attempts ended */
	bool is_virtual;
	int64_t begin_utc_ns;
	uint64_t events, bytes;
};
/* changed: from the loop, when there is more (at most every 20 ms). The file may not be there yet. */
int tail_new(struct tail **ret, sd_event *, const char *path, void (*changed)(struct tail *, void *context), void *context,
             struct error *err) WARN_UNUSED;
void tail_free(struct tail *); /* NULL allowed */
const struct tail_progress *tail_progress(const struct tail *);
uint64_t tail_end(const struct tail *); /* bytes of whole lines known */
/* No more will come (the run ended): reads what is left at once. */
int tail_finish(struct tail *, struct error *err) WARN_UNUSED;

/* One reader of the journal. offset counts bytes of the file and must be at the beginning of a line. */
struct tail_reader {
	uint64_t offset;
	bool summary;   /* without doip, tls record, can and console lines and other traffic */
	bool begun;     /* these two are tail_read()'s: zero at the beginning */
	uint64_t known; /* up to here nothing was missed: what was there before the first call, or is read */
};
/* Whole lines (with their newlines) into buffer, *ret_length > 0 or 0 when there is no more now; moves the offset. A line over size is cut
 * out and replaced by a comment event {"kind":"left-out"}. -EOVERFLOW: more than TAIL_LAG of what came since the first call is not read
 * yet; nothing is read. -EINVAL: no line begins at the first offset. */
int tail_read(struct tail *, struct tail_reader *, char *buffer, size_t size, size_t *ret_length, struct error *err) WARN_UNUSED;

/* GET …/timeline: what the page draws, from a journal on disk (shape: docs/reference/api.md). Times count from the first event; from_ns and
 * to_ns as well, to_ns < 0: to the end. `end` is null for what has no duration; "level" is "info", "warn", or a verdict ("pass",
 * "skipped", "inconclusive", "fail", "error"), "" while it still runs. Cases, steps and power are thinned last, what failed after all
 * others of its lane. New reference. */
int timeline_lanes(const char *journal_path, int64_t from_ns, int64_t to_ns, unsigned limit, json_t **ret, struct error *err) WARN_UNUSED;
/* The same in steps of about 10 ms each, for a loop that must go on. */
struct lanes;
int lanes_begin(struct lanes **ret, const char *journal_path, int64_t from_ns, int64_t to_ns, unsigned limit,
                struct error *err) WARN_UNUSED;
/* 1: go on, 0: done, -errno. */
int lanes_step(struct lanes *, struct error *err) WARN_UNUSED;
/* Frees it; the answer (new reference), or NULL when it was not done. */
json_t *lanes_end(struct lanes *);

#endif
