/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "model_private.h"
#include "text.h"

#define OPEN_STEPS_LIMIT   32
#define FAILED_STEPS_LIMIT 8
#define MENDED_NAMED       5 /* cases, in the reason of a status */
#define SWEEPS_LIMIT       10000

/* A step that did not pass, with what came before: which of them ended the case is known only at its end. */
struct failed_step {
	struct report_step step;
	json_t *events[MODEL_EVENTS_KEPT];
	size_t event_count;
};

struct builder {
	struct report_run *run;
	json_t *case_index;          /* id -> position */
	struct report_case *current; /* between case.begin and case.end */
	json_t *ring[MODEL_EVENTS_KEPT];
	size_t ring_count, ring_next;
	json_t *open_steps[OPEN_STEPS_LIMIT]; /* data of step.begin, outermost first */
	size_t open_count;
	struct failed_step failed_steps[FAILED_STEPS_LIMIT];
	size_t failed_count;
	bool failed; /* memory ran out */
};

static void ring_add(struct builder *b, json_t *event)
{
	json_decref(b->ring[b->ring_next]);
	b->ring[b->ring_next] = json_incref(event);
	b->ring_next = (b->ring_next + 1) % MODEL_EVENTS_KEPT;
	if (b->ring_count < MODEL_EVENTS_KEPT)
		b->ring_count++;
}

static json_t *ring_at(const struct builder *b, size_t i)
{
	return b->ring[(b->ring_next + MODEL_EVENTS_KEPT - b->ring_count + i) % MODEL_EVENTS_KEPT];
}

static void step_clear(struct report_step *step)
{
	free(step->id);
	free(step->name);
	free(step->phase);
	free(step->text);
	free(step->message);
	free(step->expected);
	free(step->actual);
	*step = (struct report_step){0};
}

static void failed_step_clear(struct failed_step *failed)
{
	step_clear(&failed->step);
	for (size_t i = 0; i < failed->event_count; i++)
		json_decref(failed->events[i]);
	*failed = (struct failed_step){0};
}

/* Forgets what belongs to one attempt. */
static void attempt_state_clear(struct builder *b)
{
	for (size_t i = 0; i < MODEL_EVENTS_KEPT; i++) {
		json_decref(b->ring[i]);
		b->ring[i] = NULL;
	}
	b->ring_count = b->ring_next = 0;
	for (size_t i = 0; i < b->open_count; i++)
		json_decref(b->open_steps[i]);
	b->open_count = 0;
	for (size_t i = 0; i < b->failed_count; i++)
		failed_step_clear(&b->failed_steps[i]);
	b->failed_count = 0;
}

static struct place place_read(const json_t *data, bool *failed)
{
	struct place place = {0};
	char *file = event_text(data, "file", failed);
	if (!file)
		return place;
	place.file = place_intern(file);
	place.line = (unsigned)event_integer(data, "line", 0);
	place.column = (unsigned)event_integer(data, "column", 0);
	free(file);
	return place;
}

static void verdict_read(const json_t *data, enum verdict *verdict, enum cause *cause)
{
	const char *name = json_string_value(json_object_get(data, "verdict"));
	if (!name || verdict_parse(name, verdict) < 0)
		*verdict = VERDICT_ERROR; /* a verdict that nobody knows must not look like a pass */
	name = json_string_value(json_object_get(data, "cause"));
	if (cause_parse(name, cause) < 0)
		*cause = CAUSE_BENCH;
}

/* run.* */

static void run_begin(struct builder *b, const json_t *data)
{
	struct report_run *run = b->run;
	if (run->version || run->rig)
		return; /* only the first counts */
	run->version = event_text(data, "version", &b->failed);
	run->utc = event_text(data, "utc", &b->failed);
	run->rig = event_text(data, "rig", &b->failed);
	run->rig_file = event_text(data, "rig_file", &b->failed);
	run->host = event_text(data, "host", &b->failed);
	run->seed = json_incref(json_object_get(data, "seed"));
	run->arguments = json_incref(json_object_get(data, "arguments"));
	run->virtual_rack = json_is_true(json_object_get(data, "virtual"));
	run->has_offset = json_is_integer(json_object_get(data, "realtime_offset_ns"));
	run->realtime_offset_ns = event_integer(data, "realtime_offset_ns", 0);
	run->stop_at_failure = json_is_true(json_object_get(data, "stop_at_failure"));
	if (json_is_array(json_object_get(data, "cases")))
		run->selected = json_incref(json_object_get(data, "cases"));
}

