/* SPDX-License-Identifier: Apache-2.0 */
#include "executor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "../proto/doip.h"
#include "bus_record.h"
#include "executor_private.h"

/* ---- selection ---- */

bool executor_selects(const struct executor_options *options, const struct case_def *def)
{
	const struct case_filter filter = {options->tags, options->globs};
	return case_selected(def, &filter);
}

static const char *missing_capability(const struct rig_file *file, const struct step_block *block)
{
	for (unsigned i = 0; i < block->count; i++) {
		const struct step_call *call = block->calls[i];
		for (const char *const *need = call->def->capabilities; need && *need; need++)
			if (!file || !rig_file_has_capability(file, *need))
				return *need;
		const char *inner = call->block ? missing_capability(file, call->block) : NULL;
		if (inner)
			return inner;
	}
	return NULL;
}

const char *executor_missing(const struct rig_file *file, const struct case_def *def)
{
	for (char **need = def->requires; need && *need; need++)
		if (!file || (!rig_file_has_role(file, *need) && !rig_file_has_link(file, *need) && !rig_file_has_capability(file, *need)))
			return *need;
	const struct step_block *blocks[] = {&def->setup, &def->steps, &def->always};
	for (unsigned i = 0; i < 3; i++) {
		const char *capability = missing_capability(file, blocks[i]);
		if (capability)
			return capability;
	}
	return NULL;
}

/* ---- the rig ---- */

static json_t *describe_doip(const uint8_t *data, size_t length, void *context)
{
	struct doip_message message = {0};
	return doip_decode(data, length, UINT32_MAX, &message) > 0 ? doip_to_json(&message) : NULL;
}

static int rig_build(struct executor *executor, struct error *err)
{
	const struct rig_options options = {executor->options->run_directory, executor->options->seed, describe_doip};
	if (!executor->options->rig_file)
		return 0;
	return rig_start(executor->options->rig_file, executor->loop, executor->timeline, &options, &executor->rig, err);
}

static void rig_tear_down(struct executor *executor)
{
	if (executor->rig)
		executor_power_end(executor);
	rig_stop(executor->rig);
	executor->rig = NULL;
}

/* After a bench error nothing of the rack is trusted: it is torn down and built once more. */
static int rig_renew(struct executor *executor, struct error *err)
{
	if (executor->broken.domain != ERROR_NONE) {
		*err = executor->broken;
		return -EIO;
	}
	if (!executor->rig_suspect || !executor->options->rig_file)
		return 0;
	rig_tear_down(executor);
	int r = rig_build(executor, err);
	boards_changed(executor, NULL);
	/* A rack begins with every board off. */
	if (r == 0) {
		executor->rig_suspect = false;
		executor->left_on = (struct error){0};
	} else if (err->domain != ERROR_OPERATOR) {
		error_prefix(err, "the rack cannot be built again");
		err->domain = ERROR_BENCH;
		executor->broken = *err;
	}
	return r;
}

static int put_rig_value(const char *group, const char *key, const struct value *value, void *scope)
{
	char name[256];
	struct value *copy = value_copy(value);
	snprintf(name, sizeof(name), "rig.%s.%s", group, key);
	return copy ? scope_set(scope, name, copy) : -ENOMEM;
}

static int fill_scope(struct executor *executor, struct scope *scope, const struct case_def *def)
{
	int r = executor->rig ? rig_each_value(executor->rig, put_rig_value, scope) : 0;
	for (unsigned i = 0; r == 0 && def->params && i < def->params->map.count; i++) {
		struct value *copy = value_copy(def->params->map.entries[i].value);
		r = copy ? scope_set(scope, def->params->map.entries[i].key, copy) : -ENOMEM;
	}
	return r;
}

/* ---- one case ---- */

