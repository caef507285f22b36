/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "book_private.h"
#include "results_private.h"

#define FORMAT_VERSION     1
#define CASES_LIMIT        100000
#define MEASUREMENTS_LIMIT 10000
#define SAMPLES_LIMIT      100000 /* of one measurement, as results.json has at most */
#define ALL_SAMPLES_LIMIT  5000000
#define LIMITS_LIMIT       64
#define ID_LIMIT           512 /* bytes */
#define TEXT_LIMIT         16384
#define VALUE_LIMIT        ((int64_t)1 << 60) /* 36 years; differences stay within 64 bits */
#define COUNT_LIMIT        ((int64_t)1 << 40)

static const char *const turn_names[] = {"begun", "missed", "left"};

const char *case_turn_name(enum case_turn turn)
{
	return turn_names[turn];
}

struct reader {
	struct error *err;
	const char *what; /* "cases", "measurements" */
	size_t index, samples;
};

static int refuse(struct reader *r, const char *member, const char *why)
{
	return error_set(r->err, ERROR_BENCH, EINVAL, "results.json: %s[%zu]: %s %s", r->what, r->index, member, why);
}

/* limit: bytes. An absent text is NULL unless it is needed. */
static int get_text(struct reader *r, const json_t *object, const char *member, size_t limit, bool needed, const char **ret)
{
	const json_t *value = json_object_get(object, member);
	*ret = NULL;
	if (!value)
		return needed ? refuse(r, member, "is missing") : 0;
	if (!json_is_string(value) || json_string_length(value) > limit || strlen(json_string_value(value)) != json_string_length(value))
		return refuse(r, member, "is not a text, or too long");
	if (needed && json_string_length(value) == 0)
		return refuse(r, member, "is empty");
	*ret = json_string_value(value);
	return 0;
}

static int get_integer(struct reader *r, const json_t *object, const char *member, int64_t low, int64_t high, bool needed, int64_t *ret)
{
	const json_t *value = json_object_get(object, member);
	*ret = 0;
	if (!value)
		return needed ? refuse(r, member, "is missing") : 0;
	if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
		return refuse(r, member, "is not a whole number, or out of range");
	*ret = json_integer_value(value);
	return 0;
}

static int get_bool(struct reader *r, const json_t *object, const char *member, bool *ret)
{
	const json_t *value = json_object_get(object, member);
	if (!json_is_boolean(value))
		return refuse(r, member, "is not true or false");
	*ret = json_is_true(value);
	return 0;
}

/* "2026-11-22T01:13:56.741Z" */
static bool utc_parse(const char *text, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t fraction = 0, unit = 1000000000;
	if (!p)
		return false;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && unit > 1; p++)
			fraction += (*p - '0') * (unit /= 10);
	time_t seconds = timegm(&tm);
	if (strcmp(p, "Z") != 0 || seconds < 0 || seconds > INT64_C(9000000000))
		return false;
	*ret_ns = (int64_t)seconds * 1000000000 + fraction;
	return true;
}

static int get_outcome(struct reader *r, const json_t *o, enum verdict *ret_verdict, enum cause *ret_cause)
{
	const char *verdict, *cause;
	int e = get_text(r, o, "verdict", ID_LIMIT, true, &verdict);
	if (e < 0 || (e = get_text(r, o, "cause", ID_LIMIT, false, &cause)) < 0)
		return e;
	if (verdict_parse(verdict, ret_verdict) < 0)
		return refuse(r, "verdict", "is no verdict");
	if (cause_parse(cause, ret_cause) < 0)
		return refuse(r, "cause", "is no cause");
	return 0;
}

static int read_attempts(struct reader *r, const json_t *o, struct case_result *c)
{
	const json_t *attempts = json_object_get(o, "attempts"), *attempt;
	size_t i;
	if (!json_is_array(attempts) || json_array_size(attempts) == 0 || json_array_size(attempts) > UINT32_MAX)
		return refuse(r, "attempts", "is no list of at least one");
	json_array_foreach (attempts, i, attempt) {
		enum verdict verdict;
		enum cause cause;
		int e = get_outcome(r, attempt, &verdict, &cause);
		if (e < 0)
			return e;
		c->flaky = c->flaky || (c->verdict == VERDICT_PASS && verdict != VERDICT_PASS);
	}
	c->attempts = c->turn == TURN_BEGUN ? (unsigned)json_array_size(attempts) : 0;
	return 0;
}

