/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_private.h"
#include "results_private.h"

#define POINTS_LIMIT 5000

struct query {
	struct book *book;
	int64_t series, from_ns, to_ns;
	const char *rig; /* NULL: all */
	unsigned points;
};

static int64_t monotone_from(const struct query *q, int64_t width)
{
	/* A span that began before and reaches into it counts. */
	return q->from_ns < width ? INT64_MIN : q->from_ns - width + 1;
}

#define QUERY_VALUES(q, low) VALUES(INTEGER((q)->series), INTEGER(low), INTEGER((q)->to_ns), TEXT((q)->rig), INTEGER((q)->points + 1))
#define SPAN_WHERE(level)    "series = ?1 AND level = '" level "' AND begin >= ?2 AND begin < ?3 AND (?4 IS NULL OR rig = ?4)"
#define RUN_WHERE            "series = ?1 AND min_ns IS NOT NULL AND at >= ?2 AND at < ?3 AND (?4 IS NULL OR rig = ?4)"

/* ---- the points ---- */
struct point {
	int64_t first, last, runs, n, min_ns, max_ns;
};

static int point_put(json_t *points, const struct point *p, const struct histogram *h, struct error *err)
{
	json_t *point = json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:n,s:n}", "at", book_time_json(p->first), "until", book_time_json(p->last),
	                          "runs", (json_int_t)p->runs, "n", (json_int_t)p->n, "min_ns", (json_int_t)p->min_ns, "max_ns",
	                          (json_int_t)p->max_ns, "job", "run");
	json_t *p50 = h->total ? json_integer(histogram_quantile(h, 500, p->min_ns, p->max_ns)) : json_null();
	json_t *p95 = h->total ? json_integer(histogram_quantile(h, 950, p->min_ns, p->max_ns)) : json_null();
	int failed = json_object_set_new(point, "p50_ns", p50) < 0;
	failed |= json_object_set_new(point, "p95_ns", p95) < 0;
	failed |= json_array_append_new(points, point) < 0;
	return failed ? book_no_memory(err) : 0;
}

static void point_join(struct point *p, sqlite3_stmt *row)
{
	int64_t first = sqlite3_column_int64(row, 1), last = sqlite3_column_int64(row, 2);
	int64_t min_ns = sqlite3_column_int64(row, 5), max_ns = sqlite3_column_int64(row, 6);
	bool empty = p->runs == 0;
	p->first = empty || first < p->first ? first : p->first;
	p->last = empty || last > p->last ? last : p->last;
	p->min_ns = empty || min_ns < p->min_ns ? min_ns : p->min_ns;
	p->max_ns = empty || max_ns > p->max_ns ? max_ns : p->max_ns;
	p->runs += sqlite3_column_int64(row, 3);
	p->n += sqlite3_column_int64(row, 4);
}

/* Rows by begin; `together` of them that differ in begin make a point. */
static int points_of_spans(struct query *q, sqlite3_stmt *rows, unsigned together, struct histogram *h, json_t *points, struct error *err)
{
	struct point p = {0};
	int64_t begin = 0;
	unsigned begins = 0;
	int r;
	histogram_clear(h);
	while ((r = book_next(q->book, rows, err)) > 0) {
		if (begins > 0 && sqlite3_column_int64(rows, 0) != begin && begins++ == together) {
			if ((r = point_put(points, &p, h, err)) < 0)
				return r;
			p = (struct point){0};
			histogram_clear(h);
			begins = 1;
		}
		begins = begins ? begins : 1;
		begin = sqlite3_column_int64(rows, 0);
		point_join(&p, rows);
		if (histogram_merge(h, sqlite3_column_blob(rows, 7), (size_t)sqlite3_column_bytes(rows, 7)) < 0)
			return error_set(err, ERROR_BENCH, EUCLEAN, "the book has a damaged histogram of measurement series %lld",
			                 (long long)q->series);
	}
	return r < 0 || p.runs == 0 ? r : point_put(points, &p, h, err);
}

static int spans_put(struct query *q, bool hours, unsigned together, json_t *points, struct error *err)
{
	sqlite3_stmt *rows = NULL;
	struct histogram *h = malloc(sizeof(*h));
	const char *sql = hours ? "SELECT begin, first, last, runs, n, min_ns, max_ns, histogram FROM measured_spans WHERE " SPAN_WHERE(
	                                  "hour") " ORDER BY "
	                                          "begin, rig"
	                        : "SELECT begin, first, last, runs, n, min_ns, max_ns, histogram FROM measured_spans WHERE " SPAN_WHERE(
	                                  "day") " ORDER BY "
	                                         "begin, rig";
	int r = h ? book_select(q->book, &rows, err, sql,
	                        VALUES(INTEGER(q->series), INTEGER(monotone_from(q, hours ? HOUR_NS : DAY_NS)), INTEGER(q->to_ns),
	                               TEXT(q->rig)))
	          : book_no_memory(err);
	if (r >= 0)
		r = points_of_spans(q, rows, together, h, points, err);
	book_select_end(q->book, rows);
	free(h);
	return r;
}

static json_t *point_of_run(sqlite3_stmt *row)
{
	return json_pack("{s:o,s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "at", column_time_json(row, 0), "until", column_time_json(row, 0),
	                 "runs", 1, "n", column_integer_json(row, 1), "min_ns", column_integer_json(row, 2), "p50_ns",
	                 column_integer_json(row, 3), "p95_ns", column_integer_json(row, 4), "max_ns", column_integer_json(row, 5), "job",
	                 column_integer_json(row, 6), "run", column_integer_json(row, 7));
}