static json_t *texts(char **list)
{
	json_t *array = json_array();
	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

void executor_emit_case_begin(struct executor *executor, const struct case_def *def, unsigned attempt, unsigned index, unsigned of)
{
	json_t *data =
	        json_pack("{s:s,s:s,s:s,s:i,s:o,s:o,s:o,s:i,s:i,s:i}", "id", def->id, "title", def->title ? def->title : def->id, "file",
	                  def->place.file ? def->place.file : "", "line", (int)def->place.line, "verifies", texts(def->verifies), "tags",
	                  texts(def->tags), "params", def->params ? value_to_json(def->params) : json_object(), "attempt", (int)attempt,
	                  "of", (int)of, "index", (int)index);
	timeline_emit_now(executor->timeline, "case", "case.begin", data);
}

void executor_emit_case_end(struct executor *executor, const struct case_def *def, unsigned attempt, const struct outcome *outcome)
{
	const struct error *error = &outcome->error;
	json_t *data = json_pack("{s:s,s:i,s:s,s:s,s:I}", "id", def->id, "attempt", (int)attempt, "verdict", verdict_name(outcome->verdict),
	                         "cause", cause_name(outcome->cause), "duration_ns", (json_int_t)(loop_now_ns() - executor->case_begin_ns));
	if (error->message[0])
		json_object_set_new(data, "message", json_string(error->message));
	if (error_code_name(error))
		json_object_set_new(data, "errno", json_string(error_code_name(error)));
	if (error->place.file)
		json_object_update_new(data, json_pack("{s:s,s:i,s:i}", "file", error->place.file, "line", (int)error->place.line, "column",
		                                       (int)error->place.column));
	if (outcome->expected)
		json_object_set_new(data, "expected", json_string(outcome->expected));
	if (outcome->actual)
		json_object_set_new(data, "actual", json_string(outcome->actual));
	timeline_emit_now(executor->timeline, "case", "case.end", data);
}

void outcome_take(struct outcome *outcome, struct step_context *context, const struct error *error)
{
	outcome_clear(outcome);
	outcome_from_error(outcome, error);
	outcome->expected = context->expected;
	outcome->actual = context->actual;
	context->expected = context->actual = NULL;
}

static bool run_phase(struct step_context *context, const char *phase, const struct step_block *block, struct outcome *outcome)
{
	struct error error = {0};
	context->executor->phase = phase;
	if (step_run_block(context, block, &error) == 0)
		return true;
	outcome_take(outcome, context, &error);
	return false;
}

/* Every step runs, whatever became of those before: they put things back. */
static void run_always(struct step_context *context, const struct case_def *def, struct outcome *outcome)
{
	struct executor *executor = context->executor;
	if (loop_cancelled(context->loop)) {
		executor->interrupted = true;
		loop_rearm(context->loop);
	}
	executor->phase = "always";
	context->deadline_ns = loop_now_ns() + def->always_timeout_ns;
	for (unsigned i = 0; i < def->always.count; i++) {
		struct error error = {0};
		if (call_run(context, def->always.calls[i], &error) == 0)
			continue;
		if (outcome->verdict == VERDICT_PASS)
			outcome_take(outcome, context, &error);
		if (error.domain == ERROR_OPERATOR)
			break;
	}
}

static void judge_measurements(struct executor *executor, struct outcome *outcome)
{
	struct measure_verdict measured;
	measurements_finish(executor->measurements, &measured);
	if (outcome->verdict != VERDICT_PASS || measured.verdict == VERDICT_PASS)
		return;
	outcome->verdict = measured.verdict;
	outcome->cause = measured.verdict == VERDICT_FAIL          ? CAUSE_DUT
	                 : measured.error.domain == ERROR_OPERATOR ? CAUSE_OPERATOR
	                 : measured.verdict == VERDICT_ERROR       ? CAUSE_TESTCASE
	                                                           : CAUSE_NONE;
	outcome->error = measured.error;
	outcome->expected = strdup(measured.expected);
	outcome->actual = strdup(measured.actual);
}

void case_wind_up(struct step_context *context, const struct case_def *def, struct outcome *outcome)
{
	run_always(context, def, outcome);
	/* What a test leaves of testers and servers says goodbye before the verdict is written. */
	context_objects_free(context);
	judge_measurements(context->executor, outcome);
}

static void run_steps(struct step_context *context, const struct case_def *def, struct outcome *outcome)
{
	context->deadline_ns = loop_now_ns() + def->timeout_ns;
	if (context->executor->options->on_failure)
		session_guide(context, def, outcome);
	else if (run_phase(context, "setup", &def->setup, outcome))
		(void)run_phase(context, "steps", &def->steps, outcome);
	case_wind_up(context, def, outcome);
}

static uint64_t case_seed(uint64_t seed, const char *id, unsigned round)
{
	uint64_t hash = (seed ^ UINT64_C(0xcbf29ce484222325)) + round; /* FNV-1a, then a mix so that near ids differ everywhere */
	for (; *id; id++)
		hash = (hash ^ (uint8_t)*id) * UINT64_C(0x100000001b3);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return hash ^ (hash >> 31);
}

static int prepare(struct executor *executor, const struct case_def *def, struct step_context *context, struct error *err)
{
	bool is_virtual = executor->options->rig_file && rig_file_is_virtual(executor->options->rig_file);
	int r = rig_renew(executor, err);
	if (r == 0 && executor->rig)
		r = rig_restore(executor->rig, err);
	if (r == 0)
		r = measurements_new(&executor->measurements, executor->timeline, def, is_virtual, err);
	if (r < 0)
		return r;
	context->rig = executor->rig;
	context->scope = scope_new();
	if (!context->scope || fill_scope(executor, context->scope, def) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	r = bus_watch_all(context, err);
	if (r < 0)
		context_objects_free(context);
	return r;
}

int case_prepare(struct executor *executor, const struct case_def *def, unsigned round, struct step_context *ret, struct error *err)
{
	*ret = (struct step_context){.loop = executor->loop,
	                             .timeline = executor->timeline,
	                             .executor = executor,
	                             .seed = case_seed(executor->options->seed, def->id, round)};
	executor->current = def;
	executor->case_mark = ret->action_mark = timeline_mark(executor->timeline);
	executor->action_begin_ns = loop_now_ns();
	return prepare(executor, def, ret, err);
}

void case_release(struct executor *executor, struct step_context *context, const struct outcome *outcome)
{
	context_forget_check(context);
	scope_free(context->scope);
	context->scope = NULL;
	measurements_free(executor->measurements);
	executor->measurements = NULL;
	if (outcome->cause == CAUSE_BENCH)
		executor->rig_suspect = true;
	if (outcome->cause == CAUSE_OPERATOR)
		executor->interrupted = true;
}

static void run_prepared(struct executor *executor, const struct case_def *def, unsigned round, struct outcome *outcome)
{
	struct error error = {0};
	struct step_context context;
	if (case_prepare(executor, def, round, &context, &error) == 0)
		run_steps(&context, def, outcome);
	else
		outcome_from_error(outcome, &error);
	case_release(executor, &context, outcome);
}

/* One attempt. Returns its verdict and cause. */
static enum cause run_attempt(struct executor *executor, const struct case_def *def, unsigned round, unsigned attempt, unsigned index,
                              unsigned of, enum verdict *ret_verdict)
{
	struct outcome outcome = {0};
	const char *need = executor_missing(executor->options->rig_file, def);
	executor->case_begin_ns = loop_now_ns();
	executor_emit_case_begin(executor, def, attempt, index, of);
	if (need) {
		outcome.verdict = VERDICT_SKIPPED;
		error_set_place(&outcome.error, ERROR_NONE, 0, def->place, "the rig has no \"%s\"", need);
	} else {
		run_prepared(executor, def, round, &outcome);
		executor_blame_stop(executor, &outcome);
	}
	executor_emit_case_end(executor, def, attempt, &outcome);
	enum cause cause = outcome.cause;
	*ret_verdict = outcome.verdict;
	outcome_clear(&outcome);
	return cause;
}

/* Nothing may follow: the operator said so, or the journal cannot be written. */
static bool over(const struct executor *executor)
{
	return executor->interrupted || timeline_failed(executor->timeline, NULL);
}

static enum verdict run_case(struct executor *executor, const struct case_def *def, unsigned round, unsigned index, unsigned of,
                             struct verdict_tally *tally)
{
	enum verdict verdict = VERDICT_PASS;
	for (unsigned attempt = 1; attempt <= executor->options->retries + 1; attempt++) {
		enum cause cause = run_attempt(executor, def, round, attempt, index, of, &verdict);
		verdict_tally_add(tally, verdict, cause);
		if (cause != CAUSE_BENCH || over(executor) || executor->broken.domain != ERROR_NONE)
			break;
	}
	return verdict;
}

/* ---- the run ---- */

/* What is to run, so that a report can name also what was never begun. */
static json_t *selected_json(const struct executor *executor, const struct program *program)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < program->count; i++) {
		const struct case_def *def = program->cases[i];
		if (executor_selects(executor->options, def))
			json_array_append_new(list,
			                      json_pack("{s:s,s:s,s:s,s:i}", "id", def->id, "title", def->title ? def->title : def->id,
			                                "file", def->place.file ? def->place.file : "", "line", (int)def->place.line));
	}
	return list;
}

