/* SPDX-License-Identifier: Apache-2.0 */
/* The timeline in the shell: what happens now, and what happened. */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "../lang/lang_private.h"
#include "../report/event.h"
#include "../report/text.h"
#include "../report/trace.h"
#include "shell.h"

#define LINES_A_SECOND 100 /* nobody reads more; the journal has them all */
#define SECOND_NS      INT64_C(1000000000)
#define EVENTS_SHOWN   20
#define EVENTS_MAX     16384

int shell_filter_add(struct shell_filter *filter, const char *word, size_t length)
{
	if (filter->count == SHELL_WORDS_MAX)
		return -E2BIG;
	char *copy = strndup(word, length);
	if (!copy)
		return -ENOMEM;
	filter->words[filter->count++] = copy;
	return 0;
}

void shell_filter_clear(struct shell_filter *filter)
{
	for (unsigned i = 0; i < filter->count; i++)
		free(filter->words[i]);
	filter->count = 0;
}

static bool word_fits(const char *word, const struct event *event)
{
	const struct trace_protocol *protocol = trace_protocol_find(word);
	for (const char *const *kind = protocol ? protocol->kinds : NULL; kind && *kind; kind++)
		if (fnmatch(*kind, event->kind, 0) == 0)
			return true;
	if (fnmatch(word, event->channel, 0) == 0 || fnmatch(word, event->kind, 0) == 0)
		return true;
	return !strncmp(event->channel, "board:", 6) && !strcmp(event->channel + 6, word);
}

static bool fits(const struct shell_filter *filter, const struct event *event)
{
	for (unsigned i = 0; i < filter->count; i++)
		if (word_fits(filter->words[i], event))
			return true;
	return false;
}

static void print_event(struct shell *shell, const struct event *event)
{
	struct report_event row;
	char seconds[TEXT_NUMBER_SIZE];
	json_t *json = json_pack("{s:I,s:I,s:s,s:s,s:O?}", "n", (json_int_t)event->number, "t", (json_int_t)event->at.ns, "ch",
	                         event->channel, "kind", event->kind, "data", event->data);
	if (json && report_event_describe(json, &row) == 0) {
		shell_say(shell, "%12s  %-14s %-18s %s\n", text_seconds(row.at_ns - shell->begin_ns, seconds), row.channel, row.kind,
		          row.text);
		report_event_clear(&row);
	}
	json_decref(json);
}

/* ---- what there is to watch ---- */

static bool fits_channel(const struct shell *shell, const char *pattern)
{
	static const char *const own[] = {"run", "case", "measure", NULL};
	static const char *const groups[][2] = {{"roles", "board:"}, {"links", "link:"}, {"buses", "can:"}};
	for (unsigned i = 0; own[i]; i++)
		if (fnmatch(pattern, own[i], 0) == 0)
			return true;
	/* Testers are named by the steps. */
	if (!strncmp(pattern, "tester:", 7) || fnmatch(pattern, "tester:main", 0) == 0)
		return true;
	for (unsigned g = 0; shell->rig && g < sizeof(groups) / sizeof(*groups); g++) {
		const struct value *map = value_get(rig_file_root(shell->rig->context), groups[g][0]);
		for (unsigned i = 0; map && map->type == VALUE_MAP && i < map->map.count; i++) {
			char channel[256];
			snprintf(channel, sizeof(channel), "%s%s", groups[g][1], map->map.entries[i].key);
			if (fnmatch(pattern, channel, 0) == 0)
				return true;
		}
	}
	return false;
}

static bool fits_kind(const char *pattern)
{
	for (unsigned i = 0; event_kinds[i]; i++)
		if (fnmatch(pattern, event_kinds[i], 0) == 0)
			return true;
	return false;
}

/* A word that no event can ever fit is a slip of the pen. */
static bool word_ok(struct shell *shell, const char *at, size_t length)
{
	char word[256], hint[160];
	struct suggestion suggestion = {.word = word};
	snprintf(word, sizeof(word), "%.*s", (int)length, at);
	if (shell_group_has(shell, "roles", word, &suggestion) || trace_protocol_find(word) || fits_channel(shell, word) || fits_kind(word))
		return true;
	for (const struct trace_protocol *protocol = trace_protocols; protocol->name; protocol++)
		suggestion_offer(&suggestion, protocol->name);
	for (unsigned i = 0; event_kinds[i]; i++)
		suggestion_offer(&suggestion, event_kinds[i]);
	shell_wrong(shell, at, "\"%.60s\" is no protocol, no role, and fits no channel and no kind of event%s", word,
	            suggestion_text(&suggestion, hint, sizeof(hint)));
	return false;
}

/* ---- live ---- */

