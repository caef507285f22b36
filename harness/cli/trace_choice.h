/* SPDX-License-Identifier: Apache-2.0 */
/* What of a journal to show, as options of a command: --board, --channel, --protocol, --kind and --case, each of which may be repeated. */
#ifndef HARNESS_CLI_TRACE_CHOICE_H
#define HARNESS_CLI_TRACE_CHOICE_H

#include <getopt.h>

#include "../report/trace.h"

#define TRACE_CHOICE_MAX 32 /* of one kind */

struct trace_name_list {
	const char *items[TRACE_CHOICE_MAX + 1];
	unsigned count;
};
/* Zero-initialise; nothing to release. */
struct trace_choice {
	struct trace_name_list boards, channels, protocols, kinds, cases;
};
/* For a table of getopt_long(). */
enum { TRACE_CHOICE_BOARD = 1100, TRACE_CHOICE_CHANNEL, TRACE_CHOICE_PROTOCOL, TRACE_CHOICE_KIND, TRACE_CHOICE_CASE };
#define TRACE_CHOICE_OPTIONS                                                                                                               \
	{"board", required_argument, NULL, TRACE_CHOICE_BOARD}, {"channel", required_argument, NULL, TRACE_CHOICE_CHANNEL},                \
	        {"protocol", required_argument, NULL, TRACE_CHOICE_PROTOCOL}, {"kind", required_argument, NULL, TRACE_CHOICE_KIND},        \
	{                                                                                                                                  \
		"case", required_argument, NULL, TRACE_CHOICE_CASE                                                                         \
	}

/* Whether an option is one of these. */
bool trace_choice_has(int option);
/* Takes one of them; text is borrowed. 0, or the exit status after a message in the name of the command. */
int trace_choice_take(struct trace_choice *, const char *command, int option, const char *text);
/* Borrows from the choice; all times. */
struct trace_filter trace_choice_filter(const struct trace_choice *);

#endif
