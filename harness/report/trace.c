/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <errno.h>
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../base/suggest.h"
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
	*trace = (struct trace){.filter = *filter,
	                        .in_case = filter->cases == NULL,
	                        .boards = json_object(),
	                        .links = json_object(),
	                        .cases = json_object(),
	                        .peers = json_object(),
	                        .kinds = json_object(),
	                        .channels = json_object()};
}

void trace_end(struct trace *trace)
{
	json_decref(trace->boards);
	json_decref(trace->links);
	json_decref(trace->cases);
	json_decref(trace->peers);
	json_decref(trace->kinds);
	json_decref(trace->channels);
	trace->boards = trace->links = trace->cases = trace->peers = trace->kinds = trace->channels = NULL;
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

/* ---- boards ---- */

#define HOST_SIZE 128

/* "127.1.2.1:13400", "[::1]:13400", "::1": the host. A variable of the rig file may be anything. */
static void host_of(const char *address, char host[HOST_SIZE])
{
	const char *colon = strchr(address, ':');
	size_t length = strlen(address), n = 0;
	if (address[0] == '[')
		length = strcspn(++address, "]");
	else if (colon && !strchr(colon + 1, ':'))
		length = (size_t)(colon - address);
	for (size_t i = 0; i < length && n + 1 < HOST_SIZE; i++) {
		if (address[i] == '$' && address[i + 1] == '{' && strchr(address + i, '}')) {
			i = (size_t)(strchr(address + i, '}') - address);
			host[n++] = '*';
		} else {
			host[n++] = address[i];
		}
	}
	host[n] = '\0';
}

static json_t *board_of(struct trace *trace, const char *role)
{
	json_t *board = json_object_get(trace->boards, role);
	if (!board && (board = json_pack("{s:{}}", "hosts")) && json_object_set_new(trace->boards, role, board) < 0)
		board = NULL;
	return board;
}

static void host_add(json_t *board, const char *address)
{
	char host[HOST_SIZE];
	host_of(address, host);
	if (*host)
		json_object_set_new(json_object_get(board, "hosts"), host, json_true());
}

static void take_boards(struct trace *trace, const json_t *boards)
{
	const char *role;
	json_t *told;
	json_object_foreach ((json_t *)boards, role, told) {
		json_t *board = board_of(trace, role), *logical = json_object_get(told, "logical_address");
		host_add(board, text_member(told, "address"));
		if (json_is_integer(logical))
			json_object_set(board, "logical_address", logical);
	}
}

/* Who is where, and with whom a tester speaks: most of what it says does not name the peer again. */
static void keep_addresses(struct trace *trace, const char *channel, const char *kind, const json_t *data)
{
	static const char *const servers[] = {"udp", "plain", "tls"};
	char host[HOST_SIZE];
	if (strncmp(channel, "link:", 5) == 0)
		json_object_set_new(trace->links, channel + 5, json_true());
	if (strncmp(channel, "board:", 6) == 0) {
		json_t *board = board_of(trace, channel + 6);
		for (size_t i = 0; strcmp(kind, "boot.stage") == 0 && i < sizeof(servers) / sizeof(*servers); i++)
			host_add(board, text_member(data, servers[i]));
	}
	bool connection = strncmp(kind, "tcp.", 4) == 0 || strncmp(kind, "tls.", 4) == 0;
	if (connection && strncmp(channel, "tester:", 7) == 0 && *text_member(data, "peer")) {
		host_of(text_member(data, "peer"), host);
		json_object_set_new(trace->peers, channel, json_string(host));
	}
}

static bool has_host(const json_t *board, const char *host)
{
	const char *pattern;
	json_t *value;
	json_object_foreach (json_object_get(board, "hosts"), pattern, value)
		if (fnmatch(pattern, host, 0) == 0)
			return true;
	return false;
}

/* To or from the board: directly, or by a gateway that passes it on. */
static bool with_tester(const struct trace *trace, const char *role, const char *channel, const json_t *data)
{
	const json_t *board = json_object_get(trace->boards, role), *logical = json_object_get(board, "logical_address");
	const char *peer = text_member(data, "peer");
	char host[HOST_SIZE];
	host_of(*peer ? peer : text_member(trace->peers, channel), host);
	if (*host && has_host(board, host))
		return true;
	return logical && (json_equal(json_object_get(data, "source"), logical) || json_equal(json_object_get(data, "target"), logical));
}

/* Its own channel, the links that are named after it, its talks with testers, and the buses, where everybody hears everything. */
static bool any_board(const struct trace *trace, const char *channel, const json_t *data)
{
	const char *const *boards = trace->filter.boards;
	if (strncmp(channel, "can:", 4) == 0)
		return true;
	for (const char *const *board = boards; *board; board++) {
		if (strncmp(channel, "board:", 6) == 0 && strcmp(*board, channel + 6) == 0)
			return true;
		if (strncmp(channel, "tester:", 7) == 0 && with_tester(trace, *board, channel, data))
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

static void take_run(struct trace *trace, const json_t *data)
{
	const json_t *planned;
	size_t i;
	trace->realtime_offset_ns = json_integer_value(json_object_get(data, "realtime_offset_ns"));
	trace->locked = json_is_true(json_object_get(data, "locked"));
	take_boards(trace, json_object_get(data, "boards"));
	json_array_foreach (json_object_get(data, "cases"), i, planned)
		if (*text_member(planned, "id"))
			json_object_set_new(trace->cases, text_member(planned, "id"), json_true());
}

/* What patterns could have fitted, whether or not the event is taken. */
static void keep_names(struct trace *trace, const char *kind, const char *channel)
{
	if ((trace->filter.kinds || trace->filter.protocols) && !json_object_get(trace->kinds, kind))
		json_object_set_new(trace->kinds, kind, json_true());
	if (trace->filter.channels && !json_object_get(trace->channels, channel))
		json_object_set_new(trace->channels, channel, json_true());
}

static void keep_books(struct trace *trace, const json_t *event, const char *kind)
{
	const json_t *data = json_object_get(event, "data");
	if (strcmp(kind, "run.begin") == 0) {
		trace->begun = true;
		trace->begin_ns = event_integer(event, "t", 0);
		take_run(trace, data);
	} else if (!trace->begun) {
		trace->begun = true;
		trace->begin_ns = event_integer(event, "t", 0);
	} else if (strcmp(kind, "run.end") == 0) {
		trace->ended = true;
	}
	if (trace->filter.boards)
		keep_addresses(trace, text_member(event, "ch"), kind, data);
	if (strcmp(kind, "case.begin") == 0 && *text_member(data, "id"))
		json_object_set_new(trace->cases, text_member(data, "id"), json_true());
	if (strcmp(kind, "case.begin") == 0 && trace->filter.cases)
		trace->in_case = any_fits(trace->filter.cases, text_member(data, "id"));
}

bool trace_takes(struct trace *trace, const json_t *event)
{
	const struct trace_filter *filter = &trace->filter;
	const char *kind = text_member(event, "kind"), *channel = text_member(event, "ch");
	keep_books(trace, event, kind);
	keep_names(trace, kind, channel);
	int64_t at_ns = event_integer(event, "t", 0) - trace->begin_ns;
	trace->last_ns = at_ns > trace->last_ns ? at_ns : trace->last_ns;
	bool taken = trace->in_case && at_ns >= filter->from_ns && at_ns <= filter->to_ns &&
	             (!filter->boards || any_board(trace, channel, json_object_get(event, "data"))) &&
	             (!filter->channels || any_fits(filter->channels, channel)) && (!filter->kinds || any_fits(filter->kinds, kind)) &&
	             (!filter->protocols || any_protocol(filter->protocols, kind));
	if (strcmp(kind, "case.end") == 0 && filter->cases)
		trace->in_case = false;
	return taken;
}

/* ---- what the journal has ---- */

void trace_names(const json_t *names, char *text, size_t size)
{
	const char *name;
	json_t *value;
	size_t length = 0;
	text[0] = '\0';
	json_object_foreach ((json_t *)names, name, value) {
		if (length + strlen(name) + 8 > size) {
			snprintf(text + length, size - length, ", …");
			return;
		}
		length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", name);
	}
}

static int unknown(const char *what, const char *word, const json_t *names, struct error *err)
{
	struct suggestion suggestion = {.word = word};
	char hint[160], list[500];
	const char *name;
	json_t *value;
	json_object_foreach ((json_t *)names, name, value)
		suggestion_offer(&suggestion, name);
	trace_names(names, list, sizeof(list));
	return error_set(err, ERROR_USAGE, ENOENT, "the journal has no %s \"%s\"%s; it has %s", what, word,
	                 suggestion_text(&suggestion, hint, sizeof(hint)), *list ? list : "none");
}

static bool knows_board(const struct trace *trace, const char *role)
{
	const char *link;
	json_t *value;
	json_object_foreach (trace->links, link, value)
		if (word_in(role, link, "-"))
			return true;
	return json_object_get(trace->boards, role) != NULL;
}

static bool knows_case(const struct trace *trace, const char *pattern)
{
	const char *id;
	json_t *value;
	json_object_foreach (trace->cases, id, value)
		if (strcmp(pattern, id) == 0 || fnmatch(pattern, id, 0) == 0)
			return true;
	return false;
}

int trace_check(const struct trace *trace, struct error *err)
{
	for (const char *const *board = trace->filter.boards; board && *board; board++)
		if (!knows_board(trace, *board))
			return unknown("board", *board, trace->boards, err);
	for (const char *const *id = trace->filter.cases; id && *id; id++)
		if (!knows_case(trace, *id))
			return unknown("case", *id, trace->cases, err);
	return 0;
}
