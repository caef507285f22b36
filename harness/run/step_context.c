/* SPDX-License-Identifier: Apache-2.0 */
#include "step_context.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor_private.h"

/* ---- arguments ---- */

int step_arg(struct step_context *context, const struct step_call *call, const char *name, const struct value **ret, struct error *err)
{
	struct step_frame *frame = context->executor->frame;
	struct value *value = NULL;
	if (frame->arg_count == sizeof(frame->args) / sizeof(*frame->args))
		return error_set(err, ERROR_BENCH, E2BIG, "step %s asks for too many arguments", call->def->name);
	int r = step_call_arg(call, name, context->scope, &value, err);
	if (r < 0)
		return r;
	if (value)
		frame->args[frame->arg_count++] = value;
	*ret = value;
	return 0;
}

int step_arg_text(struct step_context *context, const struct step_call *call, const char *name, const char **ret, struct error *err)
{
	const struct value *value;
	int r = step_arg(context, call, name, &value, err);
	if (r < 0)
		return r;
	if (value && value->type != VALUE_TEXT)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "`%s` must be text, not %s", name,
		                       value_type_name(value->type));
	*ret = value ? value->text : NULL;
	return 0;
}

int step_arg_integer(struct step_context *context, const struct step_call *call, const char *name, int64_t fallback, int64_t *ret,
                     struct error *err)
{
	const struct value *value;
	int r = step_arg(context, call, name, &value, err);
	if (r < 0)
		return r;
	if (value && value->type != VALUE_INTEGER && value->type != VALUE_DURATION && value->type != VALUE_SIZE)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "`%s` must be a number, not %s", name,
		                       value_type_name(value->type));
	*ret = value ? value->integer : fallback;
	return 0;
}

int step_arg_bool(struct step_context *context, const struct step_call *call, const char *name, bool fallback, bool *ret, struct error *err)
{
	const struct value *value;
	int r = step_arg(context, call, name, &value, err);
	if (r < 0)
		return r;
	if (value && value->type != VALUE_BOOL)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "`%s` must be true or false, not %s", name,
		                       value_type_name(value->type));
	*ret = value ? value->boolean : fallback;
	return 0;
}

int step_arg_bytes(struct step_context *context, const struct step_call *call, const char *name, const struct bytes **ret,
                   struct error *err)
{
	const struct value *value;
	int r = step_arg(context, call, name, &value, err);
	if (r < 0)
		return r;
	if (value && value->type != VALUE_BYTES)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "`%s` must be bytes, not %s", name,
		                       value_type_name(value->type));
	*ret = value ? &value->bytes : NULL;
	return 0;
}

bool step_has_arg(const struct step_call *call, const char *name)
{
	return call->args && value_get(call->args, name) != NULL;
}

/* ---- results ---- */

static int result_put(struct step_context *context, const char *name, struct value *stolen)
{
	struct value *results = context->results;
	char *key = strdup(name);
	struct value_entry *entries = realloc(results->map.entries, (results->map.count + 1) * sizeof(*entries));
	if (entries)
		results->map.entries = entries;
	if (!entries || !key || !stolen) {
		free(key);
		value_free(stolen);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < results->map.count; i++)
		if (!strcmp(entries[i].key, name)) {
			free(key);
			value_free(entries[i].value);
			entries[i].value = stolen;
			return 0;
		}
	entries[results->map.count++] = (struct value_entry){.key = key, .value = stolen};
	return 0;
}

int step_result_integer(struct step_context *context, const char *name, int64_t value)
{
	return result_put(context, name, value_new_integer(value));
}

int step_result_duration(struct step_context *context, const char *name, int64_t ns)
{
	return result_put(context, name, value_new_duration(ns));
}

int step_result_bytes(struct step_context *context, const char *name, const void *data, size_t length)
{
	return result_put(context, name, value_new_bytes(data, length));
}

int step_result_text(struct step_context *context, const char *name, const char *text)
{
	return result_put(context, name, value_new_text(text));
}

int step_result_bool(struct step_context *context, const char *name, bool value)
{
	return result_put(context, name, value_new_bool(value));
}

/* ---- waiting ---- */

int context_check(struct step_context *context, struct error *err)
{
	if (loop_cancelled(context->loop))
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (timeline_failed(context->timeline, err))
		return err && err->code ? -err->code : -EIO;
	return context->rig ? rig_check(context->rig, err) : 0;
}

struct waiter {
	struct step_context *context;
	bool (*done)(void *);
	void *argument;
	bool failed;
	struct error error;
};

static bool wait_over(void *argument)
{
	struct waiter *waiter = argument;
	if (waiter->done && waiter->done(waiter->argument))
		return true;
	waiter->failed = context_check(waiter->context, &waiter->error) < 0;
	return waiter->failed;
}