static void run_end(struct builder *b, const json_t *data)
{
	const json_t *failure = json_object_get(data, "error");
	if (!b->run->failure.message) {
		b->run->failure.domain = event_text(failure, "domain", &b->failed);
		b->run->failure.message = event_text(failure, "message", &b->failed);
		b->run->failure.at_end = json_is_true(json_object_get(failure, "at_end"));
		if (!b->run->failure.errno_name)
			b->run->failure.errno_name = event_text(failure, "errno", &b->failed);
		b->run->failure.place = place_read(failure, &b->failed);
	}
	const json_t *stopped = json_object_get(data, "stopped");
	if (!b->run->stop.message) {
		b->run->stop.reason = event_text(stopped, "reason", &b->failed);
		b->run->stop.message = event_text(stopped, "message", &b->failed);
	}
	b->run->has_status = json_is_integer(json_object_get(data, "status"));
	b->run->status = event_integer(data, "status", 0);
	b->run->interrupted = json_is_true(json_object_get(data, "interrupted"));
	b->run->complete = !b->run->interrupted;
	b->run->clock_moved_ns = event_integer(data, "clock_moved_ns", 0);
}

/* case.* */

static struct report_case *case_find(struct builder *b, const char *id)
{
	const json_t *position = json_object_get(b->case_index, id);
	return position ? &b->run->cases[json_integer_value(position)] : NULL;
}

static struct report_case *case_new(struct builder *b, const char *id, const json_t *data)
{
	struct report_run *run = b->run;
	struct report_case *grown = reallocarray(run->cases, run->case_count + 1, sizeof(*grown));
	if (!grown || json_object_set_new(b->case_index, id, json_integer((json_int_t)run->case_count)) < 0) {
		run->cases = grown ? grown : run->cases;
		b->failed = true;
		return NULL;
	}
	run->cases = grown;
	struct report_case *c = &run->cases[run->case_count++];
	*c = (struct report_case){.place = place_read(data, &b->failed)};
	c->id = strdup(id);
	c->title = event_text(data, "title", &b->failed);
	if (json_is_array(json_object_get(data, "verifies")))
		c->verifies = json_incref(json_object_get(data, "verifies"));
	if (json_is_array(json_object_get(data, "tags")))
		c->tags = json_incref(json_object_get(data, "tags"));
	if (json_is_object(json_object_get(data, "params")))
		c->params = json_incref(json_object_get(data, "params"));
	b->failed = b->failed || !c->id;
	return c;
}

static struct report_attempt *current_attempt(const struct builder *b)
{
	return &b->current->attempts[b->current->attempt_count - 1];
}

static void measurements_restart(struct builder *b, const char *case_id)
{
	for (size_t i = 0; i < b->run->measurement_count; i++)
		if (strcmp(b->run->measurements[i].case_id, case_id) == 0)
			report_measurement_restart(&b->run->measurements[i]);
}

void report_run_drop_sweeps(struct report_run *run, const char *case_id)
{
	size_t kept = 0;
	for (size_t i = 0; i < run->sweep_count; i++) {
		if (strcmp(run->sweeps[i].case_id, case_id) == 0)
			report_sweep_free(&run->sweeps[i]);
		else
			run->sweeps[kept++] = run->sweeps[i];
	}
	run->sweep_count = kept;
}

static void attempt_add_event(struct builder *b, struct report_attempt *attempt, const json_t *event)
{
	if (!attempt->events)
		attempt->events = calloc(MODEL_EVENTS_KEPT, sizeof(*attempt->events));
	if (!attempt->events || report_event_describe(event, &attempt->events[attempt->event_count]) < 0)
		b->failed = true;
	else
		attempt->event_count++;
}

