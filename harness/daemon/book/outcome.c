/* SPDX-License-Identifier: Apache-2.0 */
/* What a job comes to: its counts, its outcome, what has to be run again. */
#include <stdlib.h>

#include "book_private.h"
#include "results_private.h"

struct totals {
	unsigned planned, total, by_verdict[VERDICT_ERROR + 1], flaky, missed;
	struct verdict_tally tally;
};

static void totals_add(struct totals *t, enum verdict verdict, enum cause cause)
{
	t->total++;
	t->by_verdict[verdict]++;
	verdict_tally_add(&t->tally, verdict, cause);
}

/* Skipped, as the reports say; but nobody who wanted these cases run has what was asked for, and unless it was cancelled that is the
 * bench's fault. */
static void totals_add_missed(struct totals *t, bool cancelled)
{
	t->total += t->missed;
	t->by_verdict[VERDICT_SKIPPED] += t->missed;
	if (t->missed > 0 && !cancelled)
		verdict_tally_add(&t->tally, VERDICT_ERROR, CAUSE_BENCH);
}

static struct totals totals_of(const struct standings *all)
{
	struct totals t = {.planned = (unsigned)(all->count + json_array_size(all->unknown))};
	t.missed = (unsigned)json_array_size(all->unknown);
	for (size_t i = 0; i < all->count; i++) {
		const struct standing *s = &all->cases[i];
		if (s->turn == TURN_MISSED) {
			t.missed++;
			continue;
		}
		totals_add(&t, s->verdict, s->cause);
		t.flaky += s->flaky;
	}
	if (standings_over(all))
		totals_add_missed(&t, all->cancelled);
	return t;
}

/* Runs that did not come to their end, and that no later run of their shard and no retry made good. *ret_stopped: of those, the ones that
 * were stopped. */
static int runs_broken(struct book *book, int64_t job, struct verdict_tally *tally, unsigned *ret_stopped, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	*ret_stopped = 0;
	int r = book_select(
	        book, &rows, err,
	        "SELECT outcome, cause FROM runs r WHERE job = ?1 AND outcome IN ('error', 'cancelled') AND NOT EXISTS (SELECT 1 FROM "
	        "runs l WHERE l.job = r.job AND l.number > r.number AND (l.shard = r.shard OR l.retry = 1))",
	        VALUES(INTEGER(job)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		enum cause cause = CAUSE_BENCH;
		if (sqlite3_column_text(rows, 0)[0] == 'c')
			++*ret_stopped;
		else
			(void)!cause_parse((const char *)sqlite3_column_text(rows, 1), &cause);
		verdict_tally_add(tally, VERDICT_ERROR, cause == CAUSE_OPERATOR || cause == CAUSE_DUT ? CAUSE_BENCH : cause);
	}
	book_select_end(book, rows);
	return r;
}

static enum job_outcome outcome_of(const struct standings *all, const struct totals *t, unsigned stopped)
{
	if (all->cancelled && (t->missed > 0 || stopped > 0 || t->total == 0))
		return OUTCOME_CANCELLED;
	if (t->total == 0)
		return OUTCOME_ERROR; /* nothing was tested */
	switch (verdict_exit_status(&t->tally)) {
	case 0:
		return OUTCOME_PASSED;
	case 1:
		return OUTCOME_FAILED;
	case 4:
		return OUTCOME_INCONCLUSIVE;
	case 130:
		return all->cancelled ? OUTCOME_CANCELLED : OUTCOME_ERROR;
	default:
		return OUTCOME_ERROR;
	}
}

int book_job_counts(struct book *book, int64_t job, json_t **ret_counts, enum job_outcome *ret_outcome, struct error *err)
{
	struct standings all;
	unsigned stopped;
	int r = standings_of(book, job, &all, err);
	if (r < 0)
		return r;
	struct totals t = totals_of(&all);
	r = runs_broken(book, job, &t.tally, &stopped, err);
	if (r >= 0) {
		*ret_outcome = outcome_of(&all, &t, stopped);
		*ret_counts = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "planned", (int)t.planned, "total", (int)t.total, "pass",
		                        (int)t.by_verdict[VERDICT_PASS], "fail", (int)t.by_verdict[VERDICT_FAIL], "inconclusive",
		                        (int)t.by_verdict[VERDICT_INCONCLUSIVE], "error", (int)t.by_verdict[VERDICT_ERROR], "skipped",
		                        (int)t.by_verdict[VERDICT_SKIPPED], "flaky", (int)t.flaky);
		r = *ret_counts ? 0 : book_no_memory(err);
	}
	standings_clear(&all);
	return r;
}

static bool to_run_again(const struct standing *s, bool bench_only)
{
	if (s->turn == TURN_MISSED)
		return true;
	if (bench_only)
		return s->verdict == VERDICT_ERROR && s->cause == CAUSE_BENCH;
	return s->turn == TURN_LEFT || (s->verdict != VERDICT_PASS && s->verdict != VERDICT_SKIPPED);
}

int book_job_unpassed(struct book *book, int64_t job, bool bench_only, json_t **ret, struct error *err)
{
	struct standings all;
	int r = standings_of(book, job, &all, err);
	if (r < 0)
		return r;
	json_t *list = json_array();
	int failed = !list;
	for (size_t i = 0; i < all.count; i++)
		if (to_run_again(&all.cases[i], bench_only))
			failed |= json_array_append_new(list, json_string(all.cases[i].name)) < 0;
	failed |= json_array_extend(list, all.unknown) < 0;
	standings_clear(&all);
	if (failed) {
		json_decref(list);
		return book_no_memory(err);
	}
	*ret = list;
	return 0;
}

static int compare_ns(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

int book_case_expected_ns(struct book *book, const char *case_id, int64_t *ret, struct error *err)
{
	int64_t durations[10];
	size_t count = 0;
	sqlite3_stmt *rows = NULL;
	int r = book_select(book, &rows, err,
	                    "SELECT duration_ns FROM cases WHERE name = (SELECT id FROM case_names WHERE name = ?1) AND turn = 'begun' "
	                    "ORDER BY run DESC "
	                    "LIMIT 10",
	                    VALUES(TEXT(case_id)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0 && count < sizeof(durations) / sizeof(durations[0]))
		durations[count++] = sqlite3_column_int64(rows, 0);
	book_select_end(book, rows);
	qsort(durations, count, sizeof(*durations), compare_ns);
	*ret = count == 0 ? -1 : (durations[(count - 1) / 2] + durations[count / 2]) / 2;
	return r < 0 ? r : 0;
}