/* Where the boards are, for who reads what was said to them. Addresses as the rig file has them, with its variables. */
static json_t *boards_json(const struct rig_file *file)
{
	const struct value *roles = file ? value_get(rig_file_root(file), "roles") : NULL;
	json_t *boards = json_object();
	for (unsigned i = 0; roles && roles->type == VALUE_MAP && i < roles->map.count; i++) {
		const struct value *role = roles->map.entries[i].value;
		const struct value *address = value_get(role, "address"), *logical = value_get(role, "logical_address");
		json_t *board = json_object();
		if (address && address->type == VALUE_TEXT)
			json_object_set_new(board, "address", json_string(address->text));
		if (logical && logical->type == VALUE_INTEGER)
			json_object_set_new(board, "logical_address", json_integer(logical->integer));
		json_object_set_new(boards, roles->map.entries[i].key, board);
	}
	return boards;
}

static void emit_run_begin(struct executor *executor, const struct program *program)
{
	const struct executor_options *options = executor->options;
	struct timespec now;
	struct tm parts;
	struct utsname host = {0};
	char utc[32];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(utc, sizeof(utc), "%Y-%m-%dT%H:%M:%SZ", &parts);
	uname(&host);
	json_t *data = json_pack("{s:s,s:s,s:I,s:s,s:s,s:b,s:I,s:O?,s:s}", "version", HILBENCH_VERSION, "utc", utc, "realtime_offset_ns",
	                         (json_int_t)clock_run_offset_ns(), "rig", options->rig_file ? rig_file_name(options->rig_file) : "",
	                         "rig_file", options->rig_path ? options->rig_path : "", "virtual",
	                         options->rig_file && rig_file_is_virtual(options->rig_file), "seed", (json_int_t)options->seed,
	                         "arguments", options->arguments, "host", host.nodename);
	json_object_set_new(data, "cases", selected_json(executor, program));
	json_object_set_new(data, "repeat", json_integer(options->repeat ? options->repeat : 1));
	json_object_set_new(data, "stop_at_failure", json_boolean(options->stop_at_failure));
	json_object_set_new(data, "locked", json_boolean(timeline_locked(executor->timeline)));
	json_object_set_new(data, "boards", boards_json(options->rig_file));
	timeline_emit_now(executor->timeline, "run", "run.begin", data);
}

