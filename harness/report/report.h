/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of a run, made from its journal alone (docs/reference/journal.md), so that a run can be reported again
 * without the bench, also one that was interrupted or killed.
 */
#ifndef HARNESS_REPORT_REPORT_H
#define HARNESS_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../base/error.h"
#include "../base/verdict.h"

/* How reports are written. */
struct report_options {
	/* For readers elsewhere: no file is named by an absolute path or outside of the reports (portable.h), nothing is attached, and the
	 * summary has no paths. */
	bool portable;
};

/* Reads run_directory/events.jsonl and writes results.json, junit.xml and report.html beside it. Each file is written
 * under a temporary name, flushed and renamed: after an error (ERROR_BENCH: disk full, unreadable, a bad line as
 * file:line) a report of before is still whole. The same journal gives the same bytes. */
int report_write_all(const char *run_directory, struct error *err) WARN_UNUSED;
/* The same, from the options, with its summary (report_summary_load()) unless ret is NULL. */
struct report_summary;
int report_write(const char *run_directory, const struct report_options *, struct report_summary *ret, struct error *err) WARN_UNUSED;

/* A case that did not pass and was not skipped. Strings are UTF-8 and owned by the summary. */
struct report_problem {
	char *case_id, *message;
	enum verdict verdict;
	enum cause cause;
	struct place place; /* of the step that failed, else of the case */
};
struct report_figure {
	char *case_id, *id, *title;
	bool virtual_rack, complete; /* not complete: the run ended before the measurement did, no statistics */
	uint64_t n;
	int64_t p50_ns, p95_ns, max_ns, uncertainty_ns;
};
/* What a terminal wants to know after a run. */
struct report_summary {
	unsigned total;          /* cases, also those that were not begun (skipped) */
	unsigned begun, planned; /* cases begun; to be begun (0 unknown): each as often as it repeats */
	unsigned by_verdict[VERDICT_ERROR + 1];
	unsigned flaky;                           /* passed, but not in every attempt */
	bool virtual_rack, interrupted, complete; /* not complete: the journal has no run.end */
	bool journal_cut;                         /* its last line is cut off and was left out */
	struct report_problem *problems;
	size_t problem_count;
	struct report_figure *figures;
	size_t figure_count;
	char *stop;         /* the limit at which the run's keeper ended it; NULL: it did not */
	char **never_began; /* of several runs, a line for each without a journal: its label, and why if that is known */
	size_t never_began_count;
	char *failure;       /* why the run could not start, with its place, or what broke at its end; NULL: nothing */
	bool failed_at_end;  /* failure: the cases had run */
	char *status_reason; /* why the status is worse than the verdicts; NULL: it is not */
	char **lost_boards;  /* a line each */
	size_t lost_board_count;
	char **sweeps; /* forged PDUs, counted: a line each */
	size_t sweep_count;
	char *junit_path, *html_path, *results_path; /* below run_directory as given; NULL: not to be printed (report_options) */
};
/* 0, or -errno with err filled and *ret untouched. Release with report_summary_free(). */
int report_summary_load(const char *run_directory, struct report_summary *ret, struct error *err) WARN_UNUSED;
/* The same of a run that was read; directory: where its reports are, NULL: the summary gets no paths. */
struct report_run;
int report_summary_of(const struct report_run *, const char *directory, struct report_summary *ret, struct error *err) WARN_UNUSED;
/* Writes the reports of several runs together (merge.h) into `directory`, and gives their summary. */
struct merge_part;
int report_write_merged(const char *directory, const struct merge_part *parts, size_t count, const struct report_options *,
                        struct report_summary *ret, struct error *err) WARN_UNUSED;
void report_summary_free(struct report_summary *);
/* Plain lines: problems as file:line:column messages, measurements, counts, paths. */
void report_summary_print(FILE *, const struct report_summary *);

#endif
