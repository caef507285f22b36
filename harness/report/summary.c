/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "report.h"
#include "text.h"

static char *copy(const char *s, bool *failed)
{
	char *duplicate = strdup(s ? s : "");
	*failed = *failed || !duplicate;
	return duplicate;
}

static void problem_fill(struct report_problem *problem, const struct report_case *c, bool *failed)
{
	const struct report_attempt *a = report_case_attempt(c);
	const char *message = a->message && *a->message != '\0' ? a->message : a->step.message;
	problem->case_id = copy(c->id, failed);
	problem->message = copy(message, failed);
	problem->verdict = a->verdict;
	problem->cause = a->cause;
	problem->place = a->place;
}

static void figure_fill(struct report_figure *figure, const struct report_measurement *m, bool *failed)
{
	*figure = (struct report_figure){.virtual_rack = m->virtual_rack, .complete = m->complete, .n = m->n};
	figure->case_id = copy(m->case_id, failed);
	figure->id = copy(m->id, failed);
	figure->title = copy(m->title, failed);
	figure->p50_ns = m->p50_ns;
	figure->p95_ns = m->p95_ns;
	figure->max_ns = m->max_ns;
	figure->uncertainty_ns = m->uncertainty_ns;
}

static char *path_below(const char *directory, const char *name, bool *failed)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		*failed = true;
		return NULL;
	}
	return path;
}

/* The lines about the run as a whole. */
static bool lines_fill(struct report_summary *s, const struct report_run *run)
{
	const struct report_failure *failure = &run->failure;
	s->failed_at_end = failure->at_end;
	bool failed = report_run_status_reason(run, &s->status_reason) < 0;
	if (failure->message && failure->place.file)
		failed |= asprintf(&s->failure, "%s:%u:%u: %s", failure->place.file, failure->place.line, failure->place.column,
		                   failure->message) < 0;
	else if (failure->message)
		s->failure = copy(failure->message, &failed);
	if (run->stop.message)
		s->stop = copy(run->stop.message, &failed);
	s->never_began = calloc(run->lost_run_count + 1, sizeof(*s->never_began));
	for (size_t i = 0; s->never_began && i < run->lost_run_count; i++) {
		const struct report_lost_run *lost = &run->lost_runs[i];
		char *line = NULL;
		if (asprintf(&line, "run %s never began%s%s", lost->label, lost->message ? ": " : "", lost->message ? lost->message : "") <
		    0)
			return false;
		s->never_began[s->never_began_count++] = line;
	}
	failed = failed || !s->never_began;
	s->lost_boards = calloc(run->lost_board_count + 1, sizeof(*s->lost_boards));
	for (size_t i = 0; s->lost_boards && i < run->lost_board_count; i++) {
		const struct report_lost_board *lost = &run->lost_boards[i];
		char seconds[TEXT_NUMBER_SIZE], *line = NULL;
		if (asprintf(&line, "Board %s was given up %s s after the begin, since case %s: %s", lost->board,
		             text_seconds(lost->at_ns - run->begin_ns, seconds), lost->case_id ? lost->case_id : "?",
		             lost->message ? lost->message : "?") < 0)
			return false;
		s->lost_boards[s->lost_board_count++] = line;
	}
	return !failed && s->lost_boards;
}

static bool sweeps_fill(struct report_summary *s, const struct report_run *run)
{
	s->sweeps = calloc(run->sweep_count + 1, sizeof(*s->sweeps));
	for (size_t i = 0; s->sweeps && i < run->sweep_count; i++) {
		struct text line = {0};
		bool failed = false;
		report_sweep_put_line(&line, &run->sweeps[i]);
		s->sweeps[s->sweep_count++] = copy(text_end(&line), &failed);
		failed = failed || line.failed;
		text_free(&line);
		if (failed)
			return false;
	}
	return s->sweeps;
}

static bool summary_fill(struct report_summary *s, const struct report_run *run, const char *directory)
{
	bool failed = false;
	s->total = (unsigned)run->case_count;
	s->planned = run->planned;
	s->begun = run->begun;
	memcpy(s->by_verdict, run->by_verdict, sizeof(s->by_verdict));
	s->flaky = run->flaky;
	s->virtual_rack = run->virtual_rack;
	s->interrupted = run->interrupted;
	s->complete = run->complete;
	s->journal_cut = run->journal_cut;
	failed = !lines_fill(s, run) || !sweeps_fill(s, run);
	s->problems = calloc(run->case_count + 1, sizeof(*s->problems));
	s->figures = calloc(run->measurement_count + 1, sizeof(*s->figures));
	if (directory) {
		s->junit_path = path_below(directory, "junit.xml", &failed);
		s->html_path = path_below(directory, "report.html", &failed);
		s->results_path = path_below(directory, "results.json", &failed);
	}
	if (!s->problems || !s->figures)
		return false;
	for (size_t i = 0; i < run->case_count; i++) {
		enum verdict verdict = report_case_attempt(&run->cases[i])->verdict;
		if (verdict != VERDICT_PASS && verdict != VERDICT_SKIPPED)
			problem_fill(&s->problems[s->problem_count++], &run->cases[i], &failed);
	}
	for (size_t i = 0; i < run->measurement_count; i++)
		figure_fill(&s->figures[s->figure_count++], &run->measurements[i], &failed);
	return !failed;
}

