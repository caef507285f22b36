/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a journal's line, found without parsing the line (the order of its members is fixed: docs/reference/journal.md). */
#ifndef HARNESS_DAEMON_JOB_LINE_H
#define HARNESS_DAEMON_JOB_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_head {
	int64_t t_ns;
	const char *channel, *kind; /* as written (JSON escapes and all), not terminated; point into the line */
	size_t channel_length, kind_length;
};
/* False: it is no line of a journal. */
bool line_head(const char *line, size_t length, struct line_head *ret);
/* Only the kind. */
bool line_kind(const char *line, size_t length, const char **ret, size_t *ret_length);
/* Frames, messages, console lines, and whatever else comes in masses. */
bool line_is_traffic(const char *kind, size_t length);
bool line_kind_is(const struct line_head *, const char *kind);
bool line_kind_begins(const struct line_head *, const char *prefix);

#endif
