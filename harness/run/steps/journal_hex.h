/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_RUN_STEPS_JOURNAL_HEX_H
#define HARNESS_RUN_STEPS_JOURNAL_HEX_H

#include <jansson.h>
#include <stddef.h>

/* Sets "hex" as the journal writes byte strings: lower case, no spaces, at most 4096 bytes; "truncated" tells how many
 * more there were (docs/reference/journal.md). object may be NULL. */
void journal_put_hex(json_t *object, const void *data, size_t length);

#endif
