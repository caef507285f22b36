/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION 1

/* Members of which there is nothing to say are left out; `failed` collects what memory did not allow. */
struct writer {
	const struct report_run *run;
	bool failed;
};

static void put(struct writer *w, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		w->failed = true;
}

static void put_text(struct writer *w, json_t *object, const char *key, const char *text)
{
	if (text && *text != '\0')
		put(w, object, key, json_string(text));
}

static void put_integer(struct writer *w, json_t *object, const char *key, int64_t value)
{
	put(w, object, key, json_integer(value));
}

static void put_real(struct writer *w, json_t *object, const char *key, double value)
{
	put(w, object, key, json_real(value));
}

static void put_copy(struct writer *w, json_t *object, const char *key, json_t *value)
{
	if (value)
		put(w, object, key, json_incref(value));
}

static void put_utc(struct writer *w, json_t *object, const char *key, int64_t at_ns)
{
	char buffer[TEXT_NUMBER_SIZE];
	put_text(w, object, key, report_run_utc(w->run, at_ns, buffer));
}

static void put_place(struct writer *w, json_t *object, const char *key, struct place place)
{
	if (!place.file)
		return;
	json_t *p = json_object();
	put_text(w, p, "file", place.file);
	put_integer(w, p, "line", place.line);
	put_integer(w, p, "column", place.column);
	put(w, object, key, p);
}

static void put_status_reason(struct writer *w, json_t *o)
{
	char *reason;
	if (report_run_status_reason(w->run, &reason) < 0)
		w->failed = true;
	put_text(w, o, "status_reason", reason);
	free(reason);
}

static json_t *failure_json(struct writer *w)
{
	json_t *o = json_object();
	put_text(w, o, "domain", w->run->failure.domain);
	put_text(w, o, "message", w->run->failure.message);
	put_text(w, o, "errno", w->run->failure.errno_name);
	if (w->run->failure.at_end)
		put(w, o, "at_end", json_true());
	put_place(w, o, "place", w->run->failure.place);
	return o;
}

static json_t *stop_json(struct writer *w)
{
	json_t *o = json_object();
	put_text(w, o, "reason", w->run->stop.reason);
	put_text(w, o, "message", w->run->stop.message);
	return o;
}

static json_t *never_began_json(struct writer *w)
{
	json_t *list = json_array();
	for (size_t i = 0; i < w->run->lost_run_count; i++)
		if (json_array_append_new(list, json_string(w->run->lost_runs[i].label)) < 0)
			w->failed = true;
	return list;
}

static json_t *lost_runs_json(struct writer *w)
{
	json_t *list = json_array();
	for (size_t i = 0; i < w->run->lost_run_count; i++) {
		const struct report_lost_run *lost = &w->run->lost_runs[i];
		json_t *o = json_object();
		put_text(w, o, "run", lost->label);
		put_text(w, o, "verdict", verdict_name(VERDICT_ERROR));
		put_text(w, o, "cause", cause_name(lost->cancelled ? CAUSE_OPERATOR : CAUSE_BENCH));
		put_text(w, o, "message", lost->message);
		put_copy(w, o, "cases", lost->cases);
		if (json_array_append_new(list, o) < 0)
			w->failed = true;
	}
	return list;
}

static json_t *lost_boards_json(struct writer *w)
{
	json_t *list = json_array();
	for (size_t i = 0; i < w->run->lost_board_count; i++) {
		const struct report_lost_board *lost = &w->run->lost_boards[i];
		json_t *o = json_object();
		put_text(w, o, "board", lost->board);
		put_text(w, o, "since_case", lost->case_id);
		put_text(w, o, "message", lost->message);
		put_utc(w, o, "at", lost->at_ns);
		if (json_array_append_new(list, o) < 0)
			w->failed = true;
	}
	return list;
}

static json_t *run_json(struct writer *w)
{
	const struct report_run *run = w->run;
	json_t *o = json_object();
	put_text(w, o, "version", run->version);
	put_text(w, o, "host", run->host);
	put_text(w, o, "rig", run->rig);
	put_text(w, o, "rig_file", run->rig_file);
	put(w, o, "virtual", json_boolean(run->virtual_rack));
	put_copy(w, o, "seed", run->seed);
	put_copy(w, o, "arguments", run->arguments);
	put_utc(w, o, "started", run->begin_ns);
	put_utc(w, o, "ended", run->end_ns);
	put_integer(w, o, "duration_ns", run->end_ns - run->begin_ns);
	if (run->has_status)
		put_integer(w, o, "status", run->status);
	put(w, o, "complete", json_boolean(run->complete));
	put(w, o, "interrupted", json_boolean(run->interrupted));
	put(w, o, "journal_cut", json_boolean(run->journal_cut));
	put_integer(w, o, "clock_moved_ns", run->clock_moved_ns);
	put_integer(w, o, "planned_cases", run->planned);
	put_integer(w, o, "begun_cases", run->begun);
	put_status_reason(w, o);
	put_copy(w, o, "ota_sweep", run->ota_sweep);
	if (run->failure.message)
		put(w, o, "error", failure_json(w));
	if (run->stop.message)
		put(w, o, "stopped", stop_json(w));
	if (run->lost_run_count > 0) {
		put(w, o, "never_began", never_began_json(w));
		put(w, o, "lost_runs", lost_runs_json(w));
	}
	if (run->lost_board_count > 0)
		put(w, o, "boards_given_up", lost_boards_json(w));
	return o;
}

