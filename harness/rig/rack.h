/* SPDX-License-Identifier: Apache-2.0 */
/* Rack numbers: virtual racks that run side by side on one machine each take a number of their own. */
#ifndef HARNESS_RIG_RACK_H
#define HARNESS_RIG_RACK_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/error.h"

#define RACK_NUMBER_LIMIT 200

/* Takes the first number > after that nobody holds (a lock file, released when the descriptor closes, whatever ends
 * the process). 0, -EBUSY (all are taken) or another -errno (ERROR_BENCH). */
int rack_take(unsigned after, unsigned *ret_number, int *ret_fd, struct error *err) WARN_UNUSED;
/* The text with every ${rack} replaced. Newly allocated, NULL when out of memory. */
char *rack_expand(const char *text, unsigned number);
/* The first number with which the text is not good, 0: it is with every one that a rack may have; one without ${rack} is looked at once
 * (1 when it is not good). -ENOMEM. */
int rack_first_bad(const char *text, bool (*good)(const char *text, void *context), void *context) WARN_UNUSED;
/* What a message says of it: " (on rack 10: \"127.0.0.310\")", or nothing for a text without ${rack}. Returns buffer. */
const char *rack_bad_text(const char *text, int number, char *buffer, size_t size);

#endif
