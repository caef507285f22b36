/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's event loop: sd-event, one thread. A step that waits pumps the loop, so that captures, relays,
 * consoles and TesterPresent go on meanwhile. Never pump from inside an event callback.
 */
#ifndef HARNESS_BASE_LOOP_H
#define HARNESS_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "error.h"

struct loop;
int loop_new(struct loop **ret, struct error *err) WARN_UNUSED;
void loop_free(struct loop *);
sd_event *loop_event(struct loop *);

int64_t loop_now_ns(void); /* CLOCK_MONOTONIC */

/* Pumps until done(context) is true (0), the monotonic deadline passes (-ETIMEDOUT), or the loop is cancelled
 * (-ECANCELED). done may be NULL (a plain wait). It is asked once before the first pump. */
int loop_until(struct loop *, bool (*done)(void *), void *context, int64_t deadline_ns) WARN_UNUSED;

/* Cancel: every loop_until() returns -ECANCELED until loop_rearm(). */
void loop_cancel(struct loop *);
void loop_rearm(struct loop *);
bool loop_cancelled(const struct loop *);

#endif