static struct failed_step *failed_step_choose(struct builder *b, struct place place)
{
	/* Blocks report from the inside out and may try again: the newest failure at the case's place is the one. */
	for (size_t i = b->failed_count; i > 0; i--) {
		const struct place *p = &b->failed_steps[i - 1].step.place;
		if (p->file == place.file && p->line == place.line && p->column == place.column)
			return &b->failed_steps[i - 1];
	}
	return b->failed_count > 0 ? &b->failed_steps[b->failed_count - 1] : NULL;
}

/* The evidence of an attempt that did not pass. */
static void attempt_explain(struct builder *b, struct report_attempt *attempt)
{
	struct failed_step *chosen = failed_step_choose(b, attempt->place);
	for (size_t i = 0; !chosen && i < b->ring_count && !b->failed; i++)
		attempt_add_event(b, attempt, ring_at(b, i));
	if (!chosen)
		return;
	attempt->has_step = true;
	attempt->step = chosen->step;
	chosen->step = (struct report_step){0};
	for (size_t i = 0; i < chosen->event_count && !b->failed; i++)
		attempt_add_event(b, attempt, chosen->events[i]);
}

/* The journal went on, or ended, without case.end. */
static void attempt_abandon(struct builder *b)
{
	if (!b->current)
		return;
	struct report_attempt *attempt = current_attempt(b);
	bool stopped = b->run->stop.message != NULL, cancelled = b->run->interrupted && !stopped;
	attempt->verdict = VERDICT_ERROR;
	attempt->cause = cancelled ? CAUSE_OPERATOR : CAUSE_BENCH;
	free(attempt->message);
	attempt->message = strdup(stopped     ? b->run->stop.message
	                          : cancelled ? "the run was interrupted during this case"
	                                      : "the run ended before this case did");
	attempt->end_ns = b->run->end_ns;
	attempt->duration_ns = attempt->end_ns - attempt->begin_ns;
	b->failed = b->failed || !attempt->message;
	if (b->open_count > 0 && !attempt->place.column)
		attempt->place = place_read(b->open_steps[b->open_count - 1], &b->failed);
	attempt_explain(b, attempt);
	attempt_state_clear(b);
	b->current = NULL;
}

static void case_begin(struct builder *b, const json_t *event, const json_t *data)
{
	attempt_abandon(b);
	attempt_state_clear(b);
	char *id = event_text(data, "id", &b->failed);
	if (!id)
		return;
	struct report_case *c = case_find(b, id);
	if (c) {
		measurements_restart(b, id);
		report_run_drop_sweeps(b->run, id);
	} else {
		c = case_new(b, id, data);
	}
	free(id);
	struct report_attempt *grown = c ? reallocarray(c->attempts, c->attempt_count + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		b->failed = true;
		return;
	}
	c->attempts = grown;
	c->attempts[c->attempt_count++] = (struct report_attempt){
	        .number = event_integer(data, "attempt", (int64_t)c->attempt_count),
	        .begin_ns = event_integer(event, "t", 0),
	        .place = c->place,
	};
	int64_t of = event_integer(data, "of", 0);
	if (of > 0 && of < INT32_MAX)
		b->run->planned = (unsigned)of;
	int64_t index = event_integer(data, "index", 0);
	if (index > b->run->begun && index < INT32_MAX)
		b->run->begun = (unsigned)index;
	b->current = c;
}

static void case_end(struct builder *b, const json_t *event, const json_t *data)
{
	if (!b->current)
		return;
	struct report_attempt *attempt = current_attempt(b);
	attempt->ended = true;
	verdict_read(data, &attempt->verdict, &attempt->cause);
	attempt->message = event_text(data, "message", &b->failed);
	attempt->errno_name = event_text(data, "errno", &b->failed);
	attempt->expected = event_text(data, "expected", &b->failed);
	attempt->actual = event_text(data, "actual", &b->failed);
	struct place place = place_read(data, &b->failed);
	if (place.file)
		attempt->place = place;
	attempt->end_ns = event_integer(event, "t", attempt->begin_ns);
	attempt->duration_ns = event_integer(data, "duration_ns", attempt->end_ns - attempt->begin_ns);
	if (attempt->verdict != VERDICT_PASS && attempt->verdict != VERDICT_SKIPPED)
		attempt_explain(b, attempt);
	attempt_state_clear(b);
	b->current = NULL;
}

