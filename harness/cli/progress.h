/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees while a run goes on: a line that changes on a terminal, else one line a case. */
#ifndef HARNESS_CLI_PROGRESS_H
#define HARNESS_CLI_PROGRESS_H

#include <stdio.h>

#include "../base/loop.h"
#include "../base/timeline.h"

struct progress;
/* Observes the timeline. terminal: redraws one line at the bottom of `file`. */
int progress_new(struct progress **ret, struct loop *, struct timeline *, FILE *file, bool terminal, struct error *err) WARN_UNUSED;
/* Leaves the terminal to somebody else, or takes it back. */
void progress_pause(struct progress *, bool paused);
void progress_free(struct progress *); /* clears the line; NULL allowed */

#endif
