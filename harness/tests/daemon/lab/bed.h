/* SPDX-License-Identifier: Apache-2.0 */
/* A lab on a bed of its own: a state directory, rigs v1, v2 … of one pool, the stand-in for hilbench. */
#ifndef HARNESS_TESTS_DAEMON_LAB_BED_H
#define HARNESS_TESTS_DAEMON_LAB_BED_H

#include "../../../daemon/book/blobs.h"
#include "../../../daemon/lab/lab.h"

struct bed {
	char directory[200], state[240], rigs[4][260];
	struct lab_rig_config rig_configs[4];
	struct lab_config config;
	bool unseen; /* bed_open() does not wait for the first look at the rigs */
	sd_event *event;
	struct book *book;
	struct lab *lab;
};

void bed_make(struct bed *, size_t rigs); /* the directory and the configuration: change it, then bed_open() */
void bed_open(struct bed *);              /* asserts */
void bed_close(struct bed *);
void bed_remove(struct bed *);
void bed_behave(const struct bed *, size_t rig, const char *verb, const char *how); /* how NULL: well again */
unsigned bed_did(const struct bed *, size_t rig, const char *line);                 /* how often the line is in the rig's log */

struct bed_job {
	const char *plan, *rig, *pool, *key;
	unsigned spread, retries;
	int priority;
	int64_t time_limit_ns, silence_limit_ns;
};
struct job_record *bed_record(const struct bed *, const struct bed_job *);
int bed_try(struct bed *, const struct bed_job *, int64_t *ret, struct error *);
int64_t bed_submit(struct bed *, const struct bed_job *); /* asserts */
/* Pumps until the condition holds; asserts that it does within 30 s. */
void bed_until(struct bed *, bool (*done)(struct bed *, int64_t), int64_t argument);
void bed_pump(struct bed *, int64_t for_ns);
bool bed_job_done(struct bed *, int64_t job);
bool bed_idle(struct bed *, int64_t ignored); /* no open job, no lease */
/* "outcome reason" of a done job, in a static buffer; "state" of another. */
const char *bed_outcome(struct bed *, int64_t job);
json_t *bed_job_json(struct bed *, int64_t job);
unsigned bed_runs(struct bed *, int64_t job);
const char *bed_health(struct bed *, size_t rig); /* "healthy", "quarantined: why", … */
void bed_check(struct bed *);                     /* no breach in the books */

/* main() of the test programs: this program stands in for hilbenchd. -1: it is to run the tests. */
int bed_stand_in(int argc, char **argv);

#endif