static int runs_put(struct query *q, json_t *points, struct error *err)
{
	return book_json_list(
	        q->book, point_of_run, points, err,
	        "SELECT m.at, m.n, m.min_ns, m.p50_ns, m.p95_ns, m.max_ns, (SELECT job FROM runs WHERE id = m.run), m.run FROM measured m "
	        "WHERE " RUN_WHERE " ORDER BY m.at, m.run",
	        VALUES(INTEGER(q->series), INTEGER(q->from_ns), INTEGER(q->to_ns), TEXT(q->rig)));
}

/* The finest level with at most as many points as are asked for: runs, hours, days, several days together. */
static int points_put(struct query *q, json_t *points, struct error *err)
{
	int64_t count;
	int r = book_integer(q->book, &count, err, "SELECT count(*) FROM (SELECT 1 FROM measured WHERE " RUN_WHERE " LIMIT ?5)",
	                     QUERY_VALUES(q, q->from_ns));
	if (r < 0)
		return r;
	if (count <= q->points)
		return runs_put(q, points, err);
	r = book_integer(q->book, &count, err,
	                 "SELECT count(*) FROM (SELECT DISTINCT begin FROM measured_spans WHERE " SPAN_WHERE("hour") " LIMIT ?5)",
	                 QUERY_VALUES(q, monotone_from(q, HOUR_NS)));
	if (r < 0)
		return r;
	if (count <= q->points)
		return spans_put(q, true, 1, points, err);
	r = book_integer(q->book, &count, err, "SELECT count(DISTINCT begin) FROM measured_spans WHERE " SPAN_WHERE("day"),
	                 VALUES(INTEGER(q->series), INTEGER(monotone_from(q, DAY_NS)), INTEGER(q->to_ns), TEXT(q->rig)));
	if (r < 0)
		return r;
	return spans_put(q, false, (unsigned)((count + q->points - 1) / q->points), points, err);
}

/* ---- what the API shows ---- */
static int read_series(struct book *book, sqlite3_stmt *row, void *ret, struct error *err)
{
	json_t *limits = column_json(row, 4), *series;
	if (!json_is_array(limits)) {
		json_decref(limits);
		limits = json_array();
	}
	series = json_pack("{s:o,s:o,s:o,s:b,s:f,s:[],s:o}", "series", column_integer_json(row, 0), "title", column_text_json(row, 1),
	                   "unit", column_text_json(row, 2), "virtual", sqlite3_column_int(row, 3), "resolution", HISTOGRAM_RESOLUTION,
	                   "points", "limits", limits);
	if (!series)
		return book_no_memory(err);
	*(json_t **)ret = series;
	return 0;
}

static int series_json(struct book *book, int64_t series, json_t **ret, struct error *err)
{
	return book_by_id(
	        book, "measurement series", series, read_series, ret, err,
	        "SELECT id, title, unit, virtual, (SELECT limits FROM measured WHERE series = s.id ORDER BY run DESC LIMIT 1) FROM "
	        "measurement_series s WHERE id = ?1");
}

int book_trend_json(struct book *book, int64_t series, int64_t from_utc_ns, int64_t to_utc_ns, unsigned points, const char *rig,
                    json_t **ret, struct error *err)
{
	struct query q = {
	        .book = book, .series = series, .from_ns = from_utc_ns, .to_ns = to_utc_ns > 0 ? to_utc_ns : INT64_MAX, .rig = rig};
	json_t *trend = NULL;
	q.points = points < 1 ? 1 : points > POINTS_LIMIT ? POINTS_LIMIT : points;
	int r = series_json(book, series, &trend, err);
	if (r >= 0)
		r = points_put(&q, json_object_get(trend, "points"), err);
	if (r < 0)
		json_decref(trend);
	else
		*ret = trend;
	return r < 0 ? r : 0;
}

static json_t *measurement_json(sqlite3_stmt *row)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:o,s:o,s:o}", "series", column_integer_json(row, 0), "case",
	                 column_text_json(row, 1), "id", column_text_json(row, 2), "title", column_text_json(row, 3), "unit",
	                 column_text_json(row, 4), "virtual", sqlite3_column_int(row, 5), "runs", column_integer_json(row, 6), "n",
	                 column_integer_json(row, 7), "last", column_time_json(row, 8), "last_p50_ns", column_integer_json(row, 9));
}

int book_measurements_json(struct book *book, json_t **ret, struct error *err)
{
	json_t *list = json_array();
	int r = book_json_list(
	        book, measurement_json, list, err,
	        "SELECT s.id, n.name, s.measurement, s.title, s.unit, s.virtual, s.runs, s.n, m.at, m.p50_ns FROM "
	        "measurement_series s JOIN case_names n ON n.id = s.name LEFT JOIN measured m ON m.id = (SELECT id FROM "
	        "measured WHERE series = s.id AND min_ns IS NOT NULL ORDER BY at DESC LIMIT 1) ORDER BY n.name, s.measurement, "
	        "s.unit, s.virtual",
	        NO_VALUES);
	if (r >= 0 && (*ret = json_pack("{s:O}", "measurements", list)) == NULL)
		r = book_no_memory(err);
	json_decref(list);
	return r < 0 ? r : 0;
}