int step_wait(struct step_context *context, bool (*done)(void *), void *argument, int64_t within_ns, struct error *err)
{
	struct waiter waiter = {.context = context, .done = done, .argument = argument};
	int64_t now_ns = loop_now_ns(), deadline_ns = context->deadline_ns;
	bool cut_short = within_ns > deadline_ns - now_ns;
	if (!cut_short)
		deadline_ns = now_ns + within_ns;
	int r = loop_until(context->loop, wait_over, &waiter, deadline_ns);
	if (waiter.failed) {
		/* Never the code of what failed: a step takes -ETIMEDOUT or -EPIPE for something that the device did. */
		if (err)
			*err = waiter.error;
		return -EIO;
	}
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (r < 0 && r != -ETIMEDOUT)
		return error_set(err, ERROR_BENCH, -r, "the event loop failed: %s", strerror(-r));
	/* What was waited for, or its absence, was not seen to the end: no step may conclude anything from that. */
	if (r == -ETIMEDOUT && cut_short)
		return error_set(err, done ? ERROR_DUT : ERROR_TESTCASE, ETIME, "the step was still waiting");
	return r;
}

int step_pause(struct step_context *context, int64_t time_ns, struct error *err)
{
	int r = step_wait(context, NULL, NULL, time_ns, err);
	return r == -ETIMEDOUT ? 0 : r;
}

/* ---- checks ---- */

void context_forget_check(struct step_context *context)
{
	free(context->expected);
	free(context->actual);
	context->expected = context->actual = NULL;
}

int step_check_failed(struct step_context *context, struct error *err, const char *expected, const char *actual, const char *format, ...)
{
	char message[900];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	context_forget_check(context);
	context->expected = expected ? strdup(expected) : NULL;
	context->actual = actual ? strdup(actual) : NULL;
	return error_set(err, ERROR_DUT, EBADMSG, "%s", message);
}

/* ---- objects of the case ---- */

int step_object_add(struct step_context *context, const char *kind, const char *name, void *object, void (*destroy)(void *))
{
	struct case_object *item = calloc(1, sizeof(*item));
	if (!item || !(item->kind = strdup(kind)) || !(item->name = strdup(name))) {
		if (item)
			free(item->kind);
		free(item);
		return -ENOMEM; /* the object is still the caller's */
	}
	item->object = object;
	item->destroy = destroy;
	item->next = context->objects;
	context->objects = item;
	return 0;
}

static struct case_object **object_slot(struct step_context *context, const char *kind, const char *name)
{
	struct case_object **slot = &context->objects;
	while (*slot && (strcmp((*slot)->kind, kind) || strcmp((*slot)->name, name)))
		slot = &(*slot)->next;
	return slot;
}

void *step_object_find(struct step_context *context, const char *kind, const char *name)
{
	struct case_object *item = *object_slot(context, kind, name);
	return item ? item->object : NULL;
}

static void object_free(struct case_object *item)
{
	item->destroy(item->object);
	free(item->kind);
	free(item->name);
	free(item);
}

void step_object_remove(struct step_context *context, const char *kind, const char *name)
{
	struct case_object **slot = object_slot(context, kind, name), *item = *slot;
	if (!item)
		return;
	*slot = item->next;
	object_free(item);
}

void context_objects_free(struct step_context *context)
{
	for (struct case_object *item; (item = context->objects);) {
		context->objects = item->next;
		object_free(item);
	}
}

/* ---- blocks ---- */

int step_run_block(struct step_context *context, const struct step_block *block, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < block->count; i++)
		r = call_run(context, block->calls[i], err);
	return r;
}

int step_run_round(struct step_context *context, const struct step_call *call, const struct step_round *round, struct error *err)
{
	struct step_frame *frame = context->executor->frame;
	int r = 0;
	frame->round = round;
	for (unsigned i = 0; r == 0 && i < call->block->count; i++) {
		/* Somebody may come and go while a step runs. */
		struct step_guide *guide = context->executor->guide;
		frame->index = i;
		r = guide ? guide->run(guide, context, call->block->calls[i], err) : call_run(context, call->block->calls[i], err);
	}
	frame->round = NULL;
	return r;
}

void step_round_blame(const struct step_context *context, const struct step_round *round, struct error *own)
{
	if (round->before && round->before->domain == ERROR_DUT && own->domain == ERROR_TESTCASE && own->code == ETIME &&
	    loop_now_ns() >= context->deadline_ns)
		*own = *round->before;
}

void step_round_prefix(const struct step_round *round, struct error *err)
{
	if (round->of)
		error_prefix(err, "%s %" PRId64 " of %" PRId64, round->noun, round->number, round->of);
	else
		error_prefix(err, "%s %" PRId64, round->noun, round->number);
}

int64_t step_clock_ns(const struct step_context *context)
{
	return loop_now_ns() - context->executor->held_ns;
}
