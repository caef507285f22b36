/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of links. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "generic.h"

int step_link(struct step_context *context, const struct step_call *call, struct rig_link **ret, struct error *err)
{
	const char *name;
	int r = step_arg_text(context, call, "link", &name, err);
	if (r < 0)
		return r;
	struct rig_link *link = context->rig ? rig_link_find(context->rig, name) : NULL;
	if (!link)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "the rig has no link \"%s\"", name);
	*ret = link;
	return 0;
}

static int step_relay(struct step_context *context, const struct step_call *call, struct relay **ret, struct error *err)
{
	struct rig_link *link;
	int r = step_link(context, call, &link, err);
	if (r < 0)
		return r;
	*ret = rig_link_relay(link);
	return *ret ? 0 : error_set_place(err, ERROR_TESTCASE, ENOTSUP, call->place, "the rig has no tap in this link that could do that");
}

#define LINK_ARG {"link", VALUE_TEXT, ARG_REQUIRED | ARG_LINK | ARG_SCALAR, NULL, NULL, 0, 0, "The link."}
static const struct arg_def link_args[] = {LINK_ARG, {NULL}};
static const char *const relay_capability[] = {"relay", NULL};
static const char *const side_choices[] = {"client", "server", NULL};

static int cut_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct relay *relay;
	int r = step_relay(context, call, &relay, err);
	if (r == 0)
		relay_cut(relay);
	return r;
}

const struct step_def step_link_cut = {
        .name = "link.cut",
        .doc = "Ends every connection of a link with RST at both ends. New connections work.",
        .example = "- link.cut: zgw-vmg",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = link_args,
        .capabilities = relay_capability,
        .run = cut_run,
};

static int reset_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_link *link;
	int r = step_link(context, call, &link, err);
	/* Without a relay the dead node's kernel has said RST or FIN already: nothing is left to clear. */
	if (r == 0 && rig_link_relay(link))
		relay_cut(rig_link_relay(link));
	return r;
}

const struct step_def step_link_reset = {
        .name = "link.reset",
        .doc = "Clears what the living end of a link still holds after the other end lost its power or was reset: its dead connections are "
               "ended with RST, "
               "as if its timers had run out.",
        .example = "- link.reset: zgw-vmg",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = link_args,
        .run = reset_run,
};

static int set_run(struct step_context *context, const struct step_call *call, bool up, struct error *err)
{
	struct rig_link *link;
	int r = step_link(context, call, &link, err);
	return r < 0 ? r : rig_link_set(link, up, err);
}

static int down_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return set_run(context, call, false, err);
}

static int up_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return set_run(context, call, true, err);
}

const struct step_def step_link_down = {
        .name = "link.down",
        .doc = "Unplugs the cable: nothing passes and nobody is told. Ends with link.up or with the case.",
        .example = "- link.down: zgw-vmg",
        .flags = STEP_ACTION,
        .args = link_args,
        .run = down_run,
};

const struct step_def step_link_up = {
        .name = "link.up",
        .doc = "Plugs the cable in again.",
        .example = "- link.up: zgw-vmg",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = link_args,
        .run = up_run,
};

static const struct arg_def stall_args[] = {
        LINK_ARG,
        {"from", VALUE_TEXT, 0, "server", side_choices, 0, 0, "Whose bytes no longer pass."},
        {NULL},
};

static int stall_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct relay *relay;
	const char *from;
	int r = step_relay(context, call, &relay, err);
	if (r == 0)
		r = step_arg_text(context, call, "from", &from, err);
	if (r == 0)
		relay_stall(relay, !strcmp(from, "client"));
	return r;
}

const struct step_def step_link_stall = {
        .name = "link.stall",
        .doc = "Stops the bytes of one direction until link.restore; the other direction goes on.",
        .example = "- link.stall: {link: zgw-vmg, from: server}",
        .flags = STEP_ACTION,
        .args = stall_args,
        .capabilities = relay_capability,
        .run = stall_run,
};