static int read_place(struct reader *r, const json_t *o, struct case_result *c)
{
	const json_t *place = json_object_get(o, "place");
	if (!place)
		return 0;
	int e = get_text(r, place, "file", TEXT_LIMIT, true, &c->place_file);
	if (e >= 0)
		e = get_integer(r, place, "line", 0, UINT32_MAX, true, &c->place_line);
	if (e >= 0)
		e = get_integer(r, place, "column", 0, UINT32_MAX, true, &c->place_column);
	return e;
}

static int read_case(struct reader *r, const json_t *o, bool run_complete, struct case_result *c)
{
	const char *started;
	int e = get_text(r, o, "id", ID_LIMIT, true, &c->id);
	if (e < 0 || (e = get_text(r, o, "title", TEXT_LIMIT, false, &c->title)) < 0 ||
	    (e = get_text(r, o, "file", TEXT_LIMIT, false, &c->file)) < 0 ||
	    (e = get_integer(r, o, "line", 0, UINT32_MAX, true, &c->line)) < 0 ||
	    (e = get_text(r, o, "message", SIZE_MAX, false, &c->message)) < 0 ||
	    (e = get_integer(r, o, "duration_ns", 0, VALUE_LIMIT, true, &c->duration_ns)) < 0 ||
	    (e = get_text(r, o, "started", ID_LIMIT, false, &started)) < 0 || (e = get_outcome(r, o, &c->verdict, &c->cause)) < 0 ||
	    (e = read_place(r, o, c)) < 0)
		return e;
	if (started && !utc_parse(started, &c->started_utc_ns))
		return refuse(r, "started", "is no time (RFC 3339, UTC)");
	if (json_is_true(json_object_get(o, "not_begun")))
		c->turn = run_complete ? TURN_LEFT : TURN_MISSED;
	if (c->turn != TURN_BEGUN && c->verdict != VERDICT_SKIPPED)
		return refuse(r, "verdict", "is given to a case that was not begun");
	return read_attempts(r, o, c);
}

static int read_limits(struct reader *r, const json_t *o, struct measurement_result *m)
{
	const json_t *limits = json_object_get(o, "limits"), *limit;
	size_t i;
	if (!json_is_array(limits) || json_array_size(limits) > LIMITS_LIMIT)
		return refuse(r, "limits", "is no list, or too long");
	if (!(m->limits = json_array()))
		return book_no_memory(r->err);
	json_array_foreach (limits, i, limit) {
		const char *statistic, *op;
		int64_t value_ns;
		enum verdict verdict;
		enum cause cause;
		int e = get_text(r, limit, "statistic", ID_LIMIT, false, &statistic);
		if (e < 0 || (e = get_text(r, limit, "op", ID_LIMIT, false, &op)) < 0 ||
		    (e = get_integer(r, limit, "value_ns", -VALUE_LIMIT, VALUE_LIMIT, true, &value_ns)) < 0 ||
		    (e = get_outcome(r, limit, &verdict, &cause)) < 0)
			return e;
		if (json_array_append_new(m->limits, json_pack("{s:s?,s:s?,s:I,s:s}", "statistic", statistic, "op", op, "value_ns",
		                                               (json_int_t)value_ns, "verdict", verdict_name(verdict))) < 0)
			return book_no_memory(r->err);
	}
	return 0;
}

static int read_samples(struct reader *r, const json_t *o, struct measurement_result *m)
{
	const json_t *samples = json_object_get(o, "samples"), *sample;
	size_t i;
	if (!json_is_array(samples) || json_array_size(samples) > SAMPLES_LIMIT)
		return refuse(r, "samples", "is no list, or too long");
	if ((r->samples += json_array_size(samples)) > ALL_SAMPLES_LIMIT)
		return refuse(r, "samples", "are too many");
	json_array_foreach (samples, i, sample) {
		int64_t value_ns;
		int e = get_integer(r, sample, "value_ns", -VALUE_LIMIT, VALUE_LIMIT, true, &value_ns);
		if (e < 0)
			return e;
	}
	m->samples = samples;
	return 0;
}

static int read_figures(struct reader *r, const json_t *o, struct measurement_result *m)
{
	int e = get_integer(r, o, "n", 0, COUNT_LIMIT, true, &m->n);
	if (e < 0 || !m->complete)
		return e;
	if ((e = get_integer(r, o, "min_ns", -VALUE_LIMIT, VALUE_LIMIT, true, &m->min_ns)) < 0 ||
	    (e = get_integer(r, o, "p50_ns", -VALUE_LIMIT, VALUE_LIMIT, true, &m->p50_ns)) < 0 ||
	    (e = get_integer(r, o, "p95_ns", -VALUE_LIMIT, VALUE_LIMIT, true, &m->p95_ns)) < 0 ||
	    (e = get_integer(r, o, "max_ns", -VALUE_LIMIT, VALUE_LIMIT, true, &m->max_ns)) < 0)
		return e;
	if (m->min_ns > m->p50_ns || m->p50_ns > m->p95_ns || m->p95_ns > m->max_ns)
		return refuse(r, "min_ns, p50_ns, p95_ns, max_ns", "are not in order");
	m->has_figures = m->n > 0;
	return 0;
}

