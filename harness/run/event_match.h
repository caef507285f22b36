/* SPDX-License-Identifier: Apache-2.0 */
/* Which event is meant: kind, channel and data fields. */
#ifndef HARNESS_RUN_EVENT_MATCH_H
#define HARNESS_RUN_EVENT_MATCH_H

#include "../base/timeline.h"
#include "../base/value.h"

struct event_match {
	const char *kind;
	const char *channel;       /* NULL: any */
	const struct value *where; /* resolved map of data fields that must be equal, or NULL */
};
bool event_matches(const struct event *, const struct event_match *);
/* Whether a journal field equals a written value: 0x0e00 equals the number 3584 and the text "0x0e00". */
bool field_equals(const json_t *field, const struct value *value);

#endif
