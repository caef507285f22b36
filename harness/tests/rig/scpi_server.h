/* SPDX-License-Identifier: Apache-2.0 */
/* An instrument for tests: a thread that answers lines by a table, and lets a test look at what it heard. */
#ifndef HARNESS_TESTS_RIG_SCPI_SERVER_H
#define HARNESS_TESTS_RIG_SCPI_SERVER_H

#include <stdbool.h>

struct scpi_server;
struct scpi_rule {
	const char *message; /* the whole line */
	const char *answer;  /* with its end; NULL: says nothing */
	unsigned delay_ms;
	bool close; /* after the answer */
};
/* Later rules come first; what no rule names is a setting and is not answered. */
struct scpi_server *scpi_server_new(void);
void scpi_server_free(struct scpi_server *);
const char *scpi_server_address(const struct scpi_server *);
void scpi_server_rule(struct scpi_server *, const char *message, const char *answer, unsigned delay_ms, bool close);
/* How many lines were exactly this one. */
unsigned scpi_server_heard(struct scpi_server *, const char *message);
unsigned scpi_server_connections(struct scpi_server *);

#endif
