/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_notice.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "../base/suggest.h"
#include "../report/text.h"

#define NAMES_SIZE 700

static bool any_fits(const json_t *names, const char *pattern)
{
	const char *name;
	json_t *value;
	json_object_foreach ((json_t *)names, name, value)
		if (strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0)
			return true;
	return false;
}

/* Returns how many of the patterns fit nothing. */
static unsigned tell_patterns(const char *what, const char *const *patterns, const json_t *names)
{
	unsigned missing = 0;
	for (; patterns && *patterns; patterns++) {
		struct suggestion suggestion = {.word = *patterns};
		char hint[160], list[NAMES_SIZE];
		const char *name;
		json_t *value;
		if (any_fits(names, *patterns))
			continue;
		missing++;
		json_object_foreach ((json_t *)names, name, value)
			suggestion_offer(&suggestion, name);
		trace_names(names, list, sizeof(list));
		(void)fprintf(stderr, "hilbench trace: no event has the %s \"%s\"%s; the journal has %s\n", what, *patterns,
		              suggestion_text(&suggestion, hint, sizeof(hint)), *list ? list : "none");
	}
	return missing;
}

static bool has_protocol(const json_t *kinds, const struct trace_protocol *protocol)
{
	for (const char *const *kind = protocol->kinds; *kind; kind++)
		if (any_fits(kinds, *kind))
			return true;
	return false;
}

static unsigned tell_protocols(const char *const *names, const json_t *kinds)
{
	unsigned missing = 0;
	for (; names && *names; names++) {
		const struct trace_protocol *protocol = trace_protocol_find(*names);
		const char *separator = "";
		if (!protocol || has_protocol(kinds, protocol))
			continue;
		missing++;
		(void)fprintf(stderr, "hilbench trace: no event is of protocol %s (%s); the journal has ", protocol->name, protocol->doc);
		for (const struct trace_protocol *other = trace_protocols; other->name; other++)
			if (has_protocol(kinds, other)) {
				(void)fprintf(stderr, "%s%s", separator, other->name);
				separator = ", ";
			}
		(void)fprintf(stderr, "%s\n", *separator ? "" : "none");
	}
	return missing;
}

static void tell_nothing(const struct trace *trace)
{
	char begin[TEXT_NUMBER_SIZE], end[TEXT_NUMBER_SIZE];
	text_seconds(trace->last_ns, end);
	if (trace->filter.from_ns > trace->last_ns)
		(void)fprintf(stderr, "hilbench trace: nothing matches: the journal ends at %s s, before --from %s s\n", end,
		              text_seconds(trace->filter.from_ns, begin));
	else
		(void)fprintf(
		        stderr,
		        "hilbench trace: nothing matches: the journal has what each option asks for, but no event that fits all of them "
		        "(it goes to %s s)\n",
		        end);
}

void trace_notice(const struct trace *trace, unsigned long taken)
{
	const struct trace_filter *filter = &trace->filter;
	if (!trace->begun) {
		(void)fputs("hilbench trace: the journal has no events\n", stderr);
		return;
	}
	unsigned missing = tell_patterns("kind", filter->kinds, trace->kinds);
	missing += tell_patterns("channel", filter->channels, trace->channels);
	missing += tell_protocols(filter->protocols, trace->kinds);
	if (taken == 0 && missing == 0)
		tell_nothing(trace);
}
