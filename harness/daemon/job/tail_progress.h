/* SPDX-License-Identifier: Apache-2.0 */
/* What a run is at, from the lines of its journal. */
#ifndef HARNESS_DAEMON_JOB_TAIL_PROGRESS_H
#define HARNESS_DAEMON_JOB_TAIL_PROGRESS_H

#include "tail.h"

struct progress;
struct progress *progress_new(void); /* free() it; NULL: out of memory */
/* Parses only lines of the kinds that matter. */
void progress_take(struct progress *, struct tail_progress *, const char *kind, size_t kind_length, const char *line, size_t length);

#endif
