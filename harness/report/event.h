/* SPDX-License-Identifier: Apache-2.0 */
/* One journal event as a line for people. */
#ifndef HARNESS_REPORT_EVENT_H
#define HARNESS_REPORT_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct report_event {
	int64_t at_ns; /* CLOCK_MONOTONIC */
	char *channel, *kind, *text;
};
/* Fills *ret with owned strings (report_event_clear()); 0 or -ENOMEM. */
int report_event_describe(const json_t *event, struct report_event *ret);
void report_event_clear(struct report_event *);

/* Cleaned copy of a string member; NULL when it is absent or no string (*failed is set when memory ran out). */
char *event_text(const json_t *object, const char *key, bool *failed);
/* Held within +-EVENT_INTEGER_LIMIT (73 years in ns), so that sums and differences of a mad journal do not overflow. */
#define EVENT_INTEGER_LIMIT (INT64_C(1) << 61)
int64_t event_integer(const json_t *object, const char *key, int64_t fallback);

#endif