static json_t *counts_json(struct writer *w)
{
	json_t *o = json_object();
	/* Those that were selected and never begun are among the cases, as skipped. */
	put_integer(w, o, "planned", (int64_t)w->run->case_count);
	put_integer(w, o, "total", (int64_t)w->run->case_count);
	for (enum verdict v = VERDICT_PASS; v <= VERDICT_ERROR; v++)
		put_integer(w, o, verdict_name(v), w->run->by_verdict[v]);
	put_integer(w, o, "flaky", w->run->flaky);
	return o;
}

static void put_outcome(struct writer *w, json_t *o, const struct report_attempt *a)
{
	put_text(w, o, "verdict", verdict_name(a->verdict));
	put_text(w, o, "cause", cause_name(a->cause));
	put_text(w, o, "message", a->message);
	put_text(w, o, "errno", a->errno_name);
	put_place(w, o, "place", a->place);
	put_text(w, o, "expected", a->expected ? a->expected : a->step.expected);
	put_text(w, o, "actual", a->actual ? a->actual : a->step.actual);
	put_utc(w, o, "started", a->begin_ns);
	put_utc(w, o, "ended", a->end_ns);
	put_integer(w, o, "duration_ns", a->duration_ns);
}

static json_t *notes_json(struct writer *w, const struct report_attempt *a)
{
	json_t *notes = json_array();
	for (size_t i = 0; i < a->note_count; i++)
		if (json_array_append_new(notes, json_string(a->notes[i])) < 0)
			w->failed = true;
	return notes;
}

static json_t *attempt_json(struct writer *w, const struct report_attempt *a)
{
	json_t *o = json_object();
	put_integer(w, o, "attempt", a->number);
	put_text(w, o, "rig", a->rig);
	put_copy(w, o, "seed", a->seed);
	put(w, o, "complete", json_boolean(a->ended));
	put_outcome(w, o, a);
	if (a->note_count > 0)
		put(w, o, "notes", notes_json(w, a));
	if (!a->has_step)
		return o;
	json_t *step = json_object();
	put_text(w, step, "id", a->step.id);
	put_text(w, step, "name", a->step.name);
	put_text(w, step, "phase", a->step.phase);
	put_text(w, step, "text", a->step.text);
	put_text(w, step, "message", a->step.message);
	put_place(w, step, "place", a->step.place);
	put(w, o, "step", step);
	return o;
}

static json_t *case_measurements(struct writer *w, const struct report_case *c)
{
	json_t *ids = json_array();
	for (size_t i = 0; i < w->run->measurement_count; i++) {
		const struct report_measurement *m = &w->run->measurements[i];
		if (strcmp(m->case_id, c->id) == 0 && json_array_append_new(ids, json_string(m->id)) < 0)
			w->failed = true;
	}
	return ids;
}

static json_t *case_json(struct writer *w, const struct report_case *c)
{
	json_t *o = json_object();
	put_text(w, o, "id", c->id);
	put_text(w, o, "title", c->title);
	put_text(w, o, "file", c->place.file);
	put_integer(w, o, "line", c->place.line);
	put_copy(w, o, "verifies", c->verifies);
	put_copy(w, o, "tags", c->tags);
	put_copy(w, o, "params", c->params);
	if (c->not_begun)
		put(w, o, "not_begun", json_true());
	put_outcome(w, o, report_case_attempt(c));
	json_t *attempts = json_array();
	for (size_t i = 0; i < c->attempt_count; i++)
		if (json_array_append_new(attempts, attempt_json(w, &c->attempts[i])) < 0)
			w->failed = true;
	put(w, o, "attempts", attempts);
	put(w, o, "measurements", case_measurements(w, c));
	return o;
}

static json_t *limits_json(struct writer *w, const struct report_measurement *m)
{
	json_t *limits = json_array();
	for (size_t i = 0; i < m->limit_count; i++) {
		json_t *o = json_object();
		put_text(w, o, "statistic", m->limits[i].statistic);
		put_text(w, o, "op", m->limits[i].op);
		put_integer(w, o, "value_ns", m->limits[i].value_ns);
		put_text(w, o, "verdict", verdict_name(m->limits[i].verdict));
		if (json_array_append_new(limits, o) < 0)
			w->failed = true;
	}
	return limits;
}

