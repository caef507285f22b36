/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for events of the timeline, and for their absence. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generic.h"

static bool search_matches(const struct event *event, void *context)
{
	const struct event_search *search = context;
	return event_matches(event, &search->match);
}

bool event_search_step(void *context)
{
	struct event_search *search = context;
	if (search->found)
		return true;
	uint64_t newest = timeline_mark(search->timeline);
	if (newest == search->mark)
		return false;
	const struct event *event = timeline_find(search->timeline, search->mark, search_matches, search);
	search->mark = newest;
	if (!event)
		return false;
	search->found = true;
	search->at = event->at;
	search->number = event->number;
	search->data = json_incref(event->data);
	return true;
}

void event_search_clear(struct event_search *search)
{
	json_decref(search->data);
	search->data = NULL;
	search->found = false;
}

static const char *const since_choices[] = {"action", "case", "now", NULL};

#define EVENT_ARGS                                                                                                                         \
	{"event",                                                                                                                          \
	 VALUE_TEXT,                                                                                                                       \
	 ARG_REQUIRED | ARG_EVENT,                                                                                                         \
	 NULL,                                                                                                                             \
	 NULL,                                                                                                                             \
	 0,                                                                                                                                \
	 0,                                                                                                                                \
	 "Kind of the event, as in the journal: \"power.on\", \"boot.stage\", \"tls.finished\"."},                                         \
	        {"role", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0, "Only events of this board."},                                            \
	        {"link", VALUE_TEXT, ARG_LINK, NULL, NULL, 0, 0, "Only events of this link."},                                             \
	        {"tester", VALUE_TEXT, ARG_NAME, NULL, NULL, 0, 0, "Only events of this connection of the harness."},                      \
	        {"where", VALUE_MAP, ARG_ANY, NULL, NULL, 0, 0, "Data fields of the event that must be equal."},                           \
	        {"since",       VALUE_TEXT, 0, "action",                                                                                   \
	         since_choices, 0,          0, "Where to begin: at the last step that acted, at the begin of the case, or now."}

static const struct arg_def wait_event_args[] = {
        EVENT_ARGS,
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long to wait for it."},
        {NULL},
};
static const struct arg_def absent_event_args[] = {
        EVENT_ARGS,
        {"for", VALUE_DURATION, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "How long it must not come."},
        {NULL},
};
static const struct result_def event_results[] = {
        {"after", VALUE_DURATION, "From the begin of the last step that acted to the event."},
        {"number", VALUE_INTEGER, "Number of the event in the journal."},
        {"data", VALUE_TEXT, "The event's data as JSON."},
        {NULL},
};

/* The channel that role, link or tester name; "" any. */
static int read_channel(struct step_context *context, const struct step_call *call, char *channel, size_t size, struct error *err)
{
	static const struct {
		const char *argument, *prefix;
	} kinds[] = {{"role", "board"}, {"link", "link"}, {"tester", "tester"}};
	channel[0] = '\0';
	for (unsigned i = 0; i < 3; i++) {
		const char *name;
		int r = step_arg_text(context, call, kinds[i].argument, &name, err);
		if (r < 0)
			return r;
		if (name)
			snprintf(channel, size, "%s:%s", kinds[i].prefix, name);
	}
	return 0;
}

static uint64_t since_mark(const struct step_context *context, const char *since)
{
	if (since && !strcmp(since, "case"))
		return context->executor->case_mark;
	if (since && !strcmp(since, "now"))
		return timeline_mark(context->timeline);
	return context->action_mark;
}

static int read_search(struct step_context *context, const struct step_call *call, struct event_search *search, char *channel, size_t size,
                       struct error *err)
{
	const char *since;
	const struct value *where;
	*search = (struct event_search){.timeline = context->timeline};
	int r = read_channel(context, call, channel, size, err);
	if (r == 0)
		r = step_arg_text(context, call, "event", &search->match.kind, err);
	if (r == 0)
		r = step_arg_text(context, call, "since", &since, err);
	if (r == 0)
		r = step_arg(context, call, "where", &where, err);
	if (r < 0)
		return r;
	if (where && where->type != VALUE_MAP)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, where->place, "`where` must be a map of data fields");
	search->match.channel = channel[0] ? channel : NULL;
	search->match.where = where;
	search->mark = since_mark(context, since);
	return 0;
}

static int event_set_results(struct step_context *context, const struct event_search *search, struct error *err)
{
	char *data = search->data ? json_dumps(search->data, JSON_COMPACT) : NULL;
	int r = step_result_duration(context, "after", search->at.ns - context->executor->action_begin_ns);
	if (r == 0)
		r = step_result_integer(context, "number", (int64_t)search->number);
	if (r == 0)
		r = step_result_text(context, "data", data ? data : "{}");
	free(data);
	return r < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

static int wait_event_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct event_search search;
	char channel[80];
	int64_t within_ns;
	int r = read_search(context, call, &search, channel, sizeof(channel), err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(5), &within_ns, err);
	if (r < 0)
		return r;
	r = step_wait(context, event_search_step, &search, within_ns, err);
	if (r == 0)
		r = event_set_results(context, &search, err);
	else if (r == -ETIMEDOUT)
		r = step_check_failed(context, err, search.match.kind, "no such event", "no %s%s%s within %.3f s", search.match.kind,
		                      channel[0] ? " on " : "", channel, (double)within_ns / 1e9);
	event_search_clear(&search);
	return r;
}

const struct step_def step_wait_event = {
        .name = "wait.event",
        .doc = "Waits for an event of the timeline. Events since the last step that acted count too, so nothing is missed between an "
               "action and the wait "
               "for its effect.",
        .example = "- wait.event: {event: tls.finished, link: zgw-vmg, within: 2s}",
        .flags = STEP_ALWAYS_OK,
        .args = wait_event_args,
        .results = event_results,
        .run = wait_event_run,
};

static int absent_event_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct event_search search;
	char channel[80];
	int64_t time_ns;
	int r = read_search(context, call, &search, channel, sizeof(channel), err);
	if (r == 0)
		r = step_arg_integer(context, call, "for", 0, &time_ns, err);
	if (r < 0)
		return r;
	r = step_wait(context, event_search_step, &search, time_ns, err);
	if (r == 0) {
		char *data = search.data ? json_dumps(search.data, JSON_COMPACT) : NULL;
		r = step_check_failed(context, err, "no such event", data ? data : search.match.kind, "%s came%s%s (event %llu)",
		                      search.match.kind, channel[0] ? " on " : "", channel, (unsigned long long)search.number);
		free(data);
	} else if (r == -ETIMEDOUT) {
		r = 0;
	} else if (r == -ETIME) {
		r = error_set(err, ERROR_TESTCASE, ETIME, "no time is left to see that %s does not come", search.match.kind);
	}
	event_search_clear(&search);
	return r;
}

const struct step_def step_expect_absent_event = {
        .name = "expect.absent_event",
        .doc = "Passes when an event does not come for a time. Put a positive control beside it: a dead link sends no events either.",
        .example = "- expect.absent_event: {event: boot.stage, role: zgw, where: {stage: activated}, for: 1s}",
        .args = absent_event_args,
        .results = event_results,
        .run = absent_event_run,
};
