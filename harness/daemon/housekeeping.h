/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon does when nobody asks: old results go, unused files and stored private keys go, the database is tended, in small portions
 * from a timer; and soon after the start and then once a day the whole book is examined, in a thread of its own. Damage that it finds ends
 * all writing (book_set_damaged()). */
#ifndef HARNESS_DAEMON_HOUSEKEEPING_H
#define HARNESS_DAEMON_HOUSEKEEPING_H

#include <systemd/sd-event.h>

#include "book/results.h"

struct housekeeping;
/* Book, loop and rules are borrowed. The rules count in CLOCK_REALTIME: after a jump of the clock by more than an hour nothing is removed
 * for an hour, since an age may be wrong then. */
int housekeeping_new(struct housekeeping **ret, sd_event *, struct book *, const struct retention *, struct error *err) WARN_UNUSED;
/* Old results are looked for now, not when it is time: the disk is short of space. housekeeping: struct housekeeping *. */
void housekeeping_hurry(void *housekeeping);
void housekeeping_free(struct housekeeping *); /* NULL allowed; an examination ends at once. Before book_close() */

#endif
