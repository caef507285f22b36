/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `hilbench sweep` share: what is asked for, the engine that does it, and what came of it. */
#ifndef HARNESS_CLI_SWEEP_H
#define HARNESS_CLI_SWEEP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sweep_images.h"

#define SWEEP_INCONCLUSIVE 4   /* exit status: not finished, and nothing found so far */
#define SWEEP_INTERRUPTED  130 /* exit status */

struct sweep_request {
	const char *target, *scenario, *policy, *fault; /* fault NULL: none */
	const char *operations, *classes, *phases;      /* NULL: all */
	const char *point;                              /* the cuts of a point that is to be replayed, NULL: a sweep */
	const char *out;                                /* NULL: a new directory */
	uint16_t address;                               /* of the target */
	char bank;                                      /* 'a' or 'b': where the old software runs at the begin */
	uint32_t entry;                                 /* of UCB_SWAP in use at the begin, 0..15 */
	uint32_t size;                                  /* of the software, bytes */
	uint64_t seed;
	uint32_t samples, random, jobs, limit_s; /* limit_s 0: none */
	bool pairs, reset;
	char parts[160]; /* of a point's id, split */
};

/* ---- sweep_engine.c ---- */
/* Runs otasweep. Each of its lines goes to `line` (not in a replay, whose timeline goes to standard output). *ret_status: its
 * exit status. -ECANCELED: a signal ended it. */
int sweep_engine_run(const struct sweep_request *, const struct sweep_images *, void (*line)(const json_t *, void *), void *context,
                     int *ret_status, struct error *err) WARN_UNUSED;

/* ---- sweep_result.c ---- */
struct sweep_result {
	const struct sweep_request *request;
	bool terminal;
	int64_t begin_ns, told_ns;
	json_t *begin, *end, *groups, *violations; /* as the engine told them; groups and violations are arrays */
};
void sweep_result_init(struct sweep_result *, const struct sweep_request *);
void sweep_result_free(struct sweep_result *);
/* A line of the engine: kept, and shown. context: the result. */
void sweep_result_line(const json_t *line, void *context);
/* status: of the sweep. */
void sweep_result_print(const struct sweep_result *, int status);

/* ---- sweep_report.c ---- */
/* sweep.json, and by way of a journal junit.xml, results.json and report.html. status: of the sweep. */
int sweep_report_write(const struct sweep_result *, const char *directory, int status, struct error *err) WARN_UNUSED;

#endif
