/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the holder of a lease sends of its journal, in files of its own: pieces of whole lines, named after the byte of the holder's journal
 * with which they begin. Offsets are those of the holder's journal throughout. Only the newest LEASE_JOURNAL_KEPT bytes stay, whole pieces.
 */
#ifndef HARNESS_DAEMON_LAB_LEASE_JOURNAL_H
#define HARNESS_DAEMON_LAB_LEASE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/error.h"

#define LEASE_JOURNAL_KEPT  (64u << 20)
#define LEASE_JOURNAL_PIECE (8u << 20)
#define LEASE_JOURNAL_LINES (1u << 20) /* bytes that come at once at most */

struct lease_journal;
/* The directory is made, with its parents; what an earlier daemon left in it goes on. */
int lease_journal_open(struct lease_journal **ret, const char *directory, struct error *err) WARN_UNUSED;
struct lease_journal *lease_journal_ref(struct lease_journal *);
void lease_journal_unref(struct lease_journal *); /* NULL allowed; the files stay unless it is over */
/* Nothing comes any more: its files go away with the last reference. at_ns: when, for lease_journal_over_ns(). */
void lease_journal_end(struct lease_journal *, int64_t at_ns);
int64_t lease_journal_over_ns(const struct lease_journal *); /* 0: it is not over */

uint64_t lease_journal_first(const struct lease_journal *); /* offset of the oldest byte that is kept */
uint64_t lease_journal_next(const struct lease_journal *);  /* … of the one that comes next */
/* Whole lines, each of which begins an object; at most LEASE_JOURNAL_LINES bytes. Either all of them are taken or none. -EINVAL
 * (ERROR_USAGE): they are none; -ENOSPC (ERROR_USAGE): the disk is full. */
int lease_journal_append(struct lease_journal *, const char *lines, size_t length, struct error *err) WARN_UNUSED;
/* The piece that has the byte at the offset, first <= offset < next: its file (the caller's, read only) and the offset of its begin. */
int lease_journal_piece(const struct lease_journal *, uint64_t offset, int *ret_fd, uint64_t *ret_begin, struct error *err) WARN_UNUSED;

#endif