/* Steps say the same again and again when they are repeated: once is enough to read. */
static void note_take(struct builder *b, const json_t *event, const json_t *data)
{
	const char *channel = json_string_value(json_object_get(event, "ch"));
	struct report_attempt *attempt = b->current ? current_attempt(b) : NULL;
	if (!attempt || !channel || strcmp(channel, "case") != 0 || attempt->note_count == MODEL_NOTES_KEPT)
		return;
	char *text = event_text(data, "text", &b->failed);
	for (size_t i = 0; text && i < attempt->note_count; i++) {
		if (strcmp(attempt->notes[i], text) != 0)
			continue;
		free(text);
		text = NULL;
	}
	if (text)
		attempt->notes[attempt->note_count++] = text;
}

/* step.* */

static void step_begin(struct builder *b, json_t *data)
{
	if (b->current && b->open_count < OPEN_STEPS_LIMIT)
		b->open_steps[b->open_count++] = json_incref(data);
}

/* Takes the newest open step of that id off, and with it those inside that never ended. New reference or NULL. */
static json_t *open_step_take(struct builder *b, const char *id)
{
	for (size_t i = b->open_count; id && i > 0; i--) {
		const char *open = json_string_value(json_object_get(b->open_steps[i - 1], "id"));
		if (!open || strcmp(open, id) != 0)
			continue;
		while (b->open_count > i)
			json_decref(b->open_steps[--b->open_count]);
		return b->open_steps[--b->open_count];
	}
	return NULL;
}

static struct failed_step *failed_step_new(struct builder *b)
{
	if (b->failed_count == FAILED_STEPS_LIMIT) {
		failed_step_clear(&b->failed_steps[0]);
		memmove(b->failed_steps, b->failed_steps + 1, (FAILED_STEPS_LIMIT - 1) * sizeof(b->failed_steps[0]));
		b->failed_count--;
	}
	struct failed_step *failed = &b->failed_steps[b->failed_count++];
	*failed = (struct failed_step){0};
	return failed;
}

static void step_failed(struct builder *b, const json_t *begin, const json_t *data, enum verdict verdict)
{
	struct failed_step *failed = failed_step_new(b);
	struct report_step *step = &failed->step;
	step->verdict = verdict;
	step->id = event_text(data, "id", &b->failed);
	step->name = event_text(begin, "name", &b->failed);
	step->phase = event_text(begin, "phase", &b->failed);
	step->text = event_text(begin, "text", &b->failed);
	step->message = event_text(data, "message", &b->failed);
	step->expected = event_text(data, "expected", &b->failed);
	step->actual = event_text(data, "actual", &b->failed);
	step->place = place_read(begin, &b->failed);
	for (size_t i = 0; i < b->ring_count; i++)
		failed->events[failed->event_count++] = json_incref(ring_at(b, i));
}

static void step_end(struct builder *b, const json_t *data)
{
	if (!b->current)
		return;
	enum verdict verdict;
	enum cause cause;
	verdict_read(data, &verdict, &cause);
	json_t *begin = open_step_take(b, json_string_value(json_object_get(data, "id")));
	if (verdict != VERDICT_PASS && verdict != VERDICT_SKIPPED)
		step_failed(b, begin, data, verdict);
	json_decref(begin);
}

/* board.given_up */

static void board_lost(struct builder *b, const json_t *event, const json_t *data)
{
	struct report_run *run = b->run;
	struct report_lost_board *grown = reallocarray(run->lost_boards, run->lost_board_count + 1, sizeof(*grown));
	if (!grown) {
		b->failed = true;
		return;
	}
	run->lost_boards = grown;
	struct report_lost_board *lost = &grown[run->lost_board_count++];
	*lost = (struct report_lost_board){.at_ns = event_integer(event, "t", 0)};
	char *channel = event_text(event, "ch", &b->failed);
	const char *colon = channel ? strchr(channel, ':') : NULL;
	lost->board = strdup(colon ? colon + 1 : channel ? channel : "");
	lost->case_id = event_text(data, "case", &b->failed);
	lost->message = event_text(data, "message", &b->failed);
	b->failed = b->failed || !lost->board;
	free(channel);
}