static void tell_dropped(struct shell *shell)
{
	if (shell->watch_dropped > 0)
		shell_say(shell, "              … %u events more; the journal has them\n", shell->watch_dropped);
	shell->watch_dropped = shell->watch_lines = 0;
}

static void on_event(const struct event *event, void *context)
{
	struct shell *shell = context;
	if (shell->watched.count == 0 || !fits(&shell->watched, event))
		return;
	int64_t now_ns = loop_now_ns();
	if (now_ns - shell->watch_second_ns >= SECOND_NS) {
		tell_dropped(shell);
		shell->watch_second_ns = now_ns;
	}
	if (shell->watch_lines++ < LINES_A_SECOND)
		print_event(shell, event);
	else
		shell->watch_dropped++;
}

void shell_watch_begin(struct shell *shell)
{
	(void)!timeline_observe(shell->timeline, on_event, shell);
}

void shell_watch_end(struct shell *shell)
{
	timeline_unobserve(shell->timeline, on_event, shell);
	shell_filter_clear(&shell->watched);
}

void shell_do_watch(struct shell *shell, const char *rest)
{
	size_t length;
	for (const char *at = rest; (length = shell_word(&at)) > 0; at += length)
		if (!word_ok(shell, at, length))
			return;
	for (; (length = shell_word(&rest)) > 0; rest += length)
		if (shell_filter_add(&shell->watched, rest, length) < 0) {
			shell_wrong(shell, rest, "at most %d are watched", SHELL_WORDS_MAX);
			return;
		}
	for (unsigned i = 0; i < shell->watched.count; i++)
		shell_say(shell, "%s%s", i ? " " : "watched: ", shell->watched.words[i]);
	shell_say(shell, shell->watched.count ? "\n" : "nothing is watched\n");
}

void shell_do_unwatch(struct shell *shell, const char *rest)
{
	struct shell_filter *filter = &shell->watched;
	size_t length = shell_word(&rest);
	if (length == 0)
		shell_filter_clear(filter);
	for (; (length = shell_word(&rest)) > 0; rest += length) {
		unsigned i = 0;
		while (i < filter->count && (strlen(filter->words[i]) != length || strncmp(filter->words[i], rest, length) != 0))
			i++;
		if (i == filter->count) {
			char word[128], hint[160];
			struct suggestion suggestion = {.word = word};
			snprintf(word, sizeof(word), "%.*s", (int)length, rest);
			for (i = 0; i < filter->count; i++)
				suggestion_offer(&suggestion, filter->words[i]);
			shell_wrong(shell, rest, "\"%s\" is not watched%s", word, suggestion_text(&suggestion, hint, sizeof(hint)));
			continue;
		}
		free(filter->words[i]);
		filter->words[i] = filter->words[--filter->count];
	}
}

/* ---- looking back ---- */

struct looking {
	const struct shell_filter *filter;
	uint64_t *numbers; /* ring of those that fit */
	unsigned size, count;
	uint64_t wanted;
};

static bool collect(const struct event *event, void *context)
{
	struct looking *looking = context;
	if (looking->filter->count == 0 || fits(looking->filter, event))
		looking->numbers[looking->count++ % looking->size] = event->number;
	return false;
}

static bool is_wanted(const struct event *event, void *context)
{
	return event->number == ((struct looking *)context)->wanted;
}

void shell_do_events(struct shell *shell, const char *rest)
{
	struct shell_filter filter = {.count = 0};
	struct looking looking = {.filter = &filter, .size = EVENTS_SHOWN};
	size_t length;
	for (const char *at = rest; (length = shell_word(&at)) > 0; at += length)
		if (!isdigit((unsigned char)*at) && !word_ok(shell, at, length))
			return;
	for (; (length = shell_word(&rest)) > 0; rest += length) {
		unsigned long number = isdigit((unsigned char)*rest) ? strtoul(rest, NULL, 10) : 0;
		if (number > 0 && number <= EVENTS_MAX)
			looking.size = (unsigned)number;
		else if (isdigit((unsigned char)*rest) || shell_filter_add(&filter, rest, length) < 0) {
			shell_wrong(shell, rest, "%.*s: a number from 1 to %d, and at most %d words", (int)length, rest, EVENTS_MAX,
			            SHELL_WORDS_MAX);
			return;
		}
	}
	looking.numbers = calloc(looking.size, sizeof(*looking.numbers));
	if (looking.numbers)
		(void)timeline_find(shell->timeline, 0, collect, &looking);
	unsigned first = looking.count > looking.size ? looking.count - looking.size : 0;
	for (unsigned i = first; i < looking.count; i++) {
		looking.wanted = looking.numbers[i % looking.size];
		const struct event *event = timeline_find(shell->timeline, looking.wanted - 1, is_wanted, &looking);
		if (event)
			print_event(shell, event);
	}
	free(looking.numbers);
	shell_filter_clear(&filter);
}
