/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a journal line by line. */
#ifndef HARNESS_REPORT_JOURNAL_H
#define HARNESS_REPORT_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "../base/error.h"

struct journal;

/* 0, or -errno with err filled (ERROR_BENCH). */
int journal_open(struct journal **ret, const char *path, struct error *err) WARN_UNUSED;
void journal_close(struct journal *);
/* Next event, a new reference to an object that has a `kind`: 1; 0 at the end; -errno with err->place naming the
 * line. A last line that is cut off (no newline, not JSON) is left out: the writer was killed. */
int journal_next(struct journal *, json_t **ret_event, struct error *err) WARN_UNUSED;
/* For a journal that is still being written: at its end journal_next() gives -EAGAIN (err not filled), also for a last line that is not
 * whole yet; the next call goes on there. */
void journal_follow(struct journal *);
/* Whether somebody writes it, by the exclusive lock that a runner holds on it: 1; 0 nobody holds one; -errno: the file system has none. */
int journal_written(const struct journal *);
bool journal_was_cut(const struct journal *);

#endif