/* measure.* */

static struct report_measurement *measurement_get(struct builder *b, const json_t *data)
{
	struct report_run *run = b->run;
	char *id = event_text(data, "id", &b->failed), *case_id = event_text(data, "case", &b->failed);
	if (!case_id && b->current)
		case_id = strdup(b->current->id);
	struct report_measurement *found = NULL;
	for (size_t i = 0; id && case_id && i < run->measurement_count; i++)
		if (strcmp(run->measurements[i].id, id) == 0 && strcmp(run->measurements[i].case_id, case_id) == 0)
			found = &run->measurements[i];
	struct report_measurement *grown = NULL;
	if (!found && id && case_id)
		grown = reallocarray(run->measurements, run->measurement_count + 1, sizeof(*grown));
	if (!grown) {
		b->failed = b->failed || (!found && id && case_id);
		free(id);
		free(case_id);
		return found;
	}
	run->measurements = grown;
	found = &grown[run->measurement_count++];
	*found = (struct report_measurement){.id = id, .case_id = case_id, .virtual_rack = run->virtual_rack};
	return found;
}

static void measure(struct builder *b, const char *kind, json_t *data)
{
	bool sample = strcmp(kind, "measure.sample") == 0, result = strcmp(kind, "measure.result") == 0;
	struct report_measurement *m = sample || result ? measurement_get(b, data) : NULL;
	if (!m)
		return;
	if ((sample ? report_measurement_sample(m, data) : report_measurement_result(m, data)) < 0)
		b->failed = true;
}

static void sweep_take(struct builder *b, const json_t *event)
{
	struct report_run *run = b->run;
	if (!b->current || run->sweep_count == SWEEPS_LIMIT)
		return;
	struct report_sweep *grown = reallocarray(run->sweeps, run->sweep_count + 1, sizeof(*grown));
	run->sweeps = grown ? grown : run->sweeps;
	if (!grown || report_sweep_read(event, b->current->id, run->virtual_rack, &grown[run->sweep_count]) < 0)
		b->failed = true;
	else
		run->sweep_count++;
}

static void event_take(struct builder *b, json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));
	json_t *data = json_object_get(event, "data");
	int64_t at_ns = event_integer(event, "t", b->run->end_ns);
	if (b->run->events++ == 0)
		b->run->begin_ns = b->run->end_ns = at_ns;
	if (at_ns > b->run->end_ns)
		b->run->end_ns = at_ns;
	if (strncmp(kind, "measure.", 8) == 0)
		measure(b, kind, data);
	else if (b->current && strncmp(kind, "case.", 5) != 0)
		ring_add(b, event);
	if (strcmp(kind, "run.begin") == 0)
		run_begin(b, data);
	else if (strcmp(kind, "run.end") == 0)
		run_end(b, data);
	else if (strcmp(kind, "case.begin") == 0)
		case_begin(b, event, data);
	else if (strcmp(kind, "case.end") == 0)
		case_end(b, event, data);
	else if (strcmp(kind, "step.begin") == 0)
		step_begin(b, data);
	else if (strcmp(kind, "step.end") == 0)
		step_end(b, data);
	else if (strcmp(kind, "note") == 0)
		note_take(b, event, data);
	else if (strcmp(kind, "board.given_up") == 0)
		board_lost(b, event, data);
	else if (strcmp(kind, "sweep.end") == 0 && !b->run->ota_sweep && json_is_object(data))
		b->run->ota_sweep = json_incref(data);
	else if (strcmp(kind, "secoc.sweep") == 0)
		sweep_take(b, event);
}

/* Cases whose turn never came */

