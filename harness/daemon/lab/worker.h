/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that would stop the loop for too long (reading, hashing and syncing files of hundreds of MB, examining a large book), in a thread of
 * its own. It may touch what its context owns and files; never the book, but by book_examine(), nor the lab or the loop.
 */
#ifndef HARNESS_DAEMON_LAB_WORKER_H
#define HARNESS_DAEMON_LAB_WORKER_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "../../base/error.h"

struct worker;
/* In the thread: 0 or -errno with err filled. Looks at worker_stopped() after every portion. */
typedef int (*worker_work)(void *context, const struct worker *, struct error *err);
/* From the loop, once; error NULL: all went well. May free the worker. */
typedef void (*worker_done)(const struct error *, void *context);
int worker_start(struct worker **ret, sd_event *, worker_work, worker_done, void *context, struct error *err) WARN_UNUSED;
bool worker_stopped(const struct worker *);
void worker_free(struct worker *); /* waits until it has stopped; NULL allowed */

#endif
