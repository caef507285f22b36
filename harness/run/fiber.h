/* SPDX-License-Identifier: Apache-2.0 */
/* Work with a stack of its own: it can stop in the middle, and go on later, on the same thread. */
#ifndef HARNESS_RUN_FIBER_H
#define HARNESS_RUN_FIBER_H

#include <stdbool.h>

struct fiber;
/* Nothing runs yet. 0 or -errno. */
int fiber_new(struct fiber **ret, void (*run)(void *), void *argument) __attribute__((warn_unused_result));
/* Runs it up to its next fiber_yield() or its end; returns whether it has ended. */
bool fiber_resume(struct fiber *);
/* From within: fiber_resume() returns. */
void fiber_yield(struct fiber *);
/* It must have ended, or never have begun. NULL is allowed. */
void fiber_free(struct fiber *);

#endif
