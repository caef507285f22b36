/* SPDX-License-Identifier: Apache-2.0 */
/* What of a journal somebody wants to see: by board, channel, protocol, kind, case and time. Events are offered in their order. */
#ifndef HARNESS_REPORT_TRACE_H
#define HARNESS_REPORT_TRACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/error.h"

struct trace_filter {
	/* NULL-terminated lists or NULL (all). boards: names of roles: their own events, those of links named after them (zgw-vmg), of
	 * buses, and what testers exchange with the board: by its network address, and by its logical one. channels, kinds, cases:
	 * fnmatch(3) patterns; protocols: names of trace_protocols. */
	const char *const *boards, *const *channels, *const *protocols, *const *kinds, *const *cases;
	int64_t from_ns, to_ns; /* since the begin of the run, inclusive */
};
#define TRACE_FILTER_ALL ((struct trace_filter){.from_ns = INT64_MIN, .to_ns = INT64_MAX})

/* A protocol is a set of kinds of events. */
struct trace_protocol {
	const char *name, *doc;
	const char *const *kinds; /* patterns, NULL-terminated */
};
extern const struct trace_protocol trace_protocols[]; /* ended by a NULL name */
const struct trace_protocol *trace_protocol_find(const char *name);

struct trace {
	struct trace_filter filter;             /* borrowed lists */
	int64_t begin_ns;                       /* CLOCK_MONOTONIC of run.begin; of the first event in a journal without one */
	int64_t realtime_offset_ns;             /* CLOCK_REALTIME - CLOCK_MONOTONIC of the run, 0 unknown */
	bool begun, ended;                      /* run.begin, run.end were seen */
	bool locked;                            /* the writer holds a lock on the journal: journal_written() is to be believed */
	bool in_case;                           /* the case that runs is wanted */
	json_t *boards, *links, *cases, *peers; /* what the journal has; peers: channel of a tester -> address it talks to */
	json_t *kinds, *channels;               /* what it has of them, when the filter names any (for kinds also: protocols) */
	int64_t last_ns;                        /* the latest event, since the begin of the run */
};
/* Release with trace_end(). */
void trace_begin(struct trace *, const struct trace_filter *);
void trace_end(struct trace *);
/* Keeps the books of the run, and tells whether the event is wanted. */
bool trace_takes(struct trace *, const json_t *event);
/* After a whole journal: -ENOENT (ERROR_USAGE) when it has no board or no case of a name in the filter; the message says what it has. */
int trace_check(const struct trace *, struct error *err) WARN_UNUSED;
/* The keys of an object, "ecu, vmg, zgw": as many as fit, then "…". */
void trace_names(const json_t *names, char *text, size_t size);

#endif
