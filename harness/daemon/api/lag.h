/* SPDX-License-Identifier: Apache-2.0 */
/* How late the event loop is: a timer that says by how much it was called too late. */
#ifndef HARNESS_DAEMON_API_LAG_H
#define HARNESS_DAEMON_API_LAG_H

#include <systemd/sd-event.h>

#include "../../base/error.h"

struct lag;
int lag_new(struct lag **ret, sd_event *, struct error *err) WARN_UNUSED;
void lag_free(struct lag *); /* NULL allowed */
/* The most within the last minute, to two minutes. */
int64_t lag_most_ns(const struct lag *);

#endif
