/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of measurements, and the spans in which those of many runs are together. A span is always what its runs add up to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_private.h"
#include "results_private.h"

struct span {
	int64_t series, begin;
	const char *level, *rig;
	int64_t first, last, runs, n, min_ns, max_ns;
};

static int64_t begin_of(int64_t at, int64_t width)
{
	int64_t rest = at % width;
	return at - rest - (rest < 0 ? width : 0);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void span_join(struct span *s, const struct span *other)
{
	bool empty = s->runs == 0;
	s->first = empty ? other->first : least(s->first, other->first);
	s->last = empty ? other->last : most(s->last, other->last);
	s->min_ns = empty ? other->min_ns : least(s->min_ns, other->min_ns);
	s->max_ns = empty ? other->max_ns : most(s->max_ns, other->max_ns);
	s->runs += other->runs;
	s->n += other->n;
}

/* Columns first, last, runs, n, min_ns, max_ns, histogram of a row join the span and its histogram. */
static int row_join(sqlite3_stmt *row, struct span *s, struct histogram *h, struct error *err)
{
	struct span other = {
	        .first = sqlite3_column_int64(row, 0),
	        .last = sqlite3_column_int64(row, 1),
	        .runs = sqlite3_column_int64(row, 2),
	        .n = sqlite3_column_int64(row, 3),
	        .min_ns = sqlite3_column_int64(row, 4),
	        .max_ns = sqlite3_column_int64(row, 5),
	};
	span_join(s, &other);
	if (histogram_merge(h, sqlite3_column_blob(row, 6), (size_t)sqlite3_column_bytes(row, 6)) < 0)
		return error_set(err, ERROR_BENCH, EUCLEAN, "the book has a damaged histogram of measurement series %lld",
		                 (long long)s->series);
	return 0;
}

static int rows_join(struct book *book, sqlite3_stmt *rows, struct span *s, struct histogram *h, struct error *err)
{
	int r;
	while ((r = book_next(book, rows, err)) > 0)
		if ((r = row_join(rows, s, h, err)) < 0)
			break;
	return r;
}

static int span_write(struct book *book, const struct span *s, const struct histogram *h, struct error *err)
{
	struct bytes encoded = {0};
	int r = histogram_encode(h, &encoded) < 0 ? book_no_memory(err) : 0;
	if (r >= 0)
		r = book_execute(
		        book, err,
		        "INSERT INTO measured_spans (series, level, begin, rig, first, last, runs, n, min_ns, max_ns, histogram) VALUES "
		        "(?1, "
		        "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (series, level, begin, rig) DO UPDATE SET first = "
		        "excluded.first, last = excluded.last, runs = excluded.runs, n = excluded.n, min_ns = excluded.min_ns, max_ns = "
		        "excluded.max_ns, histogram = excluded.histogram",
		        VALUES(INTEGER(s->series), TEXT(s->level), INTEGER(s->begin), TEXT(s->rig), INTEGER(s->first), INTEGER(s->last),
		               INTEGER(s->runs), INTEGER(s->n), INTEGER(s->min_ns), INTEGER(s->max_ns),
		               BYTES(encoded.data, encoded.length)));
	bytes_free(&encoded);
	return r < 0 ? r : 0;
}

#define SPAN_COLUMNS "first, last, runs, n, min_ns, max_ns, histogram"

/* One more run (its figures in *run and h, which is changed). */
static int span_add(struct book *book, struct span run, struct histogram *h, const char *level, int64_t width, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	run.level = level;
	run.begin = begin_of(run.first, width);
	int r = book_select(book, &rows, err,
	                    "SELECT " SPAN_COLUMNS " FROM measured_spans WHERE series = ?1 AND level = ?2 AND begin = ?3 AND rig = ?4",
	                    VALUES(INTEGER(run.series), TEXT(level), INTEGER(run.begin), TEXT(run.rig)));
	if (r >= 0)
		r = rows_join(book, rows, &run, h, err);
	book_select_end(book, rows);
	return r < 0 ? r : span_write(book, &run, h, err);
}

/* A span anew, of the runs or of the hours that are left. */
static int span_renew(struct book *book, struct span s, struct histogram *h, struct error *err)
{
	bool hour = strcmp(s.level, "hour") == 0;
	int64_t end = s.begin + (hour ? HOUR_NS : DAY_NS);
	const char *sql = hour ? "SELECT at, at, 1, n, min_ns, max_ns, histogram FROM measured WHERE series = ?1 AND at >= ?2 AND at < ?3 "
	                         "AND rig = ?4 "
	                         "AND min_ns IS NOT NULL"
	                       : "SELECT " SPAN_COLUMNS
	                         " FROM measured_spans WHERE series = ?1 AND level = 'hour' AND begin >= ?2 AND begin < ?3 AND rig "
	                         "= ?4";
	sqlite3_stmt *rows = NULL;
	histogram_clear(h);
	int r = book_select(book, &rows, err, sql, VALUES(INTEGER(s.series), INTEGER(s.begin), INTEGER(end), TEXT(s.rig)));
	if (r >= 0)
		r = rows_join(book, rows, &s, h, err);
	book_select_end(book, rows);
	if (r >= 0 && s.runs > 0)
		r = span_write(book, &s, h, err);
	else if (r >= 0)
		r = book_execute(book, err, "DELETE FROM measured_spans WHERE series = ?1 AND level = ?2 AND begin = ?3 AND rig = ?4",
		                 VALUES(INTEGER(s.series), TEXT(s.level), INTEGER(s.begin), TEXT(s.rig)));
	return r < 0 ? r : 0;
}

/* ---- a run's figures ---- */
static int series_of(struct book *book, const struct measurement_result *m, int64_t *ret, struct error *err)
{
	int64_t name;
	int r = case_name_key(book, m->case_id, &name, err);
	if (r >= 0)
		r = book_execute(
		        book, err,
		        "INSERT INTO measurement_series (name, measurement, unit, virtual, title) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT "
		        "(name, "
		        "measurement, unit, virtual) DO UPDATE SET title = excluded.title WHERE title <> excluded.title",
		        VALUES(INTEGER(name), TEXT(m->id), TEXT(m->unit), INTEGER(m->virtual_rack), TEXT(m->title ? m->title : "")));
	if (r >= 0)
		r = book_integer(book, ret, err,
		                 "SELECT id FROM measurement_series WHERE name = ?1 AND measurement = ?2 AND unit = ?3 AND virtual = ?4",
		                 VALUES(INTEGER(name), TEXT(m->id), TEXT(m->unit), INTEGER(m->virtual_rack)));
	return r < 0 ? r : 0;
}

static int row_write(struct book *book, int64_t run, unsigned position, const struct measurement_result *m, const struct span *s,
                     const struct histogram *h, struct error *err)
{
	struct bytes encoded = {0};
	char *limits = json_dumps(m->limits, JSON_COMPACT);
	struct book_value none = TEXT(NULL);
	bool has = m->has_figures;
	int r = !limits || histogram_encode(h, &encoded) < 0 ? book_no_memory(err) : 0;
	if (r >= 0)
		r = book_execute(book, err,
		                 "INSERT INTO measured (series, run, position, rig, at, complete, n, min_ns, p50_ns, p95_ns, max_ns, "
		                 "limits, histogram) "
		                 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
		                 VALUES(INTEGER(s->series), INTEGER(run), INTEGER(position), TEXT(s->rig), INTEGER(s->first),
		                        INTEGER(m->complete), INTEGER(m->n), has ? INTEGER(m->min_ns) : none,
		                        has ? INTEGER(m->p50_ns) : none, has ? INTEGER(m->p95_ns) : none, has ? INTEGER(m->max_ns) : none,
		                        TEXT(limits), BYTES(encoded.data, encoded.length)));
	free(limits);
	bytes_free(&encoded);
	return r < 0 ? r : 0;
}

static void samples_join(const json_t *samples, struct histogram *h)
{
	const json_t *sample;
	size_t i;
	histogram_clear(h);
	json_array_foreach (samples, i, sample) {
		histogram_add(h, json_integer_value(json_object_get(sample, "value_ns")));
	}
}

/* When and on which rig a run was, into a span; the caller frees the rig's name. */
static int read_place(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	struct span *span = ret;
	span->first = span->last = sqlite3_column_int64(row, 0) > 0 ? sqlite3_column_int64(row, 0) : book_now_utc_ns();
	span->rig = column_text(row, 1);
	return span->rig ? 0 : book_no_memory(err);
}

int measured_add(struct book *book, int64_t run, unsigned position, const struct measurement_result *m, struct error *err)
{
	struct span s = {.runs = 1, .n = m->n, .min_ns = m->min_ns, .max_ns = m->max_ns};
	struct histogram *h = malloc(sizeof(*h));
	int r = h ? series_of(book, m, &s.series, err) : book_no_memory(err);
	if (r >= 0)
		r = book_by_id(book, "run", run, read_place, &s, err, "SELECT coalesce(started, ended, 0), rig FROM runs WHERE id = ?1");
	if (r >= 0) {
		samples_join(m->samples, h);
		r = row_write(book, run, position, m, &s, h, err);
	}
	if (r >= 0 && m->has_figures && (r = span_add(book, s, h, "hour", HOUR_NS, err)) >= 0) {
		samples_join(m->samples, h);
		r = span_add(book, s, h, "day", DAY_NS, err);
	}
	free((char *)s.rig);
	free(h);
	return r;
}

static int spans_of_run(struct book *book, int64_t run, struct span **ret, size_t *ret_count, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	int r = book_select(book, &rows, err, "SELECT series, at, rig FROM measured WHERE run = ?1 AND min_ns IS NOT NULL",
	                    VALUES(INTEGER(run)));
	while (r >= 0 && (r = book_next(book, rows, err)) > 0) {
		struct span *grown = reallocarray(*ret, *ret_count + 1, sizeof(**ret));
		char *rig = column_text(rows, 2);
		if (grown)
			*ret = grown;
		if (!grown || !rig) {
			free(rig);
			r = book_no_memory(err);
			break;
		}
		grown[(*ret_count)++] =
		        (struct span){.series = sqlite3_column_int64(rows, 0), .first = sqlite3_column_int64(rows, 1), .rig = rig};
	}
	book_select_end(book, rows);
	return r;
}

int measured_remove(struct book *book, int64_t run, struct error *err)
{
	struct span *spans = NULL;
	size_t count = 0;
	struct histogram *h = malloc(sizeof(*h));
	int r = h ? spans_of_run(book, run, &spans, &count, err) : book_no_memory(err);
	if (r >= 0)
		r = book_execute(book, err, "DELETE FROM measured WHERE run = ?1", VALUES(INTEGER(run)));
	for (size_t i = 0; i < count; i++) {
		struct span hour = {
		        .series = spans[i].series, .level = "hour", .rig = spans[i].rig, .begin = begin_of(spans[i].first, HOUR_NS)};
		struct span day = {
		        .series = spans[i].series, .level = "day", .rig = spans[i].rig, .begin = begin_of(spans[i].first, DAY_NS)};
		if (r >= 0)
			r = span_renew(book, hour, h, err);
		if (r >= 0)
			r = span_renew(book, day, h, err);
		free((char *)spans[i].rig);
	}
	free(spans);
	free(h);
	return r < 0 ? r : 0;
}
