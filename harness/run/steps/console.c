/* SPDX-License-Identifier: Apache-2.0 */
/* A board's console: waiting for lines, writing to it. */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rig/console.h"
#include "generic.h"

struct line_search {
	struct step_context *context;
	regex_t regex;
	char channel[80];
	uint64_t mark;
	bool found;
	struct instant at;
	char *text;
};

static const char *line_text(const struct event *event)
{
	return json_string_value(json_object_get(event->data, "text"));
}

static bool line_matches(const struct event *event, void *context)
{
	const struct line_search *search = context;
	const char *text;
	return !strcmp(event->kind, "console.line") && !strcmp(event->channel, search->channel) && (text = line_text(event)) &&
	       regexec(&search->regex, text, 0, NULL, 0) == 0;
}

static bool line_found(void *context)
{
	struct line_search *search = context;
	uint64_t newest = timeline_mark(search->context->timeline);
	if (search->found || newest == search->mark)
		return search->found;
	const struct event *event = timeline_find(search->context->timeline, search->mark, line_matches, search);
	search->mark = newest;
	if (!event)
		return false;
	search->found = true;
	search->at = event->at;
	search->text = strdup(line_text(event));
	return true;
}

static const struct arg_def expect_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"matches", VALUE_TEXT, ARG_REQUIRED | ARG_REGEX, NULL, NULL, 0, 0, "POSIX extended regular expression that a line must match."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long to wait for the line."},
        {NULL},
};
static const struct result_def expect_results[] = {
        {"text", VALUE_TEXT, "The line."},
        {"after", VALUE_DURATION, "From the begin of the last step that acted to the line."},
        {NULL},
};

static int search_run(struct step_context *context, struct line_search *search, const char *pattern, int64_t within_ns, struct error *err)
{
	int r = step_wait(context, line_found, search, within_ns, err);
	if (r == -ETIMEDOUT)
		return step_check_failed(context, err, pattern, "no such line", "no line of %s matched \"%s\" within %.3f s",
		                         search->channel, pattern, (double)within_ns / 1e9);
	if (r < 0)
		return r;
	if (!search->text || step_result_text(context, "text", search->text) < 0 ||
	    step_result_duration(context, "after", search->at.ns - context->executor->action_begin_ns) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return 0;
}

static int expect_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct line_search search = {.context = context, .mark = context->action_mark};
	struct rig_board *board;
	const char *pattern;
	int64_t within_ns;
	int r = step_board(context, call, &board, err);
	if (r == 0)
		r = step_arg_text(context, call, "matches", &pattern, err);
	if (r == 0)
		r = step_arg_integer(context, call, "within", SECONDS_NS(5), &within_ns, err);
	if (r < 0)
		return r;
	if (regcomp(&search.regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "\"%s\" is no regular expression", pattern);
	snprintf(search.channel, sizeof(search.channel), "board:%s", rig_board_role(board));
	r = search_run(context, &search, pattern, within_ns, err);
	regfree(&search.regex);
	free(search.text);
	return r;
}

const struct step_def step_console_expect = {
        .name = "console.expect",
        .doc = "Waits for a line of a board's console. Lines since the last step that acted count too.",
        .example = "- console.expect: {role: zgw, matches: \"^@boot stage=rtos\", within: 1s}",
        .args = expect_args,
        .results = expect_results,
        .run = expect_run,
};

static const struct arg_def send_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"text", VALUE_TEXT, 0, NULL, NULL, 0, 0, "A line; CR and LF are appended."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Bytes, sent as they are."},
        {NULL},
};

static int send_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	const char *text;
	const struct bytes *data;
	int r = step_board(context, call, &board, err);
	if (r == 0)
		r = step_arg_text(context, call, "text", &text, err);
	if (r == 0)
		r = step_arg_bytes(context, call, "data", &data, err);
	if (r < 0)
		return r;
	if (!text == !data)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "give either `text` or `data`");
	if (data)
		return rig_board_input(board, data->data, data->length, err);
	char *line = NULL;
	int length = asprintf(&line, "%s\r\n", text);
	if (length < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	r = rig_board_input(board, line, (size_t)length, err);
	free(line);
	return r;
}

const struct step_def step_console_send = {
        .name = "console.send",
        .doc = "Writes to a board's console.",
        .example = "- console.send: {role: zgw, text: status}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = send_args,
        .run = send_run,
};

static const struct arg_def lines_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"rts", VALUE_BOOL, 0, NULL, NULL, 0, 0, "State of RTS; absent: as it is."},
        {"dtr", VALUE_BOOL, 0, NULL, NULL, 0, 0, "State of DTR; absent: as it is."},
        {NULL},
};

static int lines_check(const struct step_call *call, const struct value *known, struct error *err)
{
	(void)known;
	if (value_get(call->args, "rts") || value_get(call->args, "dtr"))
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, call->place, "console.lines lacks `rts` or `dtr`");
}

static int read_line(struct step_context *context, const struct step_call *call, const char *name, int *ret, struct error *err)
{
	bool on = false;
	int r = step_arg_bool(context, call, name, false, &on, err);
	*ret = step_has_arg(call, name) ? on : -1;
	return r;
}

static int lines_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct rig_board *board;
	int rts = -1, dtr = -1;
	int r = step_board(context, call, &board, err);
	if (r == 0)
		r = read_line(context, call, "rts", &rts, err);
	if (r == 0)
		r = read_line(context, call, "dtr", &dtr, err);
	return r < 0 ? r : rig_board_set_lines(board, rts, dtr, err);
}

const struct step_def step_console_lines = {
        .name = "console.lines",
        .doc = "Sets RTS and DTR of the serial port that is a board's console: on many boards they are the reset line and a boot strap.",
        .example = "- console.lines: {role: zgw, rts: true}",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = lines_args,
        .run = lines_run,
        .check = lines_check,
};