/* New string or NULL. */
static char *not_begun_reason(const struct report_run *run)
{
	char *reason = NULL;
	if (run->stop.message)
		return asprintf(&reason, "not begun: %s", run->stop.message) < 0 ? NULL : reason;
	if (run->failure.message && !run->failure.at_end)
		return strdup("not begun: the run could not start");
	if (run->interrupted)
		return strdup("not begun: the run was interrupted");
	if (run->complete && run->stop_at_failure)
		return strdup("not begun: the run stopped at the first failure");
	return strdup("not begun: the run ended first");
}

static void case_add_not_begun(struct builder *b, const json_t *selected)
{
	char *id = event_text(selected, "id", &b->failed);
	struct report_case *c = id && !case_find(b, id) ? case_new(b, id, selected) : NULL;
	free(id);
	if (!c || !(c->attempts = calloc(1, sizeof(*c->attempts)))) {
		b->failed = b->failed || c;
		return;
	}
	c->not_begun = true;
	c->attempt_count = 1;
	struct report_attempt *attempt = c->attempts;
	*attempt = (struct report_attempt){.number = 1, .verdict = VERDICT_SKIPPED, .place = c->place};
	attempt->begin_ns = attempt->end_ns = b->run->end_ns;
	attempt->message = not_begun_reason(b->run);
	b->failed = b->failed || !attempt->message;
}

static void cases_complete(struct builder *b)
{
	size_t i;
	json_t *selected;
	json_array_foreach (b->run->selected, i, selected) {
		case_add_not_begun(b, selected);
	}
}

/* A bench error that was tried again does not count; any other verdict of an earlier attempt does, so that trying
 * again never hides what the device did. Of equal weight the newest decides. */
static void case_decide(struct report_case *c)
{
	c->deciding = c->attempt_count - 1;
	for (size_t i = c->attempt_count - 1; i-- > 0;) {
		const struct report_attempt *a = &c->attempts[i];
		bool superseded = a->verdict == VERDICT_ERROR && a->cause == CAUSE_BENCH;
		if (!superseded && a->verdict > c->attempts[c->deciding].verdict)
			c->deciding = i;
	}
}

void report_run_judge(struct report_run *run)
{
	memset(run->by_verdict, 0, sizeof(run->by_verdict));
	run->flaky = 0;
	run->verdict = VERDICT_PASS;
	for (size_t i = 0; i < run->case_count; i++) {
		struct report_case *c = &run->cases[i];
		case_decide(c);
		enum verdict verdict = c->attempts[c->deciding].verdict;
		run->by_verdict[verdict]++;
		run->verdict = verdict_worse(run->verdict, verdict);
		for (size_t k = 0; verdict == VERDICT_PASS && k < c->attempt_count; k++) {
			if (c->attempts[k].verdict == VERDICT_PASS)
				continue;
			run->flaky++;
			break;
		}
	}
	if (run->verdict == VERDICT_SKIPPED && run->by_verdict[VERDICT_PASS] > 0)
		run->verdict = VERDICT_PASS; /* as in the exit status: skipped cases do not count */
	bool unfinished = !run->complete || run->failure.message || run->begun == 0;
	if (unfinished)
		run->verdict = VERDICT_ERROR;
}

