/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens under a lease, for those who watch: the lines of a journal that this machine writes go to the daemon as they come. The
 * writer knows nothing of it; a daemon that is slow, full or away only leaves the watchers behind.
 */
#ifndef HARNESS_CLI_LEASE_FEED_H
#define HARNESS_CLI_LEASE_FEED_H

#include "lease.h"

struct lease_feed;
/* Borrowed client and lease outlive it. */
int lease_feed_new(struct lease_feed **ret, struct daemon_client *, const struct lease *, struct error *err) WARN_UNUSED;
void lease_feed_free(struct lease_feed *); /* NULL allowed */
/* From now on the lines of this file; it need not be there yet. */
void lease_feed_follow(struct lease_feed *, const char *path);
/* Sends what there is until until_ns, or until the descriptor (-1: none) is readable or hung up. */
void lease_feed_serve(struct lease_feed *, int fd, int64_t until_ns);
/* Sends the rest, as long as the daemon takes it, until until_ns at most. */
void lease_feed_finish(struct lease_feed *, int64_t until_ns);
/* What the holder should know: that nobody sees them for now, or that they are seen again. NULL: nothing new. Valid until the next call. */
const char *lease_feed_news(struct lease_feed *);

#endif
