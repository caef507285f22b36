/* SPDX-License-Identifier: Apache-2.0 */
#include "session_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A typed step waits for as long as its writer says, and for whoever sits there: Ctrl-C ends it. */
#define TYPED_NS INT64_C(86400000000000)

static char *no_texts[] = {NULL};
const struct case_def session_typed_case = {.id = (char *)"shell",
                                            .title = (char *)"Typed by hand",
                                            .verifies = no_texts,
                                            .tags = no_texts,
                                            .requires = no_texts,
                                            .timeout_ns = TYPED_NS,
                                            .always_timeout_ns = INT64_C(15000000000)};

/* ---- cases ---- */

/* "brake-test", then "brake-test#2": what failed the first time stays in the totals. */
static int name_case(struct session *session, const struct case_def *def)
{
	struct begun *begun = session->begun, *end = begun + session->begun_count;
	while (begun && begun < end && strcmp(begun->id, def->id) != 0)
		begun++;
	if (begun == end) {
		struct begun *grown = realloc(session->begun, (session->begun_count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		session->begun = grown;
		begun = &grown[session->begun_count];
		*begun = (struct begun){strdup(def->id), 0};
		if (!begun->id)
			return -ENOMEM;
		session->begun_count++;
	}
	session->named = *def;
	int n = ++begun->count > 1 ? asprintf(&session->named.id, "%s#%u", def->id, begun->count)
	                           : asprintf(&session->named.id, "%s", def->id);
	if (n < 0)
		session->named.id = NULL;
	return n < 0 ? -ENOMEM : 0;
}

static void forget_case(struct session *session)
{
	outcome_clear(&session->outcome);
	session->position = 0;
	session->failed = session->skipped = false;
	session->def = NULL;
	free(session->named.id);
	session->named = (struct case_def){0};
}

static int put_kept(struct session *session)
{
	const struct value *value;
	const char *name;
	int r = 0;
	for (unsigned i = 0; r == 0 && (value = scope_at(session->kept, i, &name)); i++)
		if (!scope_get(session->context->scope, name))
			r = scope_set(session->context->scope, name, value_copy(value));
	return r;
}

static int open_case(struct session *session, const struct case_def *def, struct error *err)
{
	struct error own = {0};
	if (name_case(session, def) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (def != session->breaks_of && def != &session_typed_case) {
		session->break_count = 0;
		session->breaks_of = def;
	}
	session->index++;
	session->def = def;
	session->left_ns = def->timeout_ns;
	session->executor->case_begin_ns = loop_now_ns();
	executor_emit_case_begin(session->executor, &session->named, 1, session->index, session->index);
	int r = case_prepare(session->executor, &session->named, session->index, &session->own_context, &own);
	session->context = &session->own_context;
	if (r == 0 && put_kept(session) < 0)
		r = error_set(&own, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		return 0;
	outcome_from_error(&session->outcome, &own);
	enum verdict verdict;
	session_finish(session, &verdict, NULL);
	if (err)
		*err = own;
	return r;
}

static bool is_typed_case(const struct session *session)
{
	return session->def == &session_typed_case;
}

/* Not everything was run, and nothing failed: that is no pass. */
static void judge_unfinished(struct session *session)
{
	bool unfinished = !is_typed_case(session) && (session->skipped || session->position < session_step_count(session));
	if (session->outcome.verdict != VERDICT_PASS || !unfinished)
		return;
	error_set_place(&session->outcome.error, ERROR_OPERATOR, ECANCELED, session->def->place, "left before all of its steps had run");
	session->outcome.verdict = VERDICT_ERROR;
	session->outcome.cause = CAUSE_OPERATOR;
}

void session_finish(struct session *session, enum verdict *ret_verdict, struct error *ret_why)
{
	*ret_verdict = VERDICT_PASS;
	if (!session->context || session->guided)
		return;
	session_walk_end(session);
	judge_unfinished(session);
	if (session->context->scope)
		case_wind_up(session->context, &session->named, &session->outcome);
	executor_emit_case_end(session->executor, &session->named, 1, &session->outcome);
	verdict_tally_add(&session->tally, session->outcome.verdict, session->outcome.cause);
	case_release(session->executor, session->context, &session->outcome);
	session->executor->interrupted = false;
	*ret_verdict = session->outcome.verdict;
	if (ret_why)
		*ret_why = session->outcome.error;
	session->context = NULL;
	forget_case(session);
}

int session_begin(struct session *session, const struct case_def *def, struct error *err)
{
	enum verdict verdict;
	const char *need = executor_missing(session->executor->options->rig_file, def);
	if (session->guided)
		return error_set(err, ERROR_USAGE, EOPNOTSUPP, "the run has a case under way: this belongs to `hilbench shell`");
	if (need)
		return error_set_place(err, ERROR_USAGE, EOPNOTSUPP, def->place, "the rig has no \"%s\"", need);
	session_finish(session, &verdict, NULL);
	return open_case(session, def, err);
}

int session_ready(struct session *session, struct error *err)
{
	return session->context ? 0 : open_case(session, &session_typed_case, err);
}

int session_renew(struct session *session, struct error *err)
{
	enum verdict verdict;
	session_finish(session, &verdict, NULL);
	session->executor->rig_suspect = true;
	session->executor->broken = (struct error){0};
	return session_ready(session, err);
}

/* ---- the run ---- */

int session_new(struct session **ret, struct loop *loop, struct timeline *timeline, const struct executor_options *options,
                struct error *err)
{
	/* Nobody knows yet what will be run. */
	const struct program program = {0};
	struct verdict_tally tally = {0};
	struct error own = {0};
	struct session *session = calloc(1, sizeof(*session));
	if (!session || !(session->kept = scope_new())) {
		free(session);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	session->by_hand = true;
	session->executor = &session->own_executor;
	*session->executor =
	        (struct executor){.loop = loop, .timeline = timeline, .options = options, .phase = "shell", .keep_results = true};
	int r = executor_begin(session->executor, &program, &own);
	if (r == 0) {
		*ret = session;
		return 0;
	}
	r = executor_end(session->executor, r, &tally, &own);
	scope_free(session->kept);
	free(session);
	if (err)
		*err = own;
	return r;
}

void session_left_on(struct session *session, const struct error *why)
{
	executor_left_on(session->executor, why);
}

static void release(struct session *session)
{
	free(session->breaks);
	free(session->expected);
	free(session->actual);
	scope_free(session->kept);
	for (unsigned i = 0; i < session->begun_count; i++)
		free(session->begun[i].id);
	free(session->begun);
}

/* Who leaves a case early has interrupted it; a failure, of this case or another, is worth more. */
static void weigh(struct session *session)
{
	struct verdict_tally *tally = &session->tally;
	if (session->ended)
		session->executor->interrupted = true;
	else if (tally->by_verdict[VERDICT_FAIL] || tally->bench || tally->testcase)
		tally->operator_ = 0;
}

void session_interrupt(struct session *session)
{
	session->ended = true;
}

void session_free(struct session *session, struct verdict_tally *ret)
{
	enum verdict verdict;
	struct error none = {0};
	if (!session)
		return;
	session_finish(session, &verdict, NULL);
	weigh(session);
	(void)executor_end(session->executor, 0, &session->tally, &none);
	*ret = session->tally;
	release(session);
	free(session);
}

/* Whoever stands somewhere has made the samples that are under way his own. */
static void stand(struct session *session)
{
	if (session->by_hand && session->executor->measurements)
		measurements_hold(session->executor->measurements);
}

void session_guide(struct step_context *context, const struct case_def *def, struct outcome *outcome)
{
	struct session session = {
	        .executor = context->executor, .context = context, .guided = true, .def = def, .left_ns = def->timeout_ns};
	const struct executor_options *options = context->executor->options;
	struct error error = {0};
	session.kept = scope_new();
	context->executor->keep_results = true;
	if (!session.kept) {
		error_set(&error, ERROR_BENCH, ENOMEM, "out of memory");
		outcome_from_error(&session.outcome, &error);
	} else if (session_run(&session, NULL, &error) < 0 && (error.domain == ERROR_DUT || error.domain == ERROR_BENCH)) {
		session.by_hand = true;
		stand(&session);
		options->on_failure(&session, options->on_failure_context);
	}
	session_walk_end(&session);
	*outcome = session.outcome;
	session.outcome = (struct outcome){0};
	forget_case(&session);
	release(&session);
}

/* ---- steps ---- */

static void keep_check(struct session *session)
{
	free(session->expected);
	free(session->actual);
	session->expected = session->context->expected ? strdup(session->context->expected) : NULL;
	session->actual = session->context->actual ? strdup(session->context->actual) : NULL;
}

static void forget_results(struct session *session)
{
	value_free(session->executor->kept_results);
	session->executor->kept_results = NULL;
}

void session_note_end(struct session *session, int r, const struct error *error)
{
	keep_check(session);
	if (r < 0 && error->domain == ERROR_BENCH)
		session->executor->rig_suspect = true;
}

/* One step as a whole, whoever wrote it. */
static int run_step(struct session *session, const struct step_call *call, const char *phase, int64_t time_ns, struct error *err)
{
	struct step_context *context = session->context;
	forget_results(session);
	session->executor->phase = phase;
	context->deadline_ns = loop_now_ns() + time_ns;
	int r = call_run(context, call, err);
	session_note_end(session, r, err);
	return r;
}

void session_take_failure(struct session *session, const struct error *error)
{
	struct step_context *context = session->context;
	bool interrupted = error->domain == ERROR_OPERATOR && session->by_hand;
	if (session->outcome.verdict != VERDICT_PASS || interrupted)
		return;
	outcome_take(&session->outcome, context, error);
	context->expected = session->expected ? strdup(session->expected) : NULL;
	context->actual = session->actual ? strdup(session->actual) : NULL;
}

int session_type(struct session *session, const struct step_call *call, struct error *err)
{
	struct error own = {0};
	int r = session_ready(session, &own);
	if (r == 0) {
		r = run_step(session, call, "shell", TYPED_NS, &own);
		/* What is typed beside a case is a look at it, and no part of it; a slip of the pen is nobody's fault. */
		if (r < 0 && is_typed_case(session) && (own.domain == ERROR_DUT || own.domain == ERROR_BENCH))
			session_take_failure(session, &own);
	}
	if (r < 0 && err)
		*err = own;
	return r;
}

void session_typed_prefix(struct session *session, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s/shell/%u", session->def ? session->def->id : session_typed_case.id, ++session->typed);
}

const struct value *session_results(const struct session *session)
{
	return session->executor->kept_results;
}

void session_failed_check(const struct session *session, const char **ret_expected, const char **ret_actual)
{
	*ret_expected = session->expected;
	*ret_actual = session->actual;
}

const struct error *session_failure(const struct session *session)
{
	return &session->outcome.error;
}

struct scope *session_scope(struct session *session)
{
	return session->context ? session->context->scope : session->kept;
}

struct rig *session_rig(const struct session *session)
{
	return session->executor->rig;
}

int session_set(struct session *session, const char *name, struct value *stolen)
{
	struct value *copy = session->context ? value_copy(stolen) : NULL;
	int r = scope_set(session->kept, name, stolen);
	if (r == 0 && session->context)
		return scope_set(session->context->scope, name, copy);
	value_free(copy);
	return r;
}

/* ---- a case, step by step ---- */

bool session_guided(const struct session *session)
{
	return session->guided;
}

const struct case_def *session_case(const struct session *session)
{
	return session->context && !is_typed_case(session) ? session->def : NULL;
}

unsigned session_step_count(const struct session *session)
{
	return session->def ? session->def->setup.count + session->def->steps.count : 0;
}

const struct step_call *session_step_at(const struct session *session, unsigned index)
{
	const struct case_def *def = session->def;
	if (index >= session_step_count(session))
		return NULL;
	return index < def->setup.count ? def->setup.calls[index] : def->steps.calls[index - def->setup.count];
}

unsigned session_position(const struct session *session)
{
	return session->position;
}

enum session_state session_state(const struct session *session)
{
	if (!session_case(session))
		return SESSION_FREE;
	if (session->position >= session_step_count(session))
		return SESSION_DONE;
	return session->failed ? SESSION_FAILED : SESSION_READY;
}

/* What ran has stopped: its time counts. Whoever looks at a failure goes on with fresh time. */
static void count_time(struct session *session, int r)
{
	session->left_ns -= loop_now_ns() - session->began_ns;
	if (r < 0)
		session->left_ns = session->def->timeout_ns;
}

static int run_at_position(struct session *session, struct error *err)
{
	const struct step_call *call = session_step_at(session, session->position);
	if (!call)
		return error_set(err, ERROR_USAGE, ENOENT, session_case(session) ? "the case has no step left" : "no case is loaded");
	const char *phase = session->position < session->def->setup.count ? "setup" : "steps";
	session->began_ns = loop_now_ns();
	if (!call->block)
		return run_step(session, call, phase, session->left_ns, err);
	forget_results(session);
	session->context->deadline_ns = session->began_ns + session->left_ns;
	return session_walk_begin(session, call, phase, err);
}

static int go_on_inside(struct session *session, struct error *err)
{
	session->began_ns = loop_now_ns();
	session->context->deadline_ns = session->began_ns + session->left_ns;
	return session_walk_on(session, err);
}

void session_note_pass(struct session *session, const struct step_call *call, unsigned depth, int64_t begin_ns)
{
	unsigned count = session->passed_count;
	bool around = count > 0 && depth < session->passed[count - 1].depth;
	if (count > SESSION_DEPTH || (call != session->stood && !around))
		return;
	session->passed[count].call = call;
	session->passed[count].took_ns = step_clock_ns(session->context) - begin_ns;
	session->passed[count].depth = depth;
	session->passed_count++;
}

/* From where the case stands to where it stands next. */
static int go_on(struct session *session, struct error *err)
{
	const struct step_call *call = session_step_at(session, session->position);
	struct error own = {0};
	int64_t begin_ns = step_clock_ns(session->context);
	int r = session->walk.inside ? go_on_inside(session, &own) : run_at_position(session, &own);
	if (call)
		count_time(session, r);
	if (call && !session->walk.inside) {
		if (call->block)
			session_note_end(session, r, &own);
		session->failed = r < 0;
		session->position += r == 0;
		if (r < 0)
			session_take_failure(session, &own);
		else
			session_note_pass(session, call, 0, call->block ? session->walk.begin_ns : begin_ns);
	}
	if (r < 0 && err)
		*err = own;
	return r;
}

static int go(struct session *session, enum session_pace pace, struct error *err)
{
	struct session_place here;
	int r;
	session->pace = pace;
	session->pace_depth = session->walk.inside ? session->walk.here.depth : 0;
	session->stood = session_here(session, &here) ? here.call : NULL;
	if (pace == PACE_OUT && here.depth > 0)
		session->stood = here.block[here.depth - 1];
	session->passed_count = 0;
	session->forgiven = (struct error){0};
	do {
		r = go_on(session, err);
	} while (r == 0 && !session->walk.inside && session_here(session, &here) && !session_stops_at(session, &here));
	session->until = NULL;
	session->until_name = NULL;
	stand(session);
	return r;
}

/* A failed step is left behind; one in a block by itself, when the block goes on. */
static void leave_behind(struct session *session)
{
	if (!session->failed || session->walk.inside)
		return;
	session->failed = false;
	session->skipped = true;
	session->position++;
}

int session_next(struct session *session, struct error *err)
{
	leave_behind(session);
	return go(session, PACE_NEXT, err);
}

int session_enter(struct session *session, struct error *err)
{
	leave_behind(session);
	return go(session, PACE_STEP, err);
}

int session_out(struct session *session, struct error *err)
{
	if (!session->walk.inside)
		return error_set(err, ERROR_USAGE, ENOENT, "the case does not stand in a block: `continue` runs on to its end");
	return go(session, PACE_OUT, err);
}

int session_run(struct session *session, const struct session_place *until, struct error *err)
{
	bool behind = session->failed;
	leave_behind(session);
	if (behind && session_state(session) == SESSION_DONE)
		return 0;
	session->until = until;
	return go(session, PACE_RUN, err);
}

static bool has_name(const struct step_call *call, const char *name)
{
	bool has = !strcmp(call->def->name, name);
	for (unsigned i = 0; !has && call->block && i < call->block->count; i++)
		has = has_name(call->block->calls[i], name);
	return has;
}

/* The block under way may come round again; of another step at the position only what is in it is still to come. */
static bool is_ahead(const struct session *session, const char *name)
{
	const struct step_call *call = session_step_at(session, session->position);
	for (unsigned i = 0; call && call->block && i < call->block->count; i++)
		if (has_name(call->block->calls[i], name))
			return true;
	for (unsigned i = session->position + 1; i < session_step_count(session); i++)
		if (has_name(session_step_at(session, i), name))
			return true;
	return false;
}

int session_run_to(struct session *session, const char *name, struct error *err)
{
	if (!is_ahead(session, name))
		return error_set(err, ERROR_USAGE, ENOENT, "no step to come has the name \"%s\"", name);
	leave_behind(session);
	session->until_name = name;
	return go(session, PACE_RUN, err);
}

int session_retry(struct session *session, struct error *err)
{
	if (!session->failed)
		return error_set(err, ERROR_USAGE, ENOENT, "no step has failed");
	session->walk.order = ORDER_RETRY;
	return go(session, PACE_NEXT, err);
}

int session_leave(struct session *session, struct error *err)
{
	if (!session->walk.inside)
		return error_set(err, ERROR_USAGE, ENOENT, "the case does not stand in a block");
	session->walk.order = ORDER_LEAVE;
	return go(session, PACE_OUT, err);
}

const struct step_call *session_passed(const struct session *session, unsigned index, int64_t *ret_took_ns)
{
	if (index >= session->passed_count)
		return NULL;
	*ret_took_ns = session->passed[index].took_ns;
	return session->passed[index].call;
}

const struct error *session_forgiven(const struct session *session)
{
	return session->forgiven.message[0] ? &session->forgiven : NULL;
}

int session_always(struct session *session, struct error *err)
{
	int r = 0;
	if (!session_case(session))
		return error_set(err, ERROR_USAGE, ENOENT, "no case is loaded");
	for (unsigned i = 0; i < session->def->always.count; i++) {
		struct error own = {0};
		int failed = run_step(session, session->def->always.calls[i], "always", session->def->always_timeout_ns, &own);
		if (failed == 0)
			continue;
		if (r == 0 && err)
			*err = own;
		r = r ? r : failed;
		if (own.domain == ERROR_OPERATOR)
			break;
	}
	return r;
}

int session_check(struct session *session, struct error *err)
{
	struct step_context bare = {
	        .loop = session->executor->loop, .timeline = session->executor->timeline, .rig = session->executor->rig};
	return context_check(session->context ? session->context : &bare, err);
}
