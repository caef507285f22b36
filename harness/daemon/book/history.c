/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_private.h"
#include "results_private.h"

#define NIGHTS_LIMIT  60
#define HISTORY_LIMIT 1000
#define FIGURES_LIMIT 10000 /* newest runs of a case that are counted */

/* ---- the matrix: cases by jobs ---- */
static json_t *name_json(sqlite3_stmt *row)
{
	return column_text_json(row, 0);
}

static int series_names_put(struct book *book, json_t *matrix, struct error *err)
{
	/* From one name to the next by the index: there are few names and many jobs. */
	return book_json_list(
	        book, name_json, json_object_get(matrix, "series_names"), err,
	        "WITH RECURSIVE name (series) AS (SELECT min(series) FROM jobs UNION ALL SELECT (SELECT min(series) FROM jobs "
	        "WHERE series > name.series) FROM name WHERE name.series IS NOT NULL) SELECT series FROM name WHERE series IS "
	        "NOT NULL",
	        NO_VALUES);
}

static int jobs_put(struct book *book, json_t *matrix, const char *series, unsigned nights, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	json_t *jobs = json_object_get(matrix, "jobs");
	int r = book_select(book, &rows, err,
	                    "SELECT id, started, outcome FROM jobs WHERE series = ?1 AND state <> 'queued' ORDER BY id DESC LIMIT ?2",
	                    VALUES(TEXT(series), INTEGER(nights)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		json_t *job = json_pack("{s:o,s:o,s:o}", "id", column_integer_json(rows, 0), "started", column_time_json(rows, 1),
		                        "outcome", column_text_json(rows, 2));
		if (json_array_insert_new(jobs, 0, job) < 0)
			r = book_no_memory(err);
	}
	book_select_end(book, rows);
	return r;
}

static json_t *row_of_case(json_t *rows, const char *name, size_t columns)
{
	json_t *row = json_object_get(rows, name);
	if (row)
		return row;
	row = json_array();
	for (size_t i = 0; i < columns; i++)
		if (json_array_append_new(row, json_null()) < 0)
			break;
	return json_object_set_new(rows, name, row) < 0 ? NULL : row;
}

static int column_put(json_t *rows, const struct standings *all, int64_t job, size_t column, size_t columns)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct standing *s = &all->cases[i];
		/* As it counts: not begun is nothing yet while a run may still begin it, then it is skipped. */
		if (s->turn == TURN_MISSED && !standings_over(all))
			continue;
		const char *verdict = verdict_name(s->verdict);
		json_t *row = row_of_case(rows, s->name, columns);
		if (!row || json_array_set_new(row, column,
		                               json_pack("{s:I,s:s,s:b,s:I}", "job", (json_int_t)job, "verdict", verdict, "flaky", s->flaky,
		                                         "run", (json_int_t)s->run)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int newest_title(struct book *book, const char *name, json_t **ret, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = book_select(
	        book, &rows, err,
	        "SELECT t.title FROM cases c JOIN case_texts t ON t.id = c.text WHERE c.name = (SELECT id FROM case_names WHERE name = ?1) "
	        "ORDER BY c.run DESC LIMIT 1",
	        VALUES(TEXT(name)));
	if (r >= 0 && (r = book_next(book, rows, err)) > 0)
		*ret = column_text_json(rows, 0);
	else if (r == 0)
		*ret = json_string("");
	book_select_end(book, rows);
	return r < 0 ? r : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The rows, by id of their case. */
static int cases_put(struct book *book, json_t *matrix, json_t *rows, struct error *err)
{
	size_t count = 0;
	const char *name, **names = calloc(json_object_size(rows) + 1, sizeof(*names));
	json_t *row, *cases = json_object_get(matrix, "cases");
	if (!names)
		return book_no_memory(err);
	json_object_foreach (rows, name, row) {
		names[count++] = name;
	}
	qsort(names, count, sizeof(*names), compare_names);
	int r = 0;
	for (size_t i = 0; i < count && r >= 0; i++) {
		json_t *title = NULL;
		r = newest_title(book, names[i], &title, err);
		if (r >= 0 && json_array_append_new(cases, json_pack("{s:s,s:o,s:O}", "id", names[i], "title", title, "results",
		                                                     json_object_get(rows, names[i]))) < 0)
			r = book_no_memory(err);
	}
	free(names);
	return r;
}

static int results_put(struct book *book, json_t *matrix, struct error *err)
{
	json_t *jobs = json_object_get(matrix, "jobs"), *rows = json_object(), *job;
	size_t column;
	int r = rows ? 0 : book_no_memory(err);
	json_array_foreach (jobs, column, job) {
		struct standings all;
		int64_t id = json_integer_value(json_object_get(job, "id"));
		if (r < 0 || (r = standings_of(book, id, &all, err)) < 0)
			break;
		if (column_put(rows, &all, id, column, json_array_size(jobs)) < 0)
			r = book_no_memory(err);
		standings_clear(&all);
	}
	if (r >= 0)
		r = cases_put(book, matrix, rows, err);
	json_decref(rows);
	return r;
}

/* Without a series: that of the newest job. */
static int series_choose(struct book *book, const char *series, char **ret, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = 0;
	*ret = NULL;
	if (series)
		*ret = strdup(series);
	else if ((r = book_select(book, &rows, err, "SELECT series FROM jobs ORDER BY id DESC LIMIT 1", NO_VALUES)) >= 0 &&
	         (r = book_next(book, rows, err)) >= 0)
		*ret = r > 0 ? column_text(rows, 0) : strdup("");
	book_select_end(book, rows);
	return r < 0 ? r : *ret ? 0 : book_no_memory(err);
}

int book_matrix_json(struct book *book, const char *series, unsigned nights, json_t **ret, struct error *err)
{
	char *chosen;
	int r = series_choose(book, series, &chosen, err);
	if (r < 0)
		return r;
	json_t *matrix = json_pack("{s:s,s:[],s:[],s:[]}", "series", chosen, "series_names", "jobs", "cases");
	r = matrix ? series_names_put(book, matrix, err) : book_no_memory(err);
	if (r >= 0)
		r = jobs_put(book, matrix, chosen, nights < 1 ? 1 : nights > NIGHTS_LIMIT ? NIGHTS_LIMIT : nights, err);
	if (r >= 0)
		r = results_put(book, matrix, err);
	free(chosen);
	if (r < 0)
		json_decref(matrix);
	else
		*ret = matrix;
	return r < 0 ? r : 0;
}

/* ---- the history of a case ---- */
static json_t *entry_json(sqlite3_stmt *row, bool flaky)
{
	json_t *place = sqlite3_column_type(row, 7) == SQLITE_NULL
	                        ? json_null()
	                        : json_pack("{s:o,s:o,s:o}", "file", column_text_json(row, 7), "line", column_integer_json(row, 8),
	                                    "column", column_integer_json(row, 9));
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b}", "job", column_integer_json(row, 0), "run",
	                 column_integer_json(row, 1), "rig", column_text_json(row, 2), "at", column_time_json(row, 3), "verdict",
	                 column_text_json(row, 4), "cause", column_text_json(row, 5), "message", column_text_json(row, 6), "place", place,
	                 "duration_ns", column_integer_json(row, 10), "attempts", column_integer_json(row, 11), "flaky", flaky);
}

/* As in the job: also when it passed in this run at once, and not in an earlier one of the job. The entry that decides is the one. */
static int entry_flaky(struct book *book, sqlite3_stmt *row, int64_t name, bool *ret, struct error *err)
{
	struct standing s;
	*ret = false;
	if (strcmp((const char *)sqlite3_column_text(row, 4), "pass") != 0)
		return 0;
	int r = standing_of_case(book, sqlite3_column_int64(row, 0), name, &s, err);
	*ret = r >= 0 && s.flaky && s.run == sqlite3_column_int64(row, 1);
	return r;
}

static int entries_put(struct book *book, int64_t name, const char *series, unsigned limit, int64_t before, json_t *history,
                       struct error *err)
{
	sqlite3_stmt *rows = NULL;
	json_t *entries = json_object_get(history, "entries");
	int64_t last = 0;
	int r = book_select(
	        book, &rows, err,
	        "SELECT r.job, c.run, r.rig, coalesce(c.started, r.started, r.ended), c.verdict, c.cause, c.message, c.place_file, "
	        "c.place_line, c.place_column, c.duration_ns, c.attempts FROM cases c JOIN runs r ON r.id = c.run JOIN jobs j ON "
	        "j.id = r.job WHERE c.name = ?1 AND c.run < ?2 AND (?3 IS NULL OR j.series = ?3) ORDER BY c.run DESC LIMIT ?4",
	        VALUES(INTEGER(name), INTEGER(before > 0 ? before : INT64_MAX), TEXT(series), INTEGER(limit + 1)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		if (json_array_size(entries) == limit) {
			if (json_object_set_new(history, "next", json_integer(last)) < 0)
				r = book_no_memory(err);
			break;
		}
		last = sqlite3_column_int64(rows, 1);
		bool flaky;
		r = entry_flaky(book, rows, name, &flaky, err);
		if (r >= 0 && json_array_append_new(entries, entry_json(rows, flaky)) < 0)
			r = book_no_memory(err);
	}
	book_select_end(book, rows);
	return r;
}

struct job_flaky {
	int64_t job;
	bool flaky; /* in the one run */
};
struct figures {
	unsigned passed, failed, flips, flaky;
	int last; /* 1: pass, -1: fail, 0: none yet */
	struct job_flaky *runs;
	size_t run_count;
};

static void figures_add(struct figures *f, const char *verdict, int64_t job, bool flaky)
{
	int now = strcmp(verdict, "pass") == 0 ? 1 : strcmp(verdict, "fail") == 0 ? -1 : 0;
	f->passed += now > 0;
	f->failed += now < 0;
	f->runs[f->run_count++] = (struct job_flaky){job, flaky};
	if (now != 0 && f->last != 0 && now != f->last)
		f->flips++;
	if (now != 0)
		f->last = now;
}

static int compare_jobs(const void *a, const void *b)
{
	int64_t left = ((const struct job_flaky *)a)->job, right = ((const struct job_flaky *)b)->job;
	return (left > right) - (left < right);
}

/* Jobs in which it is flaky. Few have it in more than one run: only those are looked at as a whole. */
static int count_flaky(struct book *book, int64_t name, struct figures *f, struct error *err)
{
	struct standing s;
	int r = 0;
	qsort(f->runs, f->run_count, sizeof(*f->runs), compare_jobs);
	for (size_t i = 0, next; r >= 0 && i < f->run_count; i = next) {
		bool flaky = f->runs[i].flaky;
		for (next = i + 1; next < f->run_count && f->runs[next].job == f->runs[i].job;)
			next++;
		if (next - i > 1) {
			r = standing_of_case(book, f->runs[i].job, name, &s, err);
			flaky = r >= 0 && s.flaky;
		}
		f->flaky += flaky;
	}
	return r;
}

static int read_figures(struct book *book, int64_t name, const char *series, struct figures *f, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	const char *sql =
	        series ? "SELECT c.verdict, c.flaky, r.job FROM cases c JOIN runs r ON r.id = c.run JOIN jobs j ON j.id = r.job WHERE "
	                 "c.name = ?1 AND c.turn = 'begun' AND j.series = ?2 ORDER BY c.run DESC LIMIT ?3"
	               : "SELECT c.verdict, c.flaky, r.job FROM cases c CROSS JOIN runs r ON r.id = c.run WHERE c.name = ?1 AND c.turn = "
	                 "'begun' AND ?2 IS NULL ORDER BY c.run DESC LIMIT ?3";
	int r = book_select(book, &rows, err, sql, VALUES(INTEGER(name), TEXT(series), INTEGER(FIGURES_LIMIT)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0)
		figures_add(f, (const char *)sqlite3_column_text(rows, 0), sqlite3_column_int64(rows, 2), sqlite3_column_int(rows, 1));
	book_select_end(book, rows);
	return r >= 0 ? count_flaky(book, name, f, err) : r;
}

static int figures_put(struct book *book, int64_t name, const char *series, json_t *history, struct error *err)
{
	struct figures f = {.runs = calloc(FIGURES_LIMIT, sizeof(*f.runs))};
	int r = f.runs ? read_figures(book, name, series, &f, err) : book_no_memory(err);
	free(f.runs);
	if (r < 0)
		return r;
	json_t *figures = json_pack("{s:i,s:i,s:i,s:i}", "passed", (int)f.passed, "failed", (int)f.failed, "flips", (int)f.flips, "flaky",
	                            (int)f.flaky);
	r = json_object_update_missing(history, figures) < 0 ? book_no_memory(err) : 0;
	json_decref(figures);
	return r;
}

int book_case_history_json(struct book *book, const char *case_id, const char *series, unsigned limit, int64_t before, json_t **ret,
                           struct error *err)
{
	int64_t name;
	json_t *title = NULL, *history = NULL;
	int r = book_integer(book, &name, err, "SELECT id FROM case_names WHERE name = ?1", VALUES(TEXT(case_id)));
	if (r == -ENOENT)
		return error_set(err, ERROR_BENCH, ENOENT, "no run had a case %s", case_id);
	if (r >= 0)
		r = newest_title(book, case_id, &title, err);
	if (r >= 0 && !(history = json_pack("{s:s,s:o,s:[],s:n}", "id", case_id, "title", title, "entries", "next")))
		r = book_no_memory(err);
	if (r >= 0)
		r = entries_put(book, name, series, limit < 1 ? 1 : limit > HISTORY_LIMIT ? HISTORY_LIMIT : limit, before, history, err);
	if (r >= 0)
		r = figures_put(book, name, series, history, err);
	if (r < 0)
		json_decref(history);
	else
		*ret = history;
	return r < 0 ? r : 0;
}
