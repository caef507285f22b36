/* SPDX-License-Identifier: Apache-2.0 */
/* Rack numbers: virtual racks that run side by side on one machine each take a number of their own. */
#ifndef HARNESS_RIG_RACK_H
#define HARNESS_RIG_RACK_H

#include "../base/error.h"

#define RACK_NUMBER_LIMIT 200

/* Takes the first number > after that nobody holds (a lock file, released when the descriptor closes, whatever ends
 * the process). 0, -EBUSY (all are taken) or another -errno (ERROR_BENCH). */
int rack_take(unsigned after, unsigned *ret_number, int *ret_fd, struct error *err) WARN_UNUSED;
/* The text with every ${rack} replaced. Newly allocated, NULL when out of memory. */
char *rack_expand(const char *text, unsigned number);

#endif