static int read_measurement(struct reader *r, const json_t *o, struct measurement_result *m)
{
	int e = get_text(r, o, "id", ID_LIMIT, true, &m->id);
	if (e < 0 || (e = get_text(r, o, "case", ID_LIMIT, true, &m->case_id)) < 0 ||
	    (e = get_text(r, o, "title", TEXT_LIMIT, false, &m->title)) < 0 || (e = get_text(r, o, "unit", ID_LIMIT, true, &m->unit)) < 0 ||
	    (e = get_bool(r, o, "virtual", &m->virtual_rack)) < 0 || (e = get_bool(r, o, "complete", &m->complete)) < 0 ||
	    (e = read_figures(r, o, m)) < 0 || (e = read_samples(r, o, m)) < 0)
		return e;
	return read_limits(r, o, m);
}

static int read_cases(struct reader *r, const json_t *root, bool run_complete, struct results *results)
{
	const json_t *cases = json_object_get(root, "cases"), *o;
	r->what = "cases";
	if (!json_is_array(cases) || json_array_size(cases) > CASES_LIMIT)
		return refuse(r, "the list", "is missing or too long");
	json_t *seen = json_object();
	results->cases = calloc(json_array_size(cases) + 1, sizeof(*results->cases));
	int e = seen && results->cases ? 0 : book_no_memory(r->err);
	for (r->index = 0; e >= 0 && (o = json_array_get(cases, r->index)); r->index++) {
		struct case_result *c = &results->cases[results->case_count++];
		e = read_case(r, o, run_complete, c);
		if (e >= 0 && json_object_get(seen, c->id))
			e = refuse(r, "id", "is there twice");
		if (e >= 0 && json_object_set_new(seen, c->id, json_true()) < 0)
			e = refuse(r, "id", "is no UTF-8");
	}
	json_decref(seen);
	return e;
}

/* One case has one measurement of an id, unit and kind of rack. */
static int read_measurements(struct reader *r, const json_t *root, struct results *results)
{
	const json_t *list = json_object_get(root, "measurements"), *o;
	r->what = "measurements";
	r->index = 0;
	if (!json_is_array(list) || json_array_size(list) > MEASUREMENTS_LIMIT)
		return refuse(r, "the list", "is missing or too long");
	json_t *seen = json_object();
	results->measurements = calloc(json_array_size(list) + 1, sizeof(*results->measurements));
	int e = seen && results->measurements ? 0 : book_no_memory(r->err);
	for (; e >= 0 && (o = json_array_get(list, r->index)); r->index++) {
		struct measurement_result *m = &results->measurements[results->measurement_count++];
		if ((e = read_measurement(r, o, m)) < 0)
			break;
		json_t *key = json_sprintf("%d\t%s\t%s\t%s", m->virtual_rack, m->unit, m->id, m->case_id);
		if (json_object_get(seen, json_string_value(key)))
			e = refuse(r, "id", "is there twice");
		else if (json_object_set_new(seen, json_string_value(key), json_true()) < 0)
			e = refuse(r, "id", "is no UTF-8");
		json_decref(key);
	}
	json_decref(seen);
	return e;
}

int results_read(const json_t *root, struct results **ret, struct error *err)
{
	struct reader r = {.err = err, .what = "run"};
	const json_t *run = json_object_get(root, "run"), *format = json_object_get(root, "format");
	if (!json_is_integer(format) || json_integer_value(format) != FORMAT_VERSION || !json_is_object(run))
		return error_set(err, ERROR_BENCH, EINVAL, "not a results.json of format %d", FORMAT_VERSION);
	struct results *results = calloc(1, sizeof(*results));
	if (!results)
		return book_no_memory(err);
	bool complete = false;
	int e = get_bool(&r, run, "virtual", &results->virtual_rack);
	if (e >= 0)
		e = get_bool(&r, run, "complete", &complete);
	if (e >= 0)
		e = read_cases(&r, root, complete && !json_object_get(run, "error"), results);
	if (e >= 0)
		e = read_measurements(&r, root, results);
	if (e < 0)
		results_free(results);
	else
		*ret = results;
	return e;
}

void results_free(struct results *results)
{
	if (!results)
		return;
	for (size_t i = 0; i < results->measurement_count; i++)
		json_decref(results->measurements[i].limits);
	free(results->measurements);
	free(results->cases);
	free(results);
}
