/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a file the lines are that somebody may want: stretches in order, at most a fixed number; when there are more, neighbours become
 * one with what is between them. */
#ifndef HARNESS_DAEMON_JOB_REGIONS_H
#define HARNESS_DAEMON_JOB_REGIONS_H

#include <stdbool.h>
#include <stdint.h>

struct regions;
struct regions *regions_new(void); /* NULL: out of memory */
void regions_free(struct regions *);
/* Behind all that were added. */
void regions_add(struct regions *, uint64_t begin, uint64_t end);
/* Moves *offset forward to where something is, and gives the end of that stretch. False: there is nothing at or behind it. */
bool regions_next(const struct regions *, uint64_t *offset, uint64_t *ret_end);

#endif
