/* SPDX-License-Identifier: Apache-2.0 */
/* A case that stands inside a block: the block's steps run on a stack of their own, which waits while somebody looks. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "session_private.h"

/* ---- where a step is ---- */

/* The frame is that of the block around the step. False: deeper than anybody looks. */
static bool place_of(const struct session *session, const struct step_frame *frame, const struct step_call *call, struct session_place *ret)
{
	unsigned depth = 0, level;
	for (const struct step_frame *outer = frame; outer; outer = outer->outer)
		depth++;
	if (depth > SESSION_DEPTH)
		return false;
	*ret = (struct session_place){.call = call, .depth = level = depth, .number = {session->position + 1}};
	for (; frame; frame = frame->outer) {
		ret->number[level--] = frame->index + 1;
		ret->block[level] = frame->call;
		ret->round[level] = frame->round->number;
		ret->of[level] = frame->round->of;
	}
	return true;
}

/* ---- standing ---- */

/* Waits for what somebody wants: of the context only what the block left there is put back. */
static void hold(struct session *session, const struct session_place *place, int r, const struct error *why)
{
	struct session_walk *walk = &session->walk;
	struct executor *executor = session->executor;
	struct step_context *context = session->context;
	struct step_frame *frame = executor->frame;
	char *expected = context->expected, *actual = context->actual;
	int64_t begin_ns = loop_now_ns();
	walk->here = *place;
	walk->inside = true;
	walk->order = ORDER_GO;
	walk->r = r;
	if (r < 0)
		walk->error = *why;
	session->failed = r < 0;
	context->expected = context->actual = NULL;
	executor->frame = NULL;
	executor->guide = NULL;
	timeline_set_step(context->timeline, NULL);
	fiber_yield(walk->fiber);
	context_forget_check(context);
	context->expected = expected;
	context->actual = actual;
	executor->frame = frame;
	executor->guide = &walk->guide;
	executor->phase = walk->phase;
	executor->held_ns += loop_now_ns() - begin_ns;
	timeline_set_step(context->timeline, frame->call->id);
	if (session->failed && walk->order == ORDER_GO)
		session->skipped = true;
	session->failed = false;
	walk->inside = false;
}

static int left(struct error *err)
{
	return error_set(err, ERROR_OPERATOR, ECANCELED, SESSION_LEFT);
}

/* ---- steps ---- */

/* A block answers it by another try. */
static bool forgiven(const struct step_frame *frame, const struct error *error)
{
	for (; frame; frame = frame->outer)
		if (frame->round->forgives && frame->round->forgives(frame->round, error))
			return true;
	return false;
}

/* The case's verdict is that of a run in which nobody looks, with the rounds in its message. */
static void take(struct session *session, const struct step_frame *frame, const struct error *error)
{
	struct error own = *error;
	for (; frame; frame = frame->outer) {
		step_round_blame(session->context, frame->round, &own);
		if (strcmp(frame->round->noun, "attempt") != 0)
			step_round_prefix(frame->round, &own);
	}
	session_take_failure(session, &own);
}

/* Runs a step that failed again as long as somebody wants that. */
static int run_held(struct session *session, const struct step_call *call, const struct session_place *place, struct error *err)
{
	const struct step_frame *frame = session->executor->frame;
	for (;;) {
		struct error own = {0};
		int64_t begin_ns = step_clock_ns(session->context);
		int r = call_run(session->context, call, &own);
		session_note_end(session, r, &own);
		if (r == 0) {
			session_note_pass(session, call, place->depth, begin_ns);
			return 0;
		}
		*err = own;
		if (session->walk.leaving)
			return r;
		if (forgiven(frame, &own)) {
			session->forgiven = own;
			return r;
		}
		take(session, frame, &own);
		hold(session, place, r, &own);
		if (session->walk.order == ORDER_GO)
			return 0;
		/* Who stood there was given fresh time, with which a block might try once more. */
		if (session->walk.order == ORDER_LEAVE)
			return forgiven(frame, &own) ? left(err) : r;
	}
}

static int guide_run(struct step_guide *guide, struct step_context *context, const struct step_call *call, struct error *err)
{
	struct session *session = (struct session *)((char *)guide - offsetof(struct session, walk.guide));
	struct session_place place;
	struct error own = {0};
	if (session->walk.leaving)
		return left(err);
	if (!place_of(session, context->executor->frame, call, &place))
		return call_run(context, call, err);
	if (session_stops_at(session, &place)) {
		hold(session, &place, 0, NULL);
		if (session->walk.order == ORDER_LEAVE)
			return left(err);
	}
	int r = run_held(session, call, &place, &own);
	if (r < 0 && err)
		*err = own;
	return r;
}

/* ---- the whole ---- */

static void run_outermost(void *argument)
{
	struct session *session = argument;
	struct error own = {0};
	session->walk.r = call_run(session->context, session->walk.outermost, &own);
	session->walk.error = own;
}

int session_walk_on(struct session *session, struct error *err)
{
	struct session_walk *walk = &session->walk;
	if (fiber_resume(walk->fiber)) {
		fiber_free(walk->fiber);
		walk->fiber = NULL;
		session->executor->guide = NULL;
	}
	if (walk->r < 0)
		*err = walk->error;
	return walk->r;
}

int session_walk_begin(struct session *session, const struct step_call *call, const char *phase, struct error *err)
{
	struct session_walk *walk = &session->walk;
	*walk = (struct session_walk){.guide = {guide_run}, .phase = phase, .outermost = call};
	if (fiber_new(&walk->fiber, run_outermost, session) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	walk->begin_ns = step_clock_ns(session->context);
	session->executor->guide = &walk->guide;
	session->executor->phase = phase;
	return session_walk_on(session, err);
}

void session_walk_end(struct session *session)
{
	struct session_walk *walk = &session->walk;
	struct error none = {0};
	if (!walk->inside)
		return;
	walk->leaving = true;
	walk->order = ORDER_LEAVE;
	(void)!session_walk_on(session, &none);
}