static const struct arg_def delay_args[] = {
        LINK_ARG,
        {"by", VALUE_DURATION, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "Delay of each segment, in each direction."},
        {NULL},
};

static int delay_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct relay *relay;
	int64_t time_ns;
	int r = step_relay(context, call, &relay, err);
	if (r == 0)
		r = step_arg_integer(context, call, "by", 0, &time_ns, err);
	if (r == 0)
		relay_delay(relay, time_ns);
	return r;
}

const struct step_def step_link_delay = {
        .name = "link.delay",
        .doc = "Delays every segment of a link until link.restore.",
        .example = "- link.delay: {link: zgw-vmg, by: 50ms}",
        .flags = STEP_ACTION,
        .args = delay_args,
        .capabilities = relay_capability,
        .run = delay_run,
};

static const struct arg_def split_args[] = {
        LINK_ARG,
        {"bytes", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 65535, "Size of each piece."},
        {"gap", VALUE_DURATION, 0, "0ms", NULL, 0, 0, "Pause between two pieces."},
        {NULL},
};

static int split_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct relay *relay;
	int64_t size, gap_ns;
	int r = step_relay(context, call, &relay, err);
	if (r == 0)
		r = step_arg_integer(context, call, "bytes", 1, &size, err);
	if (r == 0)
		r = step_arg_integer(context, call, "gap", 0, &gap_ns, err);
	if (r == 0)
		relay_split(relay, (unsigned)size, gap_ns);
	return r;
}

const struct step_def step_link_split = {
        .name = "link.split",
        .doc = "Forwards every segment in small pieces until link.restore.",
        .example = "- link.split: {link: ecu-zgw, bytes: 1, gap: 1ms}",
        .flags = STEP_ACTION,
        .args = split_args,
        .capabilities = relay_capability,
        .run = split_run,
};

static const struct arg_def cut_after_args[] = {
        LINK_ARG,
        {"from", VALUE_TEXT, 0, "client", side_choices, 0, 0, "Whose bytes are counted."},
        {"bytes", VALUE_INTEGER, ARG_REQUIRED, NULL, NULL, 0, 1000000000, "Bytes that still pass."},
        {NULL},
};

static int cut_after_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct relay *relay;
	const char *from;
	int64_t size;
	int r = step_relay(context, call, &relay, err);
	if (r == 0)
		r = step_arg_text(context, call, "from", &from, err);
	if (r == 0)
		r = step_arg_integer(context, call, "bytes", 0, &size, err);
	if (r == 0)
		relay_cut_after(relay, !strcmp(from, "client"), (uint64_t)size);
	return r;
}

const struct step_def step_link_cut_after = {
        .name = "link.cut_after",
        .doc = "Cuts the next connection of a link (RST at both ends) after so many bytes of one side.",
        .example = "- link.cut_after: {link: zgw-vmg, from: server, bytes: 100}",
        .flags = STEP_ACTION,
        .args = cut_after_args,
        .capabilities = relay_capability,
        .run = cut_after_run,
};

static const char *const tls_choices[] = {"client_hello", "server_hello", "client_finished", NULL};
static const struct arg_def cut_at_args[] = {
        LINK_ARG,
        {"event", VALUE_TEXT, ARG_REQUIRED, NULL, tls_choices, 0, 0, "TLS event at which the connection is cut."},
        {NULL},
};

static int cut_at_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct relay *relay;
	const char *event;
	int r = step_relay(context, call, &relay, err);
	if (r == 0)
		r = step_arg_text(context, call, "event", &event, err);
	return r < 0 ? r : relay_cut_at(relay, event, err);
}

const struct step_def step_link_cut_at = {
        .name = "link.cut_at",
        .doc = "Cuts the next connection of a link (RST at both ends) in the middle of its TLS handshake.",
        .example = "- link.cut_at: {link: zgw-vmg, event: server_hello}",
        .flags = STEP_ACTION,
        .args = cut_at_args,
        .capabilities = relay_capability,
        .run = cut_at_run,
};