static json_t *stages_json(struct writer *w, struct report_measurement *m)
{
	json_t *stages = json_array();
	for (size_t i = 0; i < m->stage_count; i++) {
		json_t *o = json_object();
		put_text(w, o, "name", m->stages[i].name);
		if (m->stages[i].after_end)
			put(w, o, "after_end", json_true());
		put_integer(w, o, "n", (int64_t)m->stages[i].count);
		put_integer(w, o, "p50_ns", report_stage_median(&m->stages[i]));
		put_integer(w, o, "uncertainty_ns", m->stages[i].uncertainty_ns);
		if (json_array_append_new(stages, o) < 0)
			w->failed = true;
	}
	return stages;
}

static json_t *samples_json(struct writer *w, const struct report_measurement *m)
{
	json_t *samples = json_array();
	for (size_t i = 0; i < m->sample_count; i++) {
		json_t *o = json_object();
		put_integer(w, o, "index", m->samples[i].index);
		put_integer(w, o, "value_ns", m->samples[i].value_ns);
		put_integer(w, o, "uncertainty_ns", m->samples[i].uncertainty_ns);
		if (json_array_append_new(samples, o) < 0)
			w->failed = true;
	}
	return samples;
}

static json_t *measurement_json(struct writer *w, struct report_measurement *m)
{
	json_t *o = json_object();
	put_text(w, o, "id", m->id);
	put_text(w, o, "case", m->case_id);
	put_text(w, o, "title", m->title);
	put_text(w, o, "unit", m->unit ? m->unit : "ns");
	put(w, o, "virtual", json_boolean(m->virtual_rack));
	put(w, o, "complete", json_boolean(m->complete));
	put_integer(w, o, "n", (int64_t)m->n);
	if (m->complete) {
		put_integer(w, o, "min_ns", m->min_ns);
		put_integer(w, o, "p50_ns", m->p50_ns);
		put_integer(w, o, "p95_ns", m->p95_ns);
		put_integer(w, o, "max_ns", m->max_ns);
		put_integer(w, o, "mean_ns", m->mean_ns);
		put_integer(w, o, "uncertainty_ns", m->uncertainty_ns);
	}
	put(w, o, "limits", limits_json(w, m));
	put(w, o, "stages", stages_json(w, m));
	put(w, o, "samples", samples_json(w, m));
	if (m->samples_left_out > 0)
		put_integer(w, o, "samples_left_out", (int64_t)m->samples_left_out);
	return o;
}

static json_t *sweep_json(struct writer *w, const struct report_sweep *sweep)
{
	json_t *o = json_object();
	put_text(w, o, "case", sweep->case_id);
	put_text(w, o, "channel", sweep->channel);
	put_integer(w, o, "id", sweep->id);
	put_text(w, o, "mode", sweep->mode);
	put(w, o, "virtual", json_boolean(sweep->virtual_rack));
	put(w, o, "complete", json_boolean(sweep->complete));
	put_integer(w, o, "mac_bits", sweep->mac_bits);
	put_integer(w, o, "attempts", sweep->attempts);
	put_integer(w, o, "sent", sweep->sent);
	put_integer(w, o, "accepted", sweep->accepted);
	put_integer(w, o, "rejected", sweep->rejected);
	put_integer(w, o, "by_chance", sweep->by_chance);
	put_integer(w, o, "unexplained", sweep->unexplained);
	put_real(w, o, "expected", sweep->expected);
	put_real(w, o, "confidence", sweep->confidence);
	put_real(w, o, "lower", sweep->lower);
	put_real(w, o, "upper", sweep->upper);
	put_integer(w, o, "rate", sweep->rate);
	return o;
}

int results_compose(struct report_run *run, struct text *out, struct error *err)
{
	struct writer w = {.run = run};
	json_t *root = json_object(), *cases = json_array(), *measurements = json_array(), *sweeps = json_array();
	put_integer(&w, root, "format", FORMAT_VERSION);
	put(&w, root, "run", run_json(&w));
	put_text(&w, root, "verdict", verdict_name(run->verdict));
	put(&w, root, "counts", counts_json(&w));
	for (size_t i = 0; i < run->case_count; i++)
		if (json_array_append_new(cases, case_json(&w, &run->cases[i])) < 0)
			w.failed = true;
	put(&w, root, "cases", cases);
	for (size_t i = 0; i < run->measurement_count; i++)
		if (json_array_append_new(measurements, measurement_json(&w, &run->measurements[i])) < 0)
			w.failed = true;
	put(&w, root, "measurements", measurements);
	for (size_t i = 0; i < run->sweep_count; i++)
		if (json_array_append_new(sweeps, sweep_json(&w, &run->sweeps[i])) < 0)
			w.failed = true;
	put(&w, root, "sweeps", sweeps);
	char *document = w.failed ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	json_decref(root);
	text_put(out, document);
	text_put(out, "\n");
	bool failed = !document || out->failed;
	free(document);
	return failed ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory while writing results.json") : 0;
}
