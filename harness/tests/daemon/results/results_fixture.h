/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs whose runs found what a test says. The book is that of ../book/book_fixture.h. */
#ifndef HARNESS_TESTS_DAEMON_RESULTS_RESULTS_FIXTURE_H
#define HARNESS_TESTS_DAEMON_RESULTS_RESULTS_FIXTURE_H

#include "../book/book_fixture.h"

#define NIGHT_NS INT64_C(1790000000000000000) /* in September 2026 */
#define SECOND   INT64_C(1000000000)

/* A results.json of cases "id=how …": pass, flaky, skip, inconclusive, fail, bench, testcase, operator, missed, left. A run with a case
 * that is missed is not complete. New reference. */
json_t *results_of(const char *cases);
/* A measurement of a case with these samples joins it; complete. */
void results_measure(json_t *results, const char *case_id, const char *id, const int64_t *samples_ns, size_t count);

/* A job that runs. */
int64_t night_begin(const char *series, int64_t started_utc_ns);
struct night_run {
	const char *rig;
	unsigned shard;
	bool retry;
	const char *only; /* JSON array of ids, or NULL */
	json_t *results;  /* stolen; NULL: there are none */
	enum job_outcome outcome;
	const char *cause;
	int64_t at_utc_ns;
};
int64_t night_run(int64_t job, struct night_run); /* the run's id */
/* Done, with what book_job_counts() says; *ret_counts (may be NULL) is a new reference. */
enum job_outcome night_end(int64_t job, json_t **ret_counts, int64_t ended_utc_ns);
/* A job of one run of one measurement ("c", "m"). The run's id. */
int64_t night_measured(const char *rig, int64_t at_utc_ns, const int64_t *samples_ns, size_t count);
int64_t job_of_run(int64_t run);
/* A blob of this text. */
void blob_of(const char *text, char name[65]);
uint64_t random_next(uint64_t *state);

#endif
