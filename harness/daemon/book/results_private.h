/* SPDX-License-Identifier: Apache-2.0 */
/* What a results.json says, once it is known to be one; and what the files about results ask of each other. */
#ifndef HARNESS_DAEMON_BOOK_RESULTS_PRIVATE_H
#define HARNESS_DAEMON_BOOK_RESULTS_PRIVATE_H

#include "../../base/verdict.h"
#include "histogram.h"
#include "results.h"

/* ---- results_read.c ---- */
enum case_turn { TURN_BEGUN, TURN_MISSED /* the run ended first */, TURN_LEFT /* the run was told to stop before */ };
const char *case_turn_name(enum case_turn);

/* Texts are borrowed from the JSON. */
struct case_result {
	const char *id, *title, *file, *message, *place_file;
	int64_t line, place_line, place_column, duration_ns, started_utc_ns;
	enum case_turn turn;
	enum verdict verdict;
	enum cause cause;
	unsigned attempts;
	bool flaky;
};
struct measurement_result {
	const char *id, *case_id, *title, *unit;
	bool virtual_rack, complete;
	bool has_figures; /* complete, and of at least one sample */
	int64_t n, min_ns, p50_ns, p95_ns, max_ns;
	json_t *limits;        /* array, owned */
	const json_t *samples; /* checked: objects with an integer value_ns */
};
struct results {
	bool virtual_rack;
	struct case_result *cases;
	size_t case_count;
	struct measurement_result *measurements;
	size_t measurement_count;
};
/* Checks everything that is used. -EINVAL (ERROR_BENCH). Borrows the JSON. */
int results_read(const json_t *, struct results **ret, struct error *err) WARN_UNUSED;
void results_free(struct results *); /* NULL allowed */

/* ---- results.c ---- */
/* The key of a case's name, made when it is not there. */
int case_name_key(struct book *, const char *name, int64_t *ret, struct error *err) WARN_UNUSED;
/* Everything that is known of a run's results goes. */
int results_remove(struct book *, int64_t run, struct error *err) WARN_UNUSED;

/* ---- measured.c ---- */
/* position: in the order of the results. */
int measured_add(struct book *, int64_t run, unsigned position, const struct measurement_result *, struct error *err) WARN_UNUSED;
int measured_remove(struct book *, int64_t run, struct error *err) WARN_UNUSED;
#define HOUR_NS ((int64_t)3600 * 1000000000)
#define DAY_NS  (24 * HOUR_NS)

/* ---- standing.c ---- */
/* How a case of a job stands over all its runs. */
struct standing {
	int64_t name_key;
	char *name;
	int64_t run; /* that decides */
	enum case_turn turn;
	enum verdict verdict;
	enum cause cause;
	bool flaky;
};
struct standings {
	struct standing *cases; /* by name */
	size_t count;
	json_t *unknown; /* array of ids that were asked for, of which no run says anything */
	unsigned runs, open_runs;
	bool cancelled;
};
int standings_of(struct book *, int64_t job, struct standings *ret, struct error *err) WARN_UNUSED;
void standings_clear(struct standings *);
/* Of one case; without a name. */
int standing_of_case(struct book *, int64_t job, int64_t name_key, struct standing *ret, struct error *err) WARN_UNUSED;
/* No run is open: a case whose turn never came is a skipped one from now on, not one that is still to come. */
bool standings_over(const struct standings *);

#endif