static int restore_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return set_run(context, call, true, err);
}

const struct step_def step_link_restore = {
        .name = "link.restore",
        .doc = "Ends every fault of a link. Connections that hung are ended with RST.",
        .example = "- link.restore: zgw-vmg",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = link_args,
        .run = restore_run,
};

/* ---- link.expect_event ---- */

static const struct arg_def expect_args[] = {
        {"link", VALUE_TEXT, ARG_REQUIRED | ARG_LINK, NULL, NULL, 0, 0, "The link."},
        {"event", VALUE_TEXT, ARG_REQUIRED | ARG_EVENT, NULL, NULL, 0, 0,
         "Kind of the event: tcp.syn, tls.client_hello, tls.finished, tls.alert, doip, …"},
        {"side", VALUE_TEXT, 0, NULL, side_choices, 0, 0, "Only events that this side caused."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long to wait for it."},
        {NULL},
};
static const struct result_def expect_results[] = {
        {"after", VALUE_DURATION, "From the begin of the last step that acted to the event."},
        {"conn", VALUE_INTEGER, "Number of the connection within the link."},
        {"version", VALUE_TEXT, "TLS version, where the event has one."},
        {"description", VALUE_TEXT, "Description of an alert."},
        {NULL},
};

static int expect_results_set(struct step_context *context, const struct event_search *search, struct error *err)
{
	const char *version = json_string_value(json_object_get(search->data, "version"));
	const char *description = json_string_value(json_object_get(search->data, "description"));
	int r = step_result_duration(context, "after", search->at.ns - context->executor->action_begin_ns);
	if (r == 0)
		r = step_result_integer(context, "conn", json_integer_value(json_object_get(search->data, "conn")));
	if (r == 0 && version)
		r = step_result_text(context, "version", version);
	if (r == 0 && description)
		r = step_result_text(context, "description", description);
	return r < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

/* The kind and, where the step says so, the side. */
struct side_search {
	struct event_search search;
	const char *side;
};

static bool side_found(void *context)
{
	struct side_search *wanted = context;
	while (event_search_step(&wanted->search)) {
		const char *side = json_string_value(json_object_get(wanted->search.data, "side"));
		if (!wanted->side || (side && !strcmp(side, wanted->side)))
			return true;
		wanted->search.mark = wanted->search.number;
		event_search_clear(&wanted->search);
	}
	return false;
}

static int expect_event_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct side_search wanted = {.search = {.timeline = context->timeline, .mark = context->action_mark}};
	struct rig_link *link;
	char channel[80];
	int64_t within_ns;
	int r = step_link(context, call, &link, err);
	if (r == 0)
		r = step_arg_text(context, call, "event", &wanted.search.match.kind, err);
	if (r == 0)
		r = step_arg_text(context, call, "side", &wanted.side, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(5), &within_ns, err);
	if (r < 0)
		return r;
	snprintf(channel, sizeof(channel), "link:%s", rig_link_name(link));
	wanted.search.match.channel = channel;
	r = step_wait(context, side_found, &wanted, within_ns, err);
	if (r == 0)
		r = expect_results_set(context, &wanted.search, err);
	else if (r == -ETIMEDOUT)
		r = step_check_failed(context, err, wanted.search.match.kind, "no such event", "no %s on %s within %.3f s",
		                      wanted.search.match.kind, channel, (double)within_ns / 1e9);
	event_search_clear(&wanted.search);
	return r;
}

const struct step_def step_link_expect_event = {
        .name = "link.expect_event",
        .doc = "Waits for an event that the tap of a link sees. Events since the last step that acted count too.",
        .example = "- link.expect_event: {link: zgw-vmg, event: tls.alert, side: server, within: 2s}",
        .args = expect_args,
        .results = expect_results,
        .run = expect_event_run,
};
