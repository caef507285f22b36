/* SPDX-License-Identifier: Apache-2.0 */
/* At most one event of a run in a while; of those between only the newest is kept, and it is not lost. Time is a parameter. */
#ifndef HARNESS_DAEMON_API_THROTTLE_H
#define HARNESS_DAEMON_API_THROTTLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct throttle;
struct throttle *throttle_new(int64_t interval_ns); /* NULL: out of memory */
void throttle_free(struct throttle *);              /* NULL allowed */
/* True: send it now. False: it is kept (a copy), and due later. */
bool throttle_offer(struct throttle *, int64_t id, const json_t *data, int64_t now_ns);
/* One that is due (new reference), NULL: none. */
json_t *throttle_due(struct throttle *, int64_t now_ns);
/* When the next is due; INT64_MAX: none waits. */
int64_t throttle_next_ns(const struct throttle *);

#endif