static void run_all(struct executor *executor, const struct program *program, struct verdict_tally *tally)
{
	const struct executor_options *options = executor->options;
	unsigned rounds = options->repeat ? options->repeat : 1, selected = 0, index = 0;
	for (unsigned i = 0; i < program->count; i++)
		selected += executor_selects(options, program->cases[i]);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < program->count && !over(executor); i++) {
			if (!executor_selects(options, program->cases[i]))
				continue;
			if (loop_cancelled(executor->loop)) {
				executor->interrupted = true;
				return;
			}
			enum verdict verdict = run_case(executor, program->cases[i], round, ++index, selected * rounds, tally);
			if (options->stop_at_failure && verdict >= VERDICT_FAIL)
				return;
		}
}

/* Why nothing could run, or what broke at the end. */
static json_t *error_json(const struct error *error)
{
	static const char *const domains[] = {[ERROR_NONE] = "bench", [ERROR_USAGE] = "usage",       [ERROR_BENCH] = "bench",
	                                      [ERROR_DUT] = "dut",    [ERROR_TESTCASE] = "testcase", [ERROR_OPERATOR] = "operator"};
	json_t *data = json_pack("{s:s,s:s}", "domain", domains[error->domain], "message", error->message);
	if (error_code_name(error))
		json_object_set_new(data, "errno", json_string(error_code_name(error)));
	if (error->place.file)
		json_object_update_new(data, json_pack("{s:s,s:i,s:i}", "file", error->place.file, "line", (int)error->place.line, "column",
		                                       (int)error->place.column));
	return data;
}

