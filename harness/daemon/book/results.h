/* SPDX-License-Identifier: Apache-2.0 */
/* What runs found: cases, measurements, artefacts; history, matrix, trends; retention. */
#ifndef HARNESS_DAEMON_BOOK_RESULTS_H
#define HARNESS_DAEMON_BOOK_RESULTS_H

#include "book.h"
#include "jobs.h"

/* Stores what a results.json (reports/schemas/results.json) says of a run: cases, measurements with their roll-ups. In the caller's
 * transaction. -EINVAL (ERROR_BENCH): not such a file. Storing a run a second time replaces the first. */
int book_results_add(struct book *, int64_t run, const json_t *results, struct error *err) WARN_UNUSED;
int book_artefact_add(struct book *, int64_t run, const char *name, const char *sha256, uint64_t size, struct error *err) WARN_UNUSED;
int book_artefact_find(struct book *, int64_t run, const char *name, char sha256[65], uint64_t *ret_size, struct error *err) WARN_UNUSED;

/* Counts of a job over all its runs as the API shows them, and the outcome and reason that follow from them: the last attempt at a case
 * counts when the earlier one was an error of cause bench, else the heaviest. New reference. */
int book_job_counts(struct book *, int64_t job, json_t **ret_counts, enum job_outcome *ret_outcome, struct error *err) WARN_UNUSED;
/* Cases of a job that did not pass (or were not begun): an array of ids. bench_only: only errors of cause bench and cases that were not
 * begun. */
int book_job_unpassed(struct book *, int64_t job, bool bench_only, json_t **ret, struct error *err) WARN_UNUSED;
/* Expected time of a case, ns: the median of its last ten; -1 unknown. */
int book_case_expected_ns(struct book *, const char *case_id, int64_t *ret, struct error *err) WARN_UNUSED;

int book_matrix_json(struct book *, const char *series, unsigned nights, json_t **ret, struct error *err) WARN_UNUSED;
int book_case_history_json(struct book *, const char *case_id, const char *series, unsigned limit, int64_t before, json_t **ret,
                           struct error *err) WARN_UNUSED;
int book_measurements_json(struct book *, json_t **ret, struct error *err) WARN_UNUSED;
/* from, to: 0 for open. rig NULL: all. 1,000,000 samples are answered in at most 100 ms. */
int book_trend_json(struct book *, int64_t series, int64_t from_utc_ns, int64_t to_utc_ns, unsigned points, const char *rig, json_t **ret,
                    struct error *err) WARN_UNUSED;

struct retention {
	int64_t age_ns;         /* done jobs older than this go; 0: no limit */
	uint64_t bytes;         /* files go, oldest jobs first, until blobs are below this; 0: no limit */
	int64_t results_age_ns; /* cases and measurements stay longer than artefacts; 0: as long as age_ns */
};
struct retained {
	unsigned files, given, whole; /* jobs whose artefacts and reports, whose submitted files went; that went with all that is known */
	bool more;                    /* there are more to do */
	uint64_t over_bytes;          /* above the limit although nothing more may go: pinned jobs and such that are not done */
};
/* Removes what is due of at most `at_most` jobs that are not pinned. Verdicts and measurements go by their age alone. */
int book_retain(struct book *, const struct retention *, int64_t now_utc_ns, unsigned at_most, struct retained *ret,
                struct error *err) WARN_UNUSED;
/* retained.over_bytes as the last book_retain() found it that was through. */
uint64_t book_retention_over(const struct book *);
/* Bytes of all files of pinned jobs and of their runs, each once. Looks through the list of jobs: not often. */
int book_pinned_bytes(struct book *, uint64_t *ret, struct error *err) WARN_UNUSED;

#endif
