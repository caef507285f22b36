/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_choice.h"

#include <stdio.h>
#include <string.h>

#include "command.h"

bool trace_choice_has(int option)
{
	return option >= TRACE_CHOICE_BOARD && option <= TRACE_CHOICE_CASE;
}

static int add(struct trace_name_list *names, const char *command, const char *text)
{
	if (names->count == TRACE_CHOICE_MAX)
		return command_usage_error(command, "more than %d of one kind", TRACE_CHOICE_MAX);
	names->items[names->count++] = text;
	return 0;
}

static int add_protocol(struct trace_name_list *names, const char *command, const char *text)
{
	if (trace_protocol_find(text))
		return add(names, command, text);
	char known[256] = "";
	for (const struct trace_protocol *protocol = trace_protocols; protocol->name; protocol++)
		(void)snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", known[0] ? ", " : "", protocol->name);
	return command_usage_error(command, "no protocol \"%s\"; there are %s", text, known);
}

int trace_choice_take(struct trace_choice *choice, const char *command, int option, const char *text)
{
	switch (option) {
	case TRACE_CHOICE_BOARD:
		return add(&choice->boards, command, text);
	case TRACE_CHOICE_CHANNEL:
		return add(&choice->channels, command, text);
	case TRACE_CHOICE_PROTOCOL:
		return add_protocol(&choice->protocols, command, text);
	case TRACE_CHOICE_KIND:
		return add(&choice->kinds, command, text);
	default:
		return add(&choice->cases, command, text);
	}
}

static const char *const *list_of(const struct trace_name_list *names)
{
	return names->count ? names->items : NULL;
}

struct trace_filter trace_choice_filter(const struct trace_choice *choice)
{
	struct trace_filter filter = TRACE_FILTER_ALL;
	filter.boards = list_of(&choice->boards);
	filter.channels = list_of(&choice->channels);
	filter.protocols = list_of(&choice->protocols);
	filter.kinds = list_of(&choice->kinds);
	filter.cases = list_of(&choice->cases);
	return filter;
}
