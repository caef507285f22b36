/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a run that is over, from its file. */
#ifndef HARNESS_DAEMON_API_JOURNAL_FILE_H
#define HARNESS_DAEMON_API_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whole lines (with their newlines) from *offset into buffer, and moves the offset behind them. summary: without traffic. 1: there may be
 * more, also when *ret_length is 0 (nothing of the last portion is wanted); 0: the end, *ret_length is 0; -errno. A line that does not fit
 * is replaced by {"kind":"left-out"}; a last line without an end, which a killed run leaves, does not count. */
int journal_file_read(int fd, uint64_t *offset, bool summary, char *buffer, size_t size, size_t *ret_length);
/* Whether a line begins at the offset. */
bool journal_file_line_begins(int fd, uint64_t offset);

#endif
