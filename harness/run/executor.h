/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a checked program on a rig. What happens goes to the timeline (docs/reference/journal.md); progress displays,
 * reports and measurements observe it there.
 */
#ifndef HARNESS_RUN_EXECUTOR_H
#define HARNESS_RUN_EXECUTOR_H

#include "../base/verdict.h"
#include "../lang/program.h"
#include "../rig/rig.h"

struct session;

struct executor_options {
	const char *run_directory;       /* NULL: nothing is written (tests without a rig) */
	const struct rig_file *rig_file; /* NULL: no rig; cases that require anything are skipped */
	const char *rig_path;            /* for the journal */
	const char *const *tags;         /* NULL-terminated or NULL: only cases with one of these tags */
	const char *const *globs;        /* NULL-terminated or NULL: only cases whose id matches one */
	unsigned repeat;                 /* times the whole selection runs; 0 is 1 */
	unsigned retries;                /* further attempts of a case that ended with cause bench */
	bool stop_at_failure;            /* no further case after one that failed or erred */
	uint64_t seed;
	json_t *arguments; /* borrowed, for run.begin */
	/* Called when a step of a case's setup or steps failed and the device or the bench is to blame, with everything as it
	 * was at that moment (run/session.h): returns when the case is to end. NULL: nobody looks. */
	void (*on_failure)(struct session *, void *context);
	void *on_failure_context;
};

/* Whether the selection takes this case. */
bool executor_selects(const struct executor_options *, const struct case_def *);
/* Runs everything that is selected. Emits run.begin … run.end. Every attempt counts in *ret: a bench error stays
 * visible in the exit status even when the retry passed. Fails only where nothing could run at all (a rig file that
 * names what does not exist, a rig that does not start): *ret is then untouched and run.end is written all the same. */
int executor_run(const struct program *, struct loop *, struct timeline *, const struct executor_options *, struct verdict_tally *ret,
                 struct error *err) WARN_UNUSED;
/* Writes run.begin and a run.end with the reason, for a run whose rig file cannot be used. */
void executor_refuse(const struct program *, struct timeline *, const struct executor_options *, const struct error *why);

#endif