static json_t *end_error_json(const struct error *error)
{
	json_t *data = error_json(error);
	json_object_set_new(data, "at_end", json_true());
	return data;
}

int executor_end(struct executor *executor, int r, struct verdict_tally *tally, struct error *err)
{
	const int64_t offset_ns = clock_realtime_offset_ns();
	struct error lost;
	rig_tear_down(executor);
	const bool left_on = executor->left_on.domain != ERROR_NONE;
	if (left_on)
		verdict_tally_add(tally, VERDICT_ERROR, CAUSE_BENCH);
	if (timeline_failed(executor->timeline, &lost))
		verdict_tally_add(tally, VERDICT_ERROR, CAUSE_BENCH);
	executor_judge_stop(executor, r, tally, err);
	int status = verdict_exit_status(tally);
	boards_free(executor);
	value_free(executor->kept_results);
	executor->kept_results = NULL;
	if (r < 0)
		status = err->domain == ERROR_USAGE ? 2 : err->domain == ERROR_OPERATOR ? 130 : 3;
	clock_bracket();
	json_t *data = json_pack("{s:i,s:b,s:I}", "status", status, "interrupted", executor->interrupted, "clock_moved_ns",
	                         (json_int_t)(clock_realtime_offset_ns() - offset_ns));
	if (r < 0)
		json_object_set_new(data, "error", error_json(err));
	else if (left_on)
		json_object_set_new(data, "error", end_error_json(&executor->left_on));
	if (executor->stop.reason[0])
		json_object_set_new(data, "stopped",
		                    json_pack("{s:s,s:s}", "reason", executor->stop.reason, "message", executor->stop.message));
	timeline_emit_now(executor->timeline, "run", "run.end", data);
	return r;
}

int executor_begin(struct executor *executor, const struct program *program, struct error *err)
{
	clock_bracket();
	emit_run_begin(executor, program);
	return rig_build(executor, err);
}

int executor_run(const struct program *program, struct loop *loop, struct timeline *timeline, const struct executor_options *options,
                 struct verdict_tally *ret, struct error *err)
{
	struct executor executor = {.loop = loop, .timeline = timeline, .options = options, .phase = "setup"};
	struct verdict_tally tally = {0};
	struct error own = {0};
	int r = executor_begin(&executor, program, &own);
	if (r == 0)
		run_all(&executor, program, &tally);
	r = executor_end(&executor, r, &tally, &own);
	if (r == 0)
		*ret = tally;
	else if (err)
		*err = own;
	return r;
}

void executor_refuse(const struct program *program, struct timeline *timeline, const struct executor_options *options,
                     const struct error *why)
{
	struct executor executor = {.timeline = timeline, .options = options};
	struct verdict_tally tally = {0};
	struct error own = *why;
	clock_bracket();
	emit_run_begin(&executor, program);
	(void)executor_end(&executor, -EINVAL, &tally, &own);
}
