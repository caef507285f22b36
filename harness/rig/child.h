/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the virtual rack (vboard, vbus): a child process that is asked in JSON lines over a socket pair, and that
 * never outlives this process. */
#ifndef HARNESS_RIG_CHILD_H
#define HARNESS_RIG_CHILD_H

#include "../base/loop.h"
#include "../base/timeline.h"

#define CHILD_CONTROL_FD 3 /* the control channel in the child */

struct child;
struct child_options {
	const char *title;                                                /* "board zgw": whose program it is */
	const char *program;                                              /* "vboard", for messages */
	char *const *arguments;                                           /* [0]: the path */
	const char *log;                                                  /* file that takes its output */
	void (*event)(const char *event, json_t *message, void *context); /* {"event":…}; may be NULL */
	void *context;
};
/* *ret is set as soon as there is something for child_end(), also on failure. */
int child_start(struct child **ret, struct loop *, struct timeline *, const struct child_options *, struct error *err) WARN_UNUSED;
/* Sends {"cmd":…} (STOLEN) and pumps the loop until its answer, the deadline (at most 5 s) or the end of the child.
 * *ret_answer (may be NULL) is a new reference. -EREMOTEIO: refused, err says why. */
int child_request(struct child *, json_t *stolen, int64_t deadline_ns, json_t **ret_answer, struct error *err) WARN_UNUSED;
/* Sends a request (STOLEN) without waiting: its answer comes as the event "answer". May be called from event callbacks. */
void child_tell(struct child *, json_t *stolen);
/* Fails (ERROR_BENCH) with the reason when it ended or no longer listens. */
int child_alive(const struct child *, struct error *err) WARN_UNUSED;
/* Its end has begun, though the loop has not told it yet. Asks /proc, which takes its time; changes nothing. */
bool child_going(const struct child *);
/* Closes the channel, waits for the end, kills after 2 s. NULL allowed. */
void child_end(struct child *);

/* The field `t` of a message, else now. */
struct instant child_stamp(json_t *message, int64_t uncertainty_ns);

#endif
