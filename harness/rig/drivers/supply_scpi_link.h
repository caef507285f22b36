/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line to a SCPI instrument: raw TCP, a message a line (IEEE 488.2, 7.5 and 8.5). One connection an instrument, shared by all its
 * channels, because many instruments take one client only. A connection whose answer did not come in time is given up: a late answer
 * must never be taken for that of the next question.
 */
#ifndef HARNESS_RIG_DRIVERS_SUPPLY_SCPI_LINK_H
#define HARNESS_RIG_DRIVERS_SUPPLY_SCPI_LINK_H

#include "../../base/loop.h"

#define SCPI_ANSWER_MAX 512

struct scpi_link;
/* The link to this address, made at the first call; nothing is connected. Each get needs its put. */
int scpi_link_get(struct scpi_link **ret, struct loop *, const char *address, struct error *err) WARN_UNUSED;
void scpi_link_put(struct scpi_link *);

/* Between begin and end nothing that was asked without waiting comes in between. */
int scpi_begin(struct scpi_link *, int64_t deadline_ns, struct error *err) WARN_UNUSED; /* connects when needed */
void scpi_end(struct scpi_link *);
/* Counts connections: when it differs, the instrument may be another one, or in another state. */
unsigned scpi_generation(const struct scpi_link *);
bool scpi_is_connected(const struct scpi_link *);
/* Why it is not, as far as that is known. */
const char *scpi_reason(const struct scpi_link *);

/* One program message, without its end. */
int scpi_tell(struct scpi_link *, const char *message, struct error *err) WARN_UNUSED;
/* A query and its response, without the end; printable ASCII. ERROR_BENCH names device, command and answer. */
int scpi_ask(struct scpi_link *, const char *message, char answer[static SCPI_ANSWER_MAX], int64_t deadline_ns,
             struct error *err) WARN_UNUSED;
/* "12.5", "1.25E+1", "12.5 V" (a suffix must be `unit`) -> thousandths. what: the query, for the message. */
int scpi_milli(const struct scpi_link *, const char *what, const char *answer, const char *unit, int32_t *ret,
               struct error *err) WARN_UNUSED;

typedef void (*scpi_later)(const char *answer, int64_t sent_ns, void *context);
/* Asks without waiting; done is called with the answer, or with NULL. Does nothing (-EBUSY) while something else is going on or nothing
 * is connected. An answer later than within_ns ends the connection. */
int scpi_ask_later(struct scpi_link *, const char *message, int64_t within_ns, scpi_later done, void *context) WARN_UNUSED;
/* Connects without waiting; done is called with "", or with NULL. -EBUSY while something else is going on, or it is connected. */
int scpi_connect_later(struct scpi_link *, int64_t within_ns, scpi_later done, void *context) WARN_UNUSED;
/* Whoever asked is no longer interested. */
void scpi_forget(struct scpi_link *, void *context);

#endif
