/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 2000 /* when a browser comes back by itself */

/* One that is being written to a slow viewer outlives its place in the ring. */
struct hub_event {
	unsigned held;
	size_t length;
	char text[];
};
struct hub {
	uint64_t era;
	uint64_t first, next; /* positions in the ring: first is the oldest, next the one to come */
	size_t bytes;
	uint64_t dropped;
	struct hub_event *ring[HUB_EVENTS];
};

static void release(struct hub_event *event)
{
	if (event && --event->held == 0)
		free(event);
}

struct hub *hub_new(uint64_t era)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	if (hub) {
		hub->era = era;
		hub->first = hub->next = 1;
	}
	return hub;
}

static void forget_oldest(struct hub *hub)
{
	struct hub_event **place = &hub->ring[hub->first++ % HUB_EVENTS];
	if (*place)
		hub->bytes -= (*place)->length;
	release(*place);
	*place = NULL;
}

void hub_free(struct hub *hub)
{
	if (!hub)
		return;
	while (hub->first < hub->next)
		forget_oldest(hub);
	free(hub);
}

uint64_t hub_dropped(const struct hub *hub)
{
	return hub->dropped;
}

static struct hub_event *encode(const struct hub *hub, const char *type, const json_t *data)
{
	char head[128];
	size_t length = (size_t)snprintf(head, sizeof(head), "id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: ", hub->era, hub->next, type);
	size_t json = json_dumpb(data, NULL, 0, JSON_COMPACT);
	struct hub_event *event = json > 0 && json < HUB_BYTES / 2 ? malloc(sizeof(*event) + length + json + 2) : NULL;
	if (!event)
		return NULL;
	memcpy(event->text, head, length);
	json_dumpb(data, event->text + length, json, JSON_COMPACT);
	memcpy(event->text + length + json, "\n\n", 2);
	event->held = 1;
	event->length = length + json + 2;
	return event;
}

void hub_put(struct hub *hub, const char *type, const json_t *data)
{
	struct hub_event *event = encode(hub, type, data);
	size_t length = event ? event->length : 0;
	while (hub->first < hub->next && (hub->next - hub->first == HUB_EVENTS || hub->bytes + length > HUB_BYTES))
		forget_oldest(hub);
	hub->ring[hub->next++ % HUB_EVENTS] = event;
	hub->bytes += length;
	if (!event) /* nobody may go on as if there had been none */
		while (hub->first < hub->next)
			forget_oldest(hub);
}

void hub_viewer_begin(struct hub *hub, struct hub_viewer *viewer, const char *last_event_id)
{
	uint64_t era, position;
	char end;
	*viewer = (struct hub_viewer){.next = hub->next};
	if (!last_event_id || !*last_event_id)
		return;
	if (sscanf(last_event_id, "%" SCNx64 "-%" SCNu64 "%c", &era, &position, &end) != 2 || era != hub->era || position >= hub->next)
		viewer->lost = "what you saw last is of an earlier start of the daemon: load everything again";
	else
		viewer->next = position + 1;
}

/* The position without an event: where a browser comes back to. */
static ssize_t greet(const struct hub *hub, struct hub_viewer *viewer, char *buffer, size_t size)
{
	viewer->told = true;
	return snprintf(buffer, size, "retry: %d\nid: %" PRIx64 "-%" PRIu64 "\n\n", RETRY_MS, hub->era, viewer->next - 1);
}

static ssize_t drop(struct hub *hub, struct hub_viewer *viewer, char *buffer, size_t size)
{
	if (!viewer->lost) /* said and done */
		return -ENODATA;
	hub->dropped++;
	ssize_t length = snprintf(buffer, size, "id: %" PRIx64 "-%" PRIu64 "\nevent: dropped\ndata: {\"reason\":\"%s\"}\n\n", hub->era,
	                          hub->next - 1, viewer->lost);
	viewer->lost = NULL;
	viewer->next = UINT64_MAX;
	return length;
}

static size_t copy_some(struct hub_viewer *viewer, char *buffer, size_t size)
{
	size_t left = viewer->at->length - viewer->offset, some = left < size ? left : size;
	memcpy(buffer, viewer->at->text + viewer->offset, some);
	viewer->offset += some;
	if (some == left) {
		release(viewer->at);
		viewer->at = NULL;
	}
	return some;
}

ssize_t hub_viewer_read(struct hub *hub, struct hub_viewer *viewer, char *buffer, size_t size)
{
	size_t filled = 0;
	if (viewer->next == UINT64_MAX)
		return -ENODATA;
	if (!viewer->told && !viewer->lost)
		return greet(hub, viewer, buffer, size);
	while (filled < size) {
		if (!viewer->at) {
			if (viewer->lost || viewer->next < hub->first)
				break;
			if (viewer->next == hub->next)
				return (ssize_t)filled;
			viewer->at = hub->ring[viewer->next++ % HUB_EVENTS];
			viewer->at->held++;
			viewer->offset = 0;
		}
		filled += copy_some(viewer, buffer + filled, size - filled);
	}
	if (filled > 0)
		return (ssize_t)filled;
	if (!viewer->lost)
		viewer->lost = "too slow: events that you had not taken yet were given up";
	return drop(hub, viewer, buffer, size);
}

void hub_viewer_end(struct hub_viewer *viewer)
{
	release(viewer->at);
	*viewer = (struct hub_viewer){.next = UINT64_MAX};
}
