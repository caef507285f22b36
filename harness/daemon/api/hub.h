/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest events of the lab, encoded once as server-sent events and kept in a bounded ring. Every viewer has its position; what the ring
 * gave up before a viewer took it, that viewer never gets: it is told and dropped. No I/O.
 */
#ifndef HARNESS_DAEMON_API_HUB_H
#define HARNESS_DAEMON_API_HUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HUB_EVENTS 4096u      /* a power of two */
#define HUB_BYTES  (4u << 20) /* of all events in the ring */

struct hub;
struct hub_event;
struct hub_viewer {
	uint64_t next;        /* the event that is written after `at` */
	struct hub_event *at; /* being written; held */
	size_t offset;
	const char *lost; /* why it is dropped, NULL: it is not */
	bool told;
};
/* era: differs from that of every earlier hub of the same place, so that positions of those are not taken for own ones. */
struct hub *hub_new(uint64_t era); /* NULL: out of memory */
void hub_free(struct hub *);       /* NULL allowed; no viewer is left */
/* Events that do not fit in memory or in the ring by themselves are counted as missed by everybody. */
void hub_put(struct hub *, const char *type, const json_t *data);
uint64_t hub_dropped(const struct hub *); /* viewers so far */

/* last_event_id: where the viewer was, NULL: it is new and begins with what comes. */
void hub_viewer_begin(struct hub *, struct hub_viewer *, const char *last_event_id);
/* Bytes written (> 0), 0: nothing now, -ENODATA: dropped, and told so. size: at least 256. */
ssize_t hub_viewer_read(struct hub *, struct hub_viewer *, char *buffer, size_t size);
void hub_viewer_end(struct hub_viewer *);

#endif