int report_summary_load(const char *run_directory, struct report_summary *ret, struct error *err)
{
	char path[PATH_MAX];
	struct report_run *run = NULL;
	if (snprintf(path, sizeof(path), "%s/events.jsonl", run_directory) >= (int)sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "the path of the run's directory is too long");
	int r = report_run_read(path, &run, err);
	if (r < 0)
		return r;
	r = report_summary_of(run, run_directory, ret, err);
	report_run_free(run);
	return r;
}

int report_summary_of(const struct report_run *run, const char *directory, struct report_summary *ret, struct error *err)
{
	struct report_summary summary = {0};
	if (!summary_fill(&summary, run, directory)) {
		report_summary_free(&summary);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	*ret = summary;
	return 0;
}

void report_summary_free(struct report_summary *s)
{
	for (size_t i = 0; i < s->problem_count; i++) {
		free(s->problems[i].case_id);
		free(s->problems[i].message);
	}
	for (size_t i = 0; i < s->figure_count; i++) {
		free(s->figures[i].case_id);
		free(s->figures[i].id);
		free(s->figures[i].title);
	}
	for (size_t i = 0; i < s->lost_board_count; i++)
		free(s->lost_boards[i]);
	free(s->lost_boards);
	for (size_t i = 0; i < s->sweep_count; i++)
		free(s->sweeps[i]);
	free(s->sweeps);
	for (size_t i = 0; i < s->never_began_count; i++)
		free(s->never_began[i]);
	free(s->never_began);
	free(s->stop);
	free(s->failure);
	free(s->status_reason);
	free(s->problems);
	free(s->figures);
	free(s->junit_path);
	free(s->html_path);
	free(s->results_path);
	*s = (struct report_summary){0};
}

static void print_problem(FILE *out, const struct report_problem *p)
{
	/* What was typed in a shell has a name, and no file. */
	if (p->place.file && p->place.file[0])
		fprintf(out, "%s:%u:%u: ", p->place.file, p->place.line, p->place.column ? p->place.column : 1);
	fprintf(out, "%s", verdict_name(p->verdict));
	if (p->cause != CAUSE_NONE)
		fprintf(out, " (%s)", cause_name(p->cause));
	fprintf(out, ": %s: %s\n", p->case_id, p->message);
}

static void print_figure(FILE *out, const struct report_figure *f)
{
	const char *label = f->virtual_rack ? " (virtual)" : "";
	if (!f->complete) {
		fprintf(out, "%s/%s: n %" PRIu64 ", not complete%s\n", f->case_id, f->id, f->n, label);
		return;
	}
	char p50[TEXT_NUMBER_SIZE], p95[TEXT_NUMBER_SIZE], max[TEXT_NUMBER_SIZE], uncertainty[TEXT_NUMBER_SIZE];
	fprintf(out, "%s/%s: p50 %s ms, p95 %s ms, max %s ms, n %" PRIu64 ", uncertainty ±%s ms%s\n", f->case_id, f->id,
	        text_ms(f->p50_ns, p50), text_ms(f->p95_ns, p95), text_ms(f->max_ns, max), f->n, text_ms(f->uncertainty_ns, uncertainty),
	        label);
}

static void print_state(FILE *out, const struct report_summary *s)
{
	for (size_t i = 0; i < s->lost_board_count; i++)
		fprintf(out, "%s\n", s->lost_boards[i]);
	if (s->failure)
		fprintf(out, "%s: %s\n", s->failed_at_end ? "An error at the end of the run" : "The run could not start", s->failure);
	for (size_t i = 0; i < s->never_began_count; i++)
		fprintf(out, "%s\n", s->never_began[i]);
	if (s->stop)
		fprintf(out, "Ended at a limit: %s\n", s->stop);
	else if (s->interrupted)
		fprintf(out, "The run was interrupted.\n");
	else if (!s->complete && s->never_began_count == 0)
		fprintf(out, "The journal ends without the end of the run.\n");
	if (s->journal_cut)
		fprintf(out, "The last line of the journal is cut off and was left out.\n");
	if (s->planned > s->begun)
		fprintf(out, "%u of %u case%s begun.\n", s->begun, s->planned, s->planned == 1 ? " was" : "s were");
}

void report_summary_print(FILE *out, const struct report_summary *s)
{
	for (size_t i = 0; i < s->problem_count; i++)
		print_problem(out, &s->problems[i]);
	for (size_t i = 0; i < s->figure_count; i++)
		print_figure(out, &s->figures[i]);
	for (size_t i = 0; i < s->sweep_count; i++)
		fprintf(out, "%s\n", s->sweeps[i]);
	print_state(out, s);
	fprintf(out, "%u case%s%s: %u passed, %u failed, %u in error, %u inconclusive, %u skipped", s->total, s->total == 1 ? "" : "s",
	        s->virtual_rack ? " on a virtual rack" : "", s->by_verdict[VERDICT_PASS], s->by_verdict[VERDICT_FAIL],
	        s->by_verdict[VERDICT_ERROR], s->by_verdict[VERDICT_INCONCLUSIVE], s->by_verdict[VERDICT_SKIPPED]);
	if (s->flaky > 0)
		fprintf(out, "; %u passed only when repeated", s->flaky);
	if (s->status_reason)
		fprintf(out, "\n%s", s->status_reason);
	fputc('\n', out);
	if (s->results_path)
		fprintf(out, "results  %s\njunit    %s\nreport   %s\n", s->results_path, s->junit_path, s->html_path);
}
