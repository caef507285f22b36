/* SPDX-License-Identifier: Apache-2.0 */
/* Where a trace goes: lines for people, or a format of another tool. */
#ifndef HARNESS_CLI_TRACE_SINK_H
#define HARNESS_CLI_TRACE_SINK_H

#include <stdio.h>

#include "../base/error.h"
#include "../report/trace.h"

struct trace_sink {
	const char *name, *doc;
	bool needs_file; /* cannot be written to a terminal or a pipe */
	/* path NULL: standard output. */
	int (*open)(void **ret, const struct trace *, const char *path, bool utc, struct error *err);
	/* An event that the filter takes. */
	int (*event)(void *state, const json_t *event, struct error *err);
	/* One that it does not take, when the format needs it all the same (addresses of connections). May be NULL. */
	void (*aside)(void *state, const json_t *event);
	int (*close)(void *state, struct error *err);
	/* Whether the format has something for the kind; what it leaves out is counted and said. */
	bool (*knows)(const char *kind);
};
extern const struct trace_sink trace_sink_text, trace_sink_json, trace_sink_csv, trace_sink_candump, trace_sink_pcapng;

/* The file, or standard output for NULL. */
int trace_file_open(const char *path, FILE **ret, struct error *err) WARN_UNUSED;
int trace_file_close(FILE *, const char *path, struct error *err) WARN_UNUSED;
/* A frame of an event can.rx or can.tx. -EINVAL when the event is none. */
struct can_message;
int trace_can_message(const json_t *event, struct can_message *ret) WARN_UNUSED;

#endif