static int journal_read(struct builder *b, struct journal *journal, struct error *err)
{
	json_t *event = NULL;
	int r;
	while ((r = journal_next(journal, &event, err)) > 0) {
		event_take(b, event);
		json_decref(event);
		if (b->failed)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	if (r < 0)
		return r;
	if (b->run->events == 0)
		return error_set(err, ERROR_BENCH, ENODATA, "the journal has no events");
	b->run->journal_cut = journal_was_cut(journal);
	attempt_abandon(b);
	cases_complete(b);
	report_run_judge(b->run);
	return b->failed ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

int report_run_read(const char *journal_path, struct report_run **ret, struct error *err)
{
	struct journal *journal = NULL;
	int r = journal_open(&journal, journal_path, err);
	if (r < 0)
		return r;
	struct builder *b = calloc(1, sizeof(*b));
	struct report_run *run = calloc(1, sizeof(*run));
	json_t *index = json_object();
	if (b && run && index) {
		b->run = run;
		b->case_index = index;
		r = journal_read(b, journal, err);
		attempt_state_clear(b);
	} else {
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	journal_close(journal);
	json_decref(index);
	free(b);
	if (r < 0)
		report_run_free(run);
	else
		*ret = run;
	return r;
}

void report_attempt_clear(struct report_attempt *attempt)
{
	for (size_t i = 0; i < attempt->event_count; i++)
		report_event_clear(&attempt->events[i]);
	free(attempt->events);
	free(attempt->message);
	free(attempt->errno_name);
	free(attempt->expected);
	free(attempt->actual);
	free(attempt->rig);
	json_decref(attempt->seed);
	for (size_t i = 0; i < attempt->note_count; i++)
		free(attempt->notes[i]);
	step_clear(&attempt->step);
}

void report_case_clear(struct report_case *c)
{
	for (size_t i = 0; i < c->attempt_count; i++)
		report_attempt_clear(&c->attempts[i]);
	free(c->attempts);
	free(c->id);
	free(c->title);
	json_decref(c->verifies);
	json_decref(c->tags);
	json_decref(c->params);
}

void report_run_free(struct report_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->case_count; i++)
		report_case_clear(&run->cases[i]);
	free(run->cases);
	for (size_t i = 0; i < run->measurement_count; i++)
		report_measurement_free(&run->measurements[i]);
	free(run->measurements);
	for (size_t i = 0; i < run->sweep_count; i++)
		report_sweep_free(&run->sweeps[i]);
	free(run->sweeps);
	free(run->version);
	free(run->utc);
	free(run->rig);
	free(run->rig_file);
	free(run->host);
	json_decref(run->selected);
	free(run->failure.domain);
	free(run->failure.message);
	free(run->failure.errno_name);
	free(run->stop.reason);
	free(run->stop.message);
	for (size_t i = 0; i < run->lost_run_count; i++)
		report_lost_run_clear(&run->lost_runs[i]);
	free(run->lost_runs);
	for (size_t i = 0; i < run->lost_board_count; i++) {
		free(run->lost_boards[i].board);
		free(run->lost_boards[i].case_id);
		free(run->lost_boards[i].message);
	}
	free(run->lost_boards);
	json_decref(run->seed);
	json_decref(run->arguments);
	json_decref(run->ota_sweep);
	free(run);
}

/* Whether a bench error of an earlier attempt, mended by another one, shows in the status only. */
static bool was_mended(const struct report_case *c)
{
	for (size_t i = 0; i < c->attempt_count; i++)
		if (i != c->deciding && c->attempts[i].verdict == VERDICT_ERROR && c->attempts[i].cause == CAUSE_BENCH)
			return true;
	return false;
}

int report_run_status_reason(const struct report_run *run, char **ret)
{
	struct text ids = {0};
	unsigned count = 0;
	*ret = NULL;
	for (size_t i = 0; i < run->case_count; i++) {
		const struct report_attempt *a = report_case_attempt(&run->cases[i]);
		if (a->verdict == VERDICT_ERROR && a->cause == CAUSE_BENCH)
			count = 0, i = run->case_count; /* a bench error that anyone can see */
		else if (was_mended(&run->cases[i]) && ++count <= MENDED_NAMED)
			text_printf(&ids, "%s%s", count > 1 ? ", " : "", run->cases[i].id);
	}
	int r = 0;
	if (run->has_status && run->status == 3 && run->complete && count > 0)
		r = asprintf(ret, "status 3: %u case%s %s only when repeated after a bench error (%s%s)", count, count > 1 ? "s" : "",
		             run->verdict == VERDICT_PASS ? "passed" : "ended", text_end(&ids), count > MENDED_NAMED ? ", …" : "");
	if (r < 0)
		*ret = NULL;
	text_free(&ids);
	return r < 0 ? -ENOMEM : 0;
}

const struct report_attempt *report_case_attempt(const struct report_case *c)
{
	return &c->attempts[c->deciding];
}

const char *report_run_utc(const struct report_run *run, int64_t monotonic_ns, char *buffer)
{
	buffer[0] = '\0';
	return run->has_offset ? text_utc(run->realtime_offset_ns + monotonic_ns, buffer) : buffer;
}
