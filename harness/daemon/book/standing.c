/* SPDX-License-Identifier: Apache-2.0 */
/* How the cases of a job stand over all its runs: shards, retries, runs that the bench broke. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_private.h"
#include "results_private.h"

/* A case while its runs are read, in their order. */
struct fold {
	struct standing last, earlier;
	bool has_earlier; /* `earlier`: the heaviest before the last that was not the bench's fault */
	bool unsteady;    /* an attempt did not pass */
};

static bool bench_broke(const struct standing *s)
{
	return s->verdict == VERDICT_ERROR && s->cause == CAUSE_BENCH;
}

static void fold_begin(struct fold *f, const struct standing *first)
{
	*f = (struct fold){.last = *first};
	f->unsteady = first->turn == TURN_BEGUN && (first->flaky || first->verdict != VERDICT_PASS);
}

static void fold_take(struct fold *f, const struct standing *next)
{
	if (next->turn == TURN_BEGUN)
		f->unsteady = f->unsteady || next->flaky || next->verdict != VERDICT_PASS;
	if (next->turn != TURN_BEGUN && f->last.turn == TURN_BEGUN)
		return;
	if (f->last.turn == TURN_BEGUN && !bench_broke(&f->last) && (!f->has_earlier || f->last.verdict >= f->earlier.verdict)) {
		f->earlier = f->last;
		f->has_earlier = true;
	}
	f->last = *next;
}

/* Trying again never hides what the device did. */
static struct standing fold_decide(const struct fold *f)
{
	struct standing s = f->has_earlier && f->earlier.verdict > f->last.verdict ? f->earlier : f->last;
	s.flaky = s.turn == TURN_BEGUN && s.verdict == VERDICT_PASS && f->unsteady;
	return s;
}

static enum case_turn turn_of(const char *name)
{
	enum case_turn turn = TURN_BEGUN;
	while (turn < TURN_LEFT && strcmp(name, case_turn_name(turn)) != 0)
		turn++;
	return turn;
}

static struct standing row_standing(sqlite3_stmt *row)
{
	struct standing s = {
	        .name_key = sqlite3_column_int64(row, 0),
	        .run = sqlite3_column_int64(row, 2),
	        .turn = turn_of((const char *)sqlite3_column_text(row, 3)),
	        .verdict = VERDICT_ERROR,
	        .flaky = sqlite3_column_int(row, 6),
	};
	(void)!verdict_parse((const char *)sqlite3_column_text(row, 4), &s.verdict);
	(void)!cause_parse((const char *)sqlite3_column_text(row, 5), &s.cause);
	return s;
}

/* Runs come in their order; a case is found by its name. */
struct folds {
	struct fold *cases;
	size_t count, room;
	json_t *index; /* name -> index */
};

static int fold_new(struct folds *folds, const struct standing *first, const char *name, struct error *err)
{
	if (folds->count == folds->room) {
		size_t room = folds->room ? 2 * folds->room : 64;
		struct fold *grown = reallocarray(folds->cases, room, sizeof(*grown));
		if (!grown)
			return book_no_memory(err);
		folds->cases = grown;
		folds->room = room;
	}
	fold_begin(&folds->cases[folds->count], first);
	if (json_object_set_new(folds->index, name, json_integer((json_int_t)folds->count)) < 0)
		return book_no_memory(err);
	folds->count++;
	return 0;
}

