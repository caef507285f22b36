/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that ask the daemon share: options, failures, words of its answers. */
#ifndef HARNESS_CLI_DAEMON_COMMAND_H
#define HARNESS_CLI_DAEMON_COMMAND_H

#include <getopt.h>

#include "command.h"
#include "daemon_client.h"

enum { DAEMON_OPTION_URL = 1000, DAEMON_OPTION_TOKEN_FILE, DAEMON_OPTION_CA_FILE };
/* For a table of getopt_long(). */
#define DAEMON_OPTIONS                                                                                                                     \
	{"url", required_argument, NULL, DAEMON_OPTION_URL}, {"token-file", required_argument, NULL, DAEMON_OPTION_TOKEN_FILE},            \
	{                                                                                                                                  \
		"ca-file", required_argument, NULL, DAEMON_OPTION_CA_FILE                                                                  \
	}
/* Lines for a command's usage. */
#define DAEMON_USAGE                                                                                                                       \
	"  --url URL          of the daemon: http://HOST:PORT, https://HOST:PORT, unix:/PATH (HILBENCH_URL, HILBENCH_SOCKET,\n"            \
	"                     " DAEMON_SOCKET ")\n"                                                                                        \
	"  --token-file FILE  holds the token (HILBENCH_TOKEN)\n"                                                                          \
	"  --ca-file FILE     the lab's authorities, for https (HILBENCH_CA)"

/* Takes one of DAEMON_OPTIONS; false: it is none of them. */
bool daemon_option(struct daemon_where *, int option, const char *text);
/* "hilbench COMMAND: file:line:column: message" on stderr; the exit status: 2 refused, 3 bench, 130 interrupted. */
int daemon_fail(const char *command, const struct error *);
/* A number within bounds: 0, or the exit status after a message. */
int daemon_number(const char *command, const char *name, const char *text, int64_t least, int64_t most, int64_t *ret);
/* "job 17" by "17". */
int daemon_job_number(const char *command, const char *text, int64_t *ret);
/* A time like "2h"; 0 or the exit status after a message. */
int daemon_duration(const char *command, const char *name, const char *text);
/* Text of a member, "" when there is none. Integers: 0. */
const char *daemon_text(const json_t *object, const char *key);
int64_t daemon_integer(const json_t *object, const char *key);
/* Printed for a person: what others wrote has no control characters then. Bounded by `size`; returns buffer. */
const char *daemon_plain(const char *text, char *buffer, size_t size);
/* Compact JSON and a newline to stdout. */
void daemon_print_json(const json_t *);

#endif
