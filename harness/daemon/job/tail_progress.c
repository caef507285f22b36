/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/verdict.h"
#include "../../report/event.h"

#define DEPTH_MAX 16

struct progress {
	char steps[DEPTH_MAX][sizeof((struct tail_progress){0}.step)]; /* steps within steps */
	unsigned depth, index;
};

struct progress *progress_new(void)
{
	return calloc(1, sizeof(struct progress));
}

/* A character is not cut in two. */
static void text_put(char *to, size_t size, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
			length--;
	}
	if (length > 0)
		memcpy(to, text, length);
	to[length] = '\0';
}

static const char *member(const json_t *data, const char *key)
{
	return json_string_value(json_object_get(data, key));
}

static unsigned count_of(const json_t *data, const char *key)
{
	int64_t n = event_integer(data, key, 0);
	return n > 0 && n < UINT32_MAX ? (unsigned)n : 0;
}

static void on_run_begin(struct tail_progress *ret, const json_t *event, const json_t *data)
{
	const unsigned repeat = count_of(data, "repeat");
	ret->of = (unsigned)json_array_size(json_object_get(data, "cases")) * (repeat ? repeat : 1);
	ret->is_virtual = json_is_true(json_object_get(data, "virtual"));
	ret->begin_utc_ns = event_integer(event, "t", 0) + event_integer(data, "realtime_offset_ns", 0);
}

static void on_case_begin(struct progress *state, struct tail_progress *ret, const json_t *data)
{
	text_put(ret->case_id, sizeof(ret->case_id), member(data, "id"));
	ret->step[0] = '\0';
	state->depth = 0;
	state->index = count_of(data, "index");
	if (count_of(data, "of") > 0)
		ret->of = count_of(data, "of");
	if (state->index > 0)
		ret->done = state->index - 1; /* an attempt more: not done yet */
}

static void on_case_end(struct progress *state, struct tail_progress *ret, const json_t *data)
{
	const char *name = member(data, "verdict");
	unsigned *const counts[] = {[VERDICT_PASS] = &ret->pass,
	                            [VERDICT_SKIPPED] = &ret->skipped,
	                            [VERDICT_INCONCLUSIVE] = &ret->inconclusive,
	                            [VERDICT_FAIL] = &ret->fail,
	                            [VERDICT_ERROR] = &ret->error};
	enum verdict verdict;
	if (name && verdict_parse(name, &verdict) == 0)
		++*counts[verdict];
	ret->done = state->index > 0 ? state->index : ret->done + 1;
	ret->case_id[0] = ret->step[0] = '\0';
	state->depth = 0;
}

static void on_step_begin(struct progress *state, struct tail_progress *ret, const json_t *data)
{
	const char *text = member(data, "text");
	text_put(ret->step, sizeof(ret->step), text ? text : member(data, "id"));
	if (state->depth < DEPTH_MAX)
		text_put(state->steps[state->depth], sizeof(state->steps[0]), ret->step);
	state->depth++;
}

static void on_step_end(struct progress *state, struct tail_progress *ret)
{
	if (state->depth > 0)
		state->depth--;
	const char *outer = state->depth == 0 ? "" : state->steps[(state->depth < DEPTH_MAX ? state->depth : DEPTH_MAX) - 1];
	text_put(ret->step, sizeof(ret->step), outer);
}

static bool is(const char *kind, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(kind, name, length) == 0;
}

void progress_take(struct progress *state, struct tail_progress *ret, const char *kind, size_t kind_length, const char *line, size_t length)
{
	const bool run_begin = is(kind, kind_length, "run.begin"), run_end = is(kind, kind_length, "run.end");
	const bool case_begin = is(kind, kind_length, "case.begin"), case_end = is(kind, kind_length, "case.end");
	const bool step_begin = is(kind, kind_length, "step.begin");
	if (is(kind, kind_length, "step.end"))
		on_step_end(state, ret);
	if (run_end)
		ret->case_id[0] = ret->step[0] = '\0';
	if (!run_begin && !case_begin && !case_end && !step_begin)
		return;
	json_t *event = json_loadb(line, length, 0, NULL);
	const json_t *data = json_object_get(event, "data");
	if (data && run_begin)
		on_run_begin(ret, event, data);
	else if (data && case_begin)
		on_case_begin(state, ret, data);
	else if (data && case_end)
		on_case_end(state, ret, data);
	else if (data)
		on_step_begin(state, ret, data);
	json_decref(event);
}