static int read_cases(struct book *book, int64_t job, struct folds *folds, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = book_select(book, &rows, err,
	                    "SELECT c.name, n.name, c.run, c.turn, c.verdict, c.cause, c.flaky FROM runs r CROSS JOIN cases c ON c.run = "
	                    "r.id CROSS JOIN "
	                    "case_names n ON n.id = c.name WHERE r.job = ?1 ORDER BY r.number",
	                    VALUES(INTEGER(job)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		struct standing next = row_standing(rows);
		const char *name = (const char *)sqlite3_column_text(rows, 1);
		const json_t *index = json_object_get(folds->index, name);
		if (index)
			fold_take(&folds->cases[json_integer_value(index)], &next);
		else
			r = fold_new(folds, &next, name, err);
	}
	book_select_end(book, rows);
	return r;
}

int standing_of_case(struct book *book, int64_t job, int64_t name_key, struct standing *ret, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	struct fold fold;
	bool begun = false;
	int r = book_select(book, &rows, err,
	                    "SELECT c.name, NULL, c.run, c.turn, c.verdict, c.cause, c.flaky FROM runs r CROSS JOIN cases c ON c.run = "
	                    "r.id AND c.name = ?2 WHERE r.job = ?1 ORDER BY r.number",
	                    VALUES(INTEGER(job), INTEGER(name_key)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		struct standing next = row_standing(rows);
		if (begun)
			fold_take(&fold, &next);
		else
			fold_begin(&fold, &next);
		begun = true;
	}
	book_select_end(book, rows);
	*ret = r >= 0 && begun ? fold_decide(&fold) : (struct standing){0};
	return r < 0 ? r : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct standing *)a)->name, ((const struct standing *)b)->name);
}

static int decide(const struct folds *folds, struct standings *all, struct error *err)
{
	const char *name;
	json_t *index;
	if (!(all->cases = calloc(folds->count + 1, sizeof(*all->cases))))
		return book_no_memory(err);
	json_object_foreach (folds->index, name, index) {
		struct standing *s = &all->cases[all->count];
		*s = fold_decide(&folds->cases[json_integer_value(index)]);
		if (!(s->name = strdup(name)))
			return book_no_memory(err);
		all->count++;
	}
	qsort(all->cases, all->count, sizeof(*all->cases), compare_names);
	return 0;
}

/* What was asked for, less what is known already. */
static int read_asked(struct book *book, int64_t job, const char *sql, json_t *index, json_t *unknown, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = book_select(book, &rows, err, sql, VALUES(INTEGER(job)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		json_t *asked = column_json(rows, 0), *name;
		size_t i;
		json_array_foreach (asked, i, name) {
			const char *text = json_string_value(name);
			if (!text || json_object_get(index, text))
				continue;
			if (json_object_set_new(index, text, json_integer(0)) < 0 || json_array_append(unknown, name) < 0)
				r = book_no_memory(err);
		}
		json_decref(asked);
	}
	book_select_end(book, rows);
	return r;
}

static int read_all(struct book *book, int64_t job, struct standings *all, struct error *err)
{
	struct folds folds = {.index = json_object()};
	all->unknown = json_array();
	int r = folds.index && all->unknown ? read_cases(book, job, &folds, err) : book_no_memory(err);
	if (r >= 0)
		r = decide(&folds, all, err);
	if (r >= 0)
		r = read_asked(book, job, "SELECT only_cases FROM jobs WHERE id = ?1", folds.index, all->unknown, err);
	if (r >= 0)
		r = read_asked(book, job, "SELECT cases FROM runs WHERE job = ?1 ORDER BY number", folds.index, all->unknown, err);
	free(folds.cases);
	json_decref(folds.index);
	return r;
}

static int read_job(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct standings *all = ret;
	all->cancelled = sqlite3_column_int(row, 0);
	all->runs = (unsigned)sqlite3_column_int(row, 1);
	all->open_runs = (unsigned)sqlite3_column_int(row, 2);
	return 0;
}

int standings_of(struct book *book, int64_t job, struct standings *ret, struct error *err)
{
	*ret = (struct standings){0};
	int r = book_by_id(
	        book, "job", job, read_job, ret, err,
	        "SELECT cancelled, (SELECT count(*) FROM runs WHERE job = j.id), (SELECT count(*) FROM runs WHERE job = j.id AND "
	        "state <> 'done') FROM jobs j WHERE id = ?1");
	if (r >= 0)
		r = read_all(book, job, ret, err);
	if (r < 0)
		standings_clear(ret);
	return r < 0 ? r : 0;
}

void standings_clear(struct standings *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->cases[i].name);
	free(all->cases);
	json_decref(all->unknown);
	*all = (struct standings){0};
}

bool standings_over(const struct standings *all)
{
	return all->open_runs == 0;
}
