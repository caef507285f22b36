/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

#include "event.h"

#define KINDS(...)                                                                                                                         \
	(const char *const[])                                                                                                              \
	{                                                                                                                                  \
		__VA_ARGS__, NULL                                                                                                          \
	}

const struct trace_protocol trace_protocols[] = {
        {"steps", "cases, steps, notes and results of measurements", KINDS("run.*", "case.*", "step.*", "note", "measure.*")},
        {"power", "power, resets, deaths", KINDS("power.*", "reset", "board.*", "supply.*")},
        {"boot", "boot stages", KINDS("boot.stage")},
        {"console", "lines of consoles", KINDS("console.line")},
        {"tcp", "connections", KINDS("tcp.*", "link.fault")},
        {"tls", "handshakes and alerts", KINDS("tls.*")},
        {"doip", "DoIP messages", KINDS("doip", "doip.*")},
        {"uds", "diagnostic requests and responses", KINDS("uds.*")},
        {"can", "frames, errors and states of buses", KINDS("can.*")},
        {"isotp", "ISO-TP messages", KINDS("isotp.*")},
        {"secoc", "secured PDUs and verdicts", KINDS("secoc.*")},
        {"flash", "flash operations, maps, power cuts", KINDS("flash", "flash.*", "power.cut", "ota.*")},
        {"probe", "debug probes", KINDS("probe.*")},
        {NULL, NULL, NULL},
};

const struct trace_protocol *trace_protocol_find(const char *name)
{
	for (const struct trace_protocol *protocol = trace_protocols; protocol->name; protocol++)
		if (strcmp(protocol->name, name) == 0)
			return protocol;
	return NULL;
}

void trace_begin(struct trace *trace, const struct trace_filter *filter)
{
	*trace = (struct trace){.filter = *filter, .in_case = filter->cases == NULL};
}

static const char *text_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static bool any_fits(const char *const *patterns, const char *text)
{
	for (; *patterns; patterns++)
		if (strcmp(*patterns, text) == 0 || fnmatch(*patterns, text, 0) == 0)
			return true;
	return false;
}

static bool word_in(const char *word, const char *text, const char *separators)
{
	size_t length = strlen(word);
	for (; *text; text += strcspn(text, separators), text += *text != '\0')
		if (strncmp(text, word, length) == 0 && (text[length] == '\0' || strchr(separators, text[length])))
			return true;
	return false;
}

/* Its own channel, the links that are named after it, and the buses, where everybody hears everything. */
static bool any_board(const char *const *boards, const char *channel)
{
	if (strncmp(channel, "can:", 4) == 0)
		return true;
	for (const char *const *board = boards; *board; board++) {
		if (strncmp(channel, "board:", 6) == 0 && strcmp(*board, channel + 6) == 0)
			return true;
		if (strncmp(channel, "link:", 5) == 0 && word_in(*board, channel + 5, "-"))
			return true;
	}
	return false;
}

static bool any_protocol(const char *const *protocols, const char *kind)
{
	for (; *protocols; protocols++) {
		const struct trace_protocol *protocol = trace_protocol_find(*protocols);
		if (protocol && any_fits(protocol->kinds, kind))
			return true;
	}
	return false;
}

static void keep_books(struct trace *trace, const json_t *event, const char *kind)
{
	const json_t *data = json_object_get(event, "data");
	if (strcmp(kind, "run.begin") == 0) {
		trace->begun = true;
		trace->begin_ns = event_integer(event, "t", 0);
		trace->realtime_offset_ns = json_integer_value(json_object_get(data, "realtime_offset_ns"));
	} else if (!trace->begun) {
		trace->begun = true;
		trace->begin_ns = event_integer(event, "t", 0);
	} else if (strcmp(kind, "run.end") == 0) {
		trace->ended = true;
	}
	if (strcmp(kind, "case.begin") == 0 && trace->filter.cases)
		trace->in_case = any_fits(trace->filter.cases, text_member(data, "id"));
}

bool trace_takes(struct trace *trace, const json_t *event)
{
	const struct trace_filter *filter = &trace->filter;
	const char *kind = text_member(event, "kind"), *channel = text_member(event, "ch");
	keep_books(trace, event, kind);
	int64_t at_ns = event_integer(event, "t", 0) - trace->begin_ns;
	bool taken = trace->in_case && at_ns >= filter->from_ns && at_ns <= filter->to_ns &&
	             (!filter->boards || any_board(filter->boards, channel)) &&
	             (!filter->channels || any_fits(filter->channels, channel)) && (!filter->kinds || any_fits(filter->kinds, kind)) &&
	             (!filter->protocols || any_protocol(filter->protocols, kind));
	if (strcmp(kind, "case.end") == 0 && filter->cases)
		trace->in_case = false;
	return taken;
}
